"""Turn a probability mask into a binary one."""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.masks.budget import budget
from loupe_tf.masks.half_plane import required_and_allowed


def binarize(prob, acceleration, calibration=None, half_plane=False):
    """Turn a probability mask into a binary mask with exactly the budget.

    The calibration region is taken first, then the entries of largest
    probability, until `round(N / R)` are acquired. Ties are broken by the
    lower flat (C-order) index, so the result is the same everywhere.

    A threshold, such as `prob > 0.5`, acquires some other number of entries:
    none at all for a newly initialized learned mask with `R = 4`.

    Args:
        prob: Real array of shape `(H, W)` for points (`N = H * W`), `(1, W)`
            for columns (`N = W`) or `(H, 1)` for rows (`N = H`), with DC at
            index `n // 2` of each axis. Only the order of its values matters.
        acceleration: Real number `R` greater than 1.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired. See `calibration_region`.
        half_plane: Boolean. If `True`, only entries of
            `loupe_tf.masks.half_plane` are acquired, with the same budget.

    Returns:
        Boolean array with the shape of `prob`.

    Raises:
        ValueError: If `prob` is not a real matrix or contains NaN, if
            `acceleration` or `calibration` is invalid, if the calibration
            region exceeds the budget, or if the budget exceeds the half-plane.

    Example:

    >>> binarize([[0.1, 0.9, 0.5, 0.9]], acceleration=2).astype(int)
    array([[0, 1, 0, 1]])
    >>> binarize([[0.1, 0.9, 0.5, 0.9]], 2, calibration=1).astype(int)
    array([[0, 1, 1, 0]])
    """
    prob = np.asarray(prob)
    if prob.ndim != 2 or prob.size == 0 or prob.dtype.kind not in "fiub":
        raise invalid(
            "prob",
            "a real array of shape (H, W), (1, W) or (H, 1)",
            found=f"prob of shape {prob.shape} and dtype {prob.dtype}",
        )
    if np.isnan(prob).any():
        raise invalid(
            "prob",
            "no NaN",
            found=f"{np.isnan(prob).sum()} NaN of {prob.size} entries",
        )
    entries = budget(prob.size, acceleration)
    region, allowed = required_and_allowed(prob.shape, calibration, half_plane)
    if allowed.sum() < entries:
        raise invalid(
            "acceleration",
            f"a budget of at most the {allowed.sum()} entries of the "
            "half-plane",
            found=f"acceleration={acceleration}, {entries} entries",
        )
    if region.sum() > entries:
        raise invalid(
            "calibration",
            f"a region within the budget of {entries} entries "
            f"(acceleration={acceleration}, shape {prob.shape})",
            found=f"calibration={calibration}, which is {region.sum()} entries",
        )
    # `lexsort` is stable and sorts by its last key first: allowed entries,
    # then the calibration region, then probability, then the lower index.
    falling = -prob.astype("float64").ravel()
    order = np.lexsort((falling, ~region.ravel(), ~allowed.ravel()))
    mask = np.zeros(prob.size, dtype=bool)
    mask[order[:entries]] = True
    return mask.reshape(prob.shape)
