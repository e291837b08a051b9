import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import losses, metrics

LOSSES = {
    "ssim": losses.SSIM(),
    "uniform": losses.SSIM(window="uniform"),
    "l1_ssim": losses.L1SSIM(),
}


def images(batch=3, size=(31, 33), channels=1, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(size=(batch, *size, channels))
    pred = true + 0.1 * rng.normal(size=true.shape)
    return true.astype("float32"), pred.astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def gradient(function, x):
    """Gradient of a scalar function, on whichever backend runs."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(x)))
    if keras.backend.backend() == "torch":
        x = ops.convert_to_tensor(x).requires_grad_()
        function(x).backward()
        return numpy(x.grad)
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()


@pytest.mark.parametrize("channels", [1, 2])
def test_ssim_is_one_minus_the_metric(channels):
    true, pred = images(channels=channels)
    loss = losses.SSIM(max_value=2.0, window="uniform", reduction=None)
    expected = 1 - numpy(metrics.ssim(true, pred, 2.0, "uniform"))
    np.testing.assert_allclose(numpy(loss(true, pred)), expected, rtol=1e-6)
    assert float(losses.SSIM()(true, true)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.84, 1.0])
def test_l1_ssim_is_the_mix(alpha):
    true, pred = images()
    ssim = numpy(metrics.ssim(true, pred, 2.0))
    l1 = np.abs(true - pred).mean(axis=(1, 2, 3)) / 2.0
    expected = alpha * (1 - ssim) + (1 - alpha) * l1
    loss = losses.L1SSIM(alpha, max_value=2.0, reduction=None)
    np.testing.assert_allclose(numpy(loss(true, pred)), expected, rtol=1e-5)


def test_l1_of_complex_images_is_the_modulus():
    true, pred = images(channels=2)
    difference = true - pred
    expected = np.abs(difference[..., 0] + 1j * difference[..., 1]).mean()
    actual = float(losses.L1SSIM(alpha=0.0)(true, pred))
    assert actual == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_mean_and_sample_weight(loss):
    true, pred = images()
    values = numpy(loss.call(ops.array(true), ops.array(pred)))
    assert values.shape == (3,)
    assert float(loss(true, pred)) == pytest.approx(values.mean(), rel=1e-5)
    weight = np.array([0.0, 1.0, 2.0], "float32")
    expected = (values * weight).mean()
    for shape in [(3,), (3, 1), (3, 1, 1), (3, 1, 1, 1)]:
        actual = float(loss(true, pred, sample_weight=weight.reshape(shape)))
        assert actual == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="`sample_weight`.*one number"):
        loss(true, pred, sample_weight=np.ones(true.shape[:3]))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("pair", ["zeros", "ones", "zero_pred", "zero_true"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_is_finite(loss, pair, channels):
    true, pred = images(batch=1, size=(13, 14), channels=channels)
    if pair in ("zeros", "ones"):
        true = pred = np.full_like(true, pair == "ones")
    elif pair == "zero_pred":
        pred = np.zeros_like(pred)
    else:
        true = np.zeros_like(true)
    value = gradient(lambda x: loss(true, x), pred)
    assert np.isfinite(value).all()
    if pair in ("zeros", "ones"):  # A perfect image is a stationary point.
        np.testing.assert_allclose(value, 0, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_agrees_with_differences(loss, channels):
    true, pred = images(batch=1, size=(13, 14), channels=channels)
    slope = gradient(lambda x: loss(true, x), pred)
    direction = slope / np.linalg.norm(slope)
    step = 0.02
    ahead = float(loss(true, pred + step * direction))
    behind = float(loss(true, pred - step * direction))
    expected = (ahead - behind) / (2 * step)
    assert np.sum(slope * direction) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "loss, name",
    [
        (losses.SSIM(2.0, "uniform", "sum", "a"), "loupe_tf>SSIMLoss"),
        (losses.L1SSIM(0.5, 2.0, "uniform", "sum", "b"), "loupe_tf>L1SSIM"),
    ],
)
def test_serialization(loss, name):
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == name
    copy = keras.losses.deserialize(config)
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    true, pred = images()
    assert float(copy(true, pred)) == float(loss(true, pred))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("loss", [losses.SSIM(), losses.L1SSIM()])
def test_saved_model_keeps_loss_and_metric_apart(tmp_path, loss):
    true, pred = images(size=(16, 16))
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Conv2D(1, 1)]
    )
    model.compile("sgd", loss, metrics=[metrics.SSIM()])
    model.fit(pred, true, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.loss) is type(loss)
    np.testing.assert_allclose(
        loaded.evaluate(pred, true, verbose=0),
        model.evaluate(pred, true, verbose=0),
        rtol=1e-5,
    )


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_mixed_float16(loss):
    true, pred = images(size=(16, 16))
    expected = float(loss(true, pred))
    halves = ops.cast(true, "float16"), ops.cast(pred, "float16")
    assert float(loss(*halves)) == pytest.approx(expected, rel=5e-3)

    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        assert type(loss)().dtype == "float32"
        model = keras.Sequential([keras.layers.Conv2D(1, 1)])
        model.compile("sgd", loss)
        logs = model.fit(pred, true, epochs=2, verbose=0).history
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert np.isfinite(logs["loss"]).all()


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`alpha`.*of at most 1.*alpha=1.5"):
        losses.L1SSIM(alpha=1.5)
    with pytest.raises(ValueError, match="`max_value`.*above 0"):
        losses.SSIM(max_value=0)
    with pytest.raises(ValueError, match="`window`.*'gaussian', 'uniform'"):
        losses.L1SSIM(window="box")
    with pytest.raises(ValueError, match="Expected H and W of at least 11"):
        losses.SSIM()(*images(size=(10, 33)))
