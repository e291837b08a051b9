import numpy as np
import pytest

from loupe_tf.trajectories import (
    Trajectory,
    decaying_density,
    distance_to_density,
    learned_density,
    uniform_density,
)


def test_learned(rng):
    probability = rng.uniform(0, 0.98, (6, 8))
    share = learned_density(probability, rule="share", smoothing=0)
    np.testing.assert_allclose(share, probability / probability.sum())
    rate = learned_density(probability, smoothing=0)
    assert rate.sum() == pytest.approx(1)
    # The mean number of hits of which 1 - exp(-rate) are hit at least once.
    scale = -np.log(1 - probability).sum()
    np.testing.assert_allclose(1 - np.exp(-scale * rate), probability)


def test_smoothing(rng):
    """A binary mask becomes the share of points acquired around each."""
    size = (64, 96)
    share = np.linspace(0.1, 0.7, 96)
    binary = (rng.uniform(size=size) < share).astype(float)
    kept = learned_density(binary, "share", smoothing=0)
    np.testing.assert_allclose(kept, binary / binary.sum())
    given = learned_density(binary, "share", smoothing=2)
    np.testing.assert_array_equal(learned_density(binary, "share"), given)
    expected = share / share.sum() / 64
    mean = given.mean(axis=0)
    np.testing.assert_allclose(mean[6:-6], expected[6:-6], rtol=0.25)
    assert given.std() < 0.5 * kept.std()
    assert given.sum() == pytest.approx(1)


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
        (lambda: learned_density(np.ones((3, 3)), smoothing=-1), "smoothing"),
        (lambda: decaying_density((8, 8), decay=-1), "decay"),
        (lambda: decaying_density((8, 8), cutoff=0), "cutoff"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_distance_to_density(rng):
    """Against counting by hand; samples at -1/2 and 1/2 are in one cell."""
    density = rng.uniform(size=(32, 48))
    positions = rng.uniform(-0.5, 0.5, (3, 400, 2))
    found = distance_to_density(Trajectory(positions), density, 16)
    share = density.reshape(16, 2, 16, 3).sum((1, 3)) / density.sum()
    counts = np.zeros((16, 16))
    for k in positions.reshape(-1, 2):
        i, j = (round(k[a] * n) % n for a, n in enumerate((32, 48)))
        counts[(i + 16) % 32 // 2, (j + 24) % 48 // 3] += 1
    assert found == pytest.approx(np.abs(counts / 1200 - share).sum() / 2)


def test_distance_of_samples_on_the_grid():
    """One sample at each point is the even density, for any cells."""
    size = 6, 9
    rows, columns = ((np.arange(n) - n // 2) / n for n in size)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    even = uniform_density(size)
    for cells in (1, 4, 6):
        assert distance_to_density(Trajectory(grid), even, cells) < 1e-12
    with pytest.raises(ValueError, match="cells.*at most 6"):
        distance_to_density(Trajectory(grid), even, 7)


def test_distance_of_draws():
    """As the docstring says."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(-0.5, 0.5, (1, 4096, 2))
    found = distance_to_density(
        Trajectory(positions), uniform_density((64, 64))
    )
    assert found == pytest.approx(0.4 * (256 / 4096) ** 0.5, rel=0.15)
