"""How far a spoiled gradient echo is from its steady state."""

import math

# T1 in s for which scans begin in the steady state, about that of grey matter
# at 1.5 T and of white matter at 3 T, and how near the signal then is to it.
T1, AIM = 1.0, 0.02


def usual_dummy_scans(tr, flip_angle):
    """Count the dummy scans after which the signal is steady, for `T1`.

    Args:
        tr: Positive float, in s.
        flip_angle: Positive float, in degrees.

    Returns:
        Non-negative integer: the first signal is within `AIM` of its limit.
    """
    return repetitions_within(AIM, tr, flip_angle, T1)


def excess_signal(repetitions, tr, flip_angle, t1):
    """Compute how far the signal is above the steady state.

    With ideal spoiling, a repetition takes the longitudinal magnetization from
    M to `1 - E + E cos(α) M`, where `E = exp(-TR / T1)`. From M = 1, the excess
    over its limit `S = (1 - E) / (1 - E cos(α))` after n repetitions is

        M / S - 1 = (1 / S - 1) (E cos(α))^n

    and the signal is proportional to M.

    Args:
        repetitions: Non-negative integer n, excitations before this one.
        tr, t1: Positive floats, in the same unit.
        flip_angle: Positive float α, in degrees.

    Returns:
        Float, relative to the steady state; negative below it, as flip angles
        above 90° may give.
    """
    first, ratio = _decay(tr, flip_angle, t1)
    return first * ratio**repetitions


def repetitions_within(tolerance, tr, flip_angle, t1):
    """Count the repetitions until the signal is near the steady state.

    Args:
        tolerance: Positive float, the largest size of `excess_signal`.
        tr, flip_angle, t1: As in `excess_signal`.

    Returns:
        Non-negative integer, the smallest number that is enough.
    """
    first, ratio = _decay(tr, flip_angle, t1)
    if abs(first) <= tolerance:
        return 0
    if not ratio:
        return 1
    return math.ceil(math.log(tolerance / abs(first)) / math.log(abs(ratio)))


def _decay(tr, flip_angle, t1):
    """The excess of the first signal, and the factor of a repetition."""
    relaxed = -math.expm1(-tr / t1)  # 1 - E
    ratio = (1 - relaxed) * math.cos(math.radians(flip_angle))
    return (1 - ratio) / relaxed - 1, ratio
