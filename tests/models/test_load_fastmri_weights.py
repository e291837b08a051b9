"""Names, shapes and errors; tests/agreement compares outputs with fastMRI's."""

import re

import keras
import numpy as np
import pytest

from loupe_tf import models

SIZE = (16, 16)


def unet(filters):
    return models.norm_unet((*SIZE, 2), filters=filters, depth=2)


@pytest.fixture(scope="module")
def model():
    maps = models.SensitivityMaps(4, unet(1))
    model = models.VarNet(
        unet(2), iterations=2, combine="rss", sensitivities=maps
    )
    model.build([(None, 2, *SIZE, 2), (None, 1, SIZE[1], 1)])
    return model


def unet_shapes(prefix, filters):
    """Names and shapes of fastMRI's U-Net of depth 2, written out."""
    f = filters
    shapes = {
        "down_sample_layers.0.layers.0.weight": (f, 2, 3, 3),
        "down_sample_layers.0.layers.4.weight": (f, f, 3, 3),
        "down_sample_layers.1.layers.0.weight": (2 * f, f, 3, 3),
        "down_sample_layers.1.layers.4.weight": (2 * f, 2 * f, 3, 3),
        "conv.layers.0.weight": (4 * f, 2 * f, 3, 3),
        "conv.layers.4.weight": (4 * f, 4 * f, 3, 3),
        "up_transpose_conv.0.layers.0.weight": (4 * f, 2 * f, 2, 2),
        "up_conv.0.layers.0.weight": (2 * f, 4 * f, 3, 3),
        "up_conv.0.layers.4.weight": (2 * f, 2 * f, 3, 3),
        "up_transpose_conv.1.layers.0.weight": (2 * f, f, 2, 2),
        "up_conv.1.0.layers.0.weight": (f, 2 * f, 3, 3),
        "up_conv.1.0.layers.4.weight": (f, f, 3, 3),
        "up_conv.1.1.weight": (2, f, 1, 1),
        "up_conv.1.1.bias": (2,),
    }
    return {prefix + name: shape for name, shape in shapes.items()}


@pytest.fixture
def weights(rng):
    shapes = unet_shapes("sens_net.norm_unet.unet.", 1)
    for i in range(2):
        shapes |= unet_shapes(f"cascades.{i}.model.unet.", 2)
        shapes[f"cascades.{i}.dc_weight"] = (1,)
    return {
        name: rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


def test_each_weight_has_its_place(model, weights):
    assert models.load_fastmri_weights(model, weights) is model
    steps = keras.ops.convert_to_numpy(model.steps)
    expected = [weights[f"cascades.{i}.dc_weight"][0] for i in range(2)]
    np.testing.assert_array_equal(steps, expected)
    network = model.network_at(1)
    prefix = "cascades.1.model.unet."
    for ours, theirs in {
        "upsample_1": "up_transpose_conv.0.layers.0",
        "up_0_conv_1": "up_conv.1.0.layers.0",
        "output": "up_conv.1.1",
    }.items():
        kernel, *bias = network.get_layer(ours).get_weights()
        expected = weights[f"{prefix}{theirs}.weight"]
        np.testing.assert_array_equal(kernel[..., 0, 1], expected[1, 0])
        for value in bias:
            expected = weights[f"{prefix}{theirs}.bias"]
            np.testing.assert_array_equal(value, expected)
    kernel, bias = model.sensitivities.network.get_layer("output").get_weights()
    name = "sens_net.norm_unet.unet.up_conv.1.1.weight"
    np.testing.assert_array_equal(kernel[0, 0, :, 1], weights[name][1, :, 0, 0])


def test_what_does_not_fit_is_named_and_changes_nothing(model, weights):
    before = model.get_weights()
    wrong = {f"varnet.{name}": value for name, value in weights.items()}
    wrong["cascades.0.dc_weight"] = np.ones(2)
    message = (
        "the 44 weights .* 43 missing, such as sens_net.norm_unet.unet.conv."
        "layers.0.weight; 44 unexpected, such as varnet.sens_net.norm_unet.unet"
        ".down_sample_layers.0.layers.0.weight; 1 of another shape, such as "
        "cascades.0.dc_weight (2,), not (1,)"
    )
    with pytest.raises(ValueError) as error:
        models.load_fastmri_weights(model, wrong)
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    assert re.search(pattern, str(error.value)), error.value
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "other, received",
    [
        (lambda: models.VarNet(iterations=1), "not built"),
        (lambda: models.cnn((*SIZE, 2), name="cnn"), "'cnn'"),
    ],
)
def test_other_models(other, received):
    with pytest.raises(ValueError, match=f"`model`.*{received}"):
        models.load_fastmri_weights(other(), {})


def test_maps_of_another_equation():
    maps = models.SensitivityMaps(4, unet(1), residual=True)
    model = models.VarNet(unet(1), iterations=1, sensitivities=maps)
    model.build([(None, 2, *SIZE, 2), (None, 1, SIZE[1], 1)])
    with pytest.raises(ValueError, match="`model`.*residual=True"):
        models.load_fastmri_weights(model, {})


def test_files(tmp_path, model, weights):
    """Tensors alone are read; what would run code is refused."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "weights.pt"
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    torch.save(tensors, path)
    models.load_fastmri_weights(model, str(path))
    name = "cascades.1.dc_weight"
    assert keras.ops.convert_to_numpy(model.steps)[1] == weights[name]
    torch.save({**tensors, "path": tmp_path}, path)
    with pytest.raises(ValueError, match="Expected a file of tensors only"):
        models.load_fastmri_weights(model, path)
    torch.save(tensors[name], path)
    with pytest.raises(ValueError, match="`weights`.*has a Tensor"):
        models.load_fastmri_weights(model, path)
