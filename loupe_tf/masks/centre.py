"""Where the centre of k-space lies in a mask from elsewhere."""

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

# Our patterns whose density says nothing, but by chance.
UNIFORM = ("uniform_random", "learned")
_JUDGES = contextvars.ContextVar("judges", default=True)


def dc_position(array):
    """Guess from its density where a mask has DC: centre or corner.

    Masks are denser around DC, and mostly acquire a block there. Two tests
    against masks of as many entries at random; either of them will do:

    - The block around either place that is acquired whole, of `n` entries: at
      a density of `p` chance alone leaves it once in `p^-n` masks. It must be
      100 or more, and the block the larger one of the two.
    - With `k` the distance of an entry from the centre, the mean of
      `cos(2 pi k / N)` over the acquired entries, added over the axes, is
      positive if they lie around the centre, negative if they lie around the
      corners. It must be 3 of its standard deviations; or 2, if DC is acquired
      in the one place and not in the other.

    Args:
        array: Boolean array of shape `(H, W)`, `(1, W)` or `(H, 1)`.

    Returns:
        `"centre"`, `"corner"`, or `None` where the density does not tell.

    Example:

    >>> dc_position(np.fft.ifftshift(poisson_disc((64, 64), 4).array))
    'corner'
    """
    array = np.ascontiguousarray(array, dtype=bool)
    return _dc_position(array.shape, array.tobytes(), 1)


@functools.lru_cache(64)
def _dc_position(shape, data, strictness):
    """`dc_position`, with bounds that are `strictness` times as high."""
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
    # Their mean over all entries is 0. Draws without replacement have a mean of
    # smaller variance than those with it.
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
    """Where a mask has DC, by all that is known of it.

    A calibration region that is acquired says where the centre is, and of
    patterns of ours that have no density little else is believed.

    Args:
        mask: `SamplingMask`, or an array as for `dc_position`.

    Returns:
        As `dc_position`.
    """
    calibration = getattr(mask, "calibration", None)
    if calibration and calibration != (0, 0):
        return "centre"
    pattern = getattr(mask, "provenance", {}).get("pattern")
    array = np.ascontiguousarray(mask, dtype=bool)
    strictness = 2 if pattern in UNIFORM else 1
    return _dc_position(array.shape, array.tobytes(), strictness)


@contextlib.contextmanager
def judged(*masks):
    """Warn of masks that seem to have DC in a corner; within, of no others.

    What takes a mask from a user, whether it may be meant so or not, does this
    around all it does, so that a mask is judged once, on its way in.

    Args:
        *masks: Each a `SamplingMask` or an array. What is no mask is left to
            those who read it. None, for masks that have been judged.
    """
    if _JUDGES.get():
        for mask in {id(mask): mask for mask in masks}.values():
            shape = np.shape(mask)
            if len(shape) == 2 and 0 not in shape and _dc_of(mask) == "corner":
                warnings.warn(
                    "The mask is densest around the corner (0, 0), and is "
                    "taken to have DC in the centre, at (H // 2, W // 2). If "
                    "DC lies in its corner, give np.fft.fftshift(mask).",
                    stacklevel=outside(),
                )
    token = _JUDGES.set(False)
    try:
        yield
    finally:
        _JUDGES.reset(token)


def judging(function):
    """Decorate a function of a `mask`, which is `judged` around the call."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with judged(signature.bind(*args, **kwargs).arguments["mask"]):
            return function(*args, **kwargs)

    return wrapper


def outside():
    """The `stacklevel` of the first caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    inside = ("loupe_tf", "keras", "contextlib")
    while (
        frame.f_back
        and frame.f_globals.get("__name__", "").partition(".")[0] in inside
    ):
        level, frame = level + 1, frame.f_back
    return level


def _block(array):
    """Entries of the largest calibration region that is acquired whole."""
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
        shift: `None` to refuse a mask whose density says that DC lies in a
            corner; `True` to move DC from the corner to the centre; `False` to
            take the mask as it is.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If DC lies in a corner, or, with `shift=True`, in the centre
            already (both by `dc_position`, or by its calibration region).
    """
    check_choice("shift", shift, (None, True, False))
    if shift is False:
        return mask
    found = _dc_of(mask)
    if shift is None and found == "corner":
        raise invalid(
            "mask",
            "a mask with DC in the centre, at (H // 2, W // 2)",
            found="one that is densest around the corner (0, 0). With "
            "shift=True (--shift) DC is moved from there to the centre; "
            "shift=False (--as-is) takes it as it is",
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
