import json
import re

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
        ({"mask": ["0010"]}, "crc32="),
        ({"mask": [["0", "1", "0", "0"]]}, "0 and 1 alone"),
        ({"mask": 3}, "0 and 1 alone"),
        ({"achieved_acceleration": 2}, "achieved_acceleration=4"),
        ({"acceleration": 10**400}, "`acceleration`"),
        ({"acceleration": True}, "`acceleration`"),
        ({"slope": [1]}, "`slope`"),
        ({"calibration": 1.0}, "`calibration`"),
        ({"calibration": -1}, "`calibration`"),
        ({"calibration": 10**30}, "`calibration`"),
        ({"matrix": [4, "4"]}, "`matrix`"),
        ({"field_of_view": [200, float("nan")]}, "NaN is no value"),
        ({"provenance": None, "version": [1]}, "version 1"),
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


@pytest.mark.parametrize(
    "text, match",
    [
        ("[" * 10**6, "RecursionError"),
        ('{"mask": [], "mask": []}', "twice"),
        ("9" * 5000, "ValueError"),
        ("[]", "TypeError"),
        ("", "JSONDecodeError"),
        ("\ud800".encode("utf-8", "surrogatepass"), "UTF-8"),
    ],
)
def test_json_that_is_no_mask(tmp_path, text, match):
    path = tmp_path / "mask.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"mask.json.*{match}"):
        load_mask(path)


def test_text_of_0_1_has_no_checksum(tmp_path):
    mask = random_lines((12, 20), 4, 2)
    for name, pattern in (("m.json", ' "crc32": .*\n'), ("m.csv", "# crc.*\n")):
        save_mask(mask, tmp_path / name)
        text, count = re.subn(pattern, "", (tmp_path / name).read_text())
        assert count == 1
        (tmp_path / name).write_text(text)
        assert load_mask(tmp_path / name) == mask


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
        ("2,0\n", "1,-1\n", "each entry once"),
        ("2,0\n", "-1,-3\n", "each entry once"),
        ("2,0\n", "9,7\n", "IndexError"),
        ("2,0\n", "3,0\n", "column and k_column to agree"),
        ("2,0\n", "3,1\n", "crc32="),
        ('# dc: "', '# dc: 0\n# dc: "', "dc once"),
        ("# shape: [1, 4]", "# shape: [20000, 20000]", "memory"),
        ("# shape: [1, 4]", "# shape: [true, 4]", "`shape`"),
        ("# slope: null", "# slope: NaN", "NaN is no value"),
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
