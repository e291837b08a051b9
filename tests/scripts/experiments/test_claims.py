from experiments import Claim, findings, verdicts


def _records(*psnr):
    return [
        {"seed": seed, "volumes": {"a": {"psnr": x}, "b": {"psnr": x}}}
        for seed, x in enumerate(psnr)
    ]


def _volumes(record):
    return record["volumes"]


def test_a_sentence_for_each_claim_with_a_pair():
    ours, others = _records(30.0, 31.0), _records(29.0, 29.0)
    first, second = verdicts(
        [
            Claim("A against B:", ours, others, "Take it as a hint."),
            Claim("A against nothing:", ours, []),
            Claim("B against A:", others, ours),
        ],
        _volumes,
    )
    assert first.startswith("A against B: +1.50 ± 0.50 dB over 4 pairs")
    assert first.endswith(". Take it as a hint.")
    assert second.startswith("B against A: -1.50")
    assert not second.endswith(" ")


def test_a_comparison_of_its_own():
    def compare(subject, records, others, volumes):
        return [f"{subject} {len(records)} of {volumes}"]

    claims = [Claim("A:", _records(1.0), [])]
    assert verdicts(claims, "slices", compare) == ["A: 1 of slices"]


def _folds(*psnr):
    return [
        {
            **{"fold": fold, "seed": fold, "patients": {f"v{fold}": str(fold)}},
            "volumes": {f"v{fold}": {"psnr": x}},
        }
        for fold, x in enumerate(psnr)
    ]


def test_findings_are_a_table_where_patients_are_known():
    ours, others = _folds(30.0, 31.0, 32.0), _folds(29.0, 30.1, 31.1)
    found = findings(
        [
            Claim("A against B", ours, others, acceleration=4.0),
            Claim("B against A", others[:2], ours),
            Claim("A against C", _records(30.0), _records(29.0), "", 8.0),
        ],
        _volumes,
    )
    ((caption, (header, rows)),) = found["tables"].items()
    assert caption.endswith("3 patients, where not fewer are given.")
    assert header == ["R", "what", "gain [dB]", "verdict"]
    assert rows[0][:2] == ["4", "A against B"]
    assert rows[0][2] == "+0.93 [+0.79, +1.08]"
    assert [row[3] for row in rows] == [
        "better (detectable: 0.18)",
        "worse (detectable: 0.70; 2 patients)",
    ]
    figure, _ = found["figures"]["gains"]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["R = 4: A against B", "B against A"]
    (sentence,) = found["sentences"]
    assert sentence.startswith("R = 8: A against C: +1.00 ± 0.00 dB")
