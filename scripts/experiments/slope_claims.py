"""Claims about slopes, other methods, and calibration regions."""

import numpy as np

from experiments.claims import Claim
from experiments.presets.four_s import ESTIMATORS, PROTOCOLS, SCHEDULES
from experiments.slope_figures import label

HINT = (
    "Volumes of one patient and seeds on one volume are not independent, so "
    "take it as a hint."
)
CAPTION = (
    "Fixed slopes against 4S are those that are best on the validation "
    "volumes, among the slopes that were trained; the best is also compared "
    "with the others."
)
CAPTION_OF_OTHERS = "Other methods against 4S."


def claims(cells):
    """Make the claims about 4S and about calibration regions.

    Args:
        cells: As in `experiments.slope_figures`, with records that have the
            `"best_val_psnr"` of their training.

    Returns:
        A generator of `Claim`.
    """
    for (rate, region), own in by_rate_and_region(cells).items():
        for protocol in PROTOCOLS:
            best = _best_slope(own, protocol)
            # As in the paper, 4S has two rounds against one.
            rounds = ", two rounds," if protocol == "one_round" else ""
            if best is not None:
                yield Claim(
                    f"4S{rounds} against {name(best)}, {_where(region)}",
                    of_method(own, "4s"),
                    own[best],
                    HINT,
                    rate,
                )
    for cell, records in cells.items():
        if cell.region != "none":
            yield Claim(
                f"{name(cell)}: a region against none",
                records,
                cells.get(cell._replace(region="none"), []),
                acceleration=cell.acceleration,
            )


def claims_of_others(cells):
    """Make the claims about alternatives to 4S, in its two rounds.

    Args:
        cells: As in `claims`.

    Returns:
        A generator of `Claim`.
    """
    for (rate, region), own in by_rate_and_region(cells).items():
        best = _best_slope(own, "two_rounds")
        for cell, records in own.items():
            if cell.protocol == "two_rounds" and (
                cell.method in (*SCHEDULES, *ESTIMATORS)
                or (cell.method == "fixed" and cell != best)
            ):
                yield Claim(
                    f"{label(cell)} against 4S, {_where(region)}",
                    records,
                    of_method(own, "4s"),
                    acceleration=rate,
                )


def claims_of_slopes(cells):
    """Compare the best fixed slope with the others of its protocol.

    Args:
        cells: As in `claims`.

    Returns:
        A generator of `Claim`.
    """
    for (rate, region), own in by_rate_and_region(cells).items():
        for protocol in PROTOCOLS:
            best = _best_slope(own, protocol)
            for cell, records in own.items():
                if (cell.method, cell.protocol) == ("fixed", protocol) and (
                    cell != best
                ):
                    yield Claim(
                        f"{label(best)} against {name(cell)}, {_where(region)}",
                        own[best],
                        records,
                        acceleration=rate,
                    )


def name(cell):
    """The method of a cell with its number of rounds."""
    method = "4S" if cell.method == "4s" else label(cell)
    return f"{method}, {cell.protocol.replace('_', ' ')}"


def by_rate_and_region(cells):
    """Dicts of cells by acceleration and region."""
    found = {}
    for cell, records in cells.items():
        key = cell.acceleration, cell.region
        found.setdefault(key, {})[cell] = records
    return found


def of_method(cells, method):
    """Records of the only cell of a method, or an empty list."""
    return next((x for k, x in cells.items() if k.method == method), [])


def _best_slope(cells, protocol):
    """The cell of the slope that is best on validation, or `None`."""
    fixed = {
        cell: records
        for cell, records in cells.items()
        if (cell.method, cell.protocol) == ("fixed", protocol)
    }
    # Means are of the same folds and seeds, so leave out unfinished slopes.
    most = max(map(len, fixed.values()), default=0)
    scores = {
        # Choose the best on validation volumes, never on test volumes.
        cell: np.mean([r["best_val_psnr"] or -np.inf for r in records])
        for cell, records in fixed.items()
        if len(records) == most
    }
    return max(scores, key=scores.get, default=None)


def _where(region):
    return "no region" if region == "none" else "with a region"
