"""Gradients of implicit models, and more iterations at test time.

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
the step as many times. --filters sets how many parameters there are. With
--network free, the step has a `cnn` instead, which need not contract.

Each trained network is tested with several numbers of iterations, --tested, so
the report also says whether more iterations at test time help, and for which
networks. That question has no script of its own, since it needs the same
trainings. Its figure shows the unrolled networks and those trained by the exact
gradient. The main numbers are those with the iterations of training.

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
import loupe_tf
from experiments import implicit_figures
from experiments.presets.shine import GRADIENTS, GRID, METHODS, parse
from experiments.step_times import times_of_a_batch
from loupe_tf import evaluation, masks

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


def build_network(run, settings):
    """The network of one step, from an image to an image.

    A network that returns zero or its input at first would leave an equilibrium
    undetermined where nothing was measured.
    """
    depth, filters = settings["depth"], run.filters
    if settings["network"] == "free":
        return loupe_tf.models.cnn(
            *((None, None, 2), 2, depth, filters),
            normalization=None,
            output_initializer="glorot_uniform",
        )
    return loupe_tf.models.contracting_cnn(
        (None, None, 2), settings["norm"], depth, filters
    )


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    size = tuple(image_shape[:2])
    # Without coils AᴴA is a projection: two conjugate gradients are exact.
    reconstructor = loupe_tf.models.MoDL(
        build_network(run, settings),
        run.iterations,
        residual=False,
        solver_iterations=2,
    )
    if run.method != "unrolled":
        solver = loupe_tf.fixed_point.Broyden(
            settings["tolerance"], run.iterations
        )
        reconstructor = loupe_tf.models.DeepEquilibrium(
            reconstructor, solver, run.method
        )
    zeros = np.zeros((1, *size, 1), "float32")
    mask = masks.fixed_mask("gaussian", zeros, settings["acceleration"], seed=0)
    model = loupe_tf.models.loupe_model(
        (*size, 1), mask=mask, reconstructor=reconstructor, name=run.method
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def fit(model, run, settings, splits, folder):
    """Train in one round without early stopping, for equal durations."""
    train, validation = (
        (part.images, part.images)
        for part in (splits["train"], splits["validation"])
    )
    return experiments.fit_one_round(
        model, run, settings, train, validation, folder
    )


def with_iterations(model, run, iterations, size):
    """The model with another number of iterations, and the same weights."""
    if run.method != "unrolled":
        model.reconstructor.set_limits(tolerance=1e-6, iterations=iterations)
        return model
    config = model.reconstructor.get_config()
    longer = loupe_tf.models.MoDL.from_config(
        {**config, "iterations": iterations}
    )
    other = loupe_tf.models.loupe_model(
        (*size, 1), mask=masks.from_model(model), reconstructor=longer
    )
    other.set_weights(model.get_weights())
    # To compile each length takes longer than the few images of the test.
    other.compile(run_eagerly=True)
    return other


def train(run, settings, splits, folder):
    """Train and test a network, and return its record."""
    test = splits["test"]
    size = test.images.shape[1:3]
    model = build_model(run, settings, test.images.shape[1:])
    with experiments.time_spent(run, folder) as seconds:
        history, finite = fit(model, run, settings, splits, folder)
    record = {
        **run.record(history, ["loss", "val_loss", "learning_rate"]),
        "seconds": round(seconds(), 1),
        "parameters": int(
            sum(np.prod(w.shape) for w in model.trainable_weights)
        ),
    }
    if not finite:
        return {**record, "diverged": True, "test": {}, "tested": {}}
    tested = {}
    for iterations in {*settings["tested"], run.iterations}:
        other = with_iterations(model, run, iterations, size)
        output = other.predict(test.images, settings["batch_size"], verbose=0)
        tested[str(iterations)] = evaluation.judge_images(
            test.images, output, test.volumes
        )
    if run.method != "unrolled":
        with_iterations(model, run, run.iterations, size)
        found = model.reconstructor
        record["residual"] = float(np.asarray(found.residual))
    batch = splits["train"].images[: settings["batch_size"]]
    return {
        **record,
        **times_of_a_batch(model, batch),
        "diverged": False,
        "test": tested.pop(str(run.iterations)),
        "tested": tested,
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
        "filters": lambda cell, _: cell.filters,
        "parameters": lambda _, records: records[0]["parameters"],
        "iterations": lambda cell, _: cell.iterations,
        "method": lambda cell, _: TITLES[cell.method],
        "PSNR": experiments.metric(volumes_of),
        "SSIM": experiments.metric(volumes_of, "ssim", 4),
        **{
            f"PSNR at {n}": experiments.metric(volumes_with(n))
            for n in sorted(counts)
        },
        "gradient [ms]": experiments.spread("gradient_milliseconds", 0),
        "of the processor": experiments.spread("processor_milliseconds", 0),
        "step [ms]": experiments.spread("milliseconds", 0),
        **experiments.TRAINING_COLUMNS,
    }


def claims(cells):
    """Compare each method to exact, and longer searches to those trained."""
    for cell, records in cells.items():
        subject = f"{cell.filters} filters, {cell.iterations} iterations: "
        exact = cell._replace(method="exact")
        if cell != exact and exact in cells:
            yield experiments.Claim(
                f"{subject}{TITLES[cell.method]} against the exact gradient",
                records,
                cells[exact],
            )
        longest = max(
            (int(n) for record in records for n in record["tested"]), default=0
        )
        if longest > cell.iterations:
            longer = [
                {**record, "test": record["tested"].get(str(longest), {})}
                for record in records
            ]
            yield experiments.Claim(
                f"{subject}{TITLES[cell.method]}, {longest} in the test against"
                f" {cell.iterations}",
                longer,
                records,
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
        "iterations": implicit_figures.draw_against_iterations(
            cells,
            volumes_with,
            {method: TITLES[method] for method in ("unrolled", "exact")},
        ),
    }
    return {
        "title": "Gradients of implicit models, and iterations at test time",
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
