"""Which slope and which calibration region should a learned mask begin with?

A soft mask of a high slope passes hardly any gradient: its probabilities stay
near where they began. One of a low slope is far from the binary mask that is
wanted at last; 4S raises it. A calibration region, the centre of k-space that
is always acquired, takes from the budget what a mask would have to find out by
itself. This script trains masks of several initial slopes, each with and
without a region, with equal budget, epochs and network, 4S on: points and
columns, R = 4 and 8, on images of several sizes.

    python scripts/compare_defaults.py --preset smoke
    python scripts/compare_defaults.py --preset cpu --data my_volumes/

Images of a smaller size than those of the data set are made by cropping their
k-space. The default is what does best on the validation volumes; the test
volumes are reported beside it.

Each finished training leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and further seeds and
sizes can be added to the same folder. report.html, results.json and the figure
are of all runs that the folder holds.
"""

import dataclasses
import itertools
import sys

import numpy as np
from matplotlib.figure import Figure

import experiments
import loupe_tf
from loupe_tf import command_line, evaluation, masks, provenance, report

# What may differ between commands that fill one folder.
FREE = (
    *("seeds", "sizes", "estimators", "slopes", "accelerations"),
    *("out", "data_dir", "preset", "backup"),
)

# Sides of the region, as shares of fastMRI's, 0.32 / R of the lines.
REGIONS = {"none": 0.0, "half": 0.5, "whole": 1.0}
LINES = (None, "columns")
SLOPES = {
    "relaxed": [5.0, 10.0, 20.0, 50.0, 200.0],
    "straight_through": [3.0, 12.0, 50.0],
    "concrete": [0.5, 1.5, 5.0],
    "gumbel_topk": [0.3, 1.0, 3.0],
}
# Every how many slices are used, and how many are in a batch.
SIZES = {16: (1, 8), 32: (4, 4), 64: (2, 8), 128: (4, 4), 320: (15, 1)}
PRESETS = {
    "cpu": {
        **experiments.TRAINING["cpu"],
        "epochs": [20, 10],
        "sizes": [64, 128, 320],
        "estimators": ["relaxed"],
        "slopes": None,
    },
    "smoke": {
        **experiments.TRAINING["smoke"],
        "epochs": [1, 1],
        "accelerations": [4.0],
        "sizes": [32],
        "estimators": ["relaxed"],
        "slopes": None,
    },
}
CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice in dB, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the volumes; ± is "
    "the standard deviation over seeds, of which the last column has the "
    "number. Exact-budget masks; the region counts inside the budget. Slopes "
    "are those that 4S begins at."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """A training: the mask, and what it begins with."""

    size: int
    acceleration: float
    lines: str | None
    estimator: str
    region: str
    slope: float
    seed: int

    @property
    def name(self):
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


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "defaults",
        PRESETS,
        "cpu: sizes 64, 128 and 320, hours on one core; smoke: all steps in "
        "two minutes",
    )
    experiments.add_training_options(parser)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", choices=SIZES, metavar="N")
    add("--estimators", nargs="+", choices=SLOPES, metavar="NAME")
    add("--slopes", type=float, nargs="+", metavar="S")
    settings = experiments.parse(parser, arguments)
    del settings["batch_size"], settings["slope"]
    return settings


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
        cell = size, rate, lines, estimator
        for slope, region in itertools.product(
            settings["slopes"] or SLOPES[estimator], REGIONS
        ):
            relaxed = estimator == "relaxed"
            if (
                region == "whole"
                or (region == "none" and relaxed)
                or (relaxed and slope == ESTIMATORS[estimator].slope)
            ):
                every.append(Run(*cell, region, slope, seed))
    return every


def build_model(run, settings, image_shape):
    import keras

    if min(image_shape[:2]) < run.size:
        raise ValueError(
            f"Invalid value for argument --sizes. Expected at most that of "
            f"the images, {image_shape[:2]}. Received: {run.size}"
        )
    keras.utils.set_random_seed(run.seed)
    model = loupe_tf.models.loupe_model(
        (run.size, run.size, 1),
        acceleration=run.acceleration,
        lines=run.lines,
        calibration=run.calibration,
        estimator=run.estimator,
        slope=run.slope,
        filters=settings["filters"],
        depth=settings["depth"],
        normalization="instance",
        # Start from the zero-filled image, so that the mask sees sound
        # gradients from the first step.
        output_initializer="zeros",
        seed=run.seed,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train and test one mask, and return its record."""
    step, batch_size = SIZES[run.size]
    parts = {
        name: part.select(slice(None, None, step)).crop_to_acquired(
            (run.size, run.size)
        )
        for name, part in splits.items()
    }
    model = build_model(run, settings, splits["test"].images.shape[1:])
    history, finite = experiments.fit(
        model,
        run,
        {**settings, "batch_size": batch_size},
        parts["train"].images,
        parts["validation"].images,
        folder,
    )
    record = {
        **dataclasses.asdict(run),
        "epochs": len(history["loss"]),
        "trace": experiments.to_trace(history, ("loss", "val_loss")),
        "slopes": sorted(set(history["slope"])),
        "slices": {name: len(part.images) for name, part in parts.items()},
        **provenance.environment(),
        "diverged": not finite,
        "calibration": run.calibration,
        "acquired": masks.from_model(model).acquired,
        "results": {},
    }
    for name in ("validation", "test"):
        part = parts[name]
        output = model.predict(part.images, batch_size, verbose=0)
        if np.isfinite(output).all():
            record["results"][name] = evaluation.per_volume(
                part.images, output, part.volumes
            )
    return record


def by_cell(records):
    """By mask, region and slope: lists of records, sorted by seed."""
    fields = [f.name for f in dataclasses.fields(Run)][:-1]
    order = list(REGIONS)
    return evaluation.by_cell(
        [r for r in records if r["results"]],
        key=lambda r: tuple(r[name] for name in fields),
        order=lambda r: (
            *(r["size"], list(SLOPES).index(r["estimator"])),
            *(r["acceleration"], r["lines"] or ""),
            *(order.index(r["region"]), r["slope"]),
        ),
    )


def psnr(records, split):
    return [
        evaluation.mean_and_deviation(r["results"][split], "psnr")[0]
        for r in records
    ]


def table(cells, estimator, split):
    """Header and rows: masks and regions down, slopes across."""
    slopes = SLOPES[estimator]
    header = ["size", "R", "mask", "region"]
    header += [f"s = {slope:g}" for slope in slopes] + ["seeds"]
    rows = {}
    for (size, rate, lines, kind, region, slope), found in cells.items():
        if kind != estimator:
            continue
        row = rows.setdefault(
            (size, rate, lines, region),
            [f"{size}", f"{rate:g}", lines or "points"]
            + [f"{region} ({found[0]['calibration'] or 0})"]
            + ["-"] * len(slopes)
            + [""],
        )
        counts = {len(found), *map(int, row[-1].split("–") if row[-1] else [])}
        row[-1] = "–".join(map(str, sorted({min(counts), max(counts)})))
        row[4 + slopes.index(slope)] = report.spread(psnr(found, split), 2)
    return header, list(rows.values())


def verdicts(cells):
    """What other slopes and regions are worth beside the default."""
    from loupe_tf.layers.estimators import ESTIMATORS

    differences = {}
    for key, found in cells.items():
        *mask, estimator, region, slope = key
        default = (*mask, estimator, "whole", ESTIMATORS[estimator].slope)
        gains = evaluation.paired(
            found,
            cells.get(default, []),
            lambda record: record["results"]["validation"],
        )
        if key != default and len(gains):
            case = mask[0], estimator, region, slope
            differences.setdefault(case, []).extend(gains.ravel())
    return [
        f"{size}×{size}, {estimator}, region {region}, s = {slope:g}: "
        f"{np.mean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f}) "
        f"beside region whole, s = {ESTIMATORS[estimator].slope:g}, over "
        f"{len(gains)} pairs of mask and seed, validation."
        for (size, estimator, region, slope), gains in differences.items()
    ]


def draw(cells):
    """PSNR of the validation volumes against the initial slope."""
    cells = {key: x for key, x in cells.items() if key[3] == "relaxed"}
    sizes = sorted({key[0] for key in cells})
    columns = sorted({(key[1], key[2] or "points") for key in cells})
    figure = Figure(
        figsize=(2.6 * len(columns), 2.4 * len(sizes)), layout="constrained"
    )
    axes = figure.subplots(len(sizes), len(columns), squeeze=False)
    for ax, (size, (rate, name)) in zip(
        axes.ravel(), itertools.product(sizes, columns), strict=True
    ):
        ax.set_title(f"{size}×{size}, R = {rate:g}, {name}", fontsize=9)
        for region, colour in zip(REGIONS, ("C1", "C2", "C0")):
            points = sorted(
                (key[-1], np.mean(psnr(x, "validation")))
                for key, x in cells.items()
                if key[:3] == (size, rate, None if name == "points" else name)
                and key[4] == region
            )
            if points:
                ax.semilogx(*zip(*points), "o-", ms=4, c=colour, label=region)
        ax.grid(alpha=0.3)
        ax.set_xticks(SLOPES["relaxed"], [f"{s:g}" for s in SLOPES["relaxed"]])
        ax.minorticks_off()
        ax.set_visible(bool(ax.lines))
    for ax in axes[-1]:
        ax.set_xlabel("initial slope")
    for ax in axes[:, 0]:
        ax.set_ylabel("PSNR [dB]")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, title="region", loc="outside right")
    return figure


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(records)
    tables = {
        f"{estimator}: PSNR [dB], {split} volumes": table(
            cells, estimator, split
        )
        for estimator in SLOPES
        for split in ("validation", "test")
        if any(key[3] == estimator for key in cells)
    }
    first, *others = tables
    print(first)
    experiments.publish(
        folder,
        "Which slope and which calibration region should a mask begin with?",
        facts,
        CONVENTION,
        tables[first],
        {
            "psnr": (
                draw(cells),
                "PSNR of the validation volumes by initial slope and region.",
            )
        },
        verdicts(cells),
        records,
        {name: tables[name] for name in others},
    )


def compare(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=build_model,
        train=train,
        kind=lambda run: (run.size, run.acceleration, run.lines, run.estimator),
        free=FREE,
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(compare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
