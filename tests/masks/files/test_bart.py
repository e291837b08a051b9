import numpy as np
import pytest

from loupe_tf.formats import load_mask, read_cfl, save_mask, write_cfl
from loupe_tf.masks import gaussian, random_lines


@pytest.mark.parametrize("lines", ["columns", "rows", None])
def test_pattern_of_bart(tmp_path, lines):
    mask = gaussian((9, 12), 3, 3)
    if lines:
        mask = random_lines((9, 12), 3, 3, lines=lines)
    save_mask(mask, tmp_path / "mask.cfl")
    pattern = read_cfl(tmp_path / "mask")
    assert pattern.dtype == np.complex64
    np.testing.assert_array_equal(pattern, np.broadcast_to(mask.array, (9, 12)))
    # A pattern of others, without our section.
    write_cfl(tmp_path / "other", pattern[:, :, None, None])
    found = load_mask(tmp_path / "other.cfl")
    np.testing.assert_array_equal(found.array, mask.array)
    assert found.matrix == (9, 12) and found.lines == lines


def test_pattern_that_is_none(tmp_path):
    path = tmp_path / "mask.cfl"
    for array in (np.full((4, 5), 0.5), np.full((4, 5), 1j)):
        write_cfl(path, array)
        with pytest.raises(
            ValueError, match="mask.cfl. Expected a pattern of 0"
        ):
            load_mask(path)
    write_cfl(path, np.ones((4, 5, 2)))
    with pytest.raises(ValueError, match=r"mask.cfl. Expected.*\(4, 5, 2\)"):
        load_mask(path)


def test_pattern_that_contradicts_its_header(tmp_path):
    path = tmp_path / "mask.cfl"
    mask = random_lines((9, 12), 3, 3)
    save_mask(mask, path)
    header = (tmp_path / "mask.hdr").read_text()
    pattern = np.broadcast_to(mask.array, (9, 12)).copy()
    pattern[3] = ~pattern[3]
    write_cfl(path, pattern)
    (tmp_path / "mask.hdr").write_text(header)
    with pytest.raises(ValueError, match="Expected columns, all lines alike"):
        load_mask(path)
    (tmp_path / "mask.hdr").write_text(header.replace("9 12", "12 9"))
    with pytest.raises(ValueError, match="mask.cfl"):
        load_mask(path)
    (tmp_path / "mask.hdr").write_text(header.replace("9 12", "9 13"))
    with pytest.raises(ValueError, match="Expected 936 bytes"):
        load_mask(path)
