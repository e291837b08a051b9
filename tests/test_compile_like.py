import keras
import numpy as np
import pytest

from loupe_tf.compile_like import compile_like
from loupe_tf.models import freeze_mask, loupe_model, with_binarization


def twice_mse(y_true, y_pred):
    """A loss that Keras could not find by its name."""
    return 2 * keras.ops.mean(keras.ops.square(y_true - y_pred))


class MeanError(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred - y_true)


def model_and_images():
    model = loupe_model((16, 18, 1), 4, filters=2, depth=1, seed=0)
    error = MeanError(name="error")
    model.compile(
        keras.optimizers.Adam(1e-2), loss=twice_mse, metrics=[error, "mse"]
    )
    images = np.random.default_rng(0).uniform(size=(2, 16, 18, 1))
    return model, images.astype("float32")


def test_own_losses_and_metrics_without_registration():
    model, images = model_and_images()
    for copy in freeze_mask(model), with_binarization(model, "threshold"):
        found = copy.evaluate(images, images, verbose=0, return_dict=True)
        np.testing.assert_allclose(found["loss"], 2 * found["mse"], rtol=1e-5)
        assert found["error"] != 0


def test_what_has_a_state_is_not_shared():
    model, images = model_and_images()
    copy = freeze_mask(model)
    copy.fit(images, images, verbose=0)
    assert int(copy.optimizer.iterations) == 1
    assert int(model.optimizer.iterations) == 0
    assert float(copy.optimizer.learning_rate) == np.float32(1e-2)
    ours, theirs = copy.metrics, model.metrics
    assert not {id(each) for each in ours} & {id(each) for each in theirs}


def test_a_model_that_is_not_compiled():
    model = loupe_model((16, 18, 1), 4, filters=2, depth=1)
    copy = keras.models.clone_model(model)
    compile_like(copy, model)
    assert not copy.compiled


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 / (1 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {}


class OwnSGD(keras.optimizers.SGD):
    pass


@pytest.mark.parametrize(
    "make, rate",
    [
        (lambda: keras.optimizers.Adam(Halving()), 0.1),
        (lambda: keras.optimizers.LossScaleOptimizer(OwnSGD(0.2)), 0.2),
    ],
    ids=["schedule", "loss_scale"],
)
def test_optimizers_of_ones_own(make, rate):
    model, _ = model_and_images()
    metric = keras.metrics.MeanMetricWrapper(lambda y, x: x - y, name="error")
    model.compile(make(), loss="mse", metrics=[metric])
    copy = freeze_mask(model)
    assert type(copy.optimizer) is type(model.optimizer)
    assert copy.optimizer is not model.optimizer
    assert float(copy.optimizer.learning_rate) == pytest.approx(rate)
    images = np.zeros((2, 16, 18, 1), "float32")
    assert "error" in copy.evaluate(images, images, verbose=0, return_dict=True)
