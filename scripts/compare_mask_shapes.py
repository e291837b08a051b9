"""What is each shape of a learned mask worth?

A scan decides which samples it can leave out: points of a plane, whole lines,
or lines of both axes at once. This script learns a mask in each shape, with the
same budget, calibration and U-Net, and judges all of them on the same volumes:
points, columns, rows, rows and columns, points of one half of k-space with the
other half filled in, and nested masks, where one set of logits serves every R.

    python scripts/compare_mask_shapes.py --preset smoke
    python scripts/compare_mask_shapes.py --preset cpu --data my_volumes/

All are trained with 4S in the two rounds of its paper. Nested masks see each
image at an R that is drawn anew in each epoch, and as many steps as the others
have for one R.

The images are real, so that one half of their k-space is the mirror of the
other: what half-planes are worth here they are worth for scans without a phase
alone.

Each finished training leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and further seeds can
be added to the same folder. report.html, results.json and the figures are of
all runs that the folder holds.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from loupe_tf import (
    command_line,
    evaluation,
    masks,
    plots,
    provenance,
    report,
)

PLACES = ("out", "data_dir", "preset", "backup")

NESTED = "nested points"
SHAPES = {
    "points": {},
    "half-plane": {"half_plane": True},
    "rows and columns": {"lines": "both"},
    "columns": {"lines": "columns"},
    "rows": {"lines": "rows"},
    NESTED: {},
}
DIGITS = {"psnr": 2, "ssim": 4, "nmse": 5}
HEADER = [
    *("R", "shape", "PSNR [dB]", "SSIM", "NMSE", "from points [dB]"),
    *("acquired", "epochs", "seeds", "diverged"),
]
CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum, mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds. SSIM with data range 1. From "
    "points: the difference in PSNR of the same seed and test volume. "
    "Exact-budget masks, with fastMRI's calibration region. Nested points: one "
    "training for all R. Half-planes know the other half, since the images "
    "have no phase."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """A training: a shape, and its R, which nested masks have all of."""

    shape: str
    acceleration: float | None
    seed: int

    @property
    def name(self):
        rate = "all" if self.acceleration is None else f"{self.acceleration:g}"
        return f"{self.shape.replace(' ', '_')}-R{rate}-seed{self.seed}"


def nested_batches(images, count, batch_size, seed):
    """Batches `((images, index), images)` with another R in each epoch."""
    from loupe_tf.callbacks import ShuffledBatches

    class NestedBatches(ShuffledBatches):
        def set_epoch(self, epoch):
            super().set_epoch(epoch)
            # One more number than the order is drawn from.
            rng = np.random.default_rng([self.seed, epoch, 1])
            self._index = rng.integers(count, size=self.examples)

        def __getitem__(self, index):
            rows = self.rows(index)
            return (self.x[rows], self._index[rows]), self.y[rows]

    return NestedBatches(images, images, batch_size, seed)


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "mask_shapes",
        experiments.TRAINING,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, an hour; "
        "smoke: all steps in two minutes",
    )
    experiments.add_training_options(parser)
    settings = experiments.parse(parser, arguments)
    settings["accelerations"] = sorted(set(settings["accelerations"]))
    return settings


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
    """The accelerations that a training has a mask for."""
    if run.acceleration is None:
        return settings["accelerations"]
    return [run.acceleration]


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    rates = rates_of(run, settings)
    model = loupe_tf.models.loupe_model(
        image_shape,
        acceleration=rates if run.shape == NESTED else rates[0],
        # Of nested masks the smallest has to hold it.
        calibration=masks.default_calibration(
            image_shape[:2], max(rates), SHAPES[run.shape].get("lines")
        ),
        slope=settings["slope"],
        **SHAPES[run.shape],
        filters=settings["filters"],
        depth=settings["depth"],
        normalization="instance",
        # Start from the zero-filled image, so that the mask sees sound
        # gradients from the first step.
        output_initializer="zeros",
        seed=run.seed,
        name=run.shape.replace(" ", "_").replace("-", "_"),
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train and test one shape, and return its record."""
    model = build_model(run, settings, splits["test"].images.shape[1:])
    training, validation = (
        splits[name].images for name in ("train", "validation")
    )
    if run.shape == NESTED:
        count = len(settings["accelerations"])
        training = nested_batches(
            training, count, settings["batch_size"], run.seed
        )
        index = np.arange(len(validation)) % count
        validation = ([validation, index], validation)
    history, finite = experiments.fit(
        model, run, settings, training, validation, folder
    )
    record = {
        **dataclasses.asdict(run),
        "epochs": len(history["loss"]),
        "trace": experiments.to_trace(history, ("loss", "val_loss", "round")),
        **provenance.environment(),
        "diverged": not finite,
    }
    record["results"] = judge(model, run, settings, splits["test"], folder)
    return record


def judge(model, run, settings, test, folder):
    """What the model of a run makes of the test volumes, by R."""
    rates = rates_of(run, settings)
    found = masks.from_model(model)
    found = found if isinstance(found, tuple) else (found,)
    shown = evaluation.middle_slice(test.volumes)
    pictures = {"truth": test.images[shown]}
    results = {}
    for number, (rate, mask) in enumerate(zip(rates, found, strict=True)):
        inputs = test.images
        if run.shape == NESTED:
            inputs = [inputs, np.full(len(inputs), number)]
        output = model.predict(inputs, settings["batch_size"], verbose=0)
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
    return results


def in_rows(records):
    """One dict for each mask that a run has judged."""
    return [
        {
            **{k: record[k] for k in ("shape", "seed", "epochs")},
            "run": Run(*(record[f.name] for f in dataclasses.fields(Run))),
            "acceleration": float(rate),
            **result,
        }
        for record in records
        for rate, result in record["results"].items()
    ]


def by_cell(records):
    shapes = list(SHAPES)
    return evaluation.by_cell(
        in_rows(records),
        key=lambda row: (row["acceleration"], row["shape"]),
        order=lambda row: (row["acceleration"], shapes.index(row["shape"])),
    )


def paired(cells, rate, shape):
    """Differences of a shape from points, by seed and volume."""
    return evaluation.paired(
        cells[rate, shape],
        cells.get((rate, "points"), []),
        lambda row: row["volumes"],
    )


def table_rows(cells):
    rows = []
    for (rate, shape), found in cells.items():
        judged = [row for row in found if row["volumes"]]
        spreads = [
            report.spread(
                [
                    evaluation.mean_and_deviation(row["volumes"], name)[0]
                    for row in judged
                ],
                digits,
            )
            for name, digits in DIGITS.items()
        ]
        differences = paired(cells, rate, shape)
        gain = "-"
        if shape != "points" and len(differences):
            gain = report.spread(differences.ravel(), sign="+")
        rows.append(
            [
                *(f"{rate:g}", shape, *spreads, gain),
                " ".join(map(str, sorted({row["acquired"] for row in found}))),
                report.spread([row["epochs"] for row in found], 0),
                str(len(found)),
                str(len(found) - len(judged)),
            ]
        )
    return rows


def verdicts(cells):
    """A sentence for each shape and R: what it is worth beside points."""
    sentences = []
    for rate, shape in cells:
        differences = paired(cells, rate, shape)
        if shape == "points" or not len(differences):
            continue
        sentences.append(
            f"R = {rate:g}: {shape} against points "
            + evaluation.in_words(differences)
        )
    return sentences


def first_images(cells, rate, folder):
    """Truth, mask, output of the first seed and voxel size, by shape."""
    shown = {}
    for (other, shape), rows in cells.items():
        images = experiments.load_images(folder, rows[0]["run"].name)
        if other == rate and images:
            shown[shape] = (
                images["truth"],
                images[f"mask_{rate:g}"],
                images[f"output_{rate:g}"],
                images.get("voxel_size"),
            )
    return shown


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(records)
    figures = {}
    for rate in sorted({rate for rate, _ in cells}):
        shown = first_images(cells, rate, folder)
        if not shown:
            continue
        figures[f"masks_R{rate:g}"] = (
            plots.masks({k: v[1] for k, v in shown.items()}, columns=3),
            f"R = {rate:g}: learned masks, first seed. DC is in the centre.",
        )
        truth, *_, voxel_size = next(iter(shown.values()))
        truth = truth[None]
        pictures = [(k, v[2][None]) for k, v in shown.items()]
        figures[f"reconstructions_R{rate:g}"] = (
            plots.reconstruction_groups(
                truth,
                [dict(pictures[:3]), dict(pictures[3:])],
                voxel_size=voxel_size,
            )
            if len(pictures) > 3
            else plots.reconstructions(
                truth, dict(pictures), voxel_size=voxel_size
            ),
            f"R = {rate:g}: the middle slice of the first test volume, first "
            "seed.",
        )
    experiments.publish(
        folder,
        "What is each shape of a learned mask worth?",
        facts,
        CONVENTION,
        (HEADER, table_rows(cells)),
        figures,
        verdicts(cells),
        records,
    )


def compare(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=build_model,
        train=train,
        kind=lambda run: (run.shape, run.acceleration),
        free=("seeds", *PLACES),
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(compare, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
