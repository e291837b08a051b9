import numpy as np
import pytest

from experiments import Claim, conventions
from loupe_tf.datasets import Slices


@pytest.fixture
def part(rng):
    """Five slices of two volumes."""
    return Slices(
        rng.uniform(size=(5, 16, 16, 1)).astype("float32"),
        np.array(["a", "a", "b", "b", "b"]),
    )


def test_refuses_test_volumes_without_a_metric(part):
    conventions.check_volumes(part)
    part.images[:2] = 0
    with pytest.raises(ValueError, match="test volume a.*not zero everywhere"):
        conventions.check_volumes(part)


def test_judge(part):
    found = conventions.judge(part, part.images + np.float32(0.1))
    assert set(found["volume"]) == set(found["slice"]) == {"a", "b"}
    # An error of 0.1: 20 dB below 1, and below the volume's maximum.
    assert found["slice"]["a"]["psnr"] == pytest.approx(20, abs=1e-3)
    peak = 20 * np.log10(part.images[2:].max())
    assert found["volume"]["b"]["psnr"] == pytest.approx(20 + peak, abs=1e-3)


def _record(seed, *psnr):
    volumes = {
        str(i): {"psnr": x, "nmse": 0.1, "ssim": 0.5}
        for i, x in enumerate(psnr)
    }
    return {"seed": seed, "test": volumes or None}


def _volumes_of(convention):
    return lambda record: record["test"]


def test_columns():
    columns = conventions.columns(lambda cell, name: _volumes_of(name))
    assert list(columns)[:2] == ["volume NMSE", "volume PSNR"]
    assert list(columns)[3:] == ["slice NMSE", "slice PSNR", "slice SSIM"]
    records = [_record(0, 30.0, 32.0), _record(1)]
    assert columns["slice PSNR"](None, records) == "31.00"
    assert columns["volume NMSE"](None, records) == "0.10000"


def test_compare():
    ours, others = [_record(0, 22.0, 23.0)], [_record(0, 20.0, 21.0)]
    (sentence,) = conventions.compare("A:", ours, others, _volumes_of)
    expected = "PSNR +2.00 ± 0.00 dB, SSIM +0.0000 ± 0.0000 by volumes (PSNR"
    assert expected in sentence and "better in 2 of 2 pairs" in sentence
    (sentence,) = conventions.compare(
        "A:", [_record(0, 3.0)], [_record(0, 2.0)], _volumes_of
    )
    assert "+1.00 dB" in sentence and sentence.count("one test volume") == 2
    assert conventions.compare("A:", ours, [], _volumes_of) == []


def test_verdicts_end_with_a_hint():
    ours, others = [_record(0, 22.0, 23.0)], [_record(0, 20.0, 21.0)]
    claims = [Claim("A:", ours, others), Claim("B:", ours, [])]
    sentence, hint = conventions.verdicts(claims, _volumes_of)
    assert sentence.startswith("A: ") and "take it as a hint" in hint
    assert conventions.verdicts([Claim("B:", ours, [])], _volumes_of) == []
