"""Where the centre of k-space lies in a mask from elsewhere."""

import math

import numpy as np

from loupe_tf.masks.budget import calibration_region


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
    array = np.asarray(array, dtype=bool)
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
    unlikely = math.log(100) / math.log(size / number)
    if corner < centre >= unlikely or score > (
        2 if centre and not corner else 3
    ):
        return "centre"
    if centre < corner >= unlikely or score < -(
        2 if corner and not centre else 3
    ):
        return "corner"
    return None


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
            already (both by `dc_position`).
    """
    if shift not in (None, True, False):
        raise ValueError(
            "Invalid value for argument `shift`. Expected None, True or False. "
            f"Received: shift={shift!r}"
        )
    # A calibration region that is acquired says where the centre is.
    known = bool(mask.calibration) and mask.calibration != (0, 0)
    if shift is False or (shift is None and known):
        return mask
    found = "centre" if known else dc_position(mask.array)
    if shift is None and found == "corner":
        raise ValueError(
            "Invalid value for argument `mask`. Expected a mask with DC in the "
            "centre, at (H // 2, W // 2). Received: one that is densest around "
            "the corner (0, 0). With shift=True (--shift) DC is moved from "
            "there to the centre; shift=False (--as-is) takes it as it is"
        )
    if shift is None:
        return mask
    if found == "centre":
        raise ValueError(
            "Invalid value for argument `shift`. Expected a mask with DC in a "
            "corner for shift=True. Received: one with DC in the centre"
        )
    return mask.replace(array=np.fft.fftshift(mask.array))
