"""Helpers that the mask formats share."""

from loupe_tf.checks import invalid

# Bytes of memory per entry while a mask is read and checked.
COST = 32
# Name of this package's metadata inside other formats.
MARK = "loupe_tf_mask"
SIZES = {
    "matrix": "the size (H, W) of k-space, which this mask of lines does not "
    "contain (--matrix H W)",
    "field_of_view": "the size (H, W) of the image in mm, which this mask does "
    "not contain (--fov H W)",
}


def with_sizes(mask, **sizes):
    """Return the mask with all sizes that a format needs.

    Args:
        mask: `SamplingMask`.
        **sizes: `matrix` and `field_of_view`; `None` takes the mask's own.
    """
    given = {name: size for name, size in sizes.items() if size is not None}
    mask = mask.replace(**given)
    for name in sizes:
        if getattr(mask, name) is None:
            raise invalid(name, SIZES[name], None)
    return mask


def check_lines(mask, what, *kinds):
    """Refuse a mask that a format for lines cannot hold."""
    if mask.lines not in kinds:
        raise invalid(
            "mask",
            f"{' or '.join(kinds)} for {what}, which holds whole lines",
            found=f"a mask of {mask.lines or 'points'}, of shape {mask.shape}. "
            f"Learn one with lines={kinds[0]!r}, or write this one in a format "
            "that holds it, such as .csv, .cfl or .mrd",
        )
