"""The gradient waveform that takes samples at given positions."""

import numpy as np


def control_points(positions):
    """Compute the control points of the curve through samples.

    The gradient of a shot is linear between nodes that are one dwell time
    apart, halfway between samples: its slew rate is then constant around each
    sample, and the curve a quadratic spline. The samples are a weighted mean of
    its control points c,

        k_j = (c_{j-1} + 6 c_j + c_{j+1}) / 8

    and `c_j - c_{j-1}` is the gradient in the node before sample j, in
    positions per dwell time. So limits of gradient and slew rate are limits of
    first and second differences of the control points. The gradient is constant
    before the first sample and behind the last one: both are control points.

    Args:
        positions: Array `(..., samples, axes)`.

    Returns:
        Float64 array of the same shape.
    """
    from scipy.linalg import solve_banded  # Commands start without it.

    positions = np.asarray(positions, dtype=np.float64)
    samples = positions.shape[-2]
    if samples < 3:
        return positions.copy()
    bands = np.full((3, samples), 1 / 8)
    bands[1] = 6 / 8
    bands[1, [0, -1]] = 1
    bands[0, 1] = bands[2, -2] = 0
    columns = np.moveaxis(positions, -2, 0).reshape(samples, -1)
    solved = solve_banded((1, 1), bands, columns)
    shape = (samples, *positions.shape[:-2], positions.shape[-1])
    return np.moveaxis(solved.reshape(shape), 0, -2)


def curve_positions(control, xp=np):
    """Compute the positions of the samples; undoes `control_points`.

    Args:
        control: Array or tensor `(..., samples, axes)`.
        xp: `numpy`, or `keras.ops` for a tensor.
    """
    if control.shape[-2] < 3:
        return control
    inner = control[..., 1:-1, :]
    mean = (control[..., :-2, :] + 6 * inner + control[..., 2:, :]) / 8
    ends = control[..., :1, :], control[..., -1:, :]
    return xp.concatenate([ends[0], mean, ends[1]], axis=-2)


def control_gradient(gradient):
    """Return the gradient in the control points, given that in the positions.

    It is the transpose of `curve_positions`, for arrays of the same shape.
    """
    if gradient.shape[-2] < 3:
        return gradient
    inner = gradient[..., 1:-1, :] / 8
    found = gradient.copy()
    found[..., 1:-1, :] = 6 * inner
    found[..., :-2, :] += inner
    found[..., 2:, :] += inner
    return found


def gradient_nodes(control):
    """Return the gradient in positions per dwell time.

    Args:
        control: Array `(..., samples, axes)`, control points.

    Returns:
        Array `(..., samples + 1, axes)`. Sample j lies between the nodes j and
        j + 1.
    """
    if control.shape[-2] < 2:
        return np.zeros_like(np.repeat(control, 2, axis=-2))
    steps = np.diff(control, axis=-2)
    return np.concatenate(
        [steps[..., :1, :], steps, steps[..., -1:, :]], axis=-2
    )
