import functools

import keras
import numpy as np
import pytest

from loupe_tf.models import encoder_decoder as build

# The default output begins at zero, whatever comes before it.
encoder_decoder = functools.partial(build, output_initializer="he_normal")


def _output(model, x):
    return keras.ops.convert_to_numpy(model(x))


@pytest.mark.parametrize("skips", [True, False])
def test_number_of_parameters(skips):
    """Seven blocks each way, in closed form."""

    def block(i, o):
        return 9 * i * o + 9 * o * o + (i * o if i != o else 0)

    widths = [4, 8, 16, 32, 32, 32, 32, 32]
    expected = sum(block(i, o) for i, o in zip([2, *widths], widths))
    for o, below in zip(widths, widths[1:]):
        expected += block(below + o * skips, o)
    expected += 4 + 1
    model = encoder_decoder(
        (129, 40, 2), filters=4, max_filters=32, skips=skips
    )
    assert model.count_params() == expected


def test_seven_blocks_on_a_size_that_128_does_not_divide(rng):
    model = encoder_decoder((150, 33, 2), filters=2, max_filters=4)
    shapes = [model.get_layer(f"pool_{i}").output.shape[1:3] for i in range(7)]
    assert shapes == [
        (75, 17),
        (38, 9),
        (19, 5),
        (10, 3),
        (5, 2),
        (3, 1),
        (2, 1),
    ]
    x = rng.normal(size=(1, 150, 33, 2)).astype("float32")
    assert _output(model, x).shape == (1, 150, 33, 1)


def test_residual_blocks():
    """A block whose convolutions are zero hands on its shortcut."""
    model = encoder_decoder((8, 8, 3), filters=3, max_filters=3, depth=1)
    for layer in model.layers:
        if "_conv_" in layer.name:
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    names = {layer.name for layer in model.layers}
    # Only the decoder sees more channels than it returns.
    assert {n for n in names if "shortcut" in n} == {"up_0_shortcut"}
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    low = x.reshape(1, 4, 2, 4, 2, 3).max(axis=(2, 4))
    both = np.concatenate([low.repeat(2, 1).repeat(2, 2), x], axis=-1)
    shortcut = model.get_layer("up_0_shortcut").get_weights()[0][0, 0]
    kernel, bias = model.get_layer("output").get_weights()
    np.testing.assert_allclose(
        _output(model, x), both @ shortcut @ kernel[0, 0] + bias, atol=1e-5
    )


def test_without_skips_all_goes_through_the_bottleneck(rng):
    """Without residuals of the bottleneck nothing is left of the image."""
    x = rng.normal(size=(1, 20, 12, 2)).astype("float32")
    for skips in (True, False):
        model = encoder_decoder((20, 12, 2), filters=2, depth=2, skips=skips)
        for layer in model.layers:
            if layer.name.startswith("bottom"):
                layer.set_weights(
                    [np.zeros_like(w) for w in layer.get_weights()]
                )
        assert (np.ptp(_output(model, x)) > 0) == skips


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"depth": 0}, "`depth`.*at least 1.*0"),
        ({"filters": 0}, "`filters`.*at least 1.*0"),
        ({"max_filters": 16}, "`max_filters`.*32.*16"),
        ({"depth": 3}, r"`input_shape`.*8.*depth=3.*\(8, 8, 2\)"),
        ({"dropout": 2}, "`dropout`.*2"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        encoder_decoder((8, 8, 2), **{"depth": 1, **arguments})
