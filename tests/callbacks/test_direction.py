import keras
import numpy as np
import pytest

from loupe_tf import metrics
from loupe_tf.callbacks.direction import OWN, direction, set_direction


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((8, 8, 1))
    outputs = {name: keras.layers.Identity(name=name)(inputs) for name in "ab"}
    model = keras.Model(inputs, outputs)
    model.compile(
        loss={"a": "mse", "b": "mae"},
        metrics={
            "a": [metrics.PSNR(), metrics.nmse, "acc", _unknown],
            "b": [metrics.NMSE(name="error"), "mse"],
        },
    )
    x = np.zeros((1, 8, 8, 1))
    model.evaluate(x, {"a": x, "b": x}, verbose=0)
    return model


def _unknown(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=(1, 2, 3))


@pytest.mark.parametrize(
    "monitor, expected",
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_relaxed_loss", "min"),
        ("val_a_loss", "min"),
        ("psnr", "max"),
        ("val_psnr", "max"),
        ("val_sampled_psnr", "max"),
        ("val_a_psnr", "max"),
        ("val_b_error", "min"),
        ("val_b_mse", "min"),
        ("val_a_nmse", "min"),
        ("val_a_acc", "max"),
    ],
)
def test_auto(model, monitor, expected):
    assert direction(model, monitor) == expected
    for mode in ("min", "max"):
        assert direction(model, monitor, mode) == mode


@pytest.mark.parametrize("monitor", ["val_a__unknown", "val_relaxed_", "x"])
def test_what_cannot_be_told(model, monitor):
    with pytest.raises(
        ValueError, match=f"`mode`.*'min' or 'max'.*psnr.*{monitor!r}"
    ):
        direction(model, monitor)


def test_the_classes_of_metrics_say_it_for_their_functions():
    assert OWN == {"psnr": "up", "ssim": "up", "nmse": "down"}
    functions = {n for n in metrics.__all__ if n.islower()}
    assert set(OWN) == functions


def test_unknown_mode(model):
    with pytest.raises(ValueError, match="`mode`.*'maximum'"):
        direction(model, "val_loss", "maximum")


def test_a_callback_that_was_told_the_other_direction(model):
    early = keras.callbacks.EarlyStopping("val_psnr", mode="min")
    with pytest.raises(ValueError, match="'max'.*EarlyStopping.*'min'"):
        set_direction(early, "max")
    early = keras.callbacks.EarlyStopping("val_psnr")
    set_direction(early, "max")
    assert early.monitor_op(2.0, 1.0) and early.mode == "auto"
