"""Tables of the results of slopes and of recipes of 4S.

`cells` below are as in `experiments.slope_figures`, with records that have the
`"best_val_psnr"` and the `"epochs"` of their training. `volumes` is as in
`experiments.cells`.
"""

import numpy as np

from experiments.cells import effect_of, partner
from experiments.presets.four_s import VARIANTS
from experiments.slope_claims import by_rate_and_region, name, of_method
from experiments.slope_figures import label
from experiments.tables import count, metric, spread, table
from loupe_tf import report
from loupe_tf.evaluation import differences_by_volume

REGIONS = {"none": "none", "auto": "0.32/R"}
CAPTION = (
    "PSNR of the test volumes, exact-budget masks: mean ± standard deviation "
    "over folds and seeds."
)
CAPTION_OF_MASKS = (
    "Relaxed masks minus binary ones of the same runs, PSNR in dB: negative "
    "where the binary mask is better."
)
BINARY = ("sampled", "threshold", "exact")
PLACE = {
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "region": lambda cell, _: REGIONS[cell.region],
    "method": lambda cell, _: name(cell),
}
"""The first columns of a table."""
MARGIN = 0.1
"""A recipe reaches `4s_full` if it is at most this much below, in dB."""


def table_of_methods(cells, volumes):
    """Make a table of all methods but the recipes.

    Args:
        cells, volumes: See the head of this file.

    Returns:
        A dict by caption of tuples `(header, rows)`, for `publish`.
    """
    cells = {k: x for k, x in cells.items() if k.method not in VARIANTS}
    places = by_rate_and_region(cells)

    def from_4s(cell, records):
        if cell.method == "4s":
            return ""
        four_s = of_method(places[cell.acceleration, cell.region], "4s")
        return report.spread(_gains(records, four_s, volumes), sign="+")

    columns = {
        **PLACE,
        "PSNR [dB]": metric(volumes),
        "− 4S [dB]": from_4s,
        "runs": count,
        "epochs": lambda _, records: f"{_mean(records, 'epochs'):.0f}",
        "slope found": _slopes,
    }
    return {CAPTION: table(cells, columns)} if cells else {}


def table_of_masks(cells, volumes_of_kind):
    """Make a table of what binary masks cost against those of the training.

    Args:
        cells: See the head of this file.
        volumes_of_kind: Callable that takes a kind of mask, of
            `experiments.binarizations.BINARIZATIONS`, and returns `volumes`.

    Returns:
        A dict by caption of tuples `(header, rows)`, for `publish`, without
        recipes.
    """

    def cost(kind):
        def column(_, records):
            relaxed, other = map(volumes_of_kind, ("relaxed", kind))
            return report.spread(
                [
                    np.mean([own[v]["psnr"] - binary[v]["psnr"] for v in own])
                    for own, binary in zip(
                        map(relaxed, records), map(other, records)
                    )
                    if own and binary
                ]
            )

        return column

    cells = {
        k: x
        for k, x in cells.items()
        if k.method not in VARIANTS and k.protocol == "two_rounds"
    }
    columns = {**PLACE, **{f"− {kind}": cost(kind) for kind in BINARY}}
    return {CAPTION_OF_MASKS: table(cells, columns)} if cells else {}


def tables_of_recipes(cells, volumes):
    """Make a table of all methods in two rounds and of recipes.

    A row has the runs that have a partner in `4s_full`. The best recipe comes
    first.

    Args:
        cells, volumes: See the head of this file.

    Returns:
        A dict by caption of tuples `(header, rows)`, for `publish`, with those
        accelerations and regions that have `4s_full`.
    """
    tables = {}
    for (rate, region), own in by_rate_and_region(cells).items():
        full = of_method(own, "4s_full")
        caption = (
            f"R = {rate:g}, region {REGIONS[region]}: recipes against 4s_full, "
            "on the folds and seeds that both have."
        )
        recipes = _recipes(own, full, volumes)
        if len(recipes) > 1:
            tables[caption] = table(recipes, _columns(full, volumes))
    return tables


def _recipes(cells, full, volumes):
    """The runs of each recipe that have a partner, in the order of gains."""
    partners = {partner(record) for record in full if volumes(record)}
    found = {
        cell: [r for r in records if partner(r) in partners and volumes(r)]
        for cell, records in cells.items()
        if cell.protocol == "two_rounds"
    }
    gains = {
        cell: np.mean(_gains(records, full, volumes))
        for cell, records in found.items()
        if records
    }
    return {
        cell: found[cell] for cell in sorted(gains, key=gains.get, reverse=True)
    }


def _columns(full, volumes):
    def gain(cell, records):
        if cell.method == "4s_full":
            return ""
        found = effect_of(records, full, volumes)
        gains = _gains(records, full, volumes)
        return str(found or report.spread(gains, sign="+"))

    def verdict(cell, records):
        found = effect_of(records, full, volumes)
        if cell.method == "4s_full" or found is None:
            return ""
        if found.low > 0:
            return "better"
        if found.within(MARGIN):
            return f"at most {MARGIN} dB worse"
        if found.high < -MARGIN:
            return f"more than {MARGIN} dB below"
        return "inconclusive"

    def share(cell, records):
        if cell.method == "4s_full":
            return ""
        partners = {partner(record) for record in records}
        theirs = [record for record in full if partner(record) in partners]
        return f"{_mean(records, 'epochs') / _mean(theirs, 'epochs'):.2f}"

    return {
        "recipe": lambda cell, _: (
            label(cell) if cell.slope else f"`{cell.method}`"
        ),
        "runs": count,
        "validation [dB]": lambda _, x: f"{_mean(x, 'best_val_psnr'):.2f}",
        "test [dB]": metric(volumes),
        "− 4s_full [dB]": gain,
        "verdict": verdict,
        "epochs": spread("epochs", 0),
        "of those of 4s_full": share,
    }


def _gains(records, full, volumes):
    """The mean difference of each run over its volumes."""
    pairs = (
        differences_by_volume([record], full, volumes, partner)
        for record in records
    )
    return [np.mean(list(found.values())) for found in pairs]


def _mean(records, key):
    values = [r[key] for r in records if r[key] is not None]
    return np.mean(values) if values else np.nan


def _slopes(cell, records):
    slopes = [r["slope_found"] for r in records]
    ends = dict.fromkeys(
        f"{s:.0f}" if s >= 100 else f"{s:.3g}"
        for s in (min(slopes), max(slopes))
    )
    return " to ".join(ends)
