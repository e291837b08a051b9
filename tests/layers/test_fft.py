import keras
import numpy as np
import pytest

from loupe_tf import fourier
from loupe_tf.layers import FFT, IFFT


@pytest.mark.parametrize("layer_class", [FFT, IFFT])
@pytest.mark.parametrize("centered", [True, False])
def test_layer(check_layer, rng, layer_class, centered):
    x = rng.normal(size=(2, 5, 6, 2)).astype("float32")
    layer = layer_class(centered=centered)
    check_layer(layer, x)
    name = layer_class.__name__.lower() + "2" + "c" * centered
    expected = getattr(fourier, name)(x)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(layer(x)),
        keras.ops.convert_to_numpy(expected),
    )


@pytest.mark.parametrize("layer_class", [FFT, IFFT])
@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_wrong_dtype(layer_class, dtype):
    with pytest.raises(ValueError, match=f"`inputs`.*floating.*{dtype}"):
        layer_class()(np.zeros((1, 4, 4, 2), dtype))
