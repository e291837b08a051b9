import pytest

from loupe_tf.datasets.mri_volumes.patient_split import (
    CsvSplit,
    split_of_patients,
    without_suffix,
)

PATIENTS = {
    "p1/a.nii.gz": "p1",
    "p1/b.nii": "p1",
    "p2/a.npy": "p2",
    "p3/series": "p3",
}


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "split.csv"
        path.write_text(text, "utf-8")
        return CsvSplit(path)

    return write


def test_lists_of_patients():
    split = {"test": ["p2"], "train": ["p1"]}
    found = split_of_patients(PATIENTS, split)
    expected = {"train": ["p1/a.nii.gz", "p1/b.nii"], "test": ["p2/a.npy"]}
    assert found == expected
    assert list(found) == ["train", "test"]


def test_shares_are_kept_and_stable():
    many = {f"v{i}": f"p{i // 2}" for i in range(4000)}
    found = split_of_patients(many, (0.7, 0.2, 0.1))
    shares = {split: len(each) / 4000 for split, each in found.items()}
    assert shares["train"] == pytest.approx(0.7, abs=0.03)
    assert shares["validation"] == pytest.approx(0.2, abs=0.03)
    assert sum(map(len, found.values())) == 4000
    for i in range(0, 4000, 2):  # Both volumes of a patient.
        assert (
            len(
                {s for s, v in found.items() if {f"v{i}", f"v{i + 1}"} & set(v)}
            )
            == 1
        )
    # Patients that come or go move no other.
    fewer = {v: p for v, p in many.items() if int(v[1:]) % 3}
    smaller = split_of_patients(fewer, (0.7, 0.2, 0.1))
    for split, each in smaller.items():
        assert set(each) == set(found[split]) & set(fewer)
    other = split_of_patients(many, (0.7, 0.2, 0.1), seed=1)
    assert other["test"] != found["test"]


@pytest.mark.parametrize("count", [3, 4, 5, 7])
@pytest.mark.parametrize("seed", range(5))
def test_few_patients_leave_no_split_empty(count, seed):
    few = {f"v{i}": f"p{i // 2}" for i in range(2 * count)}
    found = split_of_patients(few, (0.7, 0.15, 0.15), seed)
    assert list(found) == ["train", "validation", "test"]
    assert all(found.values())
    backwards = dict(reversed(few.items()))
    again = split_of_patients(backwards, (0.7, 0.15, 0.15), seed)
    assert {k: set(v) for k, v in again.items()} == {
        k: set(v) for k, v in found.items()
    }


def test_a_share_of_zero_is_no_split():
    found = split_of_patients(PATIENTS, (1.0, 0.0, 0.0))
    assert found == {"train": list(PATIENTS)}
    many = {f"v{i}": f"p{i}" for i in range(100)}
    assert set(split_of_patients(many, (0.5, 0.0, 0.5))) == {"train", "test"}


def test_csv_of_patients(table):
    split = table("split,patient\ntrain,p1\ntest, p3\n")
    found = split_of_patients(PATIENTS, split)
    expected = {"train": ["p1/a.nii.gz", "p1/b.nii"], "test": ["p3/series"]}
    assert found == expected


def test_csv_of_volumes(table):
    # The mark of a spreadsheet, quotes, names with and without endings.
    text = '\ufeffvolume,split\n"p1/a",train\np1/b.nii,train\np2/a.npy,test\n'
    found = split_of_patients(PATIENTS, table(text))
    expected = {"train": ["p1/a.nii.gz", "p1/b.nii"], "test": ["p2/a.npy"]}
    assert found == expected


def test_csv_of_both(table):
    patients = dict(PATIENTS)
    text = "volume,patient,split\np1/a,x,train\np2/a,y,test\n"
    split_of_patients(patients, table(text))
    assert patients["p1/a.nii.gz"] == "x" and patients["p2/a.npy"] == "y"
    # The two volumes are of one patient, says the table.
    text = "volume,patient,split\np1/a,x,train\np2/a,x,test\n"
    with pytest.raises(ValueError, match="each patient.*x in test and train"):
        split_of_patients(dict(PATIENTS), table(text))


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "columns"),
        ("a,b\n1,2\n", r"columns \['a', 'b'\]"),
        ("split,volume\nval,p1/a\n", "among.*val"),
        ("split,patient\ntrain,p1\ntrain,p9\n", "patients.*1 missing: p9"),
        ("split,volume\ntrain,p1/z\n", "volumes.*1 missing: p1/z"),
        ("split,patient\ntrain,p1\ntest,p1\n", "p1 in train and test"),
        ("split,volume\ntrain,p1/a\ntest,p1/a\n", "p1/a in train and test"),
        ("split,volume\ntrain,p1/a\ntest,p1/b\n", "p1 in test and train"),
        ("split,patient\n", "none in any"),
    ],
)
def test_invalid_csv(table, text, match):
    with pytest.raises(ValueError, match=f"`split`.*{match}"):
        split_of_patients(dict(PATIENTS), table(text))


@pytest.mark.parametrize(
    "split, match",
    [
        ({"train": ["p1", "p9"]}, r"'p1', 'p2', 'p3'.*Received: \['p9'\]"),
        ({"train": ["p1"], "test": ["p1"]}, "p1 in train and test"),
        ({"train": ["p1"], "test": []}, "none in test, of 3 patients"),
    ],
)
def test_invalid_lists(split, match):
    with pytest.raises(ValueError, match=f"`split`.*{match}"):
        split_of_patients(dict(PATIENTS), split)


def test_shares_that_leave_a_split_empty():
    with pytest.raises(ValueError, match="`split`.*none in .*of 1 patients"):
        split_of_patients({"v": "p"}, (0.5, 0.25, 0.25))


def test_not_a_csv(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("a.csv", "none.csv"):
        with pytest.raises(ValueError, match="`split`.*CSV"):
            CsvSplit(tmp_path / name)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.b/c.NII.GZ", "a.b/c"),
        ("a.nii/c", "a.nii/c"),
        ("c.h5", "c"),
        ("c.npy", "c"),
        ("c.img.gz", "c"),
        ("c.7.dcm", "c.7.dcm"),
    ],
)
def test_without_suffix(name, expected):
    assert without_suffix(name) == expected
