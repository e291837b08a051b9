"""The order of acquisition for the entries of a mask."""

import numpy as np

from loupe_tf.checks import check_choice
from loupe_tf.masks.generator import generator

ORDERS = ("linear", "centre_out", "shuffled", "smooth")


def acquisition_order(mask, order="linear", seed=0):
    """Put the acquired entries of a mask into the order of acquisition.

    | order | acquires |
    |---|---|
    | `"linear"` | from the lowest flat (C-order) index to the highest |
    | `"centre_out"` | from DC outwards; ties are broken by the lower index |
    | `"shuffled"` | in random order, the same for the same seed |
    | `"smooth"` | neighbours after each other, ending near the start |

    Each jump of the phase-encoding gradients from one repetition to the next
    induces eddy currents. With small jumps they hardly change, and
    steady-state sequences show fewer artifacts (Bieri, Markl and Scheffler,
    MRM 54, 2005). `"smooth"` takes every other line on the way up and the
    others on the way down, so the next pass begins beside the end of this one.
    Points are taken in strips, to and fro. The strips are groups of rows or of
    columns; their axis and height are those with the smallest mean squared
    jump.

    Args:
        mask: `SamplingMask`.
        order: String, one of the four names above.
        seed: Non-negative integer, for `"shuffled"` only.

    Returns:
        Integer array, of shape `(n,)` with the indices of lines, or of shape
        `(n, 2)` with row and column of each point. Indices start at 0; DC is
        `N // 2`.

    Raises:
        ValueError: If `order` is not one of the names, or `seed` is invalid.

    Example:

    >>> acquisition_order(SamplingMask([[1, 0, 1, 1, 0, 1]]), "centre_out")
    array([3, 2, 5, 0])
    """
    check_choice("order", order, ORDERS)
    random = generator(seed)
    points = np.argwhere(mask.array)
    offsets = points - np.array(mask.shape) // 2
    if order == "centre_out":
        squares = np.sum(offsets**2, axis=1)
        points = points[np.argsort(squares, kind="stable")]
    elif order == "shuffled":
        points = random.permutation(points)
    elif order == "smooth" and mask.lines:
        points = np.concatenate([points[::2], points[1::2][::-1]])
    elif order == "smooth":
        points = _strips(points)
    if mask.lines:
        return points[:, 1 if mask.lines == "columns" else 0]
    return points


def _strips(points):
    """Order points in strips, to and fro, of the best axis and height."""
    best, least = points, np.inf
    for axis in (0, 1):
        for height in range(1, min(points.max(initial=0) + 1, 32) + 1):
            strip = points[:, axis] // height
            along = points[:, 1 - axis]
            # Strips run to and fro. At equal positions along a strip, points
            # nearer to the previous strip come first.
            turned = np.where(strip % 2, -along, along)
            order = np.lexsort((points[:, axis], turned, strip))
            candidate = points[order]
            cost = np.sum(np.diff(candidate, axis=0) ** 2)
            if cost < least:
                best, least = candidate, cost
    return best
