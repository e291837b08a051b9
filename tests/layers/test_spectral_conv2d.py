import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.layers import SpectralConv2D


def norm_of(kernel, grid):
    """The norm on a periodic grid, by the singular values of each matrix."""
    matrices = np.fft.fft2(kernel, (grid, grid), axes=(0, 1))
    return np.linalg.svd(matrices, compute_uv=False).max()


def settled(layer, x):
    """The layer after many steps of the power method."""
    for _ in range(60):
        layer(x, training=True)
    return layer


@pytest.mark.parametrize("size, channels, filters", [(3, 2, 5), (5, 4, 1)])
def test_estimate_against_singular_values(rng, size, channels, filters):
    keras.utils.set_random_seed(0)
    x = rng.normal(size=(1, 6, 6, channels)).astype("float32")
    layer = settled(SpectralConv2D(filters, size, use_bias=False), x)
    kernel = ops.convert_to_numpy(layer.kernel)
    expected = norm_of(kernel, layer.grid)
    np.testing.assert_allclose(float(layer.estimate()), expected, rtol=1e-2)


def test_no_image_becomes_larger(rng):
    """By the norm of the layer as a matrix, with zero padding."""
    keras.utils.set_random_seed(0)
    units = np.eye(5 * 6 * 2, dtype="float32").reshape(-1, 5, 6, 2)
    layer = SpectralConv2D(3, 3, norm=0.8, use_bias=False)
    layer.build((None, 5, 6, 2))
    layer.kernel.assign(5 * layer.kernel)
    settled(layer, units[:1])
    matrix = ops.convert_to_numpy(layer(units)).reshape(len(units), -1)
    norm = np.linalg.norm(matrix, 2)
    assert 0.5 < norm < 0.81
    # A smaller kernel stays as it is, and so does one of zeros.
    for scale in (0.01, 0):
        layer.kernel.assign(scale * layer.kernel)
        plain = ops.conv(units, layer.kernel, padding="same")
        np.testing.assert_allclose(
            ops.convert_to_numpy(layer(units, training=True)),
            ops.convert_to_numpy(plain),
            atol=1e-7,
        )


def test_training_and_saving(rng, tmp_path):
    """The bound has a gradient, and the directions are saved."""
    x = rng.normal(size=(4, 6, 6, 2)).astype("float32")
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), SpectralConv2D(2, 3, norm=0.1)]
    )
    model.compile("sgd", loss="mse")
    model.fit(x, 9 * x, epochs=3, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict_on_batch(x), model.predict_on_batch(x), atol=1e-6
    )


@pytest.mark.parametrize(
    "argument, value",
    [
        ("norm", 0),
        ("grid", 2),
        ("strides", 2),
        ("dilation_rate", 2),
        ("groups", 2),
    ],
)
def test_invalid(argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        SpectralConv2D(4, 3, **{argument: value})
