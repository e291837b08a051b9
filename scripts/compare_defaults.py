"""Which slope and which calibration region should a learned mask start with?

A relaxed mask with a high slope passes almost no gradient, so its probabilities
stay near their initial values. A relaxed mask with a low slope is far from the
final binary mask; 4S raises the slope. A calibration region, the centre of
k-space that is always acquired, spends part of the budget on samples that the
mask would otherwise have to find. This script trains masks with several initial
slopes, each with and without a region, with equal budget, epochs and network
and with 4S: points and columns, at R = 4 and 8, for several image sizes.

    python scripts/compare_defaults.py --preset smoke
    python scripts/compare_defaults.py --preset cpu --data my_volumes/

Images are reduced to smaller sizes by cropping their k-space. The default is
the choice with the best result on the validation volumes; the report also shows
the test volumes.

Each finished training writes a small JSON file to the folder given by --out.
Repeat a stopped command to resume it. You can add further seeds and sizes to
the same folder. report.html, results.json and the figure cover all runs in the
folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
from experiments.presets.defaults import GRID, SIZES, SLOPES, parse
from experiments.region_figures import draw_by_region
from loupe_tf import evaluation, masks, report
from loupe_tf.checks import invalid

# Sides of the region, relative to fastMRI's share of the lines, 0.32 / R.
REGIONS = {"none": 0.0, "half": 0.5, "whole": 1.0}
LINES = (None, "columns")
CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice in dB, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the volumes; ± is "
    "the standard deviation over seeds; the last column gives their number. "
    "Exact-budget masks; the region counts inside the budget. Slopes are the "
    "initial slopes of 4S."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """A training: the mask with its initial slope and its region."""

    size: int
    estimator: str
    acceleration: float
    lines: str | None
    region: str
    slope: float
    seed: int

    order = {"estimator": SLOPES, "region": REGIONS}

    @property
    def stem(self):
        return (
            f"{self.size}-R{self.acceleration:g}-{self.lines or 'points'}-"
            f"{self.estimator}-{self.region}-slope{self.slope:g}-"
            f"seed{self.seed}"
        )

    @property
    def calibration(self):
        whole = masks.default_calibration(
            (self.size, self.size), self.acceleration, self.lines
        )
        return round(REGIONS[self.region] * whole) or None


def grid(settings):
    """All trainings, one seed after another."""
    from loupe_tf.layers.estimators import ESTIMATORS

    every = []
    for seed, size, estimator, rate, lines in itertools.product(
        settings["seeds"],
        settings["sizes"],
        settings["estimators"],
        settings["accelerations"],
        LINES,
    ):
        slopes = settings["slopes"] or SLOPES[estimator]
        for slope, region in itertools.product(slopes, REGIONS):
            relaxed = estimator == "relaxed"
            if (
                region == "whole"
                or (region == "none" and relaxed)
                or (relaxed and slope == ESTIMATORS[estimator].slope)
            ):
                cell = (size, estimator, rate, lines, region, slope)
                every.append(Run(*cell, seed))
    return every


def build_model(run, settings, image_shape):
    if min(image_shape[:2]) < run.size:
        expected = f"at most the size of the images, {image_shape[:2]}"
        raise invalid("sizes", expected, run.size)
    return experiments.build_unet(
        settings,
        (run.size, run.size, 1),
        run.seed,
        acceleration=run.acceleration,
        lines=run.lines,
        calibration=run.calibration,
        estimator=run.estimator,
        slope=run.slope,
        normalization="instance",
    )


def train(run, settings, splits, folder):
    """Train and test one mask, and return its record."""
    model = build_model(run, settings, splits["test"].images.shape[1:])
    step, batch_size = SIZES[run.size]
    every = slice(None, None, step)
    parts = {
        name: part.select(every).crop_to_acquired((run.size, run.size))
        for name, part in splits.items()
    }
    history, finite = experiments.fit(
        model,
        run,
        {**settings, "batch_size": batch_size},
        parts["train"].images,
        parts["validation"].images,
        folder,
    )
    results = {}
    for name in ("validation", "test"):
        images, volumes = parts[name].images, parts[name].volumes
        output = model.predict(images, batch_size, verbose=0)
        if np.isfinite(output).all():
            results[name] = evaluation.per_volume(images, output, volumes)
    return {
        **run.record(history, ("loss", "val_loss")),
        "slopes": sorted(set(history["slope"])),
        "slices": {name: len(part.images) for name, part in parts.items()},
        "diverged": not finite,
        "calibration": run.calibration,
        "acquired": masks.from_model(model).acquired,
        "results": results,
    }


def by_cell(records):
    """The cells of the grid, without diverged runs."""
    return Run.cells([record for record in records if record["results"]])


def psnr(records, split):
    return experiments.means(records, lambda record: record["results"][split])


def table(cells, estimator, split):
    """Header and rows of a table of masks and regions (rows) and slopes."""
    grouped = {}
    for (size, kind, *mask, slope), records in cells.items():
        if kind == estimator:
            grouped.setdefault((size, *mask), {})[slope] = records
    slopes = sorted({*SLOPES[estimator], *itertools.chain(*grouped.values())})
    rows = []
    for (size, rate, lines, region), found in grouped.items():
        calibration = next(iter(found.values()))[0]["calibration"] or 0
        counts = sorted({len(records) for records in found.values()})
        rows.append(
            [
                *(f"{size}", f"{rate:g}", lines or "points"),
                f"{region} ({calibration})",
                *(report.spread(psnr(found.get(s, []), split)) for s in slopes),
                "–".join(map(str, dict.fromkeys([counts[0], counts[-1]]))),
            ]
        )
    header = ["size", "R", "mask", "region"]
    return [*header, *(f"s = {slope:g}" for slope in slopes), "seeds"], rows


def verdicts(cells):
    """Sentences that compare other slopes and regions with the default."""
    from loupe_tf.layers.estimators import ESTIMATORS

    differences = {}
    for key, records in cells.items():
        size, estimator, *mask, region, slope = key
        default = ESTIMATORS[estimator].slope
        gains = evaluation.differences_by_volume(
            records,
            cells.get((size, estimator, *mask, "whole", default), []),
            lambda record: record["results"]["validation"],
            experiments.partner,
        )
        if (region, slope) != ("whole", default) and gains:
            case = size, estimator, region, slope
            differences.setdefault(case, []).extend(
                itertools.chain(*gains.values())
            )
    return [
        f"{size}×{size}, {estimator}, region {region}, s = {slope:g}: "
        f"{np.mean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f}) "
        f"against region whole, s = {ESTIMATORS[estimator].slope:g}, over "
        f"{len(gains)} pairs of mask and seed, validation."
        for (size, estimator, region, slope), gains in differences.items()
    ]


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = by_cell(records)
    tables = {
        f"{estimator}: PSNR [dB], {split} volumes": table(
            cells, estimator, split
        )
        for estimator in SLOPES
        for split in ("validation", "test")
        if any(key[1] == estimator for key in cells)
    }
    first = next(iter(tables))
    print(first)  # A heading: `publish` prints this table without a caption.
    relaxed = {key: x for key, x in cells.items() if key[1] == "relaxed"}
    figure = draw_by_region(relaxed, REGIONS, SLOPES["relaxed"], psnr)
    return {
        "title": "Which slope and which calibration region should a mask "
        "begin with?",
        "convention": CONVENTION,
        "table": tables.pop(first),
        "tables": tables,
        "figures": {
            "psnr": (
                figure,
                "PSNR of the validation volumes by initial slope and region.",
            )
        },
        "sentences": verdicts(cells),
    }


def main(arguments=None):
    return experiments.main(
        parse(__doc__, arguments),
        grid,
        build_model,
        train,
        results,
        free=GRID,
        kind=lambda run: (run.size, run.estimator, run.acceleration, run.lines),
    )


if __name__ == "__main__":
    sys.exit(main())
