import keras
import numpy as np
import pytest

from loupe_tf.callbacks.two_rounds.one_direction import OneDirection
from loupe_tf.metrics import PSNR


def fit(monitor, *callbacks, epochs=2, validation_freq=1):
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile("sgd", "mse", metrics=[PSNR()])
    x = np.ones((2, 2, 2, 1), "float32")
    one = OneDirection(monitor, "auto", validation_freq, callbacks)
    model.fit(
        x,
        x,
        validation_data=(x, x),
        validation_freq=validation_freq,
        epochs=epochs,
        callbacks=[one, *callbacks],
        verbose=0,
    )


def test_all_that_monitor_the_same_follow_it():
    stopping = keras.callbacks.EarlyStopping("val_psnr", patience=9)
    other = keras.callbacks.EarlyStopping("val_loss", patience=9)
    fit("val_psnr", stopping, other)
    assert stopping.monitor_op is keras.ops.greater
    assert other.monitor_op is keras.ops.less


def test_an_absent_quantity_is_an_error():
    with pytest.raises(ValueError, match="`monitor`.*val_loss.*'val_x_loss'"):
        fit("val_x_loss")
    # An epoch without validation is none.
    fit("val_loss", validation_freq=2)
