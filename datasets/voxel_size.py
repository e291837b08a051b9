"""Voxel sizes of one volume and of many."""

import numpy as np

UNKNOWN = (0.0, 0.0, 0.0)
# Voxel sizes that differ by at most this share count as equal: headers are
# rounded, and fields of view are rounded to whole pixels.
TOLERANCE = 0.02


def standardize(spacing):
    """Convert a voxel size to the form used in records.

    Args:
        spacing: `None`, or three numbers: the distance between slices, rows
            and columns in mm. An unknown distance may be 0, `None` or not
            finite.

    Returns:
        A float32 array of shape `(3,)`, with 0 for unknown distances.
    """
    if spacing is None:
        return np.array(UNKNOWN, "float32")
    values = np.array([s or 0 for s in spacing], "float32")
    return np.where(np.isfinite(values) & (values > 0), values, 0)


def common_voxel_size(voxel_sizes):
    """Return the common voxel size of many images, if there is one.

    Args:
        voxel_sizes: Array `(n, 3)`, the distance between slices, rows and
            columns in mm, 0 if unknown.

    Returns:
        A tuple of three floats in mm, the medians. An entry is `None` if it is
        unknown for an image or differs by more than 2 % between images.
    """
    sizes = np.asarray(voxel_sizes, "float64").reshape(-1, 3)
    out = []
    for values in sizes.T:
        known = len(values) and values.min() > 0
        one = known and values.max() <= (1 + TOLERANCE) * values.min()
        out.append(float(f"{np.median(values):.6g}") if one else None)
    return tuple(out)
