import json

import keras
import pytest

from loupe_tf.distribution import Distribution

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="messages of TensorFlow"
)


def test_one_device():
    distribution = Distribution()
    assert (distribution.replicas, distribution.is_chief) == (1, True)
    assert str(distribution) == "one device"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert distribution.on_one_device(model) is model
    with distribution.scope(), distribution.chief_first():
        assert list(distribution.check_fft((8, 8))) == [0]


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("horovod",), "`mode`.*mirrored.*horovod"),
        (("jax",), "`mode`.*KERAS_BACKEND=jax.*tensorflow"),
        (("none", 2), "`logical_devices`.*'mirrored' or 'jax'.*2"),
        (("multiworker", 2), "`logical_devices`.*2"),
        (("mirrored", 0), "`logical_devices`.*at least 1.*0"),
    ],
)
def test_invalid(arguments, match):
    with pytest.raises(ValueError, match=match):
        Distribution(*arguments)


def config(**changes):
    cluster = {"worker": ["host1:1", "host2:1"]}
    task = {"type": "worker", "index": 0}
    return json.dumps({"cluster": cluster, "task": task, **changes})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "not json",
        "[]",
        config(cluster={}),
        config(cluster={"worker": "host1:1"}),
        config(task={"type": "worker", "index": 2}),
        config(task={"type": "ps", "index": 0}),
    ],
)
def test_invalid_tf_config(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match='`TF_CONFIG`.*"cluster"'):
        Distribution("multiworker")
