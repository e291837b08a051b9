import keras
import numpy as np
import pytest

from loupe_tf import masks
from loupe_tf.models import freeze_mask, loupe_model

pytestmark = pytest.mark.usefixtures("eager")

SMALL = {
    "filters": 2,
    "depth": 1,
    "output_initializer": "glorot_uniform",
    "seed": 0,
}


def _weights(model):
    return [keras.ops.convert_to_numpy(w).copy() for w in model.weights]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.graph),
        {"lines": "columns"},
        {"half_plane": True},
        {"reconstruction": "complex", "data_consistency": True},
    ],
    ids=["points", "lines", "half_plane", "data_consistency"],
)
def test_only_the_reconstructor_is_trained(options, rng):
    model = loupe_model((16, 18, 1), 4, **options, **SMALL)
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    frozen = freeze_mask(model)
    images = rng.uniform(size=(2, 16, 18, 1)).astype("float32")
    before = model.predict(images, verbose=0)
    np.testing.assert_allclose(
        frozen.predict(images, verbose=0), before, atol=1e-6
    )
    # In training it is the same mask.
    mask, other = masks.from_model(model), masks.from_model(frozen)
    np.testing.assert_array_equal(mask.array, other.array)
    trained = keras.Model(frozen.input, frozen.mask)(images, training=True)
    trained = keras.ops.convert_to_numpy(trained)[0, ..., 0]
    np.testing.assert_array_equal(
        trained, np.broadcast_to(mask.array, trained.shape)
    )
    network = _weights(model.reconstructor)
    logits = _weights(model.get_layer("prob_mask"))
    frozen.fit(images, images, verbose=0)
    for old, new in zip(logits, _weights(model.get_layer("prob_mask"))):
        np.testing.assert_array_equal(old, new)
    moved = zip(network, _weights(model.reconstructor), strict=True)
    assert any((old != new).any() for old, new in moved)
    # The given model has the new weights.
    np.testing.assert_allclose(
        frozen.predict(images, verbose=0),
        model.predict(images, verbose=0),
        atol=1e-6,
    )


def test_several_coils(rng):
    options = {"reconstruction": "complex", "reconstructor": "unet", **SMALL}
    model = loupe_model((16, 18, 2), 4, coils=3, **options)
    x = [rng.normal(size=(2, 3, 16, 18, 2)).astype("float32") for _ in range(2)]
    np.testing.assert_allclose(
        freeze_mask(model).predict(x, verbose=0),
        model.predict(x, verbose=0),
        atol=1e-5,
    )


def test_it_is_saved_with_its_reconstructor(tmp_path, rng):
    frozen = freeze_mask(
        loupe_model((16, 18, 1), 4, field_of_view=(160, 180), **SMALL)
    )
    frozen.save(tmp_path / "frozen.keras")
    loaded = keras.models.load_model(tmp_path / "frozen.keras")
    images = rng.uniform(size=(2, 16, 18, 1)).astype("float32")
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0),
        frozen.predict(images, verbose=0),
        atol=1e-6,
    )
    assert masks.from_model(loaded).field_of_view == (160.0, 180.0)


def test_models_it_does_not_take():
    nested = loupe_model((16, 18, 1), (2, 4), **SMALL)
    with pytest.raises(ValueError, match="`model`.*one mask.*which has 2"):
        freeze_mask(nested)
    with pytest.raises(ValueError, match="`model`.*Loupe.*Sequential"):
        freeze_mask(keras.Sequential([keras.Input((2,))]))
