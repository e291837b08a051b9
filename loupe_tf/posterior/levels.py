"""Noise levels of annealed chains."""

import warnings

import numpy as np

from loupe_tf.checks import check_number, invalid

# Those that a call gets without naming any.
COUNT = 60
FLOW_STEPS = 6
# The last level, in units of σ: that of a call that names none, and the highest
# that brings no warning. Variances may be too small by 1 / (1 + 2 ratio²).
RATIO = 0.2
HIGHEST = 0.5


def noise_levels(first, last, count=COUNT):
    """Return falling levels of equal ratio, for annealed chains.

    Args:
        first: Number > `last`. Images plus noise of this level look like noise:
            about the standard deviation of the strongest frequency that is not
            measured.
        last: Number > 0, small against the uncertainty that matters, and
            against the noise level σ of the measurement: a fifth of it.
        count: Integer ≥ 2.

    Returns:
        Array `(count,)`, float32.

    Example:

    >>> loupe_tf.posterior.noise_levels(1, 0.01, count=3)
    array([1.  , 0.1 , 0.01], dtype=float32)
    """
    last = check_number("last", last, above=0)
    first = check_number("first", first, above=last)
    return np.geomspace(first, last, count).astype("float32")


def standardize_levels(levels, final, score, sigma=0.0):
    """Return levels and those of the final flow, within the score's range.

    Args:
        levels: Falling numbers, or `None` for the range of the score, down to
            where both its images and the measurement are resolved.
        final: Number, the level where the flow ends, or `None`.
        score: The score; it may have the attribute `levels`, a pair (smallest,
            largest), the range in which it is trained.
        sigma: Number ≥ 0, the noise level of the measurement.
    """
    known = getattr(score, "levels", None)
    if levels is None:
        if known is None:
            raise invalid(
                "levels",
                "falling noise levels, since the score has no range of its own",
                levels,
            )
        smallest, largest = known
        last = min(3 * smallest, max(RATIO * sigma, smallest))
        levels = noise_levels(largest, min(last, 0.9 * largest))
        final = smallest if final is None else final
    levels = np.asarray(levels, "float32")
    if levels.ndim != 1 or not len(levels) or not (levels > 0).all():
        raise invalid("levels", "an array of positive numbers", levels)
    if (np.diff(levels) > 0).any():
        raise invalid("levels", "numbers that do not grow", levels)
    last = float(levels[-1])
    if final is None:
        final = last if known is None else max(last / 3, known[0])
        final = min(final, last)
    # Levels are float32, which rounds.
    final = check_number("final", final, above=0, at_most=1.0001 * last)
    final = min(final, last)
    if known is not None:
        lowest, highest = 0.999 * known[0], 1.001 * known[1]
        if final < lowest or levels[0] > highest:
            raise invalid(
                "levels",
                f"levels in which the score is trained, from {known[0]:g} to "
                f"{known[1]:g}",
                found=f"from {final:g} to {levels[0]:g}",
            )
    flow = [last]
    if final < last:
        flow = np.geomspace(last, final, FLOW_STEPS + 1)
    return levels, np.asarray([*flow, 0], "float32")


def warn_of_last(last, sigma):
    """Warn if the last level is not well below the noise level.

    Where measurement and prior are equally certain, the flow from the level s
    to 0 leaves the variance `P σ² / (P + σ² + 2 s²)` instead of
    `P σ² / (P + σ²)`.
    """
    if last > HIGHEST * sigma > 0:
        warnings.warn(
            f"The last level, {last:g}, is not well below the noise level "
            f"sigma={sigma:g}: the variance of measured k-space may come out "
            f"at {1 / (1 + 2 * (last / sigma) ** 2):.0%} of what it should be. "
            f"End at {RATIO * sigma:g}, with a score that is trained there.",
            stacklevel=3,
        )
