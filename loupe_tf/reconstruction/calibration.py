"""The fully acquired centre of k-space."""

import numpy as np


def acquired_widths(mask):
    """Return the width of the fully acquired centre for each height.

    Args:
        mask: Boolean array `(H, W)`.

    Returns:
        Integer array `(H,)`. At index h - 1, the largest w for which the
        central h × w entries are all acquired. Along each axis, the centre is
        `[n // 2 - c // 2, n // 2 - c // 2 + c)`, as in
        `loupe_tf.masks.calibration_region`.
    """
    height, width = mask.shape
    middle = width // 2
    left = np.cumprod(mask[:, :middle][:, ::-1], axis=1).sum(axis=1)
    right = np.cumprod(mask[:, middle:], axis=1).sum(axis=1)
    widths = []
    for h in range(1, height + 1):
        first = height // 2 - h // 2
        rows = slice(first, first + h)
        widths.append(min(2 * left[rows].min() + 1, 2 * right[rows].min()))
    return np.array(widths)


def center(kspace, size):
    """Return the central `(h, w)` entries of k-space `(coils, H, W)`."""
    first = [n // 2 - c // 2 for n, c in zip(kspace.shape[-2:], size)]
    rows, columns = (slice(f, f + c) for f, c in zip(first, size))
    return kspace[:, rows, columns]
