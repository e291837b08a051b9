import keras
import numpy as np
import pytest

from loupe_tf import layers, masks
from loupe_tf.models import (
    SensitivityMaps,
    VarNet,
    loupe_model,
    unet,
    with_binarization,
)
from loupe_tf.reconstruction import Network, ZeroFilled, adjoint, forward

SMALL = {
    "filters": 2,
    "depth": 1,
    "output_initializer": "glorot_uniform",
}
POINTS = masks.gaussian((16, 18), 3, calibration=4, seed=0)
LINES = masks.random_lines((1, 18), 3, calibration=4, seed=0)


def channels(x):
    return np.stack([x.real, x.imag], axis=-1)[None].astype("float32")


def draw(rng, *shape):
    x = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return x.astype(np.complex64)


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("kind", ["fixed", "lines", "learned", "input"])
@pytest.mark.parametrize("channel", [1, 2])
def test_same_as_the_whole_model(rng, channel, kind, consistent):
    """The k-space of an image gives what the model makes of the image."""
    options = {
        "fixed": {"mask": POINTS},
        "lines": {"mask": LINES},
        "learned": {"acceleration": 3, "seed": 0},
        "input": {"mask_input": True},
    }[kind]
    size = (16, 18)
    if consistent and channel == 2:
        options["reconstruction"] = "complex"
    model = loupe_model(
        (*size, channel),
        data_consistency=consistent,
        **options,
        **SMALL,
    )
    mask = {"fixed": POINTS, "lines": LINES}.get(kind, POINTS)
    if kind == "learned":
        mask = masks.from_model(model)
    x = rng.uniform(size=size).astype("complex64")
    x = x + 1j * rng.uniform(size=size) if channel == 2 else x
    image = channels(x)[..., :channel]
    inputs = [image]
    if kind == "input":
        inputs.append(np.asarray(mask, "float32")[None, ..., None])
    output = model(inputs if len(inputs) > 1 else image)
    expected = keras.ops.convert_to_numpy(output)[0]
    result = Network(model)(forward(x, mask), mask)
    if expected.shape[-1] == 1:
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected[..., 0], atol=1e-5)
    else:
        assert result.dtype == np.complex64
        expected = expected @ np.array([1, 1j])
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("coils", [3, "any"])
@pytest.mark.parametrize("consistent", [False, True])
def test_same_as_the_whole_model_of_several_coils(rng, coils, consistent):
    model = loupe_model(
        (16, 18, 2),
        mask=LINES,
        coils=coils,
        reconstructor="unet",
        data_consistency=consistent,
        reconstruction="complex",
        **SMALL,
    )
    kspace, maps = draw(rng, 3, 16, 18), draw(rng, 3, 16, 18)
    output = model([channels(kspace), channels(maps)])
    expected = keras.ops.convert_to_numpy(output)[0] @ np.array([1, 1j])
    result = Network(model)(kspace, LINES, maps)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("consistent", [False, True])
def test_other_numbers_of_coils(rng, consistent):
    """Which the network itself does not see."""
    options = {"mask": LINES, "reconstruction": "complex", **SMALL}
    options |= {"data_consistency": consistent, "reconstructor": "unet"}
    kspace, maps = draw(rng, 5, 16, 18), draw(rng, 5, 16, 18)
    model = loupe_model((16, 18, 2), coils=3, **options)
    single = loupe_model((16, 18, 2), **options)
    model.set_weights(single.get_weights())
    np.testing.assert_allclose(
        Network(model)(kspace, LINES, maps),
        Network(single)(kspace, LINES, maps),
        rtol=1e-4,
        atol=1e-4,
    )


def test_reconstructor_itself(rng, tmp_path):
    """What was trained is what is used, also from a file of its own."""
    model = loupe_model((16, 18, 1), acceleration=3, seed=0, **SMALL)
    kspace = forward(draw(rng, 16, 18), POINTS)
    expected = Network(model)(kspace, POINTS)
    model.reconstructor.save(tmp_path / "reconstructor.keras")
    for given in (
        model.reconstructor,
        with_binarization(model, "threshold"),
        tmp_path / "reconstructor.keras",
    ):
        np.testing.assert_array_equal(Network(given)(kspace, POINTS), expected)


def test_functional_reconstructor_of_lines(rng):
    """It may be built for a number of coils, and for lines."""
    inputs = [keras.Input((3, 16, 18, 2)), keras.Input((1, 18, 1))]
    summed = keras.ops.sum(inputs[0], axis=1) * inputs[1]
    network = Network(keras.Model(inputs, summed))
    kspace = draw(rng, 3, 16, 18)
    found = network(kspace, LINES, np.ones_like(kspace))
    expected = kspace.sum(axis=0) * LINES.array
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="number of coils.*, 3. Received: 1"):
        network(kspace[0], LINES)
    with pytest.raises(ValueError, match="`mask`. Expected lines"):
        network(kspace, POINTS, np.ones_like(kspace))


def graph_of_0_1_0():
    """The layers of a `loupe_model` as version 0.1.0 has saved them."""
    image = keras.Input((16, 18, 1), name="input")
    mask = layers.FixedMask(POINTS, name="sampled_mask")(image)
    kspace = layers.FFT(centered=False)(layers.ConcatenateZero()(image))
    measured = layers.UnderSample(centered=False)([kspace, mask])
    adjoint = layers.IFFT(centered=False)(measured)
    correction = unet((16, 18, 2), **SMALL)(adjoint)
    output = keras.layers.Add()([layers.ComplexAbs()(adjoint), correction])
    return keras.Model(image, output)


@pytest.mark.parametrize("lines", ["columns", "rows", None])
def test_maps_from_the_central_lines(rng, lines):
    """`SensitivityMaps` know lines by the shape of the mask."""
    model = loupe_model(
        (16, 18, 1),
        acceleration=2,
        lines=lines,
        calibration=6,
        coils=3,
        reconstructor=VarNet(
            keras.Sequential([keras.layers.Conv2D(2, 3, padding="same")]),
            iterations=1,
            combine="rss",
            sensitivities=SensitivityMaps(6),
        ),
        seed=0,
    )
    mask = masks.from_model(model)
    kspace = draw(rng, 3, 16, 18)
    expected = model.predict(channels(kspace), verbose=0)[0, ..., 0]
    measured = np.where(mask.array, kspace, 0)
    for network in (Network(model), Network(model.reconstructor)):
        found = network(measured, mask)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    # Another mask of points is still taken.
    points = masks.gaussian((16, 18), 2, calibration=6, seed=0)
    Network(model)(np.where(points.array, kspace, 0), points)


def test_models_of_0_1_0_are_refused_and_become_new_ones(rng, tmp_path):
    graph_of_0_1_0().save(tmp_path / "old.keras")
    with pytest.raises(ValueError, match=r"`model`.*0\.1\.0.*set_weights"):
        Network(tmp_path / "old.keras")
    old = keras.models.load_model(tmp_path / "old.keras")
    new = loupe_model((16, 18, 1), mask=POINTS, **SMALL)
    new.set_weights(old.get_weights())
    x = rng.uniform(size=(2, 16, 18, 1)).astype("float32")
    np.testing.assert_allclose(
        new.predict(x, verbose=0), old.predict(x, verbose=0), atol=1e-5
    )


def test_magnitude_model_of_an_image_with_phase(rng):
    """Which cannot be given to the model itself."""
    model = loupe_model((16, 18, 1), mask=POINTS, reconstructor="zero_filled")
    x = draw(rng, 16, 18)
    kspace = forward(x, POINTS)
    expected = np.abs(ZeroFilled()(kspace, POINTS))
    np.testing.assert_allclose(
        Network(model)(kspace, POINTS), expected, atol=1e-5
    )


@pytest.mark.parametrize("lines", [None, "columns"])
def test_half_plane_is_filled(rng, lines):
    model = loupe_model((16, 15, 1), 3, half_plane=True, lines=lines, **SMALL)
    image = rng.uniform(size=(16, 15)).astype("float32")
    mask = masks.from_model(model)
    found = Network(model)(forward(image, mask), mask)
    expected = model(image[None, ..., None], training=False)
    expected = keras.ops.convert_to_numpy(expected)[0, ..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    two = forward(image, mask, np.ones((2, 16, 15), complex))
    with pytest.raises(ValueError, match="`kspace`.*one coil.*2 coils"):
        Network(model)(two, mask, np.ones((2, 16, 15), complex))


def test_another_mask_than_that_of_the_model(rng):
    model = loupe_model((16, 18, 2), mask=POINTS, reconstructor="zero_filled")
    kspace = forward(draw(rng, 16, 18), LINES)
    result = Network(model)(kspace, LINES)
    expected = np.abs(adjoint(kspace, LINES))
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 2])
def test_bare_network(rng, outputs):
    network = unet((16, 18, 2), output_channels=outputs, **SMALL)
    maps = draw(rng, 3, 16, 18)
    kspace = draw(rng, 3, 16, 18)
    result = Network(network)(kspace, LINES, maps)
    image = channels(adjoint(kspace, LINES, maps))
    output = keras.ops.convert_to_numpy(network(image))[0]
    expected = output @ np.array([1, 1j])[:outputs]
    assert result.dtype == (np.float32 if outputs == 1 else np.complex64)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_network_of_any_size(rng):
    network = keras.Sequential(
        [keras.Input((None, None, 2)), keras.layers.Conv2D(1, 1)]
    )
    kspace = draw(rng, 16, 18)
    assert Network(network)(kspace, POINTS).shape == (16, 18)


def test_saved_model(rng, tmp_path):
    model = loupe_model((16, 18, 1), mask=LINES, **SMALL)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    kspace = forward(draw(rng, 16, 18), LINES)
    np.testing.assert_allclose(
        Network(loaded)(kspace, LINES), Network(model)(kspace, LINES), atol=1e-5
    )


def test_other_sizes_are_refused(rng):
    for model in (
        loupe_model((16, 18, 1), mask=LINES, **SMALL),
        unet((16, 18, 2), **SMALL),
    ):
        kspace = draw(rng, 18, 16)
        match = r"`kspace`. Expected the matrix size \(16, 18\)"
        with pytest.raises(ValueError, match=match):
            Network(model)(kspace, np.ones((18, 16), bool))


def test_errors(rng):
    for model in (
        None,
        unet((16, 18, 1), **SMALL),
        unet((16, 18, 2), output_channels=3, **SMALL),
    ):
        with pytest.raises(ValueError, match="`model`"):
            Network(model)
    network = Network(loupe_model((16, 18, 1), mask=LINES, **SMALL))
    with pytest.raises(ValueError, match="`maps`"):
        network(draw(rng, 3, 16, 18), LINES)
