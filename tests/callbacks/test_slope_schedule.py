import keras
import numpy as np
import pytest

from loupe_tf.callbacks import (
    SlopeSchedule,
    constant,
    cosine,
    geometric,
    linear,
)
from loupe_tf.models import loupe_model


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (constant(7.0), [7, 7, 7, 7, 7, 7]),
        (linear(10.0, 50.0, epochs=5), [10, 20, 30, 40, 50, 50]),
        (geometric(1.0, 16.0, epochs=5), [1, 2, 4, 8, 16, 16]),
        (
            cosine(0.0, 2.0, epochs=5),
            [0, 1 - np.sqrt(0.5), 1, 1 + np.sqrt(0.5), 2, 2],
        ),
        (linear(3.0, 5.0, epochs=1), [3, 5, 5, 5, 5, 5]),
    ],
)
def test_schedules(schedule, expected):
    got = [schedule(epoch) for epoch in range(6)]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def _model():
    model = loupe_model((16, 18, 1), 4, reconstructor="zero_filled", seed=0)
    model.compile("sgd", loss="mse")
    return model


def test_sets_and_logs_the_slope_of_each_epoch(images):
    model = _model()
    schedule = SlopeSchedule(lambda epoch: 10.0 + epoch)
    history = model.fit(
        images, images, epochs=3, callbacks=[schedule], verbose=0
    )
    assert history.history["slope"] == [10.0, 11.0, 12.0]
    assert float(model.get_layer("sampled_mask").slope) == 12.0


def test_no_slope(images):
    model = keras.Sequential([keras.Input((16, 18, 1)), keras.layers.ReLU()])
    model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="no slope"):
        model.fit(images, images, callbacks=[SlopeSchedule(constant(1.0))])


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_slope(slope):
    schedule = SlopeSchedule(constant(slope))
    schedule.set_model(_model())
    with pytest.raises(ValueError, match="positive slope.*epoch 3"):
        schedule.on_epoch_begin(3)


def test_invalid_function():
    with pytest.raises(ValueError, match="`function`.*callable.*200"):
        SlopeSchedule(200)
