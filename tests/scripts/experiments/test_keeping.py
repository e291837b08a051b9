import json

import numpy as np

from experiments.keeping import to_trace


def test_to_trace_has_six_digits_and_no_nan():
    history = {
        "loss": [np.float32(1 / 3), float("nan")],
        "slope": [2e5, np.inf],
        "other": [1],
    }
    trace = to_trace(history, ("loss", "slope"))
    assert trace == {"loss": [0.333333, None], "slope": [2e5, None]}
    assert json.loads(json.dumps(trace)) == trace
