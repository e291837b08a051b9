"""What a grid was run to find out, and whether it came out."""

import dataclasses

from experiments import cells


@dataclasses.dataclass(frozen=True)
class Claim:
    """A cell that is set against another one.

    Args:
        subject: String, what is set against what, and where.
        records, others: Lists of records of the two cells.
        hint: String, what to keep in mind of the verdict.
    """

    subject: str
    records: list
    others: list
    hint: str = ""


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
