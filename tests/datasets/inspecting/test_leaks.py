import pytest

from loupe_tf.datasets.inspecting.leaks import Leaks


@pytest.fixture
def images(rng):
    return rng.uniform(size=(3, 40, 33))


def test_who_and_what_is_in_two_splits(images):
    leaks = Leaks()
    leaks.add(images[0], "train", "a", "p1")
    leaks.add(images[1], "train", "b", "p2")
    leaks.add(0.5 * images[1], "test", "c", "p2")
    patient, same = leaks.findings()
    assert patient.found and patient.numbers == {"patients": ["p2"]}
    assert same.found and same.numbers["volumes"] == ["train b and test c"]
    assert patient.effect == same.effect != ""


def test_nothing_is_found_where_nothing_is_shared(images):
    leaks = Leaks()
    for image, split in zip(images, ("train", "validation", "test")):
        leaks.add(image, split, split, split)
    for finding in leaks.findings():
        assert finding.verdict == "not found" and not finding.effect


def test_what_one_split_cannot_tell(images):
    leaks = Leaks()
    leaks.add(images[0], "", "a", "")
    assert {f.verdict for f in leaks.findings()} == {"not looked at"}
