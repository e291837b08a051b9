"""What is each shape of a learned mask worth?

The scan decides which samples can be skipped: points of a plane, whole lines,
or lines along both axes. This script learns a mask in each shape, with the same
budget, calibration region and U-Net, and evaluates them on the same volumes:
points, columns, rows, rows and columns, points in one half of k-space with the
other half filled in, and nested masks, where all R share one set of logits.

    python scripts/compare_mask_shapes.py --preset smoke
    python scripts/compare_mask_shapes.py --preset cpu --data my_volumes/

All masks are trained with 4S in the two rounds of its paper. With nested masks,
the R of each image is drawn anew in each epoch, and the number of steps is that
of the other masks for one R.

The images are real, so either half of their k-space determines the other. The
results for half-planes therefore hold only for scans without a phase.

Each finished training writes a small JSON file to the folder given by --out.
Repeat a stopped command to resume it. You can add further seeds to the same
folder. report.html, results.json and the figures cover all runs in the folder.
"""

import dataclasses
import itertools
import sys
import typing

import numpy as np

import experiments
from experiments.claims import against_rivals
from experiments.nested_batches import nested_batches
from experiments.presets.mask_shapes import GRID, parse
from loupe_tf import evaluation, masks, plots, report

NESTED = "nested points"
SHAPES = {
    "points": {},
    "half-plane": {"half_plane": True},
    "rows and columns": {"lines": "both"},
    "columns": {"lines": "columns"},
    "rows": {"lines": "rows"},
    NESTED: {},
}
CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds. SSIM with data range 1. From "
    "points: the difference in PSNR of the same seed and test volume. "
    "Exact-budget masks, with fastMRI's calibration region. Nested points: one "
    "training for all R. Half-planes know the other half, since the images "
    "have no phase."
)


class Cell(typing.NamedTuple):
    """The masks of one shape at one R, from all folds and seeds."""

    acceleration: float
    shape: str


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """A training: a shape and its R, `None` for nested masks with all R."""

    shape: str
    acceleration: float | None
    seed: int

    @property
    def stem(self):
        rate = "all" if self.acceleration is None else f"{self.acceleration:g}"
        return f"{self.shape.replace(' ', '_')}-R{rate}-seed{self.seed}"


def grid(settings):
    """All trainings, one seed after another."""
    rates = settings["accelerations"]
    every = []
    for seed, shape in itertools.product(settings["seeds"], SHAPES):
        if shape != NESTED:
            every += [Run(shape, rate, seed) for rate in rates]
        elif len(rates) > 1:
            every.append(Run(NESTED, None, seed))
    return every


def rates_of(run, settings):
    """The accelerations of a training's masks."""
    if run.acceleration is None:
        return settings["accelerations"]
    return [run.acceleration]


def build_model(run, settings, image_shape):
    rates = rates_of(run, settings)
    return experiments.build_unet(
        settings,
        image_shape,
        run.seed,
        acceleration=rates if run.shape == NESTED else rates[0],
        # The smallest of nested masks must contain the region.
        calibration=masks.default_calibration(
            image_shape[:2], max(rates), SHAPES[run.shape].get("lines")
        ),
        slope=settings["slope"],
        **SHAPES[run.shape],
        normalization="instance",
        name=run.shape.replace(" ", "_").replace("-", "_"),
    )


def train(run, settings, splits, folder):
    """Train and test one shape, and return its record."""
    test = splits["test"]
    model = build_model(run, settings, test.images.shape[1:])
    images, held_out = (splits[name].images for name in ("train", "validation"))
    if run.shape == NESTED:
        count = len(settings["accelerations"])
        images = nested_batches(images, count, settings["batch_size"], run.seed)
        held_out = ([held_out, np.arange(len(held_out)) % count], held_out)
    history, finite = experiments.fit(
        model, run, settings, images, held_out, folder
    )
    shown = evaluation.middle_slice(test.volumes)
    pictures = {"truth": test.images[shown]}
    results = {}
    for rate, mask, output in rebuild(model, run, settings, test.images):
        results[f"{rate:g}"] = {
            "acquired": mask.acquired,
            "slope": mask.slope,
            "volumes": evaluation.per_volume(test.images, output, test.volumes)
            if np.isfinite(output).all()
            else None,
        }
        pictures[f"mask_{rate:g}"] = np.broadcast_to(mask.array, mask.matrix)
        pictures[f"output_{rate:g}"] = output[shown]
    experiments.save_images(folder, run.name, test.voxel_size, **pictures)
    return {**run.record(history), "diverged": not finite, "results": results}


def rebuild(model, run, settings, images):
    """Reconstruct images at each R; yield `(R, mask, output)`."""
    found = masks.from_model(model)
    found = found if isinstance(found, tuple) else (found,)
    rates = rates_of(run, settings)
    for number, (rate, mask) in enumerate(zip(rates, found, strict=True)):
        inputs = images
        if run.shape == NESTED:
            inputs = [images, np.full(len(images), number)]
        yield (
            rate,
            mask,
            model.predict(inputs, settings["batch_size"], verbose=0),
        )


def by_cell(records):
    """Group records by R and shape, with a row for each mask of a run."""
    shapes = list(SHAPES)
    rows = [
        {
            "run": Run.of(record),
            **{k: record[k] for k in ("seed", "epochs", "shape")},
            **{k: record.get(k) for k in ("fold", "patients")},
            "acceleration": float(rate),
            "diverged": not result["volumes"],
            **result,
        }
        for record in records
        for rate, result in record["results"].items()
    ]
    return evaluation.by_cell(
        rows,
        key=lambda row: Cell(row["acceleration"], row["shape"]),
        order=lambda row: (row["acceleration"], shapes.index(row["shape"])),
    )


def volumes_of(row):
    return row["volumes"]


def table(cells):
    def from_points(cell, rows):
        rate, shape = cell
        points = cells.get((rate, "points"), []) if shape != "points" else []
        found = evaluation.differences_by_volume(
            rows, points, volumes_of, experiments.partner
        )
        return report.spread(np.ravel(list(found.values())), sign="+")

    metric = experiments.metric
    columns = {
        "R": lambda cell, rows: f"{cell[0]:g}",
        "shape": lambda cell, rows: cell[1],
        "PSNR [dB]": metric(volumes_of, "psnr", 2),
        "SSIM": metric(volumes_of, "ssim", 4),
        "NMSE": metric(volumes_of, "nmse", 5),
        "from points [dB]": from_points,
        "acquired": lambda cell, rows: " ".join(
            map(str, sorted({row["acquired"] for row in rows}))
        ),
        "epochs": experiments.spread("epochs", 0),
        "seeds": experiments.count,
        "diverged": experiments.count_diverged,
    }
    return experiments.table(cells, columns)


def claims(cells):
    """Compare each shape with points."""
    return against_rivals(
        cells,
        "shape",
        {shape: ("points",) for shape in SHAPES if shape != "points"},
        lambda cell, other: f"{cell.shape} against {other.shape}",
    )


def draw(cells, folder):
    """All figures with their captions, by name."""
    figures = {}
    images = experiments.first_images(cells, folder, lambda row: row["run"])
    for rate in dict.fromkeys(rate for rate, _ in images):
        shown = {
            shape: {
                "truth": found["truth"],
                "mask": found[f"mask_{rate:g}"],
                "output": found[f"output_{rate:g}"],
                "voxel_size": found.get("voxel_size"),
            }
            for (other, shape), found in images.items()
            if other == rate
        }
        figures[f"masks_R{rate:g}"] = (
            plots.masks({k: x["mask"] for k, x in shown.items()}, columns=3),
            f"R = {rate:g}: learned masks, first seed. DC is in the centre.",
        )
        pictures = list(shown.items())
        figures[f"reconstructions_R{rate:g}"] = (
            experiments.draw_outputs(dict(pictures[:3]), dict(pictures[3:])),
            f"R = {rate:g}: the middle slice of the first test volume, first "
            "seed.",
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = by_cell(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    return {
        "title": "What is each shape of a learned mask worth?",
        "convention": CONVENTION,
        "table": table(cells),
        **{**found, "figures": found["figures"] | draw(cells, folder)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
