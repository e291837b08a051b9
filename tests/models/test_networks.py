"""What every reconstruction network must do, alone and inside LOUPE."""

import functools

import keras
import numpy as np
import pytest

from loupe_tf import losses, masks, metrics
from loupe_tf.callbacks import (
    BackupAndRestore,
    MaskValidation,
    SelfShrinkingSigmoidSlope,
)
from loupe_tf.models import (
    encoder_decoder,
    fastmri_unet,
    loupe_model,
    unet,
)

# For outputs that tell of the whole network from the first step.
RANDOM = {"output_initializer": "glorot_uniform"}
NETWORKS = {
    "unet": functools.partial(unet, filters=2, depth=2, **RANDOM),
    "fastmri_unet": functools.partial(
        fastmri_unet, filters=2, depth=1, standardize="residual"
    ),
    "encoder_decoder": functools.partial(
        encoder_decoder, filters=2, depth=1, **RANDOM
    ),
}

pytestmark = pytest.mark.parametrize("network", list(NETWORKS))


def test_one_step_of_loupe_moves_everything(tmp_path, images, network):
    reconstructor = NETWORKS[network]((16, 18, 2), dropout=0.2)
    model = loupe_model((16, 18, 1), 4, reconstructor=reconstructor, seed=0)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    variables = [w for w in model.trainable_weights if w.name != "bias"]
    assert "logits" in [w.name for w in variables]
    before = [keras.ops.convert_to_numpy(w) for w in variables]
    model.fit(images, images, batch_size=8, verbose=0)
    for variable, value in zip(variables, before):
        after = keras.ops.convert_to_numpy(variable)
        assert np.abs(after - value).max() > 0, variable.path

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), loaded.predict(images, verbose=0)
    )
    # The next noise is the same too: a run that was stopped goes on.
    x = np.concatenate([images, images[::-1]], axis=-1)
    twin = loaded.reconstructor.network
    outputs = [
        keras.ops.convert_to_numpy(m(x, training=True))
        for m in (reconstructor, twin, twin)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[1] - outputs[2]).max() > 0


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(images, network, policy):
    old = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        reconstructor = NETWORKS[network]((15, 17, 2), dropout=0.2)
        model = loupe_model((15, 17, 1), 4, reconstructor=reconstructor)
        output = model(images[:, :15, :17], training=True)
    finally:
        keras.config.set_dtype_policy(old)
    assert np.isfinite(keras.ops.convert_to_numpy(output)).all()
    assert model.output.dtype == reconstructor.output.dtype == "float32"
    half = policy.removeprefix("mixed_")
    layer = reconstructor.get_layer("down_0_conv_1")
    assert layer.compute_dtype == layer.output.dtype == half
    assert reconstructor.get_layer("up_0_drop_1").output.dtype == half


@pytest.mark.parametrize("size", [(16, 16), (31, 33), (9, 11)])
def test_any_size_comes_out_as_it_went_in(rng, network, size):
    model = NETWORKS[network]((*size, 2), output_channels=3, depth=2)
    x = rng.normal(size=(2, *size, 2)).astype("float32")
    output = keras.ops.convert_to_numpy(model(x))
    assert output.shape == (2, *size, 3) and np.isfinite(output).all()
    # What the last row and column show depends on the pixel that is there.
    other = x.copy()
    other[:, -1, -1] += 1
    change = np.abs(keras.ops.convert_to_numpy(model(other)) - output)
    assert change[:, -1, -1].min() > 0


def test_same_seed_same_weights(network):
    weights = []
    for seed in (0, 0, 1):
        keras.utils.set_random_seed(seed)
        weights.append(NETWORKS[network]((16, 18, 2)).get_weights())
    for a, b, c in zip(*weights):
        np.testing.assert_array_equal(a, b)
        assert a.ndim < 4 or np.abs(a - c).max() > 0
    # No two layers begin alike.
    kernels = [w for w in weights[0] if w.ndim == 4]
    for i, a in enumerate(kernels):
        for b in kernels[:i]:
            assert a.shape != b.shape or np.abs(a - b).max() > 0


def test_dropout(rng, network):
    """Only in training, of whole channels, other ones in each example."""
    # With few channels all are dropped now and then, and outputs coincide.
    model = NETWORKS[network]((16, 18, 2), filters=8, dropout=0.3)
    names = [layer.name for layer in model.layers]
    convolutions = sum("_conv_" in name for name in names)
    assert sum("_drop_" in name for name in names) == convolutions > 0
    assert not any(
        "_drop_" in layer.name for layer in NETWORKS[network]((8, 9, 2)).layers
    )
    x = rng.normal(size=(4, 16, 18, 2)).astype("float32")
    outputs = [
        keras.ops.convert_to_numpy(model(x, training=training))
        for training in (False, False, True, True)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[2] - outputs[3]).max() > 1e-4
    with pytest.raises(ValueError, match="`dropout`.*below 1.*1.0"):
        NETWORKS[network]((16, 18, 2), dropout=1.0)


def test_starts_from_the_zero_filled_image(images, network):
    reconstructor = NETWORKS[network]((16, 18, 2), output_initializer="zeros")
    mask = masks.gaussian((16, 18), 4)
    model = loupe_model((16, 18, 1), mask=mask, reconstructor=reconstructor)
    adjoint = loupe_model((16, 18, 1), mask=mask, reconstructor="zero_filled")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), adjoint.predict(images, verbose=0)
    )


def test_channels_are_last_under_any_setting(
    tmp_path, rng, network, keras_config
):
    """`image_data_format` may stand in a user's keras.json."""
    x = rng.normal(size=(1, 9, 11, 2)).astype("float32")
    models = []
    for setting in ("channels_last", "channels_first"):
        keras_config.set_image_data_format(setting)
        models.append(NETWORKS[network]((9, 11, 2), depth=2))
        models[-1].set_weights(models[0].get_weights())
        models[-1].save(tmp_path / f"{setting}.keras")
    expected = keras.ops.convert_to_numpy(models[0](x))
    models.append(keras.models.load_model(tmp_path / "channels_last.keras"))
    keras_config.set_image_data_format("channels_last")
    models.append(keras.models.load_model(tmp_path / "channels_first.keras"))
    for model in models:
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(model(x)), expected
        )


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "floatx", ["float64", pytest.param("float16", marks=pytest.mark.slow)]
)
def test_any_floatx(tmp_path, images, network, keras_config, floatx):
    """Masks, transforms and what comes out are float32 under any setting."""
    keras_config.set_floatx(floatx)
    keras_config.set_dtype_policy(floatx)
    reconstructor = NETWORKS[network]((16, 18, 2), dropout=0.2)
    assert reconstructor.output.dtype == "float32"
    model = loupe_model(
        (16, 18, 1), 4, reconstructor=reconstructor, snr=30, seed=0
    )
    judges = [metrics.PSNR(), metrics.NMSE(), metrics.SSIM()]
    model.compile("sgd", loss=losses.L1SSIM(), metrics=judges)
    several = [
        MaskValidation((images, images)),
        SelfShrinkingSigmoidSlope("val_relaxed_psnr", patience=1),
    ]
    several.append(BackupAndRestore(tmp_path, several))
    logs = model.fit(
        images, images, batch_size=8, callbacks=several, verbose=0
    ).history
    assert {"slope", "val_relaxed_ssim"} <= set(logs)
    for layer in model.layers:
        assert layer.output.dtype == "float32"
        if layer is not model.reconstructor:
            assert {w.dtype for w in layer.weights} <= {"float32"}
    assert model.predict(images, verbose=0).dtype == "float32"
    if floatx == "float64":  # Keras scales no loss in pure float16.
        for weight in model.get_weights():
            assert np.isfinite(weight).all()
