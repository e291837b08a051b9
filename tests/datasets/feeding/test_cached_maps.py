import numpy as np
import pytest

from loupe_tf.datasets.feeding import cached_maps


@pytest.mark.parametrize(
    "other",
    [
        lambda stored: stored.reshape(2, 6, 4),
        lambda stored: stored.view("int64"),
        lambda stored: stored + 1,
    ],
    ids=["shape", "dtype", "values"],
)
def test_other_k_space_has_other_maps(tmp_path, monkeypatch, rng, other):
    estimated = []

    def estimate(kspace, acquired):
        estimated.append(kspace)
        return np.full_like(kspace, len(estimated))

    monkeypatch.setattr(cached_maps, "espirit_maps", estimate)
    maps = cached_maps.CachedMaps(tmp_path)
    stored = rng.normal(size=(2, 4, 6)).astype("complex64")
    for _ in range(2):
        np.testing.assert_array_equal(maps(stored, stored), 1 + 0 * stored)
        np.testing.assert_array_equal(
            maps(other(stored), stored), 2 + 0 * stored
        )
    assert len(estimated) == 2
