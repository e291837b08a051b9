import keras
import numpy as np
import pytest

from loupe_tf.models import unet


@pytest.mark.parametrize("size", [(16, 16), (31, 33), (8, 20), (9, 8)])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_any_size_comes_out_as_it_went_in(size, depth):
    model = unet((*size, 2), output_channels=3, depth=depth, filters=2)
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    assert tuple(model(x).shape) == (2, *size, 3)


def test_number_of_parameters_is_that_of_the_original():
    # Two 3×3 convolutions and two batch normalisations a scale, in closed form.
    def block(i, o):
        return 9 * i * o + o + 9 * o * o + o + 2 * 4 * o

    widths = [4, 8, 16, 32, 64]
    down = [2, *widths]
    expected = sum(block(i, o) for i, o in zip(down, widths))
    expected += sum(block(o + 2 * o, o) for o in widths[:-1]) + widths[0] + 1
    assert unet((32, 32, 2), filters=4).count_params() == expected


@pytest.mark.parametrize(
    "preset, first", [("loupe", "act"), ("loupe_evolutions", "norm")]
)
def test_order_of_normalisation(preset, first):
    model = unet((16, 16, 2), filters=2, depth=2, preset=preset)
    names = [layer.name for layer in model.layers]
    at = names.index("down_0_conv_1")
    assert names[at + 1] == f"down_0_{first}_1"
    other = {"act": "before", "norm": "after"}[first]
    model = unet(
        (16, 16, 2), filters=2, depth=2, preset=preset, norm_order=other
    )
    assert model.layers[at + 1].name != f"down_0_{first}_1"


@pytest.mark.parametrize("normalization", ["layer", "instance", None])
def test_normalisations(normalization):
    model = unet((8, 8, 2), filters=2, depth=2, normalization=normalization)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "BatchNormalization" not in kinds
    named = {"layer": "LayerNormalization", "instance": "GroupNormalization"}
    assert (named.get(normalization) in kinds) == (normalization is not None)


def test_activation():
    model = unet((8, 8, 2), filters=2, depth=1, activation="relu")
    assert model.get_layer("bottom_act_1").activation is keras.activations.relu


def test_output_is_float32_in_mixed_precision():
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = unet((9, 8, 2), filters=2, depth=2)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.output.dtype == "float32"
    assert model.get_layer("down_0_conv_1").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"preset": "vnet"}, "`preset`.*'loupe'.*'vnet'"),
        ({"normalization": "group"}, "`normalization`.*'batch'.*'group'"),
        ({"norm_order": "first"}, "`norm_order`.*'before'.*'first'"),
        ({"depth": 0}, "`depth`.*at least 1.*0"),
        ({"depth": 5}, r"`input_shape`.*16.*\(8, 8, 2\)"),
    ],
)
def test_invalid_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        unet((8, 8, 2), **arguments)


@pytest.mark.parametrize("size", [(3, 9, 12), (4, 8, 8)])
def test_volumes(size):
    model = unet(
        (*size, 2),
        depth=2,
        filters=2,
        dropout=0.5,
        output_initializer="glorot_uniform",
    )
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    assert tuple(model(x, training=True).shape) == (2, *size, 1)
    kernels = [w.shape for w in model.weights if w.path.endswith("kernel")]
    assert all(len(shape) == 5 for shape in kernels)
    # Along the read-out, too: one slice tells its neighbour.
    x[:, 0] = 0
    other = x.copy()
    other[:, 0] = 1
    difference = np.abs(
        keras.ops.convert_to_numpy(model(x))
        - keras.ops.convert_to_numpy(model(other))
    )
    assert difference[:, 1].max() > 0


@pytest.mark.parametrize("shape", [(8, 2), (2, 16, 16, 2), (8, 8, 8, 8, 1)])
def test_neither_image_nor_volume(shape):
    with pytest.raises(ValueError, match=r"`input_shape`.*\(D, H, W, C\)"):
        unet(shape, depth=3)


def test_channels_of_volumes_are_last_under_any_setting(keras_config):
    keras_config.set_image_data_format("channels_first")
    first = unet((4, 5, 6, 2), filters=2, depth=2)
    keras_config.set_image_data_format("channels_last")
    last = unet((4, 5, 6, 2), filters=2, depth=2)
    assert first.output_shape == last.output_shape == (None, 4, 5, 6, 1)
    shapes = [[w.shape for w in model.get_weights()] for model in (first, last)]
    assert shapes[0] == shapes[1]
