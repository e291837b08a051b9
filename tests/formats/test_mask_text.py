import json

import numpy as np
import pytest

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import SamplingMask, random_lines


def test_json_can_be_read_without_the_package(tmp_path):
    path = tmp_path / "mask.json"
    mask = random_lines((12, 20), 4, 2).replace(field_of_view=(240, 200))
    save_mask(mask, path)
    content = json.loads(path.read_text())
    assert content["dc"] == "N // 2" and content["axes"] == "(H, W)"
    assert content["acceleration"] == content["achieved_acceleration"] == 4
    assert content["matrix"] == [12, 20] and content["shape"] == [1, 20]
    assert content["field_of_view"] == [240, 200]
    rows = [[int(entry) for entry in row] for row in content["mask"]]
    np.testing.assert_array_equal(rows, mask.array)


@pytest.mark.parametrize(
    "change, match",
    [
        ({"mask": ["0102"]}, "0 and 1 alone"),
        ({"mask": ["010", "1"]}, "cannot be read"),
        ({"mask": ["0110"]}, "acquired=2"),
        ({"version": 2}, "version 1"),
        ({"dc": "0"}, "dc='N // 2'"),
        ({"shape": [4, 1]}, "shape="),
    ],
)
def test_json_that_contradicts_itself(tmp_path, change, match):
    path = tmp_path / "mask.json"
    save_mask(SamplingMask([[0, 1, 0, 0]]), path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=f"mask.json.*{match}"):
        load_mask(path)


def test_csv_lists_entries_in_order(tmp_path):
    path = tmp_path / "mask.csv"
    save_mask(SamplingMask([[1, 0, 1, 1]]), path, order="centre_out")
    lines = [x for x in path.read_text().splitlines() if x[0] != "#"]
    assert lines == ["column,k_column", "2,0", "3,1", "0,-2"]
    save_mask(SamplingMask([[1], [1]]), path)
    assert path.read_text().endswith("row,k_row\n0,-1\n1,0\n")
    save_mask(SamplingMask([[0, 1], [1, 0]]), path)
    text = path.read_text()
    assert text.endswith("row,column,k_row,k_column\n0,1,-1,0\n1,0,0,-1\n")
    assert '# order: "linear"\n' in text and "# acceleration: 2.0\n" in text


@pytest.mark.parametrize(
    "old, new, match",
    [
        ("2,0\n", "1,0\n", "each entry once"),
        ("2,0\n", "-1,0\n", "each entry once"),
        ("2,0\n", "9,0\n", "IndexError"),
        ("2,0\n", "x,0\n", "ValueError"),
        ("2,0\n", "", "acquired=1"),
        ("column,", "line,", "KeyError"),
        ("# shape: [1, 4]\n", "", "KeyError: 'shape'"),
        ('# dc: "N // 2"', '# dc: "corner"', "dc='N // 2'"),
    ],
)
def test_csv_that_contradicts_itself(tmp_path, old, new, match):
    path = tmp_path / "mask.csv"
    save_mask(SamplingMask([[0, 1, 1, 0]]), path)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"mask.csv.*{match}"):
        load_mask(path)
