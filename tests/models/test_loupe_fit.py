"""What `Loupe.fit` and the class refuse, beside what Keras does."""

import warnings

import keras
import numpy as np
import pytest

from loupe_tf.models import loupe_model

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture
def model():
    model = loupe_model((16, 18, 1), acceleration=4, filters=2, depth=1)
    model.compile("adam", loss="mse")
    return model


@pytest.fixture
def images(rng):
    return rng.uniform(size=(4, 16, 18, 1)).astype("float32")


def test_targets_are_not_forgotten(model, images):
    with pytest.raises(ValueError, match=r"`y`.*fit\(images, images\)"):
        model.fit(images, verbose=0)


def test_channels_of_the_model(model, images):
    both = np.concatenate([images, images], -1)
    with pytest.raises(ValueError, match=r"`x`.*1 channel,.*\(\(16, 18, 2\)"):
        model.fit(both, images, verbose=0)


def test_targets_of_the_output(model, images):
    """A loss would compare both channels with the one of the output."""
    both = np.concatenate([images, images], -1)
    with pytest.raises(ValueError, match=r"`y`.*18, 1\).*\(4, 16, 18, 2\)"):
        model.fit(images, both, verbose=0)
    with pytest.raises(ValueError, match="`validation_data`.*18, 1"):
        model.fit(images, images, validation_data=(images, both), verbose=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(model, images, value):
    bad = images.copy()
    bad[2, 3, 4] = value
    message = r"finite numbers.*1 of 4 examples: \[2\]"
    with pytest.raises(ValueError, match=f"`x`.*{message}"):
        model.fit(bad, images, verbose=0)
    with pytest.raises(ValueError, match=f"`y`.*{message}"):
        model.fit(images, bad, verbose=0)
    with pytest.raises(ValueError, match=f"`validation_data`.*{message}"):
        model.fit(images, images, validation_data=(bad, bad), verbose=0)


def test_datasets_are_checked_as_arrays_are(model, images):
    tf = pytest.importorskip("tensorflow")
    both = np.concatenate([images, images], -1)

    def fit(*parts, **options):
        data = tf.data.Dataset.from_tensor_slices(parts).batch(2)
        return model.fit(data, verbose=0, **options)

    with pytest.raises(ValueError, match="`x`.*pairs of inputs.*no true"):
        fit(images)
    with pytest.raises(ValueError, match="`x`.*1 channel,"):
        fit(both, images)
    with pytest.raises(ValueError, match="`x`.*18, 1\\)"):
        fit(images, both)
    data = tf.data.Dataset.from_tensor_slices((images, both)).batch(2)
    with pytest.raises(ValueError, match="`validation_data`.*18, 1\\)"):
        fit(images, images, validation_data=data)
    assert np.isfinite(fit(images, images).history["loss"]).all()


def test_images_of_another_scale(model, images):
    with pytest.warns(UserWarning, match="reach 25.*maximum of their volume"):
        model.fit(images, (255 * images).astype("uint8"), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(images, images, verbose=0)


@pytest.mark.parametrize("channels, strides", [(3, 1), (1, 2)])
def test_a_reconstructor_makes_an_image(channels, strides):
    kspace = keras.Input((1, 16, 18, 2))
    mask = keras.Input((16, 18, 1))
    image = keras.layers.Conv2D(channels, 3, strides, padding="same")
    network = keras.Model([kspace, mask], image(kspace[:, 0] * mask))
    match = r"`reconstructor`.*\(batch, 16, 18, 1\).*output of shape"
    with pytest.raises(ValueError, match=match):
        loupe_model((16, 18, 1), acceleration=4, reconstructor=network)


@pytest.mark.parametrize(
    "options, name",
    [
        ({"acceleration": 4, "groups": 2}, "group"),
        ({"acceleration": (2, 4)}, "acceleration_index"),
    ],
)
def test_masks_that_the_model_does_not_have(images, options, name):
    model = loupe_model((16, 18, 1), filters=2, depth=1, **options)
    model.compile("adam", loss="mse")
    good = np.zeros(len(images), "int32")
    assert np.isfinite(model.predict([images, good], verbose=0)).all()
    for wrong in (2, -1):
        index = good.copy()
        index[-1] = wrong
        match = f"`x`.*0 to 1. Received: {wrong}"
        for call in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match=match):
                call([images, index], images)
        with pytest.raises(ValueError, match=match):
            model.predict({"input": images, name: index})
