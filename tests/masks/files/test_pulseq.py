import re

import pytest

from loupe_tf.formats import load_mask, save_mask
from loupe_tf.masks import equispaced_lines

pytest.importorskip("pypulseq")


def sign(path, text):
    """Write a file with its signature."""
    import hashlib

    body = text.encode()
    digest = hashlib.md5(body).hexdigest()
    path.write_bytes(
        body + f"\n[SIGNATURE]\nType md5\nHash {digest}\n".encode()
    )


@pytest.mark.parametrize(
    "old, new, match",
    [
        ("MaskAcquired 5", "MaskAcquired 6", "Expected 6 lines"),
        ("MaskAxis columns", "MaskAxis spirals", "KeyError"),
        ("MaskMatrix 16 15", "MaskMatrix 17 15", "lines of 34 samples"),
        ("MaskMatrix 16 15", "MaskMatrix 16 5", "within the matrix"),
        ("OversamplingFactor 2", "OversamplingFactor 7", "of 112 samples"),
        ("MaskAxis columns", "Axis columns", "KeyError: 'MaskAxis'"),
        ("FOV 0.24 0.24", "FOV 0.24 0.23", "not between them"),
        ("MaskCalibration 3", "MaskCalibration 9", "calibration"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, old, new, match):
    path = tmp_path / "scan.seq"
    mask = equispaced_lines((16, 15), 3, 3).replace(field_of_view=(240, 240))
    save_mask(mask, path)
    text = path.read_text().split("\n[SIGNATURE]")[0]
    assert old in text
    sign(path, text)
    assert load_mask(path).acquired == 5
    sign(path, text.replace(old, new))
    with pytest.raises(ValueError, match=f"scan.seq.*{match}"):
        load_mask(path)
    path.write_text(path.read_text().replace("[RF]", "[RF] "))
    with pytest.raises(ValueError, match="scan.seq.*md5"):
        load_mask(path)


def test_files_without_oversampling(tmp_path):
    """Those of earlier versions do not name it."""
    path = tmp_path / "scan.seq"
    mask = equispaced_lines((16, 15), 3, 3).replace(field_of_view=(240, 240))
    save_mask(mask, path, oversampling=1)
    text = path.read_text().split("\n[SIGNATURE]")[0]
    older, count = re.subn(r"ReadoutOversamplingFactor 1 *\n", "", text)
    assert count == 1
    sign(path, older)
    assert (load_mask(path).array == mask.array).all()


@pytest.mark.parametrize(
    "pattern, new",
    [
        (r"MaskMatrix 16 15", "MaskMatrix 16 1e12"),
        (r"num_samples \d+", "num_samples 99999999999"),
        (r"(?m)(\[ADC\]\n1 )\d+", r"\g<1>99999999999"),
        (r"(?m)(\[TRAP\]\n *1 +\S+) +\d+", r"\g<1> 999999999999"),
    ],
)
def test_files_that_ask_for_memory(tmp_path, pattern, new):
    path = tmp_path / "scan.seq"
    mask = equispaced_lines((16, 15), 3, 3).replace(field_of_view=(240, 240))
    save_mask(mask, path)
    text = path.read_text().split("\n[SIGNATURE]")[0]
    changed, count = re.subn(pattern, new, text, count=1)
    assert count == 1
    sign(path, changed)
    with pytest.raises(ValueError, match="scan.seq.*of memory for one file"):
        load_mask(path)


def test_nothing_is_read_behind_the_checksum(tmp_path):
    # There, of a section without an end pypulseq never finds one.
    path = tmp_path / "scan.seq"
    mask = equispaced_lines((16, 15), 3, 3)
    save_mask(mask, path, field_of_view=(240, 240))
    more = "\n[SHAPES]\n\nshape_id 1\nnum_samples 5\n"
    path.write_text(path.read_text() + more)
    assert load_mask(path).acquired == 5
