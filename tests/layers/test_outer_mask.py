import keras
import numpy as np

from loupe_tf.layers import OuterMask


def test_layer(check_layer, rng):
    rows = rng.uniform(size=(2, 5, 1, 1)).astype("float32")
    columns = rng.uniform(size=(2, 1, 6, 1)).astype("float32")
    layer = OuterMask(0.25, (2, 3))
    check_layer(layer, rows, columns)
    got = keras.ops.convert_to_numpy(layer([rows, columns]))
    for i in range(2):
        expected = np.outer(rows[i], columns[i])
        np.testing.assert_allclose(got[i, ..., 0], expected, rtol=1e-6)


def test_4s_finds_no_slope():
    assert not hasattr(OuterMask(), "slope")
