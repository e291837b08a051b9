import numpy as np
import pytest

from loupe_tf.trajectories import waveforms


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 33])
def test_there_and_back(rng, samples):
    positions = rng.uniform(-0.5, 0.5, (3, samples, 2))
    control = waveforms.control_points(positions)
    np.testing.assert_allclose(
        waveforms.curve_positions(control), positions, atol=1e-14
    )
    np.testing.assert_array_equal(control[:, [0, -1]], positions[:, [0, -1]])


def test_the_integral_of_the_gradient_reaches_the_samples(rng):
    """Independently, by the area under many small pieces of the gradient."""
    positions = rng.uniform(-0.5, 0.5, (2, 12, 3))
    control = waveforms.control_points(positions)
    nodes = waveforms.gradient_nodes(control)
    assert nodes.shape == (2, 13, 3)
    fine = 1000
    time = (np.arange(12 * fine) + 0.5) / fine
    for shot in range(2):
        for axis in range(3):
            gradient = np.interp(time, np.arange(13), nodes[shot, :, axis])
            area = np.concatenate([[0], np.cumsum(gradient)]) / fine
            at_samples = area[fine // 2 :: fine]
            np.testing.assert_allclose(
                at_samples - at_samples[0],
                positions[shot, :, axis] - positions[shot, 0, axis],
                atol=1e-6,
            )


@pytest.mark.parametrize("samples", [1, 2, 3, 9])
def test_control_gradient_is_the_transpose(rng, samples):
    curves, pull = rng.normal(size=(2, 3, samples, 2))
    there = (waveforms.curve_positions(curves) * pull).sum()
    back = (curves * waveforms.control_gradient(pull)).sum()
    assert there == pytest.approx(back)


def test_straight_lines_stay():
    line = np.linspace(0, 0.4, 9)[:, None] * (1, 0.5)
    control = waveforms.control_points(line)
    np.testing.assert_allclose(control, line, atol=1e-15)
    np.testing.assert_allclose(
        waveforms.gradient_nodes(control), [(0.05, 0.025)] * 10
    )
