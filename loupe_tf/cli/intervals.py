"""The interval of a mean gain, as `train` and `evaluate` print it."""

from loupe_tf import evaluation


def interval(gains):
    """Student's 95 % interval of a mean gain, over volumes.

    Args:
        gains: Sequence of floats, the gain of each test volume, two or more.

    Returns:
        A pair of floats.
    """
    found = evaluation.effect(
        {i: [gain] for i, gain in enumerate(gains)},
        {i: i for i in range(len(gains))},
    )
    return found.low, found.high
