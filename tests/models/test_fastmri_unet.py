import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.models import fastmri_unet, loupe_model


def _output(model, x):
    return keras.ops.convert_to_numpy(model(x))


def test_number_of_parameters():
    # 3×3 and 2×2 convolutions without bias, the last with one: known for the
    # model of 32 filters and one channel.
    assert fastmri_unet((320, 320, 1)).count_params() == 7756097


def test_against_numpy(rng):
    """One halving of an odd size, written out in NumPy."""
    model = fastmri_unet((5, 7, 1), 1, filters=2, depth=1)
    x = rng.normal(size=(1, 5, 7, 1)).astype("float32")

    def weights(name):
        return model.get_layer(name).get_weights()[0].astype("float64")

    def normalize(x):
        x = x - x.mean(axis=(0, 1))
        x = x / np.sqrt(np.square(x).mean(axis=(0, 1)) + 1e-5)
        return np.where(x > 0, x, 0.2 * x)

    def convolve(x, name):
        kernel = weights(name)
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        height, width = x.shape[:2]
        return normalize(
            sum(
                padded[i : i + height, j : j + width] @ kernel[i, j]
                for i in range(3)
                for j in range(3)
            )
        )

    def block(x, name):
        return convolve(convolve(x, f"{name}_conv_1"), f"{name}_conv_2")

    skip = block(x[0].astype("float64"), "down_0")
    low = skip[:4, :6].reshape(2, 2, 3, 2, 2).mean(axis=(1, 3))
    low = block(low, "bottom")
    up = np.einsum("abc,ijoc->aibjo", low, weights("upsample_0"))
    up = normalize(up.reshape(4, 6, 2))
    up = np.concatenate([up, up[-2:-1]], axis=0)
    up = np.concatenate([up, up[:, -2:-1]], axis=1)
    top = block(np.concatenate([up, skip], axis=-1), "up_0")
    expected = top @ weights("output")[0, 0]
    np.testing.assert_allclose(_output(model, x)[0], expected, atol=1e-4)


def test_standardize(rng):
    """σ·f((x - μ)/σ) + μ, and without the μ; f is the same network."""
    models = {
        kind: fastmri_unet((12, 10, 2), 2, 4, 2, standardize=kind)
        for kind in (None, "image", "residual")
    }
    for model in models.values():
        model.set_weights(models[None].get_weights())
    x = rng.normal(3.0, 2.0, size=(3, 12, 10, 2)).astype("float32")
    x[1] *= 1e-5
    x[2, 3, 4] = 500.0  # an outlier, clipped
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    deviation = x.std(axis=(1, 2, 3), ddof=1, keepdims=True)
    standard = np.clip((x - mean) / deviation, -6, 6)
    assert standard.max() == 6
    residual = deviation * _output(models[None], standard)
    for kind, expected in (("residual", residual), ("image", residual + mean)):
        got = _output(models[kind], x)
        np.testing.assert_allclose(
            got / deviation, expected / deviation, atol=1e-4
        )


@pytest.mark.parametrize("kind", [None, "image", "residual"])
def test_gradient_of_an_image_of_zeros_is_finite(gradient, kind):
    # Each normalisation multiplies gradients of zeros by 300; without
    # standardization, those of a deep network overflow.
    depth = 3 if kind else 1
    # Two filters: torch on a CPU refuses gradients of one image by one filter.
    model = fastmri_unet((16, 16, 1), 1, 2, depth, standardize=kind)
    x = np.zeros((1, 16, 16, 1), "float32")
    y = np.indices((16, 16)).sum(axis=0)[None, ..., None]
    y = keras.ops.convert_to_tensor(y, "float32")
    slope = gradient(lambda x: keras.ops.sum(y * model(x)), x)
    assert np.isfinite(slope).all()


@pytest.mark.usefixtures("eager")
def test_as_in_fastmri_after_a_zero_filled_image(images, tmp_path):
    """The network's output is the image; the mask is learned all the same."""
    adjoint = loupe_model((16, 18, 1), 4, reconstructor="zero_filled", seed=0)
    network = fastmri_unet((16, 18, 1), 1, 2, 1, standardize="image")
    model = keras.Model(adjoint.input, network(adjoint.output))
    model.compile(keras.optimizers.RMSprop(1e-2, rho=0.99), loss="mae")
    before = masks.probability_from_model(model)
    first = model.evaluate(images, images, verbose=0)
    model.fit(images, images, epochs=5, verbose=0)
    assert model.evaluate(images, images, verbose=0) < first
    assert np.abs(masks.probability_from_model(model) - before).max() > 0
    assert masks.from_model(model).array.sum() == 16 * 18 / 4
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), loaded.predict(images, verbose=0)
    )


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"depth": 0}, "`depth`.*at least 1.*0"),
        ({"filters": 0}, "`filters`.*at least 1.*0"),
        ({"dropout": -0.1}, "`dropout`.*-0.1"),
        ({"standardize": True}, "`standardize`.*'image'.*True"),
        ({"depth": 3}, r"`input_shape`.*16.*depth=3.*\(8, 8, 2\)"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        fastmri_unet((8, 8, 2), **{"depth": 1, **arguments})
