import numpy as np
import pytest
from keras import ops

from loupe_tf.models import SpectralNorm, u_resnet


@pytest.mark.parametrize("size", [(8, 8), (9, 11)])
def test_any_size_and_the_first_output(rng, size):
    network = u_resnet((*size, 5), filters=4)
    images = rng.normal(size=(2, *size, 5)).astype("float32")
    found = ops.convert_to_numpy(network(images))
    assert found.shape == (2, *size, 2)
    np.testing.assert_array_equal(found, 0)
    network = u_resnet((*size, 5), filters=4, output_initializer=None)
    assert ops.max(ops.abs(network(images))) > 0


def test_filters_double_and_kernels_are_limited():
    network = u_resnet((8, 8, 5), filters=4, depth=3, spectral_norm=2)
    assert network.get_layer("bottom_conv_2").filters == 16
    kernels = [x for x in network.layers if hasattr(x, "kernel_constraint")]
    assert len(kernels) == 1 + 5 * 2 + 4 + 1
    assert all(isinstance(x.kernel_constraint, SpectralNorm) for x in kernels)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`input_shape`.*at least 4"):
        u_resnet((3, 8, 5), depth=3)
    with pytest.raises(ValueError, match="`filters`"):
        u_resnet((8, 8, 5), filters=0)
