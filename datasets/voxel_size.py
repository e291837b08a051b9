"""The size of voxels, of one volume and of many."""

import numpy as np

UNKNOWN = (0.0, 0.0, 0.0)
# Voxel sizes count as one up to this share: rounding of a header, and of a
# field of view to whole pixels.
TOLERANCE = 0.02


def standardize(spacing):
    """A voxel size as records have it.

    Args:
        spacing: `None`, or three numbers: distance of slices, rows and columns
            in mm. What is not known may be 0, `None` or not finite.

    Returns:
        A float32 array of shape `(3,)`, 0 for what is not known.
    """
    if spacing is None:
        return np.array(UNKNOWN, "float32")
    values = np.array([s or 0 for s in spacing], "float32")
    return np.where(np.isfinite(values) & (values > 0), values, 0)


def common_voxel_size(voxel_sizes):
    """The one voxel size of many images, if there is one.

    Args:
        voxel_sizes: Array `(n, 3)`, the distance of slices, rows and columns in
            mm, 0 where that is not known.

    Returns:
        A tuple of three floats in mm, the medians: `None` in place of what is
        not known of all images, or differs by more than 2 %.
    """
    sizes = np.asarray(voxel_sizes, "float64").reshape(-1, 3)
    out = []
    for values in sizes.T:
        known = len(values) and values.min() > 0
        one = known and values.max() <= (1 + TOLERANCE) * values.min()
        out.append(float(f"{np.median(values):.6g}") if one else None)
    return tuple(out)
