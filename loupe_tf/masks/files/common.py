"""What the formats of masks share."""

import os

from loupe_tf import hdf5, reading
from loupe_tf.checks import invalid

# Bytes of memory that an entry takes while a mask is read and judged.
COST = 32
# Under this name our metadata are in the files of others.
MARK = "loupe_tf_mask"
SIZES = {
    "matrix": "the size (H, W) of k-space, which a mask of lines may not tell "
    "(--matrix H W)",
    "field_of_view": "the size (H, W) of the image in mm, which this mask does "
    "not tell (--fov H W)",
}


def with_sizes(mask, **sizes):
    """The mask with sizes that a format needs, and that it may lack.

    Args:
        mask: `SamplingMask`.
        **sizes: `matrix` and `field_of_view`; `None` for what the mask says.
    """
    given = {name: size for name, size in sizes.items() if size is not None}
    mask = mask.replace(**given)
    for name in sizes:
        if getattr(mask, name) is None:
            raise invalid(name, SIZES[name], None)
    return mask


def check_lines(mask, what, *kinds):
    """Refuse what a format of lines cannot hold."""
    if mask.lines not in kinds:
        raise invalid(
            "mask",
            f"{' or '.join(kinds)} for {what}, which holds whole lines",
            found=f"a mask of {mask.lines or 'points'}, of shape {mask.shape}. "
            f"Learn one with lines={kinds[0]!r}, or write this one in a format "
            "that holds it, such as .csv, .cfl or .mrd",
        )


def refuse_other_data(path):
    """Keep a mask from taking the place of a measurement in HDF5."""
    if not os.path.exists(path):
        return
    with hdf5.open_hdf5(path) as file:
        with reading.naming(path, "an HDF5 file"):
            is_mask = MARK in file.attrs
        if not is_mask:
            raise invalid(
                "path",
                "a new file, or one that holds a mask alone",
                found=f"path={path}, which holds {hdf5.hdf5_names(file)}",
            )
