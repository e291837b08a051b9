"""Masks that are not learned, by name of the pattern."""

import numpy as np

from loupe_tf.checks import check_choice, invalid
from loupe_tf.masks.pattern import PATTERNS, Pattern
from loupe_tf.masks.patterns import (
    central_lines,
    central_points,
    default_calibration,
    equispaced_lines,
    gaussian,
    gaussian_lines,
    random_lines,
    uniform_random,
)
from loupe_tf.masks.poisson_disc import poisson_disc
from loupe_tf.masks.spectrum import spectrum

PATTERNS.update(
    {
        "uniform_random": Pattern(uniform_random, dense_centre=False),
        "gaussian": Pattern(gaussian),
        "poisson_disc": Pattern(poisson_disc),
        "gaussian_lines": Pattern(gaussian_lines, of_lines=True),
        "random_lines": Pattern(random_lines, of_lines=True),
        "equispaced_lines": Pattern(equispaced_lines, of_lines=True),
        "central_lines": Pattern(central_lines, of_lines=True, is_random=False),
        "central_points": Pattern(central_points, is_random=False),
        "spectrum": Pattern(spectrum, of_images=True, is_random=False),
    }
)


def fixed_mask(
    pattern, images, acceleration, calibration=None, seed=0, lines=None
):
    """Make a mask that is not learned, by name of its pattern.

    Args:
        pattern: String, one of `PATTERNS`.
        images: Training images `(n, H, W, C)`. `"spectrum"` uses their power;
            the other patterns use only their size.
        acceleration: Real number R greater than 1.
        calibration: Size of the calibration region: the number of lines, or
            the side of a square. `None` means `default_calibration`, for
            points as for lines, because no reconstruction makes up for a
            centre with holes. For `"spectrum"`, which finds the centre by
            itself, `None` means no calibration region.
        seed: Integer. `"spectrum"` is not random and ignores it.
        lines: (Optional) `"columns"` or `"rows"`, for patterns of lines, whose
            default is `"columns"`.

    Returns:
        A `SamplingMask`.

    Raises:
        ValueError: If the pattern is unknown, or refuses another argument.
    """
    found = PATTERNS[check_choice("pattern", pattern, PATTERNS)]
    given = {} if lines is None else {"lines": lines}
    if given and not found.of_lines:
        raise invalid("lines", f"None, since {pattern} has points", lines)
    if found.of_images:
        return found.make(images, acceleration, calibration=calibration)
    size = tuple(np.shape(images)[1:3])
    if calibration is None and not found.of_lines:
        calibration = default_calibration(size, acceleration)
    return found.make(size, acceleration, calibration, seed=seed, **given)
