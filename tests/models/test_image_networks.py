"""What every network inside an unrolled reconstructor must do."""

import functools

import keras
import numpy as np
import pytest

from loupe_tf.models import cnn, mwcnn, norm_unet, resnet

NETWORKS = {
    "cnn": functools.partial(cnn, depth=3, filters=2),
    "resnet": functools.partial(resnet, blocks=2, filters=2),
    "mwcnn": functools.partial(mwcnn, filters=(2, 3), first_filters=2),
    "norm_unet": functools.partial(
        norm_unet, filters=2, depth=2, standardize="residual"
    ),
}
ZEROS = {"output_initializer": "zeros"}
RANDOM = {"output_initializer": "glorot_uniform"}

pytestmark = pytest.mark.parametrize("network", list(NETWORKS))


def _output(model, x):
    return keras.ops.convert_to_numpy(model(x))


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 9, 11, 2)).astype("float32")


def test_output_starts_at_zero(network, x):
    model = NETWORKS[network](x.shape[1:], output_channels=4, **ZEROS)
    output = _output(model, x)
    assert output.shape == (2, 9, 11, 4) and output.dtype == "float32"
    np.testing.assert_array_equal(output, 0)


def test_saved_with_channels_last(tmp_path, network, x, keras_config):
    """`image_data_format` may stand in a user's keras.json."""
    keras_config.set_image_data_format("channels_first")
    model = NETWORKS[network](x.shape[1:], **RANDOM)
    model.save(tmp_path / "model.keras")
    keras_config.set_image_data_format("channels_last")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    output = _output(model, x)
    np.testing.assert_array_equal(output, _output(loaded, x))
    # What the last row and column show depends on the pixel that is there.
    x[:, -1, -1] += 1
    assert np.abs(_output(model, x) - output)[:, -1, -1].min() > 0


def test_mixed_precision(network, x, keras_config):
    keras_config.set_dtype_policy("mixed_bfloat16")
    model = NETWORKS[network](x.shape[1:], **RANDOM)
    kind = keras.layers.Conv2D
    first = next(each for each in model.layers if isinstance(each, kind))
    assert first.compute_dtype == first.output.dtype == "bfloat16"
    output = _output(model, x)
    assert output.dtype == "float32" and np.isfinite(output).all()


def test_gradient_of_an_image_of_zeros_is_finite(network, gradient):
    model = NETWORKS[network]((8, 8, 2), **RANDOM)
    x = np.zeros((1, 8, 8, 2), "float32")
    slope = gradient(lambda x: keras.ops.sum(keras.ops.square(model(x) - 1)), x)
    assert np.isfinite(slope).all()


def test_same_seed_same_weights(network):
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = NETWORKS[network]((16, 16, 2), **RANDOM)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)
    # No two layers begin alike.
    kernels = [w for w in weights[0] if w.ndim == 4]
    for i, a in enumerate(kernels):
        for b in kernels[:i]:
            assert a.shape != b.shape or np.abs(a - b).max() > 0


def test_invalid_arguments(network):
    build = NETWORKS[network]
    with pytest.raises(ValueError, match=r"`input_shape`.*\(H, W, C\)"):
        build((8, 8))
    with pytest.raises(ValueError, match=r"`input_shape`.*\(0, 8, 2\)"):
        build((0, 8, 2))
    with pytest.raises(ValueError, match="`filters`.*0"):
        build((16, 16, 2), filters=0)
