"""Trajectories that are learned: by projection, by penalties, coarse to fine.

Chaithya, Ramzi and Ciuciu ("Hybrid learning of non-Cartesian k-space trajectory
and MR image reconstruction networks", ISBI 2022) learn the curves of a scan.
After each update, they are projected onto what the gradients can do; and they
are learned at several resolutions, coarse ones first. PILOT (Weiss et al.,
MELBA 2021) adds a penalty to the loss instead, and BJORK (Wang et al., IEEE TMI
2022) a penalty and splines. This script compares them.

    python scripts/reproduce_learned_trajectories.py --preset smoke
    python scripts/reproduce_learned_trajectories.py --preset cpu \
        --data my_volumes/
    python scripts/reproduce_learned_trajectories.py --preset cpu \
        --networks ncpdnet --curves radial resolutions

All curves begin as spokes at equal angles through DC, which the hardware can
run, and have the same number of samples:

- `radial`: the spokes.
- `projection`: learned, and projected after each update, at one resolution.
- `differentiated`: the same, with gradients through the density compensation D
  as well; for the others, D is a constant.
- `resolutions`: the same at several resolutions, for as many epochs in all.
- `penalty`: learned at one resolution; what exceeds a limit adds to the loss.
- `weak`: the same with a tenth of the penalty.
- `splines`: as `penalty`, with few control points for each shot, to the end.
- `free`: learned without limits. No scanner can run them; they show what the
  limits cost.

Those of penalties are tested twice: as they were learned, and after one
projection at the end, without which a scanner might not run them.

The curves are learned with the compensated adjoint, which has no parameters, or
together with NC-PDNet. Images are magnitudes with a smooth random phase,
measured by one coil without noise. The test measures by the exact sum. The
hardware is that of SPARKLING's paper, 40 mT/m and 180 T/m/s. In 64 pixels it
would hardly limit anything: so pixels are as small as those of a scan of full
size, see `experiments.presets.learned_trajectories`.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add methods, curves, accelerations and
seeds to the same folder. report.html, results.json and the figures cover all
runs in the folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from experiments import curve_densities
from experiments.claims import against_rivals
from experiments.curve_figures import draw_curves
from experiments.curve_methods import (
    classical,
    make_ncpdnet,
    rebuild,
    rebuild_classically,
)
from experiments.curve_scan import with_phase
from experiments.presets.learned_trajectories import (
    CURVES,
    GRID,
    METHODS,
    parse,
)
from loupe_tf import evaluation, trajectories
from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.projection import project
from loupe_tf.trajectories.waveforms import control_points, curve_positions

CONVENTION = (
    "PSNR = -10 log10(MSE) of the magnitude of a slice, SSIM with data range "
    "1, images divided by their volume's maximum; mean over the slices of a "
    "volume, then over the test volumes; ± is the standard deviation over "
    "seeds. Beyond: share of the samples beyond a limit of the hardware, and "
    "the largest excess relative to the limit. Step: the largest between two "
    "samples, in 1/FOV; a receiver without oversampling takes 1. Centre: share "
    "of the samples with |k| < 0.1."
)
FEASIBLE = "_feasible"
PENALTIES = {"penalty": 1.0, "weak": 0.1, "splines": 1.0}
"""How much of the penalty is added to the loss."""
TITLES = {
    "radial": "spokes",
    "free": "learned without limits",
    "projection": "learned by projection",
    "differentiated": "by projection, D differentiated",
    "resolutions": "by projection, coarse to fine",
    "penalty": "learned by penalty",
    "penalty_feasible": "by penalty, projected at the end",
    "weak": "by a tenth of the penalty",
    "weak_feasible": "by a tenth of it, projected at the end",
    "splines": "splines by penalty",
    "splines_feasible": "splines by penalty, projected at the end",
}
METHOD_TITLES = {"adjoint": "compensated adjoint", "ncpdnet": "NC-PDNet"}
RIVALS = {
    "projection": ["radial", "penalty", "penalty_feasible"],
    "differentiated": ["radial", "projection"],
    "resolutions": [
        *("radial", "projection", "penalty", "penalty_feasible"),
        *("weak", "weak_feasible", "splines", "splines_feasible"),
    ],
    "free": ["resolutions"],
}
"""Curves that curves are compared with."""


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One way to learn curves, with one method of reconstruction."""

    acceleration: float
    network: str
    curves: str
    seed: int

    order = {"network": METHODS, "curves": TITLES}

    @property
    def stem(self):
        return (
            f"{self.curves}-R{self.acceleration:g}-{self.network}-"
            f"seed{self.seed}"
        )


def grid(settings):
    return [
        Run(rate, network, curves, seed)
        for seed, rate, network, curves in itertools.product(
            settings["seeds"],
            settings["accelerations"],
            settings["networks"],
            settings["curves"],
        )
    ]


def start(run, settings, size):
    """The spokes that all curves begin with."""
    return trajectories.radial(**curve_densities.sizes(run, settings, size))


def make_sampler(run, settings, size):
    spokes = start(run, settings, size)
    if run.curves == "radial":
        return loupe_tf.samplers.GivenTrajectory(spokes)
    several = run.curves in ("resolutions", "splines")
    penalty = None
    if run.curves in PENALTIES:
        penalty = PENALTIES[run.curves] * settings["penalty"]
    return loupe_tf.samplers.LearnedTrajectory(
        spokes,
        hardware=None if run.curves == "free" else settings["hardware"],
        echo=spokes.samples // 2,
        levels=settings["levels"] if several else 1,
        unit=settings["step"] / settings["learning_rate"],
        iterations=settings["projections"],
        penalty=penalty,
    )


def build_model(run, settings, image_shape):
    import keras

    from experiments.fitted_adjoint import FittedAdjoint

    size = tuple(image_shape[:2])
    if run.network == "adjoint" and run.curves == "radial":
        return None
    keras.utils.set_random_seed(run.seed)
    density = "differentiable" if run.curves == "differentiated" else True
    network = FittedAdjoint(size, density)
    if run.network == "ncpdnet":
        network = make_ncpdnet(settings, size, density_compensation=density)
    model = loupe_tf.models.loupe_model(
        (*size, 2),
        sampler=make_sampler(run, settings, size),
        reconstructor=network,
        seed=run.seed,
        name=run.network,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def fit(model, run, settings, splits, folder):
    """Train in one round without early stopping, for equal durations."""
    from loupe_tf.callbacks import CoarseToFine

    callbacks = []
    if run.curves == "resolutions":
        # The learning rate falls at the finest.
        each = max(int(0.8 * settings["epochs"]) // settings["levels"], 1)
        callbacks = [CoarseToFine(each)]
    # The images are inputs and targets.
    pairs = (
        (with_phase(splits[name].images, seed),) * 2
        for seed, name in enumerate(("train", "validation"))
    )
    return experiments.fit_one_round(
        model, run, settings, *pairs, folder, callbacks
    )


def nearest(trajectory, hardware):
    """The nearest trajectory that the hardware can run."""
    echo = trajectory.samples // 2
    curves, _ = project(
        control_points(trajectory.positions),
        hardware.limits(trajectory.voxel_size, trajectory.dwell),
        Pins(trajectory.samples, {echo: (0, 0)}),
        iterations=2000,
    )
    return trajectory.replace(positions=curve_positions(curves))


def facts(trajectory, hardware):
    """Return facts on curves for a record: limits, largest step, centre."""
    report = hardware.check(trajectory)
    beyond = report.slew > (1 + 1e-6) * hardware.max_slew
    # A gradient is that of the nodes on both sides of a sample.
    gradient = report.gradient > (1 + 1e-6) * hardware.max_gradient
    beyond |= gradient[:, 1:] | gradient[:, :-1]
    radius = np.linalg.norm(trajectory.positions, axis=-1)
    return {
        "beyond": round(float(beyond.mean()), 5),
        "excess": round(max(float(report.excess), 0.0), 5),
        "step": round(max(trajectory.largest_steps), 3),
        "centre": round(float((radius < 0.1).mean()), 5),
    }


def do(run, settings, splits, folder):
    """Learn the curves, test them, and return the record."""
    test = splits["test"]
    images = with_phase(test.images, 2)
    size = test.images.shape[1:3]
    hardware = trajectories.HARDWARE[settings["hardware"]]
    model = build_model(run, settings, test.images.shape[1:])
    record, trajectory = run.record(), start(run, settings, size)
    with experiments.time_spent(run, folder) as seconds:
        if model is not None:
            history, finite = fit(model, run, settings, splits, folder)
            record = run.record(history, ["loss", "val_loss"])
            if not finite:
                return {**record, "diverged": True, "test": {}}
            trajectory = trajectories.from_model(model)

        def judge(curves):
            if run.network == "adjoint":
                found = rebuild_classically(
                    classical("adjoint"), images, curves
                )
            else:
                found = rebuild(model, images, curves, settings["batch_size"])
            return found, evaluation.judge_images(
                test.images, found, test.volumes
            )

        output, found = judge(trajectory)
        if run.curves in PENALTIES:
            projected = nearest(trajectory, hardware)
            record["projected"] = {
                **facts(projected, hardware),
                "test": judge(projected)[1],
            }
    trajectory.save(folder / "trajectories" / f"{run.name}.npz")
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        truth=test.images[shown],
        output=output[shown],
        positions=trajectory.positions,
    )
    return {
        **record,
        "seconds": round(seconds(), 1),
        "shots": trajectory.shots,
        "samples": trajectory.samples,
        **facts(trajectory, hardware),
        "diverged": False,
        "test": found,
    }


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


COLUMNS = {
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "method": lambda cell, _: METHOD_TITLES[cell.network],
    "curves": lambda cell, _: TITLES[cell.curves],
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "beyond": experiments.spread("beyond", 3),
    "largest excess": experiments.spread("excess", 2),
    "step": experiments.spread("step", 2),
    "centre": experiments.spread("centre", 3),
    **experiments.TRAINING_COLUMNS,
}


def with_projected(records):
    """Add a record for each that was tested again after a projection."""
    again = [
        {**r, **r["projected"], "curves": r["curves"] + FEASIBLE}
        for r in records
        if r.get("projected")
    ]
    return [*records, *again]


def claims(cells):
    return against_rivals(
        cells,
        "curves",
        RIVALS,
        lambda cell, other: (
            f"{METHOD_TITLES[cell.network]}: {TITLES[cell.curves]} against "
            f"{TITLES[other.curves]}"
        ),
    )


def draw(cells, folder):
    """Draw the curves and the reconstructions."""
    images = experiments.first_images(cells, folder, Run.of)
    figures = {}
    for rate, network in dict.fromkeys(cell[:2] for cell in images):
        shown = {
            TITLES[cell.curves]: found
            for cell, found in images.items()
            if cell[:2] == (rate, network)
        }
        name = f"R{rate:g}_{network}"
        where = f"R = {rate:g}, {METHOD_TITLES[network]}"
        figures[f"curves_{name}"] = (
            draw_curves(shown, densities=False),
            f"{where}: the curves in k-space.",
        )
        figures[f"reconstructions_{name}"] = (
            experiments.draw_outputs(shown),
            f"{where}: the middle slice of the first test volume.",
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(with_projected(records))
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    learned = {c: r for c, r in cells.items() if c.curves in CURVES}
    return {
        "title": "Learned trajectories",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **{**found, "figures": found["figures"] | draw(learned, folder)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
