"""Do more iterations in the test than in training help, and which networks?

An unrolled network repeats a step a fixed number of times. A deep equilibrium
model (Bai, Kolter and Koltun, NeurIPS 2019; Gilton, Ongie and Willett, IEEE TCI
2021) searches the image that the step leaves as it is. Both can be given more
iterations in the test than in training. This script asks whether that helps,
and which of both gives the better images with as many weights and after as much
time of training.

    python scripts/iterations_at_test_time.py --preset smoke
    python scripts/iterations_at_test_time.py --preset cpu --data my_volumes/
    python scripts/iterations_at_test_time.py --preset cpu --networks free
    python scripts/iterations_at_test_time.py --preset cpu --iterations 10 \
        --methods equilibrium --epochs 8

The step is that of MoDL, on one coil and a Gaussian mask with R = 4. Its
network is `contracting`, which brings any two images closer together, or
`free`, a CNN without a bound, which may drive them apart. --filters sets how
many parameters there are. An unrolled network applies the step --iterations
times; Broyden's method searches the equilibria with at most as many. Their
gradient is --gradient, see `scripts/reproduce_shine.py`.

Each trained network is tested with several numbers of iterations, --tested. The
figure circles the number of the training.

The time of a training step is the median over some steps after the training, on
a batch, and that of a prediction too. The processor's time is that of all its
cores together, which other work on the machine changes less; it says nothing of
a GPU's. With several --epochs, the report compares equilibria and unrolled
networks that were trained for different numbers of epochs, and says how their
times of training compare.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add networks, methods, filters,
iterations, epochs and seeds to the same folder.
"""

import dataclasses
import itertools
import math
import sys

import numpy as np

import experiments
from experiments import implicit_figures, implicit_networks
from experiments.implicit_networks import NETWORKS, count_parameters, judge_with
from experiments.presets.iterations_at_test_time import GRID, METHODS, parse
from experiments.step_times import times_of_a_batch

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum; mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds. Times are those of the processor."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One network, unrolled or as an equilibrium."""

    network: str
    filters: int
    epochs: int
    iterations: int
    method: str
    seed: int

    order = {"network": NETWORKS, "method": METHODS}

    @property
    def stem(self):
        return (
            f"{self.network}-F{self.filters}-E{self.epochs}-"
            f"K{self.iterations}-{self.method}-seed{self.seed}"
        )


def grid(settings):
    names = ("networks", "filters", "epochs", "iterations", "methods")
    return [
        Run(*cell, seed)
        for seed, *cell in itertools.product(
            settings["seeds"], *(settings[name] for name in names)
        )
    ]


def build_model(run, settings, image_shape):
    gradient = settings["gradient"] if run.method == "equilibrium" else None
    return implicit_networks.build_model(
        run, run.network, gradient, settings, image_shape
    )


def train(run, settings, splits, folder):
    """Train and test a network, and return its record."""
    batch_size = settings["batch_size"]
    images = splits["train"].images
    model = build_model(run, settings, images.shape[1:])
    train, validation = (
        (splits[name].images,) * 2 for name in ("train", "validation")
    )
    own = {**settings, "epochs": run.epochs}
    with experiments.time_spent(run, folder) as seconds:
        history, finite = experiments.fit_one_round(
            model, run, own, train, validation, folder
        )
    record = {
        **run.record(history, ["loss", "val_loss", "learning_rate"]),
        "seconds": round(seconds(), 1),
        "parameters": count_parameters(model),
    }
    if not finite:
        return {**record, "diverged": True, "test": {}, "tested": {}}
    counts = {*settings["tested"], run.iterations}
    tested = judge_with(model, sorted(counts), splits["test"], batch_size)
    implicit_networks.with_iterations(model, run.iterations)
    times = times_of_a_batch(model, images[:batch_size])
    steps = run.epochs * math.ceil(len(images) / batch_size)
    return {
        **record,
        **times,
        "training_seconds": round(
            steps * times["step_processor_milliseconds"] / 1e3, 3
        ),
        "prediction_milliseconds": round(
            times["step_processor_milliseconds"]
            - times["processor_milliseconds"],
            1,
        ),
        "diverged": False,
        "test": tested.pop(run.iterations),
        "tested": {str(count): found for count, found in tested.items()},
    }


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


def volumes_with(iterations):
    """The same for another number of iterations in the test."""

    def volumes(record):
        if iterations == record["iterations"]:
            return volumes_of(record)
        return record["tested"].get(str(iterations), {}).get("unit_range")

    return volumes


def columns(records):
    """The columns of the table; some depend on what was tested."""
    counts = {int(n) for record in records for n in record["tested"]}
    counts |= {record["iterations"] for record in records if record["test"]}
    return {
        "network": lambda cell, _: cell.network,
        "filters": lambda cell, _: cell.filters,
        "parameters": lambda _, records: records[0]["parameters"],
        "method": lambda cell, _: cell.method,
        "epochs": lambda cell, _: cell.epochs,
        "trained with": lambda cell, _: cell.iterations,
        "PSNR": experiments.metric(volumes_of),
        "SSIM": experiments.metric(volumes_of, "ssim", 4),
        **{
            f"PSNR at {n}": experiments.metric(volumes_with(n))
            for n in sorted(counts)
        },
        "training [s]": experiments.spread("training_seconds", 0),
        "prediction of a batch [ms]": experiments.spread(
            "prediction_milliseconds", 0
        ),
    }


def training_time(records):
    """Median over trainings, since other work delays single ones; or `None`."""
    known = [r["training_seconds"] for r in records if "training_seconds" in r]
    return float(np.median(known)) if known else None


def claims(cells):
    """Compare longer searches to those trained, and equilibria to unrolled."""
    for cell, records in cells.items():
        subject = (
            f"{cell.network}, {cell.filters} filters, {cell.iterations} "
            f"iterations: "
        )
        own = cell.method
        if len({other.epochs for other in cells}) > 1:
            own += f" after {cell.epochs} epochs"
        longest = max(
            (int(n) for record in records for n in record["tested"]), default=0
        )
        if longest > cell.iterations:
            longer = [
                {**record, "test": record["tested"].get(str(longest), {})}
                for record in records
            ]
            yield experiments.Claim(
                f"{subject}{own}, {longest} in the test against "
                f"{cell.iterations}",
                longer,
                records,
            )
        if cell.method == "unrolled":
            continue
        for other, rivals in cells.items():
            same = cell._replace(epochs=other.epochs, method="unrolled")
            if other != same:
                continue
            text = (
                f"{subject}{cell.epochs} epochs of the equilibrium against "
                f"{other.epochs} of the unrolled network"
            )
            times = training_time(records), training_time(rivals)
            if None not in times:
                text += f", {times[0] / times[1]:.2f} of its time"
            yield experiments.Claim(text, records, rivals)


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of)
    found["figures"] |= {
        "iterations": implicit_figures.draw_against_iterations(
            cells, volumes_with, {method: method for method in METHODS}
        ),
    }
    return {
        "title": "More iterations in the test than in training",
        "convention": CONVENTION,
        "table": experiments.table(cells, columns(records)),
        **found,
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
