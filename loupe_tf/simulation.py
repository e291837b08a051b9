"""Simulate sensitivity maps, phase and k-space of several coils from images.

Fully sampled multi-coil k-space is rare. These functions simulate training data
for a model with `coils` from any images. They need only NumPy.
"""

import functools

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.numpy_fourier import fft2c

__all__ = [
    "add_noise",
    "add_phase",
    "birdcage_maps",
    "simulate_kspace",
    "smooth_phase",
]


def birdcage_maps(size, coils, radius=1.5, angle=0.0):
    """Make sensitivity maps of coils on a circle around the image.

    Coil j is at the angle `αⱼ = angle + 2πj / coils` and at the distance
    `radius` from the centre. With (v, u) the vector from the coil to a pixel,

        Sⱼ = exp(i (arctan2(u, -v) - 2πj / coils)) / √(v² + u²)

    divided by `√Σ|Sⱼ|²`, so that the squared magnitudes sum to 1. For `angle=0`
    and even sizes, these are the maps of `sigpy.mri.birdcage_maps`.

    Args:
        size: Tuple `(H, W)`.
        coils: Positive integer, number of coils.
        radius: Float above √2, in units of half the field of view. The corners
            of the image are at √2.
        angle: Float, in radians, from the axis W towards the axis H.

    Returns:
        Complex64 array `(coils, H, W)`, with the centre at
        `(H // 2, W // 2)`.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> maps = loupe_tf.simulation.birdcage_maps((96, 96), coils=8)
    """
    _check_size(size)
    check_integer("coils", coils, at_least=1)
    # With a smaller radius, a pixel may coincide with a coil, which gives 1/0.
    if not np.sqrt(2) < radius < np.inf:
        raise invalid("radius", "a finite number above √2", radius)
    y, x = ((np.arange(n) - n // 2) / (n / 2) for n in size)
    turns = 2 * np.pi * np.arange(coils)[:, None, None] / coils
    v = y[:, None] - radius * np.sin(angle + turns)
    u = x - radius * np.cos(angle + turns)
    maps = np.exp(1j * (np.arctan2(u, -v) - turns)) / np.hypot(v, u)
    maps /= np.linalg.norm(maps, axis=0)
    return maps.astype(np.complex64)


@functools.lru_cache(maxsize=1)
def turned_maps(size, coils, angles=8):
    """Make birdcage maps of coils that stand at several angles.

    The maps of the last call are kept, so that the splits of a data set share
    one array.

    Args:
        size: Tuple `(H, W)`.
        coils: Positive integer, number of coils.
        angles: Positive integer. They divide the angle between two coils into
            equal parts: a rotation by all of it would only renumber the coils.

    Returns:
        Complex64 array `(angles, coils, H, W)`, which is read-only.

    Raises:
        ValueError: If an argument is invalid.
    """
    check_integer("coils", coils, at_least=1)
    step = 2 * np.pi / coils / angles
    maps = [birdcage_maps(size, coils, angle=step * i) for i in range(angles)]
    maps = np.stack(maps)
    maps.flags.writeable = False
    return maps


def smooth_phase(size, deviation=1.0, rng=None):
    """Make a random phase, smooth in space as in real scans.

    The phase is

        φ(v, u) = a + Σ g_kl c_k(v) c_l(u) / (1 + k² + l²),    0 < v, u < 1

    with independent Gaussian numbers g, c₀ = 1 and c_k(v) = √2 cos(πkv). The
    sum is over k, l = 0, 1, 2 without (0, 0), and is scaled to the standard
    deviation `deviation` on average. The constant a is uniform in [0, 2π).

    Args:
        size: Tuple `(H, W)`.
        deviation: Float of at least 0, in radians.
        rng: `numpy.random.Generator`. Defaults to a new one without a seed.

    Returns:
        Complex64 array `(H, W)`, `exp(iφ)`.

    Raises:
        ValueError: If an argument is invalid.
    """
    _check_size(size)
    check_number("deviation", deviation, at_least=0)
    rng = np.random.default_rng() if rng is None else rng
    order = np.arange(3)
    weights = 1 / (1 + order[:, None] ** 2 + order**2)
    weights[0, 0] = 0
    weights *= deviation / np.linalg.norm(weights)
    # Each wave has a mean square of 1.
    norm = np.where(order, np.sqrt(2), 1)
    rows, columns = (
        norm * np.cos(np.pi * np.outer((np.arange(n) + 0.5) / n, order))
        for n in size
    )
    field = rows @ (weights * rng.normal(size=(3, 3))) @ columns.T
    field = field + rng.uniform(0, 2 * np.pi)
    return np.exp(1j * field).astype(np.complex64)


def add_phase(images, deviation=1.0, seed=None):
    """Give each magnitude image a smooth random phase.

    The k-space of a magnitude image is Hermitian: either half determines the
    other, so a mask learned from it leaves out one half. A scan has a phase,
    and needs both. The images with a phase are the inputs of a model, and the
    magnitudes its targets.

    Args:
        images: Array `(n, H, W)` or `(n, H, W, 1)` of magnitudes.
        deviation: Float of at least 0, the standard deviation of the phase in
            radians, see `smooth_phase`.
        seed: Integer, sequence of integers or `None`, seed of the phases. The
            same seed gives the image at an index the same phase.

    Returns:
        Float32 array `(n, H, W, 2)`, real and imaginary part.

    Raises:
        ValueError: If the images are complex already, or if an argument is
            invalid.

    Example:

    ```python
    x = loupe_tf.simulation.add_phase(images, seed=0)
    model = loupe_tf.models.loupe_model((96, 96, 2), acceleration=4)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit(x, images)
    ```
    """
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or np.iscomplexobj(images):
        raise invalid(
            "images",
            "magnitudes of shape (n, H, W) or (n, H, W, 1), which have no "
            "phase yet",
            found=f"shape={images.shape}, dtype={images.dtype}",
        )
    rng = np.random.default_rng(seed)
    out = np.empty((*images.shape, 2), np.float32)
    for image, both in zip(images, out, strict=True):
        both[...] = _to_channels(
            image * smooth_phase(image.shape, deviation, rng)
        )
    return out


def check_noise(snr, peak_snr):
    """Refuse what is not one of the two ratios that noise is given by.

    Args:
        snr: Finite number, in dB; or `None`.
        peak_snr: Positive number; or `None`.

    Raises:
        ValueError: If none or both are given, or if a number is out of range.
    """
    if peak_snr is None:
        check_number("snr", snr)
        return
    if snr is not None:
        raise invalid("peak_snr", "None with `snr`, the other ratio", peak_snr)
    check_number("peak_snr", peak_snr, above=0)


def add_noise(kspace, snr=None, seed=None, peak_snr=None):
    """Add receiver noise to fully sampled k-space.

    The noise is that of `loupe_tf.layers.ReceiverNoise`, which a model adds in
    training only: complex, Gaussian, white and independent from coil to coil.
    With `peak_snr`, the real and the imaginary part of each sample have the
    standard deviation `σ = 1 / peak_snr`, the same in all examples, as in the
    slices of a scan; images have the maximum 1 in their volume. With `snr`, the
    power of the noise is `10 ** (-snr / 10)` times the mean power of all
    samples of the example, so weak slices get less noise than in a scan. The
    Fourier transform is orthonormal, so images of one coil may stand in the
    place of their k-space.

    Args:
        kspace: Float array `(n, ..., H, W, 2)`, (real, imaginary).
        snr: Float, the signal-to-noise ratio in dB; or `None` with `peak_snr`.
        seed: Integer, sequence of integers or `None`, seed of the noise.
        peak_snr: Positive float in place of `snr`, a ratio of signals: the
            brightest pixel of a volume over σ.

    Returns:
        Float32 array of the same shape.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    ```python
    maps = loupe_tf.simulation.birdcage_maps((96, 96), coils=8)
    kspace, maps, _ = loupe_tf.simulation.simulate_kspace(images, maps, seed=0)
    noisy = loupe_tf.simulation.add_noise(kspace, peak_snr=50, seed=0)
    ```
    """
    check_noise(snr, peak_snr)
    kspace = np.asarray(kspace)
    if kspace.ndim < 4 or kspace.shape[-1] != 2 or np.iscomplexobj(kspace):
        raise invalid(
            "kspace",
            "real and imaginary parts of shape (n, ..., H, W, 2)",
            found=f"shape={kspace.shape}, dtype={kspace.dtype}",
        )
    axes = tuple(range(1, kspace.ndim))
    present = share = np.float32(1)
    if kspace.ndim > 4:
        # Coils of zeros pad a batch: they have neither signal nor noise.
        present = np.any(kspace != 0, axis=axes[1:], keepdims=True)
        share = np.mean(present, axis=1, keepdims=True)
        present = np.where(share > 0, present, 1)
        share = np.where(share > 0, share, 1)
    if snr is None:
        deviation = present / peak_snr
    else:
        # The mean over both parts is half the power, just as the variance of
        # each part is half that of the noise.
        variance = np.mean(np.square(kspace), axis=axes, keepdims=True)
        variance = variance * present / share
        deviation = np.sqrt(variance * 10 ** (-snr / 10))
    deviation = np.asarray(deviation, np.float32)
    noise = np.random.default_rng(seed).standard_normal(
        kspace.shape, np.float32
    )
    return kspace.astype(np.float32) + deviation * noise


def simulate_kspace(images, maps, phase=1.0, seed=None):
    """Simulate k-space of several coils from images: `F S_j (x exp(iφ))`.

    The k-space is fully sampled and has no noise: `loupe_model(..., coils=8,
    peak_snr=50)` samples it and adds the noise. The training targets are the
    images, or, for a complex reconstruction, the complex images that are
    returned.

    Args:
        images: Array `(n, H, W, 1)`, or complex images as two channels,
            `(n, H, W, 2)`.
        maps: Complex array `(coils, H, W)`, as returned by `birdcage_maps`, or
            `(n, coils, H, W)` with maps for each image.
        phase: Float, the standard deviation in radians of the phase φ of each
            image, see `smooth_phase`; or 0 for no phase.
        seed: Integer, sequence of integers or `None`, seed of the phases.

    Returns:
        A tuple of three float32 arrays: k-space and maps, both
        `(n, coils, H, W, 2)`, which are the inputs of the model, and the images
        `(n, H, W, 2)` with their phase.

    Raises:
        ValueError: If maps and images do not fit each other.

    Example:

    ```python
    maps = loupe_tf.simulation.birdcage_maps((96, 96), coils=8)
    kspace, maps, _ = loupe_tf.simulation.simulate_kspace(images, maps, seed=0)
    modl = loupe_tf.models.MoDL.with_unet((96, 96))
    model = loupe_tf.models.loupe_model(
        (96, 96, 1), acceleration=4, coils=8, reconstructor=modl
    )
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    model.fit((kspace, maps), images)
    ```
    """
    images, maps = np.asarray(images), np.asarray(maps)
    if images.ndim != 4 or images.shape[-1] not in (1, 2):
        raise invalid(
            "images",
            "shape (n, H, W, 1) or (n, H, W, 2)",
            found=f"shape={images.shape}",
        )
    count, *size, channels = images.shape
    if maps.ndim == 3:
        maps = maps[None]
    fits = maps.ndim == 4 and maps.shape[2:] == (*size,)
    if not (np.iscomplexobj(maps) and fits and len(maps) in (1, count)):
        raise invalid(
            "maps",
            f"a complex array (coils, {size[0]}, {size[1]}), or one for each "
            "image",
            found=f"shape={maps.shape}, dtype={maps.dtype}",
        )
    x = images[..., 0]
    if channels == 2:
        x = x + 1j * images[..., 1]
    if phase:
        rng = np.random.default_rng(seed)
        x = x * np.stack([smooth_phase(size, phase, rng) for _ in x])
    kspace = fft2c(maps * x[:, None])
    maps = np.broadcast_to(maps, kspace.shape)
    return tuple(_to_channels(array) for array in (kspace, maps, x))


def _to_channels(array):
    return np.stack([np.real(array), np.imag(array)], -1).astype(np.float32)


def _check_size(size):
    positive = [isinstance(n, (int, np.integer)) and n > 0 for n in size]
    if len(positive) != 2 or not all(positive):
        raise invalid("size", "two positive integers (H, W)", size)
