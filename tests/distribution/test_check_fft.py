import keras
import numpy as np
import pytest

from loupe_tf import fourier
from loupe_tf.distribution import ReplicaError, check_fft


@pytest.mark.parametrize("size", [(16, 18), (15, 17), (320, 320)])
def test_right(size):
    errors = check_fft(size)
    assert list(errors) == [0]
    assert 0 < errors[0] < 1e-5


@pytest.mark.parametrize("name", ["fft2", "ifft2"])
@pytest.mark.parametrize(
    "wrong", [lambda y: 1.001 * y, lambda y: y * np.array([1, -1], "float32")]
)
def test_wrong(monkeypatch, name, wrong):
    right = getattr(fourier, name)
    monkeypatch.setattr(fourier, name, lambda x: wrong(right(x)))
    with pytest.raises(ReplicaError, match="Replica 0 .*16×18.*error .*60926"):
        check_fft((16, 18))


def test_not_a_number(monkeypatch):
    monkeypatch.setattr(fourier, "fft2", lambda x: x * float("nan"))
    with pytest.raises(RuntimeError, match="relative error nan"):
        check_fft((16, 18))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow"
)
def test_garbage_now_and_then(monkeypatch):
    """As was reported: most calls are right."""
    import tensorflow as tf

    right = fourier.ifft2
    calls = tf.Variable(0)
    monkeypatch.setattr(
        fourier,
        "ifft2",
        lambda x: right(x) * tf.cast(calls.assign_add(1) != 3, "float32"),
    )
    check_fft((16, 18), repeats=2)
    calls.assign(0)
    with pytest.raises(ReplicaError):
        check_fft((16, 18), repeats=3)
