import numpy as np
import pytest

from loupe_tf.datasets import Slices, fold, pool


@pytest.fixture
def slices():
    volumes = np.repeat(["d1", "a1", "a2", "c", "b", "e"], [2, 3, 1, 2, 2, 1])
    return Slices(
        images=np.arange(11, dtype="float32").reshape(11, 1, 1, 1),
        volumes=volumes,
        patients=np.array([name[0] for name in volumes]),
    )


def _patients(parts):
    return {k: set(part.patients.tolist()) for k, part in parts.items()}


def test_every_patient_is_tested_once(slices):
    found = [_patients(fold(slices, k, 5)) for k in range(5)]
    assert [each["test"] for each in found] == [{x} for x in "abcde"]
    # The next one validates.
    assert [each["validation"] for each in found] == [{x} for x in "bcdea"]
    for each in found:
        assert each["train"] == set("abcde") - each["test"] - each["validation"]


def test_every_slice_is_in_one_split(slices):
    for folds in (3, 4, 5):
        for k in range(folds):
            parts = fold(slices, k, folds).values()
            images = np.concatenate([part.images.ravel() for part in parts])
            assert sorted(images) == list(range(11))
    # Fewer folds than patients: each still tests none twice.
    tested = [_patients(fold(slices, k, 3))["test"] for k in range(3)]
    assert tested == [{"a", "d"}, {"b", "e"}, {"c"}]


def test_pool_joins_splits(slices):
    parts = fold(slices, 1, 5)
    every = pool(parts)
    assert len(every.images) == 11 and set(every.patients) == set("abcde")
    assert every.voxel_sizes is None
    parts["test"] = Slices(parts["test"].images, parts["test"].volumes)
    assert pool(parts).patients is None


def test_bad_folds(slices):
    with pytest.raises(ValueError, match="5.*folds=6. Use 5 folds"):
        fold(slices, 0, 6)
    with pytest.raises(ValueError, match="without patients.*--patient"):
        fold(Slices(slices.images, slices.volumes), 0, 3)
    with pytest.raises(ValueError, match="`index`.*below folds=3"):
        fold(slices, 3, 3)
    with pytest.raises(ValueError, match="`folds`"):
        fold(slices, 0, 2)
    two = slices.select(np.isin(slices.patients, ["a", "b"]))
    with pytest.raises(ValueError, match="2.*Train without folds"):
        fold(two, 0, 3)
