import pytest

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import SamplingMask


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
        ("# slope: null", "# slope: NaN", "NaN is not a JSON value"),
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
