import numpy as np
from keras import ops

from loupe_tf.operators import Cartesian, power_iteration


def test_largest_eigenvalue_of_each_example(rng):
    scales = np.array([4.0, 0.5]).reshape(2, 1)
    factors = ops.convert_to_tensor(scales * np.linspace(0.1, 1, 6), "float32")
    found = power_iteration(lambda x: factors * x, (2, 6), iterations=60)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), scales[:, 0], rtol=1e-3
    )


def test_cartesian(rng):
    """1 if maps are normalised, and less if nothing is acquired."""
    size = (7, 8)
    maps = rng.normal(size=(2, 3, *size, 2))
    maps /= np.sqrt((maps**2).sum((1, -1), keepdims=True))
    mask = np.zeros((2, *size, 1), "float32")
    mask[0, 2:5] = 1
    scan = Cartesian(mask, maps.astype("float32"))
    found = ops.convert_to_numpy(
        power_iteration(scan.normal, (2, *size, 2), iterations=50)
    )
    assert 0.5 < found[0] <= 1 + 1e-5
    assert found[1] == 0
    lower = ops.convert_to_numpy(
        power_iteration(scan.normal, (2, *size, 2), iterations=2)
    )
    assert lower[0] < found[0]
