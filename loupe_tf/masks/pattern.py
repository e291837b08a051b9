"""The facts about a pattern; `fixed_mask.py` fills the table."""

import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A fixed pattern and the way to make a mask with it.

    Attributes:
        make: Callable `(shape, acceleration, calibration=None, seed=0)`, or
            `(images, acceleration, calibration=None)`, that returns a
            `SamplingMask`.
        of_lines: Boolean, whether the pattern has whole lines. If so, `make`
            has an argument `lines` and a default calibration region.
        of_images: Boolean, whether the pattern depends on training images.
        is_random: Boolean, whether the seed changes the mask. The generic
            tests read it.
        dense_centre: Boolean, whether masks are densest around DC. If not,
            their density does not tell where DC is (`dc_position`), and
            neither a warning nor an error is based on it.
    """

    make: collections.abc.Callable
    of_lines: bool = False
    of_images: bool = False
    is_random: bool = True
    dense_centre: bool = True


PATTERNS = {}
"""Fixed patterns by name, for `fixed_mask` and the commands."""
