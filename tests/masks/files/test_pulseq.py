import re

import numpy as np
import pytest

from loupe_tf.formats import load_mask, save_mask, set_memory_limit
from loupe_tf.masks import equispaced_lines, gaussian
from loupe_tf.masks.files import pulseq_reading

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


@pytest.mark.parametrize(
    "old, new, match",
    [
        ("MaskAcquired 60", "MaskAcquired 61", "Expected 61 points, not 60"),
        ("MaskAxis points", "MaskAxis columns", "Expected 60 lines, not 12"),
        ("MaskMatrix 16 15", "MaskMatrix 16 5", "points within the matrix"),
        ("MaskMatrix 16 15", "MaskMatrix 6 15", "points within the matrix"),
        ("ReadoutSamples 8", "ReadoutSamples 9", "points of 18 samples"),
        ("ReadoutSamples 8", "ReadoutSample 8", "KeyError: 'ReadoutSamples'"),
        ("FOV 0.25 0.24 0.2", "FOV 0.25 0.24", "IndexError"),
        ("FOV 0.25 0.24 0.2", "FOV 0.25 0.23 0.2", "points, not between"),
        ("FOV 0.25 0.24 0.2", "FOV 0.25 0.24 0.19", "points, not between"),
        ("MaskCalibration 3 2", "MaskCalibration 3 9", "calibration"),
        ("MaskCalibration 3 2", "MaskCalibration 3 2 1", "calibration"),
    ],
)
def test_files_of_points_that_contradict_themselves(tmp_path, old, new, match):
    path = tmp_path / "scan.seq"
    mask = gaussian((16, 15), 4, (3, 2), std=0.3, seed=1)
    mask = mask.replace(field_of_view=(240, 200))
    save_mask(mask, path, readout=(8, 250), dummy_scans=1)
    text = path.read_text().split("\n[SIGNATURE]")[0]
    assert old in text
    sign(path, text)
    assert load_mask(path) == mask.replace(provenance={})
    sign(path, text.replace(old, new))
    with pytest.raises(ValueError, match=f"scan.seq.*{match}"):
        load_mask(path)


@pytest.mark.parametrize("part", [1, 7])
def test_files_are_computed_in_parts(tmp_path, monkeypatch, part):
    """So that thousands of points fit into the memory."""
    path = tmp_path / "scan.seq"
    mask = gaussian((16, 15), 4, 3, seed=1).replace(field_of_view=(240, 200))
    save_mask(mask, path, readout=(8, 250), dummy_scans=9, order="shuffled")
    sequence = pulseq_reading.read_sequence(path)
    whole = sequence.calculate_kspace()[0]
    monkeypatch.setattr(pulseq_reading, "PART", part)
    parts = list(pulseq_reading.kspace_in_parts(sequence))
    assert len(parts) == -(-69 // part) - 9 // part
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-3)
    assert load_mask(path) == mask.replace(provenance={})
    # All at once would need more.
    set_memory_limit("8M")
    try:
        assert load_mask(path).acquired == 60
        monkeypatch.setattr(pulseq_reading, "PART", 100)
        with pytest.raises(ValueError, match="scan.seq.*of memory for one"):
            load_mask(path)
    finally:
        set_memory_limit(None)


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
