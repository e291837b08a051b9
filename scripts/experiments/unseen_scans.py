"""Scans that differ in one respect from those a network was trained on."""

import dataclasses
import pathlib

import numpy as np

from experiments.simulated_scan import noisy
from loupe_tf import evaluation, masks, simulation
from loupe_tf.datasets import Slices, load_splits, load_volumes, pool

SEED = 2
LESION = 0.3
"""Brightness of a lesion, in that of the volume's maximum."""
RADIUS = 1.5
"""Radius of a lesion in pixels."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """Images, and how they are measured.

    Attributes:
        images: Complex array `(n, H, W)`, the images.
        volumes: Array `(n,)`, the volume of each.
        mask: `SamplingMask`.
        maps: Complex array `(coils, H, W)`.
        noise: Float, the standard deviation of the real and the imaginary part
            of the noise in the k-space of each coil.
        oversampled: Boolean, whether the field of view along H is twice the
            image's in the measurement.
    """

    images: np.ndarray
    volumes: np.ndarray
    mask: masks.SamplingMask
    maps: np.ndarray
    noise: float = 0.0
    oversampled: bool = False

    def select(self, rows):
        """Select images by their indices."""
        images, volumes = self.images[rows], self.volumes[rows]
        return dataclasses.replace(self, images=images, volumes=volumes)


def lines(size, rate, calibration, seed, pattern="equispaced_lines"):
    """Make the mask of a scan."""
    make = getattr(masks, pattern)
    return make(size, rate, calibration=calibration, seed=seed)


def scan_of(part, settings, seed, **others):
    """Make the scan that the networks are trained for, of test slices."""
    size = part.images.shape[1:3]
    maps = simulation.birdcage_maps(size, settings["coils"])
    _, _, images = simulation.simulate_kspace(part.images, maps, seed=SEED)
    mask = lines(size, settings["acceleration"], settings["calibration"], seed)
    scan = Scan(images[..., 0] + 1j * images[..., 1], part.volumes, mask, maps)
    return dataclasses.replace(scan, **others)


def unseen(part, settings, seed):
    """Yield the scan as in training, and others, each with its name.

    Args:
        part: `loupe_tf.datasets.Slices`, the slices to test.
        settings: Dict, see `experiments.presets.unseen`.
        seed: Integer, the seed of the masks.
    """
    size = part.images.shape[1:3]
    scan = scan_of(part, settings, seed)
    yield "as trained", scan
    for text in settings["others"]:
        name, _, data = text.partition("=")
        other = other_images(data, settings["data_dir"], part)
        if len(other.images):
            other = other.evenly(settings["tested"])
            yield name, scan_of(other, settings, seed)

    def with_mask(*arguments, **keywords):
        mask = lines(size, *arguments, **keywords)
        return dataclasses.replace(scan, mask=mask)

    for rate in settings["other_accelerations"]:
        yield f"R = {rate:g}", with_mask(rate, settings["calibration"], seed)
    rate, region = settings["acceleration"], settings["calibration"]
    yield (
        "random lines",
        with_mask(rate, region, seed, pattern="random_lines"),
    )
    for coils in settings["other_coils"]:
        maps = simulation.birdcage_maps(size, coils)
        yield f"{coils} coils", dataclasses.replace(scan, maps=maps)
    yield "noise", dataclasses.replace(scan, noise=settings["noise"])
    yield "oversampled", dataclasses.replace(scan, oversampled=True)


def reconstruct(method, scan):
    """Rebuild the images of a scan.

    Args:
        method: Callable `(kspace, mask, maps)`.
        scan: `Scan`.

    Returns:
        Float32 array `(n, H, W, 1)`, magnitudes.
    """
    images, maps = scan.images, scan.maps
    half = images.shape[1] // 2
    if scan.oversampled:
        # Twice as many samples along H see zeros above and below the image.
        margin = ((0, 0), (half, images.shape[1] - half), (0, 0))
        images = np.pad(images, margin)
        maps = np.pad(maps, margin, mode="edge")
    measured = noisy(method, scan.noise, SEED)
    channels = np.stack([images.real, images.imag], -1)
    found = evaluation.reconstruct(measured, scan.mask, channels, maps)
    if scan.oversampled:
        found = found[:, half : half + scan.images.shape[1]]
    return found


def judge(method, scan):
    """Evaluate a method on a scan, as `loupe_tf.evaluation.judge_images`."""
    truth = np.abs(scan.images)[..., None]
    return evaluation.judge_images(
        truth, reconstruct(method, scan), scan.volumes
    )


def snr_of(kspace, deviation):
    """Return the `snr` of noise that has one deviation in all examples.

    Args:
        kspace: Float array `(n, coils, H, W, 2)`, fully sampled, without noise.
        deviation: Float, of the noise in each part of a sample.

    Returns:
        Float, in dB, for the mean power of the examples.
    """
    power = np.mean(np.square(kspace, dtype="float64"))
    return float(10 * np.log10(power / deviation**2))


def tune(method, candidates, scan):
    """Choose the regularization of a classical method on a scan with its noise.

    Args:
        method: String, a key of `loupe_tf.evaluation.CLASSICAL`.
        candidates: Sequence of numbers.
        scan: `Scan` of validation images.

    Returns:
        A reconstructor, the one with the highest mean PSNR of the slices.
    """
    from loupe_tf import metrics  # It brings Keras.

    truth = np.abs(scan.images)[..., None]

    def score(candidate):
        found = reconstruct(candidate, scan)
        return float(np.mean(metrics.psnr(truth, found)))

    reconstructor = evaluation.CLASSICAL[method]
    return max(
        (
            dataclasses.replace(reconstructor, regularization=candidate)
            for candidate in candidates
        ),
        key=score,
    )


def plant(scan):
    """Put a small bright disc into the middle slice of each volume.

    Args:
        scan: `Scan`.

    Returns:
        A tuple: the `Scan` of these slices without and with their discs, and a
        boolean array `(n, H, W)`, where the discs are.
    """
    rows = [
        evaluation.middle_slice(scan.volumes, volume)
        for volume in np.unique(scan.volumes)
    ]
    plain = scan.select(rows)
    images = plain.images
    rng = np.random.default_rng(SEED)
    y, x = np.indices(images.shape[1:])
    discs = []
    for image in np.abs(images):
        inside = np.argwhere(image > 0.3 * image.max())
        row, column = inside[rng.integers(len(inside))]
        discs.append(np.hypot(y - row, x - column) <= RADIUS)
    discs = np.array(discs)
    phase = np.exp(1j * np.angle(images))
    planted = images + LESION * discs * phase
    return plain, dataclasses.replace(plain, images=planted), discs


def lesion_kept(method, scan):
    """Measure how much of a planted lesion's brightness is rebuilt.

    Args:
        method: Callable `(kspace, mask, maps)`.
        scan: `Scan`.

    Returns:
        A dict by volume: the mean difference between the reconstructions with
        and without the lesion in its place, as a share of the true one.
    """
    plain, planted, discs = plant(scan)
    change = reconstruct(method, planted) - reconstruct(method, plain)
    return {
        str(volume): float(difference[disc].mean() / LESION)
        for volume, difference, disc in zip(
            plain.volumes, change[..., 0], discs
        )
    }


def other_images(data, data_dir, part):
    """Other images of the patients in `part`; all if these are unknown."""
    if pathlib.Path(data).exists():
        return Slices(*load_volumes(data))
    every = pool(load_splits(data, data_dir)[0])
    if every.patients is None or part.patients is None:
        return every
    return every.select(np.isin(every.patients, part.patients))
