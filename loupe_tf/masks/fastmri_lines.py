import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.patterns import CALIBRATION_SHARE
from loupe_tf.masks.sampling_mask import SamplingMask


def fastmri_lines(
    columns, acceleration, centre_share=None, offset=None, seed=0
):
    """Acquire the very columns that fastMRI's challenges acquire.

    This is the formula of `EquispacedMaskFractionFunc` of the `fastmri`
    package, also called "fake equidistant", which the 2020 challenge used. Of
    n columns, the central c = round(share · n) are acquired, and the columns

        round(o + i a),  i = 0, 1, ...,    below n - 1,
        a = R (c - n) / (c R - n)

    so that both together are about n / R. Distances differ by one where a is
    not an integer, and the number of columns is not exact, because columns of
    the grid may fall into the centre: `equispaced_lines` has the exact budget.
    The offset o is an integer from 0 to round(a) - 1. With the same seed, the
    mask is that of `fastmri` 0.3.0, bit by bit.

    Args:
        columns: Integer, the number n of columns of k-space.
        acceleration: Real number R greater than 1.
        centre_share: Number in (0, 1 / R), the share of columns in the centre.
            `None`, the default, means 0.32 / R: 8 % at R = 4, 4 % at R = 8.
        offset: Integer, the offset o; `None` draws it.
        seed: Non-negative integer; or a string, the name of a file with its
            suffix, from which fastMRI seeds the mask of a volume.

    Returns:
        A `SamplingMask` of shape `(1, columns)`.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> mask = loupe_tf.masks.fastmri_lines(320, 4, seed="file_brain_1.h5")
    >>> mask.shape, mask.acquired
    ((1, 320), 80)
    """
    columns = check_integer("columns", columns, at_least=1)
    rate = check_number("acceleration", acceleration, above=1)
    if centre_share is None:
        centre_share = CALIBRATION_SHARE / rate
    check_number("centre_share", centre_share, above=0, below=1 / rate)
    centre = round(columns * centre_share)
    if centre * rate >= columns:
        raise invalid(
            "columns",
            f"enough columns for {centre} in the centre and others at R = "
            f"{rate:g}",
            columns,
        )
    # fastMRI works with the R that it was given, an integer or a float.
    distance = (acceleration * (centre - columns)) / (
        centre * acceleration - columns
    )
    if offset is None:
        if isinstance(seed, str):
            seed = tuple(map(ord, seed))
        else:
            seed = check_integer("seed", seed, at_least=0)
        draws = np.random.RandomState(seed)
        # It first draws which of the given accelerations to use, here one.
        draws.randint(1)
        offset = draws.randint(0, high=round(distance))
    offset = check_integer("offset", offset, at_least=0)
    array = np.zeros((1, columns), bool)
    others = np.arange(offset, columns - 1, distance)
    array[0, np.around(others).astype(int)] = True
    first = (columns - centre + 1) // 2
    array[0, first : first + centre] = True
    # With an odd number of columns, fastMRI's even centre is one to the right.
    own = max(centre - 1, 0) if columns % 2 > centre % 2 else centre
    return SamplingMask(
        array,
        acceleration,
        own,
        provenance={
            "pattern": "fastmri_lines",
            "offset": int(offset),
            "centre": int(centre),
        },
    )
