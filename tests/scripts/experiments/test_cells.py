from experiments.cells import compare, means


def _record(seed, *psnr):
    volumes = {str(i): {"psnr": x} for i, x in enumerate(psnr)}
    return {"seed": seed, "volumes": volumes or None}


def _volumes(record):
    return record["volumes"]


def test_means_are_of_what_has_not_diverged():
    records = [_record(0, 30.0, 31.0), _record(1), _record(2, 20.0)]
    assert means(records, _volumes) == [30.5, 20.0]


def test_compare():
    ours = [_record(0, 30.0, 31.0), _record(1, 32.0, 33.0)]
    others = [_record(1, 31.0, 32.0), _record(0, 29.0, 30.0)]
    (sentence,) = compare("A against B", ours, others, _volumes)
    assert sentence.startswith("A against B +1.00 ± 0.00 dB over 4 pairs")
    (sentence,) = compare("A", ours, [_record(0, 29.0, 30.0)], _volumes)
    assert "over 2 pairs" in sentence
    assert compare("A", ours, [_record(2, 1.0, 2.0)], _volumes) == []
    one = compare("A", [_record(0, 2.0)], [_record(0, 1.0)], _volumes)
    assert one[0].startswith("A +1.00 dB on one test volume")


def test_compare_over_patients():
    def record(fold, *psnr):
        names = [f"{fold}{i}" for i in range(len(psnr))]
        return {
            **{"fold": fold, "seed": 100 * fold},
            "patients": dict.fromkeys(names, f"patient{fold}"),
            "volumes": {n: {"psnr": x} for n, x in zip(names, psnr)},
        }

    ours = [record(0, 30.0, 32.0), record(1, 31.0), record(2, 33.0)]
    others = [record(0, 29.0, 31.0), record(1, 29.9), record(2, 32.1)]
    (sentence,) = compare("A against B:", ours, others, _volumes)
    assert sentence == (
        "A against B: +1.00 [+0.75, +1.25] dB (95 % interval over 3 patients, "
        "4 pairs of seed and volume; detectable: 0.31 dB): better."
    )
