"""NC-PDNet on spokes and spirals, with and without density compensation.

NC-PDNet (Ramzi, G R, Starck and Ciuciu, "NC-PDNet: a density-compensated
unrolled network for 2D and 3D non-Cartesian MRI reconstruction", IEEE TMI 2022)
alternates steps of a network with steps towards the samples, which are weighted
against their uneven density. The paper finds that the weights matter, and that
the network is better than a U-Net on the compensated adjoint image. This script
repeats both comparisons, beside methods that need no training.

    python scripts/reproduce_ncpdnet.py --preset smoke
    python scripts/reproduce_ncpdnet.py --preset cpu --data my_volumes/
    python scripts/reproduce_ncpdnet.py --preset cpu --trajectories radial \
        --transfer mri_volumes/t1w64 sagittal.npy

Four methods see the same samples: the compensated adjoint; a U-Net on it;
NC-PDNet without density compensation, where all samples have the same weight,
scaled such that steps do not overshoot; and NC-PDNet. In the preset cpu, the
networks have as many weights, within a percent. Conjugate gradients and total
variation stand beside them; their regularization is chosen on slices of the
validation volumes.

R counts curves: radial has 1/R of the π/2 · N golden-angle spokes that sample
N pixels fully, and spiral 1/R of the N / 2 turns, in three interleaves.
one_turn_spiral has 1/R of the N / 2 turns too, each in a shot that goes in and
out. in_out_spiral has the paper's curves: N/R shots that go in and out in three
turns, each with as many samples as a spoke. Those are up to 4.6/FOV apart,
which no receiver would take. The images are magnitudes with a
smooth random phase, measured without noise by one coil, or by --coils with
simulated maps, which all methods are given.

All networks have the same loss (mean squared error of complex images), the same
optimizer and the same number of epochs. The test uses the weights of the epoch
with the lowest validation loss. Training measures by FFT and interpolation, to
1e-5, and the networks compute with 1e-3; the test measures by the exact sum.

With --transfer, the same networks rebuild images of other data as well: of
another contrast or anatomy, and never of patients that they were trained on.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add methods, trajectories, accelerations
and seeds to the same folder. report.html, results.json and the figures cover
all runs in the folder.
"""

import dataclasses
import itertools
import pathlib
import sys

import numpy as np

import experiments
import loupe_tf
from experiments.claims import against_rivals
from experiments.curve_methods import (
    choose,
    classical,
    make_ncpdnet,
    rebuild,
    rebuild_classically,
)
from experiments.curve_scan import (
    coil_maps,
    make_trajectory,
    model_inputs,
    with_phase,
)
from experiments.other_data import other_data
from experiments.point_spread import draw_point_spread
from experiments.presets.ncpdnet import (
    CLASSICAL,
    GRID,
    METHODS,
    TRAJECTORIES,
    parse,
)
from experiments.unet import batch_normalization
from experiments.unrolled_networks import count_parameters
from loupe_tf import evaluation, plots

CONVENTION = (
    "PSNR = -10 log10(MSE) of the magnitude of a slice, SSIM with data range "
    "1, images divided by their volume's maximum; mean over the slices of a "
    "volume, then over the test volumes; ± is the standard deviation over "
    "seeds."
)
TITLES = {
    "adjoint": "compensated adjoint",
    "cg": "conjugate gradients",
    "total_variation": "CS, total variation",
    "unet": "U-Net on the adjoint",
    "plain": "NC-PDNet without D",
    "ncpdnet": "NC-PDNet",
}
CURVES = {
    "radial": "spokes",
    "spiral": "spiral",
    "in_out_spiral": "the paper's spirals",
    "one_turn_spiral": "in-out spirals",
}
RIVALS = {
    "unet": ["adjoint"],
    "ncpdnet": ["unet", "plain", "cg", "total_variation"],
}
"""Methods that a method is compared with."""


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on one trajectory."""

    trajectory: str
    acceleration: float
    coils: int = dataclasses.field(default=1, kw_only=True)
    network: str
    seed: int

    order = {"trajectory": TRAJECTORIES, "network": METHODS}

    @property
    def stem(self):
        several = f"C{self.coils}-" if self.coils > 1 else ""
        return (
            f"{several}{self.trajectory}-R{self.acceleration:g}-{self.network}-"
            f"seed{self.seed}"
        )


def grid(settings):
    return [
        Run(trajectory, rate, network, seed, coils=coils)
        for seed, coils, trajectory, rate, network in itertools.product(
            settings["seeds"],
            settings["coils"],
            settings["trajectories"],
            settings["accelerations"],
            settings["networks"],
        )
    ]


def make_reconstructor(network, settings, trajectory):
    """Make the network of a run, from samples to a complex image."""
    models, size = loupe_tf.models, trajectory.matrix
    options = {"trajectory": trajectory, "accuracy": 1e-3}
    if network == "unet":
        unet = models.unet(
            (*size, 2),
            output_channels=2,
            filters=settings["filters"],
            depth=settings["depth"],
            normalization=batch_normalization,
        )
        return models.NonUniformAdjointNetwork(size, unet, "complex", **options)
    return make_ncpdnet(
        settings,
        size,
        density_compensation=network == "ncpdnet",
        **options,
    )


def build_model(run, settings, image_shape):
    import keras

    size = tuple(image_shape[:2])
    trajectory = make_trajectory(run.trajectory, size, run.acceleration)
    if run.network in CLASSICAL:
        return None
    keras.utils.set_random_seed(run.seed)
    model = loupe_tf.models.loupe_model(
        (*size, 2),
        sampler=loupe_tf.samplers.GivenTrajectory(trajectory),
        reconstructor=make_reconstructor(run.network, settings, trajectory),
        coils=run.coils if run.coils > 1 else None,
        seed=run.seed,
        name=run.network,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def fit(model, run, settings, splits, folder):
    """Train in one round without early stopping, for equal durations."""

    def pair(seed, name):
        images = with_phase(splits[name].images, seed)
        maps = coil_maps(images.shape[1:3], run.coils)
        return model_inputs(images, maps), images

    train, validation = (
        pair(seed, name) for seed, name in enumerate(("train", "validation"))
    )
    return experiments.fit_one_round(
        model, run, settings, train, validation, folder
    )


def do(run, settings, splits, folder):
    """Train a network or tune a method, test it, and return the record."""
    test = splits["test"]
    trajectory = make_trajectory(
        run.trajectory, test.images.shape[1:3], run.acceleration
    )
    maps = coil_maps(test.images.shape[1:3], run.coils)
    made = {"history": None, "parameters": 0}
    with experiments.time_spent(run, folder) as seconds:
        if run.network in CLASSICAL:
            chosen = choose(
                run.network, trajectory, splits["validation"], settings, maps
            )
            method = classical(run.network, *chosen.values())

            def apply(images):
                return rebuild_classically(method, images, trajectory, maps)
        else:
            model = build_model(run, settings, test.images.shape[1:])
            history, finite = fit(model, run, settings, splits, folder)
            chosen = {"parameters": count_parameters(model.reconstructor)}
            made["history"] = history
            if not finite:
                record = run.record(history, ["loss", "val_loss"])
                return {**record, **chosen, "diverged": True, "test": {}}

            def apply(images):
                return rebuild(
                    model, images, trajectory, settings["batch_size"], maps
                )

        output = apply(with_phase(test.images, 2))
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        truth=test.images[shown],
        output=output[shown],
    )
    record = {
        **run.record(made["history"], ["loss", "val_loss", "learning_rate"]),
        "parameters": 0,
        **chosen,
        "seconds": round(seconds(), 1),
        "samples": int(np.prod(trajectory.positions.shape[:2])),
        "diverged": False,
        "test": evaluation.judge_images(test.images, output, test.volumes),
    }
    for number, data in enumerate(settings["transfer"] or []):
        other = other_data(data, settings, splits)
        output = apply(with_phase(other.images, 3 + number))
        found = evaluation.judge_images(other.images, output, other.volumes)
        if other.patients is not None:
            pairs = zip(other.volumes, other.patients)
            found["patients"] = {str(v): str(p) for v, p in pairs}
        record.setdefault("transfer", {})[name_of(data)] = found
    return record


def name_of(data):
    """The last part of a path or of the name of a data set."""
    return pathlib.PurePath(data).stem


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


def elsewhere(record, data):
    """The record as if it had been tested with other data alone."""
    found = record.get("transfer", {}).get(data, {})
    return {**record, "test": found, "patients": found.get("patients")}


COLUMNS = {
    "trajectory": lambda cell, _: CURVES[cell.trajectory],
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "coils": lambda cell, _: cell.coils,
    "method": lambda cell, _: TITLES[cell.network],
    "parameters": lambda _, records: records[0]["parameters"] or "",
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "regularization": experiments.spread("regularization", 4),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    return against_rivals(
        cells,
        "network",
        RIVALS,
        lambda cell, other: (
            f"{where(cell)}{TITLES[cell.network]} against "
            f"{TITLES[other.network]}"
        ),
    )


def where(cell):
    """The trajectory in words, with a comma, and the coils if several."""
    several = f"{cell.coils} coils, " if cell.coils > 1 else ""
    return f"{CURVES[cell.trajectory]}, {several}"


def draw(cells, folder):
    """Draw the reconstructions and the curves of each trajectory."""
    images = experiments.first_images(cells, folder, Run.of)
    figures = {}
    for name, rate, coils in dict.fromkeys(cell[:3] for cell in images):
        groups = {
            cell: found
            for cell, found in images.items()
            if cell[:3] == (name, rate, coils)
        }
        shown = {TITLES[cell.network]: found for cell, found in groups.items()}
        size = next(iter(shown.values()))["truth"].shape[:2]
        figures[f"trajectory_{name}_R{rate:g}"] = (
            plots.trajectory(make_trajectory(name, size, rate)),
            f"{CURVES[name]}, R = {rate:g}: the curves in k-space.",
        )
        figures[f"point_spread_{name}_R{rate:g}"] = (
            draw_point_spread(make_trajectory(name, size, rate)),
            f"{CURVES[name]}, R = {rate:g}: the image of one bright pixel.",
        )
        several = f"C{coils}_" if coils > 1 else ""
        figures[f"reconstructions_{several}{name}_R{rate:g}"] = (
            experiments.draw_outputs(shown),
            f"{where(next(iter(groups)))}R = {rate:g}: the middle slice of the "
            f"first test volume.",
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    columns = dict(COLUMNS)
    others = dict.fromkeys(x for r in records for x in r.get("transfer", ()))
    for data in others:
        columns[f"PSNR, {data}"] = experiments.metric(
            lambda record, data=data: volumes_of(elsewhere(record, data))
        )
        moved = experiments.findings(
            claims(Run.cells([elsewhere(r, data) for r in records])),
            volumes_of,
            f"gains_{data}",
            f"Tested with {data}.",
        )
        found["sentences"] += [f"{data}: {x}" for x in moved["sentences"]]
        found["tables"] |= moved["tables"]
        found["figures"] |= moved["figures"]
    return {
        "title": "NC-PDNet on spokes and spirals",
        "convention": CONVENTION,
        "table": experiments.table(cells, columns),
        **{**found, "figures": found["figures"] | draw(cells, folder)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
