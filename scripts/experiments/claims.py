"""The claims that a grid of runs tests, and their verdicts."""

import dataclasses

from experiments import cells
from experiments.gain_figure import draw_gains
from experiments.tables import table_by_patient


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim that one cell is better than another.

    Args:
        subject: String, a description of the comparison.
        records, others: Lists of records of the two cells.
        hint: String, a caveat about the verdict.
        acceleration: (Optional) float, the R of both cells.
    """

    subject: str
    records: list
    others: list
    hint: str = ""
    acceleration: float | None = None


def against_rivals(cells, field, rivals, subject):
    """Compare each cell with those of the methods that it should beat.

    Args:
        cells: Dict from cell, a named tuple, to its records, as
            `experiments.Run.cells`. Where cells have an `acceleration`, the
            claims have it too.
        field: String, the field of a cell that names its method.
        rivals: Dict from a method to the methods it is compared with.
        subject: Callable from two cells to a description of the comparison.

    Yields:
        A `Claim` for each pair of cells that differ in `field` alone.
    """
    for cell, records in cells.items():
        for rival in rivals.get(getattr(cell, field), ()):
            other = cell._replace(**{field: rival})
            if other in cells:
                yield Claim(
                    subject(cell, other),
                    records,
                    cells[other],
                    acceleration=getattr(cell, "acceleration", None),
                )


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


def findings(claims, volumes, figure="gains", caption="", by_cell=None):
    """Evaluate claims, with an interval for each if patients are known.

    Args:
        claims: Iterable of `Claim`.
        volumes: See `experiments.cells`.
        figure: String, the name of the figure.
        caption: String, the beginning of the caption of the table.
        by_cell: (Optional) dict of lists of records by cell, for a table of
            the patients.

    Returns:
        A dict of arguments of `experiments.publish`. `"sentences"` has the
        `verdicts` of claims whose volumes come from one patient or from
        unknown patients. `"tables"` and `"figures"` have a table and a figure
        of the other claims.
    """
    sentences, found = [], []
    for claim in claims:
        effect = cells.effect_of(claim.records, claim.others, volumes)
        if effect is not None:
            found.append((claim, effect))
            continue
        subject = claim.subject + ":"
        if claim.acceleration is not None:
            subject = f"R = {claim.acceleration:g}: {subject}"
        told = dataclasses.replace(claim, subject=subject)
        sentences += verdicts([told], volumes)
    most = max((effect.patients for _, effect in found), default=0)
    rows, effects = [], {}
    for claim, effect in found:
        detectable = f"detectable: {effect.detectable:.2f}"
        if effect.patients < most:
            detectable += f"; {effect.patients} patients"
        rate, name = "", claim.subject
        if claim.acceleration is not None:
            rate = f"{claim.acceleration:g}"
            name = f"R = {rate}: {name}"
        effects[name] = effect
        verdict = f"{effect.verdict} ({detectable})"
        rows.append([rate, claim.subject, str(effect), verdict])
    caption = f"{caption} {CAPTION} {most} patients, where not fewer are given."
    tables = {caption.lstrip(): (HEADER, rows)} if rows else {}
    tables |= table_by_patient(by_cell or {}, volumes)
    figures = {figure: draw_gains(effects)}
    return {"sentences": sentences, "tables": tables, "figures": figures}
