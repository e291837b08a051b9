"""Masks that are not learned, by the names of their patterns."""

import collections.abc
import dataclasses

import numpy as np

from loupe_tf.checks import check_choice
from loupe_tf.masks.patterns import (
    default_calibration,
    equispaced_lines,
    gaussian,
    random_lines,
    uniform_random,
)
from loupe_tf.masks.poisson_disc import poisson_disc
from loupe_tf.masks.spectrum import spectrum


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A fixed pattern, and what there is to know to make a mask of it.

    Attributes:
        make: Callable `(shape, acceleration, calibration=None, seed=0)`, or
            `(images, acceleration, calibration=None)`, to a `SamplingMask`.
        of_lines: Boolean, whether it takes whole lines; `make` has an argument
            `lines` and a calibration region by default.
        of_images: Boolean, whether it is made of training images.
    """

    make: collections.abc.Callable
    of_lines: bool = False
    of_images: bool = False


PATTERNS = {
    "uniform_random": Pattern(uniform_random),
    "gaussian": Pattern(gaussian),
    "poisson_disc": Pattern(poisson_disc),
    "random_lines": Pattern(random_lines, of_lines=True),
    "equispaced_lines": Pattern(equispaced_lines, of_lines=True),
    "spectrum": Pattern(spectrum, of_images=True),
}
"""Fixed patterns by name; scripts and `fixed_mask` take all that are in it."""


def fixed_mask(pattern, images, acceleration, calibration=None, seed=0):
    """A mask that is not learned, by the name of its pattern.

    Args:
        pattern: String, one of `PATTERNS`.
        images: Training images `(n, H, W, C)`, whose power `"spectrum"` takes;
            the others take their size alone.
        acceleration: Real number R greater than 1.
        calibration: Size of the calibration region: lines, or the side of a
            square. `None` is `default_calibration`, for points as for lines,
            since no reconstruction makes up for a centre with holes; and none
            for `"spectrum"`, which finds the centre.
        seed: Integer; `"spectrum"` is not random.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If the pattern is unknown, or does not take the others.
    """
    found = PATTERNS[check_choice("pattern", pattern, PATTERNS)]
    if found.of_images:
        return found.make(images, acceleration, calibration=calibration)
    size = tuple(np.shape(images)[1:3])
    if calibration is None and not found.of_lines:
        calibration = default_calibration(size, acceleration)
    return found.make(size, acceleration, calibration, seed=seed)
