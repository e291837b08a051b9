"""Gradients of implicit models: their time, and the images they lead to.

SHINE (Ramzi et al., "SHINE: SHaring the INverse Estimate from the forward pass
for bi-level optimization and implicit models", ICLR 2022) takes the gradient of
a deep equilibrium model from the quasi-Newton estimate of its forward search.
This script asks what that gains in MRI: image quality against the time of the
gradient, beside the exact gradient, the Jacobian-free one, five unrolled steps
(phantom), SHINE with five steps of refinement, and an unrolled network.

    python scripts/reproduce_shine.py --preset smoke
    python scripts/reproduce_shine.py --preset cpu --data my_volumes/
    python scripts/reproduce_shine.py --preset cpu --methods exact shine
    python scripts/reproduce_shine.py --report --out runs/shine_cpu

All methods train the same network: the step of MoDL with `contracting_cnn`, on
one coil and a Gaussian mask with R = 4. Broyden's method searches the
equilibria, with at most --iterations iterations; the unrolled network applies
the step as many times. --filters sets how many parameters there are.
`scripts/iterations_at_test_time.py` asks whether more iterations in the test
than in training help.

The time of a gradient is that of a training step without that of a prediction:
the median over some steps after the training, on a batch. The processor's time
is that of all its cores together, which other work on the machine changes less;
it says nothing of a GPU's.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add methods, filters, iterations and
seeds to the same folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
from experiments import implicit_figures, implicit_networks
from experiments.implicit_networks import (
    count_parameters,
    is_implicit,
    judge_with,
)
from experiments.presets.shine import GRADIENTS, GRID, METHODS, parse
from experiments.step_times import times_of_a_batch

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum; mean over the slices of a volume, then over the test volumes; ± "
    "is the standard deviation over seeds."
)
TITLES = {
    "unrolled": "unrolled",
    "exact": "exact gradient",
    "phantom": "phantom, 5 steps",
    "jacobian_free": "Jacobian-free",
    "shine": "SHINE",
    "shine_refined": "SHINE + 5",
}


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method with a network of some filters."""

    filters: int
    iterations: int
    method: str
    seed: int

    order = {"method": METHODS}

    @property
    def stem(self):
        return (
            f"F{self.filters}-K{self.iterations}-{self.method}-seed{self.seed}"
        )


def grid(settings):
    names = ("seeds", "filters", "iterations", "methods")
    cells = itertools.product(*(settings[name] for name in names))
    return [
        Run(filters, iterations, method, seed)
        for seed, filters, iterations, method in cells
    ]


def build_model(run, settings, image_shape):
    gradient = None if run.method == "unrolled" else run.method
    return implicit_networks.build_model(
        run, "contracting", gradient, settings, image_shape
    )


def fit(model, run, settings, splits, folder):
    """Train in one round without early stopping, for equal durations."""
    train, validation = (
        (part.images, part.images)
        for part in (splits["train"], splits["validation"])
    )
    return experiments.fit_one_round(
        model, run, settings, train, validation, folder
    )


def train(run, settings, splits, folder):
    """Train and test a network, and return its record."""
    test, size = splits["test"], settings["batch_size"]
    model = build_model(run, settings, test.images.shape[1:])
    with experiments.time_spent(run, folder) as seconds:
        history, finite = fit(model, run, settings, splits, folder)
    record = {
        **run.record(history, ["loss", "val_loss", "learning_rate"]),
        "seconds": round(seconds(), 1),
        "parameters": count_parameters(model),
    }
    if not finite:
        return {**record, "diverged": True, "test": {}}
    (found,) = judge_with(model, [run.iterations], test, size).values()
    if is_implicit(model):
        residual = model.reconstructor.residual
        record["residual"] = float(np.asarray(residual))
    return {
        **record,
        **times_of_a_batch(model, splits["train"].images[:size]),
        "diverged": False,
        "test": found,
    }


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


COLUMNS = {
    "filters": lambda cell, _: cell.filters,
    "parameters": lambda _, records: records[0]["parameters"],
    "iterations": lambda cell, _: cell.iterations,
    "method": lambda cell, _: TITLES[cell.method],
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "gradient [ms]": experiments.spread("gradient_milliseconds", 0),
    "of the processor": experiments.spread("processor_milliseconds", 0),
    "step [ms]": experiments.spread("milliseconds", 0),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    """Compare each method to exact."""
    for cell, records in cells.items():
        exact = cell._replace(method="exact")
        if cell != exact and exact in cells:
            yield experiments.Claim(
                f"{cell.filters} filters, {cell.iterations} iterations: "
                f"{TITLES[cell.method]} against the exact gradient",
                records,
                cells[exact],
            )


def costs(cells):
    """A sentence for each approximate gradient: its time, as a share.

    Medians over trainings, since other work on the machine delays single ones.
    """
    for cell, records in cells.items():
        exact = cell._replace(method="exact")
        if cell.method not in GRADIENTS[1:] or exact not in cells:
            continue
        own, other = (
            np.nanmedian(
                [r.get("processor_milliseconds", np.nan) for r in each]
            )
            for each in (records, cells[exact])
        )
        yield (
            f"{cell.filters} filters, {cell.iterations} iterations: "
            f"{TITLES[cell.method]} takes {own / other:.2f} of the processor's "
            f"time of the exact gradient."
        )


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of)
    found["sentences"] += costs(cells)
    implicit = {method: TITLES[method] for method in GRADIENTS}
    found["figures"] |= {
        "time": implicit_figures.draw_against_time(cells, volumes_of, implicit),
    }
    return {
        "title": "Gradients of implicit models",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **found,
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
