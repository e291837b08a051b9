"""The claims that a grid of runs tests, and their verdicts."""

import dataclasses

from experiments import cells
from experiments.gain_figure import draw_gains


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim that compares one cell with another.

    Args:
        subject: String, a description of the comparison.
        records, others: Lists of records of the two cells.
        hint: String, a caveat about the verdict.
        acceleration: (Optional) float, the R of both cells.
        margin: (Optional) float, in dB. The claim is that the first cell is at
            most this much below the other; by default, that it is above.
    """

    subject: str
    records: list
    others: list
    hint: str = ""
    acceleration: float | None = None
    margin: float | None = None


def verdicts(claims, volumes, compare=cells.compare):
    """Return a sentence for each claim, with the gain of the first cell.

    Args:
        claims: Iterable of `Claim`.
        volumes: See `experiments.cells`, or the argument of `compare`.
        compare: Callable like `experiments.cells.compare`.

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
    """Evaluate claims, with an interval for each if patients are known.

    Args:
        claims: Iterable of `Claim`.
        volumes: See `experiments.cells`.

    Returns:
        A dict of arguments of `experiments.publish`. `"sentences"` has the
        `verdicts` of claims whose volumes come from one patient or from
        unknown patients. `"tables"` and `"figures"` have a table and a figure
        of the other claims.
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
