from experiments import Claim, verdicts


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
