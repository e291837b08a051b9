import numpy as np

from loupe_tf.posterior import PosteriorSamples


def test_mean_and_deviation(rng):
    samples = rng.normal(size=(5, 2, 4, 6, 2)).astype("float32")
    found = PosteriorSamples(samples, 0.1, "given")
    np.testing.assert_allclose(found.mean, samples.sum(0) / 5, rtol=1e-5)
    pairs = samples @ np.array([1, 1j])
    deviation = np.sqrt((np.abs(pairs - pairs.mean(0)) ** 2).sum(0) / 4)
    np.testing.assert_allclose(found.std[..., 0], deviation, rtol=1e-5)
