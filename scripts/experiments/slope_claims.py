"""Claims about slopes, other methods, and calibration regions."""

import numpy as np

from experiments.claims import Claim
from experiments.presets.four_s import (
    ESTIMATORS,
    PROTOCOLS,
    SCHEDULES,
    VARIANTS,
)
from experiments.slope_figures import label

HINT = (
    "Volumes of one patient and seeds on one volume are not independent, so "
    "take it as a hint."
)


def claims(cells):
    """Make the claims about 4S, its alternatives and variants, and regions.

    Args:
        cells: As in `experiments.slope_figures`, with records that have the
            `"best_val_psnr"` and the `"epochs"` of their training.

    Returns:
        A generator of `Claim`.
    """
    for (rate, region), own in _by_rate_and_region(cells).items():
        where = "no region" if region == "none" else "with a region"
        for protocol in PROTOCOLS:
            # Choose the best on validation volumes, never on test volumes.
            fixed = {
                cell: np.mean([r["best_val_psnr"] or -np.inf for r in records])
                for cell, records in own.items()
                if (cell.method, cell.protocol) == ("fixed", protocol)
            }
            if fixed:
                best = max(fixed, key=fixed.get)
                yield Claim(
                    f"4S against the fixed slope that is best on validation "
                    f"({label(best)}), {protocol.replace('_', ' ')}, {where}",
                    _of_method(own, "4s"),
                    own[best],
                    HINT,
                    rate,
                )
        for method in (*SCHEDULES, *ESTIMATORS):
            yield Claim(
                f"{method} against 4S, {where}",
                _of_method(own, method),
                _of_method(own, "4s"),
                acceleration=rate,
            )
        full = _of_method(own, "4s_full")
        for method in ("4s", *VARIANTS):
            records = _of_method(own, method)
            if full and records and method != "4s_full":
                epochs, most = (
                    np.mean([r["epochs"] for r in each])
                    for each in (records, full)
                )
                yield Claim(
                    f"{method} against 4s_full, {where}, in "
                    f"{epochs / most:.2f} of its epochs",
                    records,
                    full,
                    acceleration=rate,
                    margin=0.1,
                )
    for cell, records in cells.items():
        if cell.region != "none":
            yield Claim(
                f"{label(cell)}, {cell.protocol.replace('_', ' ')}: a region "
                "against none",
                records,
                cells.get(cell._replace(region="none"), []),
                acceleration=cell.acceleration,
            )


def _by_rate_and_region(cells):
    """Dicts of cells by acceleration and region."""
    found = {}
    for cell, records in cells.items():
        key = cell.acceleration, cell.region
        found.setdefault(key, {})[cell] = records
    return found


def _of_method(cells, method):
    """Records of the only cell of a method, or an empty list."""
    return next((x for k, x in cells.items() if k.method == method), [])
