import keras
import numpy as np
import pytest

from loupe_tf.models import mwcnn


@pytest.mark.parametrize(
    "filters, convolutions, first, count",
    [((5, 6, 7), 3, 4, 2), ((3, 5), 2, 4, 1), ((4, 3), 1, 2, 0)],
)
def test_number_of_parameters(filters, convolutions, first, count):
    """3×3 convolutions without bias, the last with one, in closed form."""
    model = mwcnn((16, 16, 2), 6, filters, convolutions, first, count)

    def chain(*widths):
        return sum(9 * i * o for i, o in zip(widths, widths[1:]))

    n = convolutions
    expected = 6 if count else 4 * 6
    expected += chain(2, *[first] * count)
    if count:
        expected += chain(*[first] * count, 6)
    finer = [first if count else 2, *filters]
    for scale, width in enumerate(filters):
        expected += chain(4 * finer[scale], *[width] * n)
        wide = 4 * finer[scale] if scale or count else 4 * 6
        expected += chain(*[width] * n, wide)
    assert model.count_params() == expected


def test_features_are_added(rng):
    """With 1×1 convolutions by hand, all of them matrices."""
    model = mwcnn(
        *((4, 4, 1), 1, (2, 3), 1, 2, 1, 1),
        output_initializer="he_normal",
    )
    x = rng.normal(size=(1, 4, 4, 1)).astype("float32")

    def haar(x, inverse=False):
        """Blocks of 2×2 times one matrix of 4×4."""
        h = np.array([[1, 1], [1, -1]])
        h = np.kron(h, h) / 2
        n, m, c = x.shape
        if inverse:
            x = np.einsum("pq,nmqc->nmpc", h, x.reshape(n, m, 4, c // 4))
            x = x.reshape(n, m, 2, 2, c // 4).transpose(0, 2, 1, 3, 4)
            return x.reshape(2 * n, 2 * m, c // 4)
        x = x.reshape(n // 2, 2, m // 2, 2, c).transpose(0, 2, 1, 3, 4)
        x = np.einsum("pq,nmqc->nmpc", h, x.reshape(n // 2, m // 2, 4, c))
        return x.reshape(n // 2, m // 2, 4 * c)

    def convolve(x, name):
        kernel = model.get_layer(f"{name}_conv_1").get_weights()[0]
        return np.maximum(x @ kernel[0, 0], 0)

    first = convolve(x[0], "first")
    fine = convolve(haar(first), "down_0")
    coarse = convolve(haar(fine), "down_1")
    up = haar(convolve(coarse, "up_1"), inverse=True) + fine
    up = haar(convolve(up, "up_0"), inverse=True) + first
    kernel, bias = model.get_layer("output").get_weights()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(x))[0],
        up @ kernel[0, 0] + bias,
        atol=1e-5,
    )


def test_transform_of_the_image_itself(rng):
    """The network of Liu et al.; the output still starts at zero."""
    settings = {"first_convolutions": 0, "normalization": "batch"}
    model = mwcnn((7, 9, 2), filters=(2, 3), convolutions=2, **settings)
    x = rng.normal(size=(1, 7, 9, 2)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), 0 * x)
    names = {layer.name for layer in model.layers}
    assert "skip_first" not in names and "up_1_norm_2" in names


def test_sizes_that_are_not_known(rng):
    model = mwcnn((None, None, 2), 2, (2, 3), 1, 2, 1)
    for size in ((8, 4), (4, 12)):
        x = rng.normal(size=(1, *size, 2)).astype("float32")
        assert model.predict(x, verbose=0).shape == x.shape


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"filters": ()}, "`filters`.*a sequence of integers"),
        ({"filters": 64}, "`filters`.*a sequence of integers.*64"),
        ({"filters": (4, 0)}, "`filters`.*at least 1.*0"),
        ({"convolutions": 0}, "`convolutions`.*at least 1.*0"),
        ({"first_convolutions": -1}, "`first_convolutions`.*at least 0.*-1"),
        ({"normalization": "group"}, "`normalization`.*'batch'.*'group'"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        mwcnn((8, 8, 2), **arguments)
