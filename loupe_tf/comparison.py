"""Any mask with any reconstructor, judged alike.

What `scripts/evaluate.py` and `scripts/mask_transfer.py` share: masks by name,
reconstructors by name, and what a pair of both makes of fully sampled images.

```python
mask = comparison.fixed_mask("poisson_disc", train_images, acceleration=4)
method, _ = comparison.tune("wavelet_l1", mask, validation_images)
result = comparison.judge(method, mask, test_images, test_volumes)
```
"""

import numpy as np

from loupe_tf import evaluation, masks
from loupe_tf.masks.centre import judging
from loupe_tf.reconstruction import (
    TotalVariation,
    WaveletL1,
    ZeroFilled,
    choose_regularization,
    forward,
)

__all__ = [
    "CLASSICAL",
    "PATTERNS",
    "REGULARIZATIONS",
    "central_slices",
    "fixed_mask",
    "judge",
    "magnitude",
    "middle_slice",
    "reconstruct",
    "tune",
]

PATTERNS = (
    "uniform_random",
    "gaussian",
    "poisson_disc",
    "random_lines",
    "equispaced_lines",
    "spectrum",
)
"""Fixed masks, by the names of functions of `loupe_tf.masks`."""

CLASSICAL = {
    "zero_filled": ZeroFilled(),
    "wavelet_l1": WaveletL1(0.0),
    "total_variation": TotalVariation(0.0),
}
"""Reconstructors that need no training, by name."""

REGULARIZATIONS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""What `tune` tries, in shares of the brightest zero-filled pixel."""


def fixed_mask(pattern, images, acceleration, calibration=None, seed=0):
    """A mask that is not learned, by the name of its pattern.

    Args:
        pattern: String, one of `PATTERNS`.
        images: Training images `(n, H, W, C)`, whose power `"spectrum"` takes;
            the others take their size alone.
        acceleration: Real number R greater than 1.
        calibration: Size of the calibration region: lines, or the side of a
            square. `None` is `masks.default_calibration`, for points as for
            lines, since no reconstruction makes up for a centre with holes;
            and none for `"spectrum"`, which finds the centre.
        seed: Integer; `"spectrum"` is not random.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If the pattern is unknown, or does not take the others.
    """
    if pattern not in PATTERNS:
        raise ValueError(
            "Invalid value for argument `pattern`. Expected one of "
            f"{PATTERNS}. Received: {pattern!r}"
        )
    if pattern == "spectrum":
        return masks.spectrum(images, acceleration, calibration=calibration)
    size = tuple(np.shape(images)[1:3])
    if calibration is None and not pattern.endswith("lines"):
        calibration = masks.default_calibration(size, acceleration)
    pattern = getattr(masks, pattern)
    return pattern(size, acceleration, calibration, seed=seed)


@judging
def reconstruct(reconstructor, mask, images):
    """Measure images with a mask, and rebuild them.

    Args:
        reconstructor: A `loupe_tf.reconstruction.Reconstructor`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`.

    Returns:
        Float32 array `(n, H, W, 1)`: magnitudes of complex reconstructions,
        real ones as they are.

    Raises:
        ValueError: If the mask or the reconstructor is for another matrix
            size, or an image is not finite.
    """
    outputs = []
    for image in _to_complex(images):
        output = reconstructor(forward(image, mask), mask)
        if np.iscomplexobj(output):
            output = np.abs(output)
        outputs.append(output[..., None])
    return np.asarray(outputs, "float32").reshape(*np.shape(images)[:3], 1)


@judging
def tune(method, mask, images, candidates=REGULARIZATIONS, slices=4):
    """A reconstructor of `CLASSICAL`, its regularization chosen for a mask.

    By `choose_regularization`, with PSNR, on a few slices of validation
    volumes, spread evenly over them: the best value hardly differs from slice
    to slice, and each trial costs a reconstruction.

    Args:
        method: String, a key of `CLASSICAL`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Validation images, `(n, H, W, 1)` or `(n, H, W, 2)`. Those of
            one value alone are left out.
        candidates: Sequence of numbers of at least 0.
        slices: Integer, how many of the images are taken at most.

    Returns:
        A pair: the reconstructor; and the mean PSNR by candidate, empty where
        there is nothing to choose.

    Raises:
        ValueError: If the method is unknown, the mask is for another matrix
            size, or there is no image to choose on.
        ImportError: If sigpy is not installed (the extra `reconstruction`).
    """
    if method not in CLASSICAL:
        raise ValueError(
            "Invalid value for argument `method`. Expected one of "
            f"{list(CLASSICAL)}. Received: {method!r}"
        )
    reconstructor = CLASSICAL[method]
    if not hasattr(reconstructor, "regularization"):
        return reconstructor, {}
    images = np.asarray(images)
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    usable = np.flatnonzero(finite & (np.ptp(images, axis=(1, 2, 3)) > 0))
    if not len(usable):
        raise ValueError(
            "Invalid value for argument `images`. Expected validation images "
            f"that are not constant. Received: none among {len(images)}"
        )
    # The middles of equal parts: the first and last slices show little.
    parts = np.array_split(usable, min(slices, len(usable)))
    chosen = _to_complex(images[[part[len(part) // 2] for part in parts]])
    return choose_regularization(
        reconstructor,
        candidates,
        [forward(image, mask) for image in chosen],
        np.asarray(mask),
        list(np.abs(chosen)),
    )


@judging
def judge(reconstructor, mask, images, volumes):
    """What a reconstructor makes of a mask's samples, in both conventions.

    Args:
        reconstructor: A `loupe_tf.reconstruction.Reconstructor`.
        mask: `SamplingMask`, or an array of one of its shapes.
        images: Fully sampled images, `(n, H, W, 1)` or complex
            `(n, H, W, 2)`, divided by their volume's maximum.
        volumes: Array `(n,)`, the volume that each belongs to.

    Returns:
        A dict of dicts by the name of the volume: `"unit_range"`, what
        `evaluation.per_volume` says of the magnitudes, `"fastmri"`, what
        `evaluation.fastmri_metrics` says, and `"refused"`, texts: why a volume
        is in neither of them. That are volumes of one value alone, which are
        zero and have no metric, or of which every mask that takes DC gives a
        perfect image; and those with values that are not finite, before or
        after the reconstruction.

    Raises:
        ValueError: If the mask or the reconstructor is for another matrix
            size.
    """
    result = {"unit_range": {}, "fastmri": {}, "refused": {}}
    volumes = np.asarray(volumes)
    for volume in np.unique(volumes):
        rows = volumes == volume
        part = np.asarray(images)[rows]
        truth = magnitude(part)
        low, high = float(truth.min()), float(truth.max())
        if not np.isfinite(truth).all():
            problem = "the volume has values that are not finite"
        elif low == high:
            problem = f"the volume is {low:g} everywhere"
        else:
            output = reconstruct(reconstructor, mask, part)
            if np.isfinite(output).all():
                result["unit_range"].update(
                    evaluation.per_volume(truth, output, volumes[rows])
                )
                result["fastmri"][str(volume)] = evaluation.fastmri_metrics(
                    truth, output
                )
                continue
            problem = "the reconstruction has values that are not finite"
        result["refused"][str(volume)] = problem
    return result


def magnitude(images):
    """Magnitudes `(n, H, W, 1)` of `(n, H, W, 1)` or `(n, H, W, 2)`."""
    return np.abs(_to_complex(images))[..., None]


def middle_slice(volumes, volume=None):
    """Index of the middle slice of a volume: one to show.

    Args:
        volumes: Array `(n,)`, the volume that each slice belongs to.
        volume: Name of the volume; by default that of the first slice.
    """
    volumes = np.asarray(volumes)
    rows = np.flatnonzero(volumes == (volumes[0] if volume is None else volume))
    return int(rows[len(rows) // 2])


def central_slices(volumes, count=3):
    """Indices of slices to show: those in the middle of different volumes.

    Args:
        volumes: Array `(n,)`, the volume that each slice belongs to.
        count: Integer, how many slices. Where there are fewer volumes,
            several slices of each are taken, around its middle.

    Returns:
        A list of `count` integers, or of `n`, if there are fewer.
    """
    volumes = np.asarray(volumes)
    rows = [np.flatnonzero(volumes == name) for name in np.unique(volumes)]
    rows = rows[:count]
    # The middle first, then a sixth of the volume below and above it, and so
    # on; each slice once.
    places = (0.5, 1 / 3, 2 / 3, 0.25, 0.75)
    order = [int(each[int(p * len(each))]) for p in places for each in rows]
    order += [int(i) for each in rows for i in each]
    return sorted(list(dict.fromkeys(order))[:count])


def _to_complex(images):
    """Images `(n, H, W, C)` as complex or real `(n, H, W)`."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 2):
        raise ValueError(
            "Invalid shape for argument `images`. Expected (n, H, W, 1) or "
            f"(n, H, W, 2). Received: {images.shape}"
        )
    if images.shape[-1] == 1:
        return images[..., 0]
    return images[..., 0] + 1j * images[..., 1]
