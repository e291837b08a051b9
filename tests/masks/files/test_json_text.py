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
        ({"mask": ["0102"]}, "only 0 and 1"),
        ({"mask": ["010", "1"]}, "cannot be read"),
        ({"mask": ["0110"]}, "acquired=2"),
        ({"mask": ["0010"]}, "crc32="),
        ({"mask": [["0", "1", "0", "0"]]}, "only 0 and 1"),
        ({"mask": 3}, "only 0 and 1"),
        ({"achieved_acceleration": 2}, "achieved_acceleration=4"),
        ({"acceleration": 10**400}, "`acceleration`"),
        ({"acceleration": True}, "`acceleration`"),
        ({"slope": [1]}, "`slope`"),
        ({"calibration": 1.0}, "`calibration`"),
        ({"calibration": -1}, "`calibration`"),
        ({"calibration": 10**30}, "`calibration`"),
        ({"matrix": [4, "4"]}, "`matrix`"),
        ({"field_of_view": [200, float("nan")]}, "NaN is not a JSON value"),
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
