"""Masks that are not learned, by the names of their patterns."""

import numpy as np

from loupe_tf import masks

PATTERNS = (
    "uniform_random",
    "gaussian",
    "poisson_disc",
    "random_lines",
    "equispaced_lines",
    "spectrum",
)
"""Fixed masks, by the names of functions of `loupe_tf.masks`."""


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
