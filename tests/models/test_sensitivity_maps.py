import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf import models, numpy_fourier, simulation

SIZE = (15, 16)


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def complexes(x):
    return keras.ops.convert_to_numpy(x) @ np.array([1, 1j])


def draw(rng, *shape):
    return rng.normal(size=(*shape, 2)) @ np.array([1, 1j])


def constant(value):
    """A network that returns the same number everywhere."""
    return keras.Sequential(
        [
            keras.Input((*SIZE, 2)),
            keras.layers.Conv2D(
                2,
                1,
                kernel_initializer="zeros",
                bias_initializer=keras.initializers.Constant(value),
            ),
        ]
    )


@pytest.mark.parametrize(
    "calibration, shape, rows, columns",
    [
        (4, (1, *SIZE), slice(5, 9), slice(6, 10)),
        (5, (1, 1, 16), slice(None), slice(6, 11)),
        (3, (1, 15, 1), slice(6, 9), slice(None)),
        ((2, 6), (1, *SIZE), slice(6, 8), slice(5, 11)),
    ],
)
def test_agrees_with_numpy(rng, calibration, shape, rows, columns):
    """The inverse transform of the region, divided by the root of squares."""
    kspace = draw(rng, 2, 3, *SIZE)
    region = np.zeros_like(kspace)
    region[..., rows, columns] = kspace[..., rows, columns]
    images = numpy_fourier.ifft2c(region)
    expected = images / np.sqrt((np.abs(images) ** 2).sum(1, keepdims=True))
    layer = models.SensitivityMaps(calibration)
    mask = np.ones((*shape, 1), "float32")
    found = complexes(layer([channels(kspace), mask]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Given maps are not read, nor is what lies outside of the region.
    elsewhere = draw(rng, 2, 3, *SIZE)
    elsewhere[..., rows, columns] = kspace[..., rows, columns]
    found = complexes(
        layer([channels(elsewhere), mask, np.zeros((2, 3, *SIZE, 2))])
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_network(rng):
    """As the map or as its correction, one coil at a time, normalised."""
    maps = draw(rng, 1, 2, *SIZE)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(1, keepdims=True))
    inputs = [channels(maps), np.ones((1, *SIZE, 1), "float32"), channels(maps)]
    layer = models.SensitivityMaps(network=constant(0.5))
    expected = np.full_like(maps, (0.5 + 0.5j) / np.sqrt(2 * 0.5))
    np.testing.assert_allclose(complexes(layer(inputs)), expected, atol=1e-5)
    layer = models.SensitivityMaps(network=constant(0.5), residual=True)
    expected = maps + 0.5 + 0.5j
    expected /= np.sqrt((np.abs(expected) ** 2).sum(1, keepdims=True))
    np.testing.assert_allclose(complexes(layer(inputs)), expected, atol=1e-5)


def test_zeros_stay_zero():
    kspace = np.zeros((1, 2, *SIZE, 2), "float32")
    mask = np.ones((1, *SIZE, 1), "float32")
    found = models.SensitivityMaps(4)([kspace, mask])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), kspace)


@pytest.fixture(scope="module")
def model():
    """A model without maps among its inputs, and magnitudes for images."""
    reconstructor = models.VarNet(
        constant(0.0),
        iterations=1,
        sensitivities=models.SensitivityMaps(5, constant(0.1), residual=True),
        combine="rss",
    )
    return models.loupe_model(
        (*SIZE, 1),
        acceleration=3,
        calibration=6,
        coils="any",
        reconstructor=reconstructor,
        seed=0,
    )


@pytest.mark.usefixtures("eager")
def test_model_has_no_maps(rng, model, tmp_path):
    images = np.abs(draw(rng, 2, *SIZE))[..., None]
    kspace, *_ = simulation.simulate_kspace(
        images, simulation.birdcage_maps(SIZE, 3), seed=0
    )
    model.compile("sgd", loss="mse")
    model.fit(kspace, images, epochs=1, verbose=0)
    found = model.predict(kspace, verbose=0)
    assert found.shape == (2, *SIZE, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(kspace, verbose=0), found, atol=1e-5
    )
    mask = loupe_tf.masks.from_model(loaded)
    scan = np.where(mask.array, kspace[0] @ np.array([1, 1j]), 0)
    image = loupe_tf.reconstruct(
        loaded, 700 * scan.astype("complex64"), mask, leading="coils"
    )
    np.testing.assert_allclose(
        np.ravel(image), 700 * found[0].ravel(), rtol=1e-3
    )


def test_mask_without_the_region(model):
    """The mask of the model, or of a scan, has to have acquired it."""
    maps = models.SensitivityMaps(7)
    with pytest.raises(ValueError, match="`calibration`"):
        models.loupe_model(
            (*SIZE, 2),
            acceleration=3,
            calibration=6,
            coils=2,
            reconstructor=models.MoDL(constant(0.0), 1, sensitivities=maps),
        )
    mask = np.ones(SIZE, bool)
    mask[6, 7] = False
    with pytest.raises(ValueError, match="`mask`.* without 1 of its 25"):
        loupe_tf.reconstruct(
            model, np.ones((2, *SIZE), "complex64"), mask, leading="coils"
        )


@pytest.mark.parametrize(
    "argument, arguments",
    [
        ("network", {}),
        ("network", {"network": "unet"}),
        ("calibration", {"calibration": -1}),
    ],
)
def test_invalid(argument, arguments):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.SensitivityMaps(**arguments)


def test_nothing_to_refine():
    with pytest.raises(ValueError, match="`maps`"):
        models.SensitivityMaps(network=constant(0.0))(
            [np.zeros((1, 2, *SIZE, 2)), np.ones((1, *SIZE, 1))]
        )
