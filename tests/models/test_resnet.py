import keras
import numpy as np
import pytest

from loupe_tf.models import resnet


def _output(model, x):
    return keras.ops.convert_to_numpy(model(x))


def test_number_of_parameters():
    """15 blocks of two 3×3 convolutions, and one more, without bias."""
    for tied, inner in ((False, 31), (True, 16)):
        model = resnet((None, None, 2), tied=tied)
        expected = 9 * (2 * 64 + inner * 64**2 + 64 * 2)
        assert model.count_params() == expected


@pytest.mark.parametrize("tied", [False, True])
def test_against_numpy(rng, tied):
    """1×1 convolutions are matrices."""
    model = resnet((4, 5, 2), 3, 2, 4, 1, 0.3, tied, output_initializer=None)
    x = rng.normal(size=(2, 4, 5, 2)).astype("float32")

    def convolve(x, name):
        (kernel,) = model.get_layer(name).get_weights()
        return x @ kernel[0, 0]

    first = h = convolve(x, "first")
    for i in (1, 2):
        hidden = np.maximum(convolve(h, f"block_{i}_conv_1"), 0)
        last = f"block_{i}_conv_{1 if tied else 2}"
        h = h + 0.3 * convolve(hidden, last)
    expected = convolve(first + convolve(h, "last"), "output")
    np.testing.assert_allclose(_output(model, x), expected, atol=1e-5)


def test_every_size_and_every_scale(rng):
    """N(t x) = t N(x) for t > 0."""
    model = resnet((None, None, 2), 2, 2, 4, output_initializer=None)
    x = rng.normal(size=(1, 5, 7, 2)).astype("float32")
    expected = _output(model, x)
    assert expected.shape == (1, 5, 7, 2)
    np.testing.assert_allclose(_output(model, 8 * x), 8 * expected, rtol=1e-5)


def test_initial_weights():
    model = resnet((None, None, 2), blocks=1, output_initializer=None)
    for weight in model.get_weights():
        assert weight.std() == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"blocks": 0}, "`blocks`.*at least 1.*0"),
        ({"scale": 0}, "`scale`.*above 0.*0"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        resnet((8, 8, 2), **arguments)
