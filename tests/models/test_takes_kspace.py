import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.models import AdjointNetwork, loupe_model

SIZE = (8, 10)


class FirstCoil(keras.layers.Layer):
    """A reconstructor that is no functional model."""

    def call(self, inputs):
        kspace, mask, *maps = inputs
        return (kspace * ops.expand_dims(mask, 1))[:, 0]


class Doubled(keras.layers.Layer):
    """A network on the adjoint image that is none, either."""

    def call(self, inputs):
        return 2 * inputs[..., :1]


class Neither(keras.layers.Layer):
    def call(self, inputs):
        raise TypeError("nothing at all")


def build(reconstructor, **options):
    options = {"mask": np.ones(SIZE), **options}
    return loupe_model((*SIZE, 2), reconstructor=reconstructor, **options)


@pytest.mark.parametrize("options", [{}, {"coils": 3}])
def test_layers_are_told_apart_by_what_they_take(options):
    layer = FirstCoil()
    assert build(layer, **options).reconstructor is layer
    layer = Doubled()
    model = build(layer, **options)
    assert isinstance(model.reconstructor, AdjointNetwork)
    assert model.reconstructor.network is layer


def test_functional_models_by_their_inputs(rng):
    """One of three inputs gets maps of ones where there are no coils."""
    kspace, maps = keras.Input((1, *SIZE, 2)), keras.Input((1, *SIZE, 2))
    mask = keras.Input((*SIZE, 1))
    functional = keras.Model(
        [kspace, mask, maps], maps[:, 0] + 0 * kspace[:, 0]
    )
    model = build(functional)
    assert model.reconstructor is functional
    x = rng.normal(size=(2, *SIZE, 2)).astype("float32")
    expected = np.broadcast_to([1.0, 0.0], x.shape)
    found = ops.convert_to_numpy(model(x))
    np.testing.assert_array_equal(found, expected)
    image = keras.Input((*SIZE, 2))
    functional = keras.Model(image, image[..., :1])
    assert build(functional).reconstructor.network is functional


def test_what_takes_neither_is_refused():
    with pytest.raises(ValueError, match="(?s)`reconstructor`.*nothing at all"):
        build(Neither())
    for wrong in ("u-net", 3, FirstCoil):
        with pytest.raises(ValueError, match="`reconstructor`"):
            build(wrong)
    with pytest.raises(ValueError, match="`data_consistency`"):
        build(FirstCoil(), data_consistency=True, reconstruction="complex")
    with pytest.raises(ValueError, match="`reconstruction`.*'complex'"):
        build(FirstCoil(), reconstruction="complex")
