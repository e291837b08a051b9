"""Store the traces of a run for the report."""

import numpy as np


def to_trace(history, keys):
    """Select the parts of a history to store in a record.

    Args:
        history: Dict of lists of numbers, such as `model.fit(...).history`.
        keys: Names of lists.

    Returns:
        A dict of lists of floats with six digits. Values that are not finite
        become `None`, because JSON cannot store them.
    """
    return {
        key: [
            float(f"{value:.6g}") if np.isfinite(value) else None
            for value in history[key]
        ]
        for key in keys
    }
