import numpy as np
import skimage.metrics
from keras import ops

from loupe_tf import metrics

numpy = ops.convert_to_numpy


def test_nmse_agrees_with_scikit_image(pair):
    true, pred = pair()
    expected = [
        skimage.metrics.normalized_root_mse(t, p, normalization="euclidean")
        ** 2
        for t, p in zip(true, pred, strict=True)
    ]
    np.testing.assert_allclose(
        numpy(metrics.nmse(true, pred)), expected, rtol=1e-4
    )
