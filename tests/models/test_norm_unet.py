import keras
import numpy as np
import pytest

from loupe_tf.models import fastmri_unet, norm_unet


def _output(model, x):
    return keras.ops.convert_to_numpy(model(x))


@pytest.fixture(scope="module")
def models():
    """Without and with μ in the output; and the network of the padded image."""
    settings = {"filters": 2, "depth": 2, "output_channels": 4}
    kinds = {
        kind: norm_unet((9, 18, 4), standardize=kind, **settings)
        for kind in ("image", "residual")
    }
    kinds["padded"] = fastmri_unet((16, 32, 4), **settings)
    for model in kinds.values():
        model.set_weights(kinds["padded"].get_weights())
    return kinds


def test_number_of_parameters():
    # U-Net of 18 filters: 9 (i + o) o a block, 4 i o a transposed convolution.
    widths = [18 * 2**i for i in range(5)]
    expected = 9 * sum((i + o) * o for i, o in zip([2, *widths], widths))
    expected += sum(4 * 2 * o * o + 9 * (2 * o + o) * o for o in widths[:-1])
    assert norm_unet((320, 320, 2)).count_params() == expected + 18 * 2 + 2


def test_standardization_and_padding(models, rng):
    """In NumPy: two moments an example, and zeros on both sides."""
    x = rng.normal(3.0, 2.0, size=(2, 9, 18, 4)).astype("float32")
    x[1] *= 1e-5
    x[..., 1::2] *= 7
    pairs = x.reshape(2, 9, 18, 2, 2)
    mean = pairs.mean(axis=(1, 2, 3), keepdims=True)
    deviation = pairs.std(axis=(1, 2, 3), ddof=1, keepdims=True)
    standard = ((pairs - mean) / deviation).reshape(x.shape)
    padded = np.zeros((2, 16, 32, 4), "float32")
    padded[:, 3:12, 7:25] = standard
    inner = _output(models["padded"], padded)[:, 3:12, 7:25]
    residual = inner.reshape(pairs.shape) * deviation
    for kind, expected in (("residual", residual), ("image", residual + mean)):
        got = _output(models[kind], x).reshape(pairs.shape)
        np.testing.assert_allclose(
            got / deviation, expected / deviation, atol=1e-4
        )


def test_scale_does_not_matter(models, rng):
    x = rng.normal(size=(1, 9, 18, 4)).astype("float32")
    scale = np.array([1e-6, 3e3, 1e-6, 3e3], "float32")
    expected = _output(models["image"], x)
    got = _output(models["image"], x * scale) / scale
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_empty_slice_beside_another(models, gradient, rng):
    """fastMRI's code has NaN there; the other example does not notice."""
    x = rng.normal(size=(3, 9, 18, 4)).astype("float32")
    x[1:] = [[[[0] * 4]], [[[1, 2, 1, 2]]]]
    model = models["image"]
    output = _output(model, x)
    np.testing.assert_array_equal(output[1:], x[1:])
    np.testing.assert_allclose(output[0], _output(model, x[:1])[0], atol=1e-5)

    def loss(x):
        return keras.ops.sum(keras.ops.square(model(x) - 0.5))

    slope = gradient(loss, x)
    assert np.isfinite(slope).all() and np.abs(slope[0]).max() > 0


def test_dropout(rng):
    model = norm_unet((16, 18, 2), filters=8, depth=1, dropout=0.3)
    x = rng.normal(size=(2, 16, 18, 2)).astype("float32")
    outputs = [
        keras.ops.convert_to_numpy(model(x, training=training))
        for training in (False, True, True)
    ]
    assert np.abs(outputs[1] - outputs[2]).max() > 1e-4
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"input_shape": (16, 16, 3)}, "`input_shape`.*even.*16, 3"),
        ({"input_shape": (None, 16, 2)}, "`input_shape`.*known.*None"),
        ({"output_channels": 1}, "`output_channels`.*at least 2.*1"),
        ({"output_channels": 3}, "`output_channels`.*even.*3"),
        ({"standardize": None}, "`standardize`.*'image'.*None"),
        ({"depth": 0}, "`depth`.*at least 1.*0"),
        ({"depth": 4}, "`input_shape`.*32.*depth=4.*16, 16"),
        ({"dropout": 1}, "`dropout`.*below 1.*1"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        norm_unet(**{"input_shape": (16, 16, 2), "depth": 1, **arguments})
