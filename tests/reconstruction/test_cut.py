"""Models of one's own, which cannot be cut by the names of layers."""

import keras
import numpy as np
import pytest

from loupe_tf import layers, masks
from loupe_tf.models import loupe_model, with_binarization
from loupe_tf.reconstruction import Network, forward

SIZE = (12, 13)
MASK = masks.gaussian(SIZE, 3, calibration=4, seed=0)


def unrolled(
    centered=False,
    centered_steps=None,
    scale=None,
    names=("under_sample_kspace", "under_sample_img"),
    measure=layers.UnderSample,
    other_mask=False,
    channels=2,
):
    """Two steps of gradient descent, of public layers and names."""
    image = x = keras.Input((*SIZE, channels))
    dc = {"centered": centered}
    if channels == 1:
        x = layers.ConcatenateZero()(x)
    kspace = layers.FFT(**dc)(x)
    if scale:
        kspace = keras.layers.Rescaling(scale)(kspace)
    mask = layers.FixedMask(MASK, name="sampled_mask")(image)
    measured = measure(**dc, name=names[0])([kspace, mask])
    x = layers.IFFT(**dc, name=names[1])(measured)
    if other_mask:
        mask = layers.FixedMask(np.ones(SIZE))(image)
    step = layers.DataConsistency(
        centered=centered if centered_steps is None else centered_steps
    )
    for _ in range(2):
        x = step([keras.layers.Rescaling(0.9)(x), measured, mask])
    return keras.Model(image, x, name="unrolled")


@keras.saving.register_keras_serializable(package="loupe_tf_tests")
class Sampled(layers.UnderSample):
    """Not quite the same."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_same_as_loupe_model_is_cut_rightly(rng, channels):
    model = unrolled(channels=channels)
    image = rng.uniform(size=(1, *SIZE, channels)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(image))[0] @ [1, 1j]
    x = image[0] @ [1, 1j][:channels]
    found = Network(model)(forward(x, MASK), MASK)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert masks.from_model(model).acquired == MASK.acquired


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"centered": True}, "not all of centered=False"),
        ({"centered_steps": True}, "not all of centered=False"),
        ({"scale": 2.0}, "no FFT comes before 'under_sample_kspace'"),
        ({"measure": Sampled}, "'under_sample_kspace' is not one UnderSample"),
        ({"other_mask": True}, "does not use the k-space and the mask"),
        ({"names": ("a", "under_sample_img")}, "'under_sample_kspace' is not"),
        ({"names": ("under_sample_kspace", "b")}, "under a name of its own"),
    ],
)
def test_what_cannot_be_cut_is_refused(options, reason):
    with pytest.raises(ValueError, match=f"`model`.*adjoint image.*{reason}"):
        Network(unrolled(**options))


def test_loupe_models_are_known():
    """All kinds, also beside the twin that a validation makes."""
    small = {"filters": 1, "depth": 1}
    for options in (
        {"input_shape": (*SIZE, 1), "acceleration": 3, "snr": 20},
        {"input_shape": (*SIZE, 1), "acceleration": 3, "half_plane": True},
        {"input_shape": (*SIZE, 1), "acceleration": 3, "lines": "both"},
        {"input_shape": (2, *SIZE, 1), "acceleration": 3},
        {
            "input_shape": (*SIZE, 2),
            "mask": MASK,
            "data_consistency": True,
            "reconstruction": "complex",
        },
        {
            "input_shape": (*SIZE, 2),
            "mask_input": True,
            "coils": "any",
            "data_consistency": True,
            "reconstruction": "complex",
            "snr": 20,
        },
    ):
        model = loupe_model(**options, **small)
        if "acceleration" in options:
            with_binarization(model, "relaxed")
        assert Network(model).model is model
