import keras
import numpy as np
import pytest

from loupe_tf.models import cnn


def test_number_of_parameters():
    """Five convolutions of 64 filters; γ, β and two moving moments each."""
    convolutions = 9 * (2 * 64 + 3 * 64**2 + 64 * 2)
    model = cnn((None, None, 2))
    assert model.count_params() == convolutions + 4 * (4 * 64) + 2
    # Without normalisation, biases.
    model = cnn((None, None, 2), depth=20, normalization=None)
    expected = 9 * (2 * 64 + 18 * 64**2 + 64 * 2) + 19 * 64 + 2
    assert model.count_params() == expected


def test_order_of_layers():
    model = cnn((None, None, 2), depth=3, normalization="instance")
    names = [layer.name for layer in model.layers]
    assert names == [
        *["image", "conv_1", "norm_1", "act_1", "conv_2", "norm_2", "act_2"],
        "output",
    ]
    assert model.get_layer("act_1").activation is keras.activations.relu
    model = cnn((None, None, 2), depth=2, activation=None)
    assert model.get_layer("act_1").negative_slope == pytest.approx(0.3)


def test_one_network_for_all_sizes(rng):
    model = cnn((None, None, 2), 3, 2, 4, output_initializer="he_normal")
    for size in ((5, 7), (8, 3)):
        x = rng.normal(size=(2, *size, 2)).astype("float32")
        assert model.predict(x, verbose=0).shape == (2, *size, 3)


def test_against_numpy(rng):
    """Two convolutions of one row, and the activation between them."""
    model = cnn(
        (1, 5, 1), 1, 2, 3, normalization=None, output_initializer="he_normal"
    )
    x = rng.normal(size=(1, 1, 5, 1)).astype("float32")

    def convolve(x, name):
        kernel, bias = model.get_layer(name).get_weights()
        padded = np.pad(x, ((1, 1), (0, 0)))
        return bias + sum(padded[j : j + 5] @ kernel[1, j] for j in range(3))

    hidden = np.maximum(convolve(x[0, 0], "conv_1"), 0)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(x))[0, 0],
        convolve(hidden, "output"),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"depth": 0}, "`depth`.*at least 1.*0"),
        ({"normalization": "group"}, "`normalization`.*'batch'.*'group'"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        cnn((8, 8, 2), **arguments)
