import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow"
)


def outcome(process):
    assert process.wait(timeout=400) == 0, process.output.read_text()[-3000:]
    return json.loads(process.output.read_text().splitlines()[-1])


@pytest.mark.slow
def test_two_workers_do_what_two_devices_do(tmp_path, start_workers):
    """Callbacks, logs, stops, weights, masks: as under `model.fit`."""
    script = FOLDER / "two_workers.py"
    chief, other = map(outcome, start_workers(script, tmp_path, "multiworker"))
    assert (chief["is_chief"], other["is_chief"]) == (True, False)
    assert [list(w["fft"]) for w in (chief, other)] == [["0"], ["1"]]
    # Both workers: the same to the last bit.
    for key in ("history", "calls", "weights"):
        assert chief[key] == other[key], key
    # Only the masks differ: two images on each.
    drawn = np.concatenate([chief["drawn"], other["drawn"]])
    correlations = np.corrcoef(drawn)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 0.3

    result = subprocess.run(
        [sys.executable, script, tmp_path, "mirrored"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    mirrored = json.loads(result.stdout.splitlines()[-1])
    assert chief["calls"] == mirrored["calls"]
    assert chief["stop_training"] and mirrored["stop_training"]
    assert set(chief["history"]) == set(mirrored["history"])
    for key, values in mirrored["history"].items():
        np.testing.assert_allclose(chief["history"][key], values, rtol=1e-4)
    np.testing.assert_allclose(drawn, mirrored["drawn"], atol=1e-5)
    # The callbacks had something to do.
    assert len(set(mirrored["history"]["slope"])) > 1
    assert len(mirrored["history"]["epoch"]) == 5

    odd, differing = chief["errors"]
    assert "`train`" in odd and "Received: 3 examples" in odd
    assert "same epoch" in differing and "[[1, " in differing
    for key in ("evaluate", "distributed"):
        got, expected = chief[key]
        assert got == other[key][0]
        assert got == pytest.approx(expected, rel=1e-5)


UPSTREAM = """
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
import keras, numpy as np

with strategy.scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
x = np.ones((8, 3), "float32")
data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4)
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.DATA
)
model.fit(data.with_options(options), validation_data=data, verbose=0)
"""


class BrokenUpstreamError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.xfail(
    raises=BrokenUpstreamError,
    strict=True,
    reason="If this passes, Keras's `model.fit` works under "
    "MultiWorkerMirroredStrategy again (keras#20585): drop MultiWorkerTrainer",
)
def test_fit_of_keras_is_broken(tmp_path, start_workers):
    (tmp_path / "fit.py").write_text(UPSTREAM)
    processes = start_workers(tmp_path / "fit.py")
    codes = [process.wait(timeout=400) for process in processes]
    output = processes[0].output.read_text()
    for known in ("values.PerReplica'>) to a Tensor", "Invalid reduction dim"):
        if known in output:
            raise BrokenUpstreamError(known)
    assert codes == [0, 0], output[-3000:]
