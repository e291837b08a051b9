from loupe_tf import trajectories
from loupe_tf.samplers import GivenTrajectory, TrajectoryInput

SIZE = (8, 9)


def test_stored_and_made_again(stored_again):
    spokes = trajectories.radial(
        shots=3, samples=12, matrix=SIZE, field_of_view=(80, 90)
    )
    sampler = GivenTrajectory(spokes)
    assert sampler.curves and sampler.inputs(SIZE) == []
    again = stored_again(sampler)
    assert again.trajectory == spokes
    assert again.field_of_view == (80, 90)


def test_input_stored_and_made_again(stored_again):
    sampler = stored_again(TrajectoryInput(3, 12))
    (positions,) = sampler.inputs(SIZE)
    assert positions.shape == (None, 3, 12, 2)
    assert sampler.curves and sampler(None, positions) is positions
