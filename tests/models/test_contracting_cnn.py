import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models


def test_brings_images_closer(rng):
    """Whatever the weights, once the norms have been estimated."""
    keras.utils.set_random_seed(0)
    network = models.contracting_cnn((None, None, 2), 0.9, 2, filters=3)
    for weight in network.trainable_weights:
        weight.assign(10 * weight)
    x = rng.normal(size=(8, 7, 8, 2)).astype("float32")
    for _ in range(20):
        network(x[:1], training=True)
    # Close pairs in the direction that the network stretches most.
    start, move = x[:1], x[1:2]
    for _ in range(30):
        move = 1e-2 * move / np.linalg.norm(move)
        a, b = (
            ops.convert_to_numpy(network(each))
            for each in (start + move, start)
        )
        factor = np.linalg.norm(a - b) / 1e-2
        move = a - b
    assert 0.3 < factor < 0.91
    with pytest.raises(ValueError, match="`norm`"):
        models.contracting_cnn((None, None, 2), norm=1)
