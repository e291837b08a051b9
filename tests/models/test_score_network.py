import keras
import numpy as np
import pytest
from gaussian_case import Case
from keras import ops

from loupe_tf import models


@pytest.fixture
def case():
    return Case((10, 9), batch=3, sigma=0)


def small(case, **options):
    score = models.ScoreNetwork((0.1, 1), filters=4, depth=2, **options)
    score.adapt(case.truth)
    return score


def shake(model, rng):
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))


def numpy_of(x):
    return ops.convert_to_numpy(x)


def levels(*values):
    return np.array(values, "float32").reshape(-1, 1, 1, 1)


def test_it_starts_as_the_gaussian_prior(case):
    score = small(case)
    inputs = [case.truth, levels(0.1, 0.3, 1)]
    np.testing.assert_array_equal(
        numpy_of(score(inputs)), numpy_of(score.prior(inputs))
    )
    assert score.levels == (0.1, 1)


def test_examples_do_not_know_each_other_or_training(case, rng):
    score = small(case)
    shake(score, rng)
    s = levels(0.1, 0.3, 1)
    every = numpy_of(score([case.truth, s]))
    assert np.abs(every - numpy_of(score.prior([case.truth, s]))).max() > 0.1
    one = numpy_of(score([case.truth[1:2], s[1:2]]))
    np.testing.assert_allclose(one, every[1:2], atol=2e-5)
    again = numpy_of(score([case.truth, s], training=True))
    np.testing.assert_allclose(again, every, atol=1e-6)


def test_it_is_saved_with_its_spectrum(case, rng, tmp_path):
    for network in None, keras.layers.Conv2D(2, 3, padding="same"):
        score = small(case, network=network, spectral_norm=2)
        loaded = load_again(score, case, rng, tmp_path)
        assert loaded.levels == score.levels
        assert loaded.spectral_norm == 2


def test_a_given_network_of_the_default_kind_is_saved_too(case, rng, tmp_path):
    options = {"filters": 2, "depth": 1, "spectral_norm": 1.0}
    network = models.u_resnet((10, 9, 5), **options)
    score = models.ScoreNetwork((0.1, 1), network=network)
    score.adapt(case.truth)
    loaded = load_again(score, case, rng, tmp_path)
    kept, own = (
        [
            type(layer.kernel_constraint)
            for layer in each.network.layers
            if hasattr(layer, "kernel_constraint")
        ]
        for each in (loaded, score)
    )
    assert kept == own and models.SpectralNorm in own


def load_again(score, case, rng, folder):
    """Save and load a model; it must give the same."""
    shake(score, rng)
    score.save(folder / "score.keras")
    loaded = keras.models.load_model(folder / "score.keras")
    inputs = [case.truth, levels(0.1, 0.3, 1)]
    np.testing.assert_allclose(
        numpy_of(loaded(inputs)), numpy_of(score(inputs)), atol=1e-6
    )
    return loaded


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"levels": (1, 0.1)}, "`levels`"),
        ({"levels": (0, 1)}, "`levels`"),
        ({"network": "unet"}, "`network`"),
    ],
)
def test_arguments_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        models.ScoreNetwork(**wrong)
