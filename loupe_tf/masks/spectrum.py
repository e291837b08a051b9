"""The pattern of largest mean power."""

import numpy as np

from loupe_tf.checks import invalid
from loupe_tf.masks.binarize import binarize
from loupe_tf.masks.half_plane import half_plane_facts, is_own_mirror
from loupe_tf.masks.patterns import lines_shape
from loupe_tf.masks.sampling_mask import SamplingMask


def spectrum(
    images, acceleration, lines=None, calibration=None, half_plane=False
):
    """Acquire the entries where the images have the most power.

    The mask takes the largest entries of the mean of `|F x|^2` over the
    images, with `F` the centred orthonormal Fourier transform. By Parseval's
    theorem, no other fixed mask gives a lower mean squared error of the
    (complex) zero-filled reconstruction of these images. A learned mask
    therefore converges to this one if the images are rebuilt in that way.

    Magnitude images have the same power at `k` and `-k`, so half of their
    k-space is redundant, and `half_plane=True` leaves it out. Use complex
    images if you have them.

    Args:
        images: Array of training images, of shape `(n, H, W)` (real or
            complex), `(n, H, W, 1)` (real), or `(n, H, W, 2)` (real and
            imaginary part).
        acceleration: Real number `R` greater than 1.
        lines: `None` for points; `"columns"` or `"rows"` for whole lines,
            ranked by the sum of their power.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired, inside the budget.
        half_plane: Boolean, for real images. If `True`, only entries of
            `loupe_tf.masks.half_plane` are acquired. The power of an entry
            then includes its mirror, so it counts twice, unless the entry is
            its own mirror. The calibration region is whole once the mask is
            filled.

    Returns:
        A `SamplingMask` of exactly `round(N / R)` entries or lines.

    Raises:
        ValueError: If an argument is invalid, if the calibration region
            exceeds the budget, or if the budget exceeds the half-plane.
    """
    images = np.asarray(images)
    if (
        images.dtype.kind not in ("fiub" if images.ndim == 4 else "fiubc")
        or images.ndim not in (3, 4)
        or images.size == 0
        or images.shape[3:] not in ((), (1,), (2,))
    ):
        raise invalid(
            "images",
            "shape (n, H, W), (n, H, W, 1) or (n, H, W, 2)",
            found=f"images of shape {images.shape} and dtype {images.dtype}",
        )
    if not np.isfinite(images).all():
        raise invalid("images", "finite values", found="NaN or infinite values")
    power = np.zeros(images.shape[1:3])
    for image in images:
        if image.shape[2:] == (2,):
            image = image[..., 0] + 1j * image[..., 1]
        image = image.reshape(power.shape)
        # The position of the image's origin changes only the phase.
        power += np.abs(np.fft.fft2(image, norm="ortho")) ** 2
    power = np.fft.fftshift(power) / len(images)
    matrix = power.shape
    if lines is not None:
        axis = lines_shape(power.shape, lines).index(1)
        power = power.sum(axis=axis, keepdims=True)
    if half_plane:
        # An acquired entry also gives its mirror, unless it is its own mirror.
        power = np.where(is_own_mirror(power.shape), power, 2 * power)
    facts = {"pattern": "spectrum", "images": len(images)}
    array = binarize(power, acceleration, calibration, half_plane)
    if half_plane:
        facts.update(half_plane_facts(calibration))
        calibration = None
    return SamplingMask(
        array, acceleration, calibration, provenance=facts, matrix=matrix
    )
