import numpy as np
import pytest
from keras import ops

from loupe_tf.layers import SampleTrajectory
from loupe_tf.numpy_fourier import nudft


def test_samples_of_each_coil(rng, check_layer):
    """For one trajectory, and for one of each example."""
    images = rng.normal(size=(2, 3, 7, 8, 2)).astype("float32")
    layer = SampleTrajectory(accuracy=1e-6)
    for count in (1, 2):
        positions = rng.uniform(-0.5, 0.5, (count, 4, 5, 2)).astype("float32")
        found = ops.convert_to_numpy(layer([images, positions])) @ [1, 1j]
        expected = [
            nudft(x, k)
            for x, k in zip(images @ [1, 1j], [positions[0], positions[-1]])
        ]
        np.testing.assert_allclose(found, expected, atol=1e-4)
    check_layer(layer, images, positions)


@pytest.mark.parametrize(
    "argument, shapes",
    [
        ("images", [(2, 7, 8, 2), (1, 4, 5, 2)]),
        ("positions", [(2, 1, 7, 8, 2), (1, 4, 5, 3)]),
    ],
)
def test_invalid(argument, shapes):
    with pytest.raises(ValueError, match=f"`{argument}`.*shape"):
        SampleTrajectory()([np.zeros(shape, "float32") for shape in shapes])
