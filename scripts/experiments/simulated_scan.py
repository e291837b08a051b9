"""Simulated scans of images, with one coil or several."""

import numpy as np

from loupe_tf import evaluation, reconstruction, simulation


def measure(part, coils, seed):
    """Simulate fully sampled measurements.

    Args:
        part: `loupe_tf.datasets.Slices`.
        coils: Integer; one coil measures the magnitude image itself, several
            measure it with a smooth random phase.
        seed: Integer, seed of the phases.

    Returns:
        A tuple: the inputs of a `loupe_model`, the images `(n, H, W, 1)` or
        complex `(n, H, W, 2)`, and the maps, complex `(coils, H, W)` or `None`.
    """
    if coils == 1:
        return part.images, part.images, None
    maps = simulation.birdcage_maps(part.images.shape[1:3], coils)
    kspace, expanded, images = simulation.simulate_kspace(
        part.images, maps, seed=seed
    )
    return (kspace, expanded), images, maps


def noisy(method, noise, seed):
    """Make a method that is given noise with each measurement.

    Args:
        method: Callable `(kspace, mask, maps)`.
        noise: Float, the standard deviation of the real and the imaginary part
            of the noise in each sample that is not 0.
        seed: Integer; the noise of successive calls differs.

    Returns:
        A callable like `method`, or `method` itself without noise.
    """
    if not noise:
        return method
    rng = np.random.default_rng(seed)
    return lambda kspace, mask, maps: method(
        with_noise(kspace, noise, rng), mask, maps
    )


def with_noise(kspace, noise, rng):
    """Add noise to the acquired samples of k-space."""
    drawn = rng.normal(scale=noise, size=(2, *kspace.shape))
    drawn = np.where(kspace == 0, 0, drawn[0] + 1j * drawn[1])
    return (kspace + drawn).astype("complex64")


def tune(method, mask, part, coils, seed, candidates, slices, noise=0.0):
    """Choose the regularization of a classical method for a mask.

    It is `loupe_tf.evaluation.tune`, for several coils too.

    Args:
        method: String, a key of `loupe_tf.evaluation.CLASSICAL`.
        mask: `SamplingMask`.
        part, coils, seed: Arguments of `measure`.
        candidates, slices: Arguments of `loupe_tf.evaluation.tune`.
        noise: Float, see `noisy`.

    Returns:
        A reconstructor.
    """
    return scores(method, mask, part, coils, seed, candidates, slices, noise)[0]


def scores(method, mask, part, coils, seed, candidates, slices, noise=0.0):
    """Choose as `tune`, and return what the choice was made by.

    Args:
        method, mask, part, coils, seed, candidates, slices, noise: As for
            `tune`.

    Returns:
        A pair: the reconstructor, and a dict of the mean PSNR by candidate,
        which is empty if there is nothing to choose.
    """
    if coils == 1 and not noise:
        images = part.images
        return evaluation.tune(method, mask, images, candidates, slices)
    method = evaluation.CLASSICAL[method]
    if not hasattr(method, "regularization"):
        return method, {}
    part = for_tuning(part, slices)
    _, images, maps = measure(part, coils, seed)
    images = images @ np.array([1, 1j][: images.shape[-1]])
    kspaces = [reconstruction.forward(image, mask, maps) for image in images]
    if noise:
        rng = np.random.default_rng(seed)
        kspaces = [with_noise(kspace, noise, rng) for kspace in kspaces]
    return reconstruction.choose_regularization(
        method,
        candidates,
        kspaces,
        mask,
        list(np.abs(images)),
        maps,
    )


def for_tuning(part, slices):
    """Select up to `slices` images that are not constant, spread evenly."""
    usable = np.flatnonzero(np.ptp(part.images, axis=(1, 2, 3)) > 0)
    parts = np.array_split(usable, min(slices, len(usable)))
    return part.select([rows[len(rows) // 2] for rows in parts])
