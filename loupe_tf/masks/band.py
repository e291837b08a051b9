"""Bands of k-space at any angle, and how often they cover each entry."""

import math
import numbers

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.budget import calibration_region, standardize_shape
from loupe_tf.masks.sampling_mask import SamplingMask

# Decides between entries that are equally far from the line through DC: the
# one of lower coordinate is taken, as in `calibration_region`.
LOWER = 1e-6


def band(shape, acceleration, angle=0.0, calibration=None):
    """Acquire a band through the centre of k-space, at any angle.

    The band of K-band (Wang et al., "K-band: self-supervised MRI
    reconstruction via stochastic gradient descent over k-space subsets",
    2023) at the angle t has the width w:

        |x cos t + y sin t| ≤ w / 2

    with (x, y) the column and the row, counted from DC. It runs from border to
    border, so the resolution along the band is full, and w is such that the
    band has exactly `round(H W / R)` entries. The bands of the authors' code
    are rectangles of the same area instead, whose ends are at right angles;
    they leave the corners of k-space out, and exist only for larger R.

    Args:
        shape: Shape `(H, W)` of k-space.
        acceleration: Real number R of at least 1: the band has a share 1/R of
            all entries. With 1 it is all of k-space.
        angle: Float, t in degrees. 0 is a band of columns, 90 one of rows.
        calibration: `None`, an integer or `(h, w)`: the centre that is always
            acquired, inside the budget. Entries of it outside the band
            replace entries at the edges of the band.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If an argument is invalid, if `shape` is one of lines, or
            if the calibration region exceeds the budget.

    Example:

    >>> band((5, 5), acceleration=2, angle=45).array.astype(int)
    array([[0, 0, 0, 1, 1],
           [0, 0, 1, 1, 1],
           [0, 1, 1, 1, 0],
           [1, 1, 1, 0, 0],
           [1, 0, 0, 0, 0]])
    """
    shape = standardize_shape(shape)
    acceleration = check_number("acceleration", acceleration, at_least=1)
    angle = check_number("angle", angle)
    if 1 in shape:
        raise invalid("shape", "(H, W) of points, not of lines", shape)
    y, x = (np.arange(n) - n // 2 for n in shape)
    t = math.radians(angle)
    # Rounded, so that entries on a parallel to the band are equally far.
    across = np.round(x * math.cos(t) + y[:, None] * math.sin(t), 9)
    if acceleration == 1:
        calibration_region(shape, calibration)  # Checks it.
        array = np.ones(shape, bool)
    else:
        array = binarize(-np.abs(across + LOWER), acceleration, calibration)
    return SamplingMask(
        array,
        acceleration,
        calibration,
        provenance={"pattern": "band", "angle": angle},
    )


def bands(shape, acceleration, angles=180, calibration=None):
    """Make the bands of several angles, as one array.

    Args:
        shape, acceleration, calibration: Arguments of `band`.
        angles: Positive integer A for A angles that divide half a turn
            evenly, from 0; or a sequence of angles in degrees.

    Returns:
        Boolean array `(A, H, W)`.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> bands((64, 64), acceleration=4, angles=3).sum(axis=(1, 2))
    array([1024, 1024, 1024])
    """
    if isinstance(angles, numbers.Number):
        number = check_integer("angles", angles, at_least=1)
        angles = np.arange(number) * 180 / number
    angles = np.asarray(angles, dtype="float64")
    if angles.ndim != 1 or not angles.size:
        raise invalid("angles", "a positive integer, or a sequence", angles)
    return np.stack(
        [band(shape, acceleration, t, calibration).array for t in angles]
    )


def band_weights(bands):
    """Compute how much an entry counts in a band, so that all count alike.

    W(k) is one over the probability that a band drawn at random covers k:

        W(k) = 1 / Pr(k ∈ B)    or 0 if no band covers k

    so the mean of W·B over all bands is 1 wherever there is data. The
    probability is counted over the given bands, and W is exact for them. For
    a fixed width w and all angles, an entry at the distance r from DC has
    `Pr = 1` up to r = w/2 and `(2/π) asin(w / 2r)` beyond. The authors'
    code divides W by its mean, which scales the loss and changes nothing else.

    Args:
        bands: Array `(A, H, W)` of booleans, or of 0 and 1, such as from
            `bands`. Each counts alike. A list of masks will do.

    Returns:
        Float32 array `(H, W)`.

    Raises:
        ValueError: If `bands` has another shape or other values.

    Example:

    >>> covered = bands((64, 64), acceleration=4)
    >>> bool(np.allclose((band_weights(covered) * covered).mean(axis=0), 1))
    True
    """
    bands = np.asarray([np.asarray(each) for each in bands])
    if bands.ndim != 3 or not bands.size or not np.isin(bands, (0, 1)).all():
        raise invalid(
            "bands",
            "an array (A, H, W) of booleans, or of 0 and 1",
            found=f"shape={bands.shape}, dtype={bands.dtype}",
        )
    share = bands.mean(axis=0)
    weights = np.divide(1, share, out=np.zeros_like(share), where=share > 0)
    return weights.astype("float32")
