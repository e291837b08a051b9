"""Complex images, their scans and priors, for the posterior's experiment."""

import dataclasses

import numpy as np

from experiments import unseen_scans
from loupe_tf import evaluation, masks, simulation
from loupe_tf.numpy_fourier import fft2c, ifft2c


@dataclasses.dataclass(frozen=True)
class Images:
    """Complex images `(n, H, W, 2)` and the volume of each."""

    images: np.ndarray
    volumes: np.ndarray


def to_pairs(images):
    return np.stack([images.real, images.imag], -1).astype("float32")


def to_complex(images):
    return images[..., 0] + 1j * images[..., 1]


def copies_of(part, seed, count):
    """Copies of images, each with its own phases, and mirrored in turn."""
    every = [with_phase(part, seed + i) for i in range(count)]
    images = [each.images[:, :, :: (-1) ** i] for i, each in enumerate(every)]
    volumes = [each.volumes for each in every]
    return Images(np.concatenate(images), np.concatenate(volumes))


def with_phase(part, seed, count=None):
    """Give magnitude images a smooth random phase.

    Args:
        part: `loupe_tf.datasets.Slices`.
        seed: Integer.
        count: (Optional) slices of each volume, evenly spaced inside it.
    """
    rows = np.arange(len(part.images))
    if count is not None:
        rows = []
        for volume in np.unique(part.volumes):
            every = np.flatnonzero(part.volumes == volume)
            places = np.linspace(0.25, 0.75, count) * (len(every) - 1)
            rows += list(every[np.unique(places.round().astype(int))])
    images, volumes = part.images[rows], np.asarray(part.volumes)[rows]
    rng = np.random.default_rng(seed)
    size = images.shape[1:3]
    phases = [simulation.smooth_phase(size, rng=rng) for _ in images]
    return Images(to_pairs(images[..., 0] * np.stack(phases)), volumes)


def gaussian_images(power, count, seed):
    """Draw images of a Gaussian prior."""
    rng = np.random.default_rng([seed, 17])
    pair = rng.normal(size=(2, count, *power.shape))
    return to_pairs(ifft2c(np.sqrt(power) * (pair[0] + 1j * pair[1])))


def measure(images, mask, sigma, seed):
    """Return noisy k-space `(n, 1, H, W, 2)`, 0 where not acquired."""
    rng = np.random.default_rng([seed, 29])
    kspace = fft2c(to_complex(images))
    pair = rng.normal(size=(2, *kspace.shape))
    kspace = kspace + sigma * (pair[0] + 1j * pair[1])
    return to_pairs(np.where(mask.array, kspace, 0))[:, None]


def adjoint(kspace):
    return to_pairs(ifft2c(to_complex(kspace[:, 0])))


def given_mask(name, run, settings, size, train):
    """The mask of a run that is known before any sampling."""
    shape, calibration = (1, size[1]), settings["calibration"]
    if name == "random":
        return masks.random_lines(
            shape, run.acceleration, calibration, seed=run.seed
        )
    return masks.spectrum(
        train.images, run.acceleration, "columns", calibration
    )


def exact_comparison(samples, mean, variance, mask):
    """Compare samples with the exact posterior of a Gaussian prior.

    Args:
        samples: Array `(chains, n, H, W, 2)`.
        mean: Complex k-space `(n, H, W)`, the exact mean.
        variance: Array `(H, W)`, that of one real component.
        mask: Boolean array `(1, W)`.
    """
    kspace = fft2c(to_complex(samples))
    ratio = kspace.var(0, ddof=1).mean(0) / 2 / variance
    error = np.abs(kspace.mean(0) - mean) ** 2 / 2
    # That of so many independent samples is 1.
    error = (error.mean(0) / variance) * len(samples)
    where = np.broadcast_to(mask, variance.shape)
    return {
        f"{name}_{part}": float(values[chosen].mean())
        for name, values in (("variance", ratio), ("mean_error", error))
        for part, chosen in (("measured", where), ("unmeasured", ~where))
    }


def lesions(images):
    """The middle slice of each volume without and with a bright disc.

    Returns:
        A tuple: two `Images`, and a boolean array `(n, H, W)`.
    """
    scan = unseen_scans.Scan(
        to_complex(images.images),
        images.volumes,
        masks.SamplingMask(np.ones(images.images.shape[1:3], bool)),
        np.ones((1, *images.images.shape[1:3]), complex),
    )
    plain, planted, discs = unseen_scans.plant(scan)
    pair = [
        Images(to_pairs(each.images), np.asarray(each.volumes))
        for each in (plain, planted)
    ]
    return *pair, discs


def judge(images, output):
    """Judge magnitudes, by volume."""
    truth, output = (
        np.linalg.norm(each, axis=-1, keepdims=True)
        for each in (images.images, output)
    )
    return evaluation.judge_images(truth, output, images.volumes)
