import keras
import numpy as np
import pytest
from gaussian_case import Case
from keras import ops

from loupe_tf import fourier
from loupe_tf.models import ScoreNetwork
from loupe_tf.regimes import ScoreMatching

LEVEL = 0.3


class Linear(keras.layers.Layer):
    """A factor for each frequency, at one level."""

    levels = (LEVEL, LEVEL)

    def build(self, _):
        self.factor = self.add_weight(shape=(8, 9), initializer="zeros")

    def call(self, inputs, training=None):
        image, _ = inputs
        kspace = self.factor[..., None] * fourier.fft2c(image)
        return -fourier.ifft2c(kspace)


@pytest.mark.graph
def test_the_minimum_of_gaussian_images_is_their_score():
    """The factor is 1 / (P + s²)."""
    case = Case((8, 9), batch=4096, sigma=0)
    score = Linear()
    training = ScoreMatching(score, seed=0)
    training.compile(keras.optimizers.Adam(0.2))
    for rate, epochs in (0.3, 3), (0.03, 2):
        training.optimizer.learning_rate = rate
        training.fit(case.truth, batch_size=64, epochs=epochs, verbose=0)
    found = ops.convert_to_numpy(score.factor) * (case.power + LEVEL**2)
    np.testing.assert_allclose(found, 1, atol=0.15)
    np.testing.assert_allclose(found.mean(), 1, atol=0.03)


@pytest.mark.graph
def test_a_network_starts_at_the_gaussian_and_learns(tmp_path):
    """Images that a Gaussian prior does not describe: all are ±1."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    images = np.sign(rng.normal(size=(256, 8, 8, 2))).astype("float32")
    score = ScoreNetwork((0.5, 1), filters=8, depth=1)
    score.adapt(images)
    training = ScoreMatching(score, seed=0)
    training.compile(keras.optimizers.Adam(2e-2))
    history = training.fit(
        images, batch_size=32, epochs=24, validation_data=(images,), verbose=0
    ).history
    # That of white images of variance 1 is the mean of 1 / (1 + s²), 0.66.
    assert abs(history["loss"][0] - 0.66) < 0.03
    assert history["val_loss"][-1] < 0.92 * history["loss"][0]
    training.save(tmp_path / "training.keras")
    loaded = keras.models.load_model(tmp_path / "training.keras")
    s = np.full((1, 1, 1, 1), 0.7, "float32")
    np.testing.assert_allclose(
        ops.convert_to_numpy(loaded.score([images[:1], s])),
        ops.convert_to_numpy(score([images[:1], s])),
        rtol=1e-5,
    )
    assert loaded.get_config()["seed"] == 0


def test_each_step_draws_anew():
    case = Case((8, 9), batch=2, sigma=0)
    first, second, third = (
        ScoreMatching(case.score, seed) for seed in (0, 0, 1)
    )
    case.score.levels = (0.1, 1.0)
    once = ops.convert_to_numpy(first(case.truth))
    assert np.abs(once - ops.convert_to_numpy(first(case.truth))).max() > 0.1
    np.testing.assert_array_equal(
        once, ops.convert_to_numpy(second(case.truth))
    )
    assert np.abs(once - ops.convert_to_numpy(third(case.truth))).max() > 0.1


def test_weights_of_examples():
    """Examples of weight 0 do not count, and 2 counts twice."""
    images = np.random.default_rng(0).normal(size=(4, 8, 9, 2))
    images = images.astype("float32")
    training = ScoreMatching(Linear(), seed=0)
    found = ops.convert_to_tensor(images)
    weight = np.array([0, 1, 2, 0], "float32")
    loss = training.compute_loss(images, None, found, weight)
    errors = np.square(images).mean((1, 2, 3))
    np.testing.assert_allclose(
        float(ops.convert_to_numpy(loss)), (weight * errors).mean(), rtol=1e-5
    )
