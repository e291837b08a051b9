"""Find the centre of k-space in a mask from another source."""

import contextlib
import contextvars
import functools
import inspect
import math
import sys
import warnings

import numpy as np

from loupe_tf.checks import check_choice, invalid
from loupe_tf.masks.budget import calibration_region
from loupe_tf.masks.pattern import PATTERNS

_JUDGES = contextvars.ContextVar("judges", default=True)


def dc_position(array):
    """Guess from the density of a mask whether DC is in the centre or corner.

    Masks are denser around DC, and most acquire a whole block there. Two tests
    compare the mask with random masks of as many entries. One of them is
    enough:

    - The first test takes the largest block that is acquired whole around each
      of the two places. In a random mask of density `p`, a block of `n`
      entries is whole with probability `p^n`. For the larger block, this must
      be at most 1 %.
    - Let `k` be the offset of an entry from the centre along an axis. The mean
      of `cos(2 pi k / N)` over the acquired entries, summed over the axes, is
      positive if they lie around the centre and negative if they lie around
      the corners. Its magnitude must exceed 3 standard deviations, or 2 if
      only the entry at that place is acquired, not the one at the other.

    Args:
        array: Boolean array of shape `(H, W)`, `(1, W)` or `(H, 1)`.

    Returns:
        `"centre"`, `"corner"`, or `None` if the density is not conclusive.

    Example:

    >>> dc_position(np.fft.ifftshift(poisson_disc((64, 64), 4).array))
    'corner'
    """
    array = np.ascontiguousarray(array, dtype=bool)
    return _dc_position(array.shape, array.tobytes(), 1)


@functools.lru_cache(64)
def _dc_position(shape, data, strictness):
    """Apply `dc_position` with bounds `strictness` times as high."""
    array = np.frombuffer(data, dtype=bool).reshape(shape)
    size, number = array.size, int(array.sum())
    if number in (0, size):
        return None
    cosines = [
        np.cos(2 * np.pi * (np.arange(n) - n // 2) / n)
        if n > 1
        else np.zeros(1)
        for n in array.shape
    ]
    values = cosines[0][:, None] + cosines[1][None, :]
    # The mean of `values` over all entries is 0. The last factor corrects the
    # variance for draws without replacement.
    variance = values.var() / number * (size - number) / (size - 1)
    score = values[array].mean() / math.sqrt(variance)
    centre, corner = _block(array), _block(np.fft.fftshift(array))
    unlikely = strictness * math.log(100) / math.log(size / number)
    if corner < centre >= unlikely or score > strictness * (
        2 if centre and not corner else 3
    ):
        return "centre"
    if centre < corner >= unlikely or score < -strictness * (
        2 if corner and not centre else 3
    ):
        return "corner"
    return None


def _dc_of(mask):
    """Find DC of a mask from its attributes and its density.

    A calibration region means that DC is in the centre. The density of patterns
    without a dense centre is not judged. A learned mask may have one or not, so
    for it the tests of `dc_position` are stricter.

    Args:
        mask: `SamplingMask`, or an array as for `dc_position`.

    Returns:
        The same as `dc_position`.
    """
    calibration = getattr(mask, "calibration", None)
    if calibration and calibration != (0, 0):
        return "centre"
    pattern = getattr(mask, "provenance", {}).get("pattern")
    known = PATTERNS.get(str(pattern))
    if known is not None and not known.dense_centre:
        return None
    array = np.ascontiguousarray(mask, dtype=bool)
    strictness = 2 if pattern == "learned" else 1
    return _dc_position(array.shape, array.tobytes(), strictness)


@contextlib.contextmanager
def judged(*masks):
    """Warn if a mask seems to have DC in a corner.

    Functions that take a mask from a user wrap their body in this context. No
    further warnings are given inside it, so each mask is judged only once.

    Args:
        *masks: `SamplingMask`s or arrays. Values that are not masks are
            ignored here; the caller checks them. `None` stands for a mask that
            was judged before.
    """
    if _JUDGES.get():
        for mask in {id(mask): mask for mask in masks}.values():
            shape = np.shape(mask)
            if len(shape) == 2 and 0 not in shape and _dc_of(mask) == "corner":
                warnings.warn(
                    "The mask is densest around the corner (0, 0), but DC is "
                    "taken to be in the centre, at (H // 2, W // 2). If DC is "
                    "in the corner, pass np.fft.fftshift(mask).",
                    stacklevel=outside(),
                )
    token = _JUDGES.set(False)
    try:
        yield
    finally:
        _JUDGES.reset(token)


def judging(function):
    """Decorate a function so that its argument `mask` is `judged`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with judged(signature.bind(*args, **kwargs).arguments["mask"]):
            return function(*args, **kwargs)

    return wrapper


def outside():
    """Return the `stacklevel` of the first caller outside this package."""
    level, frame = 1, sys._getframe(1)
    inside = ("loupe_tf", "keras", "contextlib")
    while (
        frame.f_back
        and frame.f_globals.get("__name__", "").partition(".")[0] in inside
    ):
        level, frame = level + 1, frame.f_back
    return level


def _block(array):
    """Count the entries of the largest centred block that is acquired whole."""
    entries = 0
    for side in range(1, max(array.shape) + 1):
        try:
            region = calibration_region(array.shape, side)
        except ValueError:  # Larger than the mask.
            break
        if not array[region].all():
            break
        entries = int(region.sum())
    return entries


def centred(mask, shift=None):
    """Make sure that a mask has DC in its centre.

    Args:
        mask: `SamplingMask`.
        shift: `None` to refuse a mask whose density suggests that DC is in a
            corner; `True` to move DC from the corner to the centre; `False` to
            return the mask unchanged.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If DC is in a corner, or if `shift=True` and DC is already
            in the centre. The calibration region decides, or else
            `dc_position`.
    """
    check_choice("shift", shift, (None, True, False))
    if shift is False:
        return mask
    found = _dc_of(mask)
    if shift is None and found == "corner":
        raise invalid(
            "mask",
            "a mask with DC in the centre, at (H // 2, W // 2)",
            found="one that is densest around the corner (0, 0). Use "
            "shift=True (--shift) to move DC from there to the centre, or "
            "shift=False (--as-is) to take the mask as it is",
        )
    if shift is None:
        return mask
    if found == "centre":
        raise invalid(
            "shift",
            "a mask with DC in a corner for shift=True",
            found="one with DC in the centre",
        )
    return mask.replace(array=np.fft.fftshift(mask.array))
