import numpy as np
from keras import ops

from loupe_tf.layers import FixedTrajectory
from loupe_tf.trajectories import radial


def test_positions_are_those(check_layer):
    trajectory = radial(shots=3, samples=4, matrix=(7, 8))
    layer = FixedTrajectory(trajectory)
    check_layer(layer, np.zeros((2, 7, 8, 1), "float32"))
    twin = FixedTrajectory.from_config(layer.get_config())
    assert twin.trajectory == trajectory
    found = ops.convert_to_numpy(twin(np.zeros((2, 7, 8, 1), "float32")))
    np.testing.assert_allclose(found, trajectory.positions[None], atol=1e-7)
