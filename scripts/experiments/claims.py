"""What a grid was run to find out, and whether it came out."""

import dataclasses

from experiments import cells
from experiments.gain_figure import draw_gains


@dataclasses.dataclass(frozen=True)
class Claim:
    """A cell that is set against another one.

    Args:
        subject: String, what is set against what, and where.
        records, others: Lists of records of the two cells.
        hint: String, what to keep in mind of the verdict.
        acceleration: (Optional) float, the R of both.
        margin: (Optional) float, in dB: the first cell is claimed to be no
            more than this below the other; by default, to be above it.
    """

    subject: str
    records: list
    others: list
    hint: str = ""
    acceleration: float | None = None
    margin: float | None = None


def verdicts(claims, volumes, compare=cells.compare):
    """A sentence for each claim: by how much the first cell is better.

    Args:
        claims: Iterable of `Claim`.
        volumes: See `experiments.cells`, or what `compare` takes instead.
        compare: Callable as `experiments.cells.compare`.

    Returns:
        A list of strings, without claims that have no pair of runs.
    """
    return [
        f"{sentence} {claim.hint}".rstrip()
        for claim in claims
        for sentence in compare(
            claim.subject, claim.records, claim.others, volumes
        )
    ]


HEADER = ["R", "what", "gain [dB]", "verdict"]
CAPTION = (
    "Differences in PSNR of the same fold and seed: mean over patients with "
    "its 95 % interval (Student's, of the means of patients), and the smallest "
    "difference that so many would show with a probability of 80 %."
)


def findings(claims, volumes):
    """What became of the claims: an interval each, if patients are known.

    Args:
        claims: Iterable of `Claim`.
        volumes: See `experiments.cells`.

    Returns:
        A dict of arguments of `experiments.publish`: the `"sentences"` of
        `verdicts` of claims whose volumes are of one patient or of unknown
        ones; of the others the `"tables"`, with one, and the `"figures"`, with
        its picture.
    """
    sentences, rows, effects = [], [], {}
    for claim in claims:
        found = cells.effect_of(claim.records, claim.others, volumes)
        if found is None:
            subject = claim.subject + ":"
            if claim.acceleration is not None:
                subject = f"R = {claim.acceleration:g}: {subject}"
            told = dataclasses.replace(claim, subject=subject)
            sentences += verdicts([told], volumes)
            continue
        rate = claim.acceleration
        rate = "" if rate is None else f"{rate:g}"
        effects[f"R = {rate}: {claim.subject}" if rate else claim.subject] = (
            found
        )
        rows.append(
            [
                rate,
                claim.subject,
                f"{found} over {found.patients} patients, {found.pairs} pairs",
                f"{_verdict(claim, found)} (detectable: "
                f"{found.detectable:.2f})",
            ]
        )
    tables = {CAPTION: (HEADER, rows)} if rows else {}
    figures = {"gains": draw_gains(effects)}
    return {"sentences": sentences, "tables": tables, "figures": figures}


def _verdict(claim, found):
    if claim.margin is None:
        return found.verdict
    if found.within(claim.margin):
        return f"within {claim.margin:g} dB"
    if found.high < -claim.margin:
        return f"more than {claim.margin:g} dB below"
    return "cannot be told"
