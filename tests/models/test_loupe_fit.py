"""What `Loupe.fit` and the class refuse, beside what Keras does."""

import warnings

import keras
import numpy as np
import pytest

from loupe_tf.models import loupe_model


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
