import numpy as np
import pytest

from loupe_tf.trajectories import (
    decaying_density,
    learned_density,
    uniform_density,
)


def test_learned(rng):
    probability = rng.uniform(0, 0.98, (6, 8))
    share = learned_density(probability, rule="share")
    np.testing.assert_allclose(share, probability / probability.sum())
    rate = learned_density(probability)
    assert rate.sum() == pytest.approx(1)
    # The mean number of hits of which 1 - exp(-rate) are hit at least once.
    scale = -np.log(1 - probability).sum()
    np.testing.assert_allclose(1 - np.exp(-scale * rate), probability)


def test_where_probability_ends():
    """A rate tells what is nearly certain from what is likely, finitely."""
    probability = np.array([[0.5, 0.9], [0.99, 1.0]])
    rate = learned_density(probability).ravel()
    np.testing.assert_allclose(rate / rate[0], [1, 3.32, 6.64, 6.64], rtol=2e-3)


def test_decaying():
    density = decaying_density((40, 64), decay=2, cutoff=0.125)
    assert density.sum() == pytest.approx(1)
    centre = density[20, 32]
    assert density[20, 32 + 8] == centre  # The edge of the constant part.
    assert density[20, 32 + 16] == pytest.approx(centre / 4)
    assert density[20 + 10, 32] == pytest.approx(centre / 4)
    assert density[0, 0] == 0 and density[0, 32] > 0


def test_uniform():
    np.testing.assert_allclose(uniform_density((4, 5)), 1 / 20)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: learned_density([[0, 2], [1, 1]]), "from 0 to 1.*2"),
        (lambda: learned_density([[0.1, np.nan], [1, 1]]), r"NaN.*\(0, 1\)"),
        (lambda: learned_density([[0.1, 0], [-1, 1]]), r"negative.*\(1, 0\)"),
        (lambda: learned_density(np.zeros((3, 3))), "only zeros"),
        (lambda: learned_density(np.ones(3)), r"shape \(H, W\)"),
        (lambda: learned_density(np.ones((3, 3)), rule="x"), "rule"),
        (lambda: decaying_density((8, 8), decay=-1), "decay"),
        (lambda: decaying_density((8, 8), cutoff=0), "cutoff"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
