"""What all metrics have in common."""

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import losses, metrics

numpy = ops.convert_to_numpy
CLASSES = [metrics.PSNR, metrics.NMSE, metrics.SSIM]
FUNCTIONS = [metrics.psnr, metrics.nmse, metrics.ssim]


def as_complex(x):
    return x[..., 0] + 1j * x[..., 1]


def test_psnr_and_nmse_compare_complex_images_as_complex_numbers(pair):
    true, pred = pair(channels=2)
    power = np.abs(as_complex(true) - as_complex(pred)) ** 2
    np.testing.assert_allclose(
        numpy(metrics.psnr(true, pred)),
        -10 * np.log10(power.mean(axis=(1, 2))),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        numpy(metrics.nmse(true, pred)),
        power.sum(axis=(1, 2))
        / (np.abs(as_complex(true)) ** 2).sum(axis=(1, 2)),
        rtol=1e-5,
    )


def test_perfect_images(pair):
    true, _ = pair()
    np.testing.assert_allclose(numpy(metrics.psnr(true, true)), 100.0)
    np.testing.assert_allclose(numpy(metrics.nmse(true, true)), 0.0)
    np.testing.assert_allclose(numpy(metrics.ssim(true, true)), 1.0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_zero_images(channels):
    zero = np.zeros((1, 16, 16, channels), "float32")
    one = np.ones_like(zero)
    for function, perfect in zip(FUNCTIONS, [100.0, 0.0, 1.0], strict=True):
        assert float(function(zero, zero)[0]) == pytest.approx(perfect)
        assert np.isfinite(float(function(zero, one)[0]))
        assert np.isfinite(float(function(one, zero)[0]))
    assert float(metrics.nmse(zero, one)[0]) == 0.0
    assert float(metrics.nmse(one, zero)[0]) == 1.0


@pytest.mark.parametrize("function", [metrics.psnr, metrics.nmse])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_volume_is_one_image(rng, function, channels):
    volumes = [
        x.reshape(2, 5, 6, 7, channels)
        for x in rng.uniform(size=(2, 2, 210, channels))
    ]
    folded = [x.reshape(2, 30, 7, channels) for x in volumes]
    np.testing.assert_allclose(function(*volumes), function(*folded), rtol=1e-5)
    with pytest.raises(ValueError, match="`y_pred`.*the shape of `y_true`"):
        function(volumes[0], folded[1])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_nan_stays_visible(pair, function):
    true, pred = pair()
    pred[1, 15, 15] = np.nan
    values = numpy(function(true, pred))
    np.testing.assert_array_equal(np.isnan(values), [False, True, False])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_numpy_of_any_real_dtype(pair, function):
    true, pred = pair()
    expected = numpy(function(true, pred))
    for dtype in ("float64", "float16"):
        values = function(true.astype(dtype), pred.astype(dtype))
        assert keras.backend.standardize_dtype(values.dtype) == "float32"
        np.testing.assert_allclose(numpy(values), expected, rtol=1e-2)
    assert numpy(function(true > 0.5, pred > 0.5)).shape == (3,)


@pytest.mark.parametrize(
    "cls, function", list(zip(CLASSES, FUNCTIONS, strict=True))
)
def test_mean_over_images(pair, cls, function):
    true, pred = pair(batch=4)
    values = numpy(function(true, pred))
    metric = cls()
    # Batches of unequal size: the mean is over images, not over batches.
    metric.update_state(true[:1], pred[:1])
    metric.update_state(true[1:], pred[1:])
    assert float(metric.result()) == pytest.approx(values.mean(), rel=1e-5)

    weight = np.array([0.0, 1.0, 3.0, 0.5])
    expected = np.average(values, weights=weight)
    for shape in [(4,), (4, 1), (4, 1, 1), (4, 1, 1, 1)]:
        metric.reset_state()
        metric.update_state(true, pred, sample_weight=weight.reshape(shape))
        assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(4, 31, 33\)"):
        metric.update_state(true, pred, sample_weight=np.ones((4, 31, 33)))


def test_one_shape_of_weights_serves_losses_of_keras_too(pair):
    """Other shapes weight pixels there: as many columns as images, say."""
    true, pred = pair(batch=4, size=(16, 4 * 4))
    weight = np.array([0.0, 1.0, 3.0, 0.5], "float32")[:, None, None]
    inputs = keras.Input((16, 16, 1))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    judges = [cls() for cls in CLASSES]
    for loss, values in (
        ("mse", np.mean((true - pred) ** 2, axis=(1, 2, 3))),
        (losses.SSIM(), 1 - numpy(metrics.ssim(true, pred))),
    ):
        model.compile("sgd", loss, weighted_metrics=judges)
        logs = model.fit(pred, true, sample_weight=weight, verbose=0).history
        logs = {name: value[0] for name, value in logs.items()}
        for found in (
            logs,
            model.evaluate(
                pred, true, sample_weight=weight, verbose=0, return_dict=True
            ),
        ):
            expected = np.mean(values * weight.ravel())
            assert found["loss"] == pytest.approx(expected, rel=1e-4)
            for function in FUNCTIONS:
                expected = np.average(
                    numpy(function(true, pred)), weights=weight.ravel()
                )
                name = function.__name__
                assert found[name] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.PSNR(max_value=2, name="a"),
        metrics.NMSE(name="b"),
        metrics.SSIM(max_value=3, window="uniform", name="c"),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_serialization(pair, metric):
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == f"loupe_tf>{type(metric).__name__}"
    copy = keras.metrics.deserialize(config)
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()
    true, pred = pair()
    assert float(copy(true, pred)) == float(metric(true, pred))


@pytest.mark.parametrize("cls", CLASSES)
def test_mixed_float16(pair, cls, mixed_float16):
    # Their squares overflow float16, and so would the sums.
    true, pred = (1000 * x for x in pair())
    kwargs = {} if cls is metrics.NMSE else {"max_value": 1000.0}
    expected = cls(**kwargs)(true, pred)
    metric = cls(**kwargs)
    assert metric.dtype == "float32"
    value = metric(ops.cast(true, "float16"), ops.cast(pred, "float16"))
    assert float(value) == pytest.approx(float(expected), rel=5e-3)


def test_fit_and_early_stopping(pair):
    true, pred = pair(size=(16, 16))
    model = keras.Sequential([keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse", metrics=[cls() for cls in CLASSES])
    for cls in CLASSES:
        stopping = keras.callbacks.EarlyStopping(f"val_{cls().name}")
        logs = model.fit(
            pred,
            true,
            epochs=2,
            batch_size=2,
            validation_data=(pred, true),
            callbacks=[stopping],
            verbose=0,
        ).history
        up = cls is not metrics.NMSE
        assert bool(stopping.monitor_op(1.0, 0.0)) == up
        assert np.isfinite(logs[f"val_{cls().name}"]).all()
    output = model.predict(pred, verbose=0)
    expected = numpy(metrics.psnr(true, output)).mean()
    assert logs["val_psnr"][-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="shapes known in part"
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_unknown_static_shape(pair, function):
    import tensorflow as tf

    true, pred = pair()
    spec = tf.TensorSpec((None, None, None, 1))
    traced = tf.function(function, input_signature=[spec, spec])
    np.testing.assert_allclose(
        traced(true, pred), function(true, pred), rtol=1e-5
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_invalid_images(pair, function):
    true, pred = pair()
    with pytest.raises(ValueError, match=r"`y_true`.*\(batch, H, W, 1\)"):
        function(true[..., 0], pred)
    with pytest.raises(ValueError, match=r"`y_pred`.*shape=\(3, 31, 33, 3\)"):
        function(true, np.repeat(pred, 3, axis=-1))
    with pytest.raises(ValueError, match="`y_pred`.*the shape of `y_true`"):
        function(true, pred[:, :-1])
    with pytest.raises(ValueError, match="`y_pred`.*the shape of `y_true`"):
        function(true, np.repeat(pred, 2, axis=-1))
    with pytest.raises(ValueError, match="two channels.*complex64"):
        function(true.astype("complex64"), pred)


@pytest.mark.parametrize("max_value", [0, -1.0, float("nan"), float("inf")])
def test_invalid_max_value(pair, max_value):
    true, pred = pair()
    for function in (metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match="`max_value`.*number above 0"):
            function(true, pred, max_value=max_value)
    for cls in (metrics.PSNR, metrics.SSIM):
        with pytest.raises(ValueError, match="`max_value`.*number above 0"):
            cls(max_value=max_value)
