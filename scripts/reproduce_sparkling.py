"""Curves that hardware can run, after a learned density and after others.

SPARKLING (Lazarus et al., "SPARKLING: variable-density k-space filling curves
for accelerated T2*-weighted MRI", MRM 2019) makes curves whose samples follow a
density, within limits of gradient and slew rate. Which density? Chaithya, Ramzi
and Ciuciu ("Learning the sampling density in 2D SPARKLING MRI acquisition for
optimized image reconstruction", EUSIPCO 2021) take the probabilities of a
learned mask. This script compares them with densities that fall off from DC and
with an even one, at the same limits and the same number of samples.

    python scripts/reproduce_sparkling.py --preset smoke
    python scripts/reproduce_sparkling.py --preset cpu --data my_volumes/
    python scripts/reproduce_sparkling.py --preset cpu --densities radial \
        learned --networks total_variation

A mask of points is learned first, by 4S with a U-Net on the training volumes,
without a calibration region; it acquires as many points as the curves have
samples. Its probabilities P make three densities: `share` is P itself, as in
the paper, `learned` is -log(1 - P), and `smooth` is that of P averaged over a
32nd of k-space, since a mask that is learned to the end is nearly binary; see
`loupe_tf.trajectories.learned_density`. `decay` is |k|^-p outside of |k| = 0.1;
of several powers p, that is taken whose images have the lowest error on slices
of the validation volumes. `uniform` is even in the disc |k| < 1/2. `radial` are
spokes at equal angles, which follow no density but are within the limits too.

R is the number of points of the grid for each sample. All methods rebuild the
same slices from exact samples: the compensated adjoint; total variation, with
the regularization that validates best for each trajectory; and a small
NC-PDNet, trained for each trajectory. The images are magnitudes with a smooth
random phase, measured by one coil without noise. In the preset cpu, the test
has 4 slices of each volume, evenly spaced, because total variation takes long.

The hardware is that of the paper of SPARKLING, 40 mT/m and 180 T/m/s. In 64
pixels it would hardly limit anything: so pixels are as small as those of a scan
of full size, see `experiments.presets.sparkling`.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add methods, densities, accelerations
and seeds to the same folder. report.html, results.json and the figures cover
all runs in the folder.
"""

import dataclasses
import itertools
import sys

import experiments
import loupe_tf
from experiments import curve_densities
from experiments.claims import against_rivals
from experiments.curve_figures import draw_curves
from experiments.curve_methods import (
    choose,
    classical,
    make_ncpdnet,
    rebuild,
    rebuild_classically,
)
from experiments.curve_scan import with_phase
from experiments.presets.sparkling import DENSITIES, GRID, METHODS, parse
from loupe_tf import evaluation, trajectories

CONVENTION = (
    "PSNR = -10 log10(MSE) of the magnitude of a slice, SSIM with data range "
    "1, images divided by their volume's maximum; mean over the slices of a "
    "volume, then over the test volumes; ± is the standard deviation over "
    "seeds. Distance: total variation between the density and the histogram "
    "of the samples in 16×16 cells. Limits: the largest gradient and slew rate "
    "over what the hardware can do."
)
TITLES = {
    "radial": "spokes",
    "uniform": "uniform density",
    "decay": "decaying density",
    "share": "learned density, P",
    "learned": "learned density, -log(1 - P)",
    "smooth": "learned density, smoothed",
}
METHOD_TITLES = {
    "adjoint": "compensated adjoint",
    "total_variation": "CS, total variation",
    "ncpdnet": "NC-PDNet",
}
RIVALS = {
    "decay": ["uniform"],
    "share": ["radial", "uniform", "decay"],
    "learned": ["radial", "uniform", "decay", "share"],
    "smooth": ["radial", "uniform", "decay", "share", "learned"],
}
"""Densities that a density is compared with."""


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One method on the curves of one density."""

    acceleration: float
    network: str
    density: str
    seed: int

    order = {"network": METHODS, "density": DENSITIES}

    @property
    def stem(self):
        return (
            f"{self.density}-R{self.acceleration:g}-{self.network}-"
            f"seed{self.seed}"
        )


def grid(settings):
    return [
        Run(rate, network, density, seed)
        for seed, rate, density, network in itertools.product(
            settings["seeds"],
            settings["accelerations"],
            settings["densities"],
            settings["networks"],
        )
    ]


def build_model(run, settings, image_shape, trajectory=None):
    """Build the network of a run; without a trajectory, to check it."""
    import keras

    if run.network != "ncpdnet":
        return None
    size = tuple(image_shape[:2])
    if trajectory is None:
        trajectory = trajectories.radial(
            **curve_densities.sizes(run, settings, size)
        )
    keras.utils.set_random_seed(run.seed)
    model = loupe_tf.models.loupe_model(
        (*size, 2),
        sampler=loupe_tf.samplers.GivenTrajectory(trajectory),
        reconstructor=make_ncpdnet(settings, size, trajectory),
        seed=run.seed,
        name=run.network,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def do(run, settings, splits, folder):
    """Make the curves, train or tune a method, test it; return the record."""
    validation = splits["validation"]
    test = splits["test"]
    if settings["test_slices"] is not None:
        test = test.evenly(settings["test_slices"])
    trajectory, density = curve_densities.curves(run, settings, splits, folder)
    hardware = trajectories.HARDWARE[settings["hardware"]]
    record = run.record()
    with experiments.time_spent(run, folder) as seconds:
        if run.network == "ncpdnet":
            model = build_model(
                run, settings, test.images.shape[1:], trajectory
            )
            # The images are inputs and targets.
            pairs = (
                (with_phase(splits[name].images, seed),) * 2
                for seed, name in enumerate(("train", "validation"))
            )
            history, finite = experiments.fit_one_round(
                model, run, settings, *pairs, folder
            )
            record = run.record(history, ["loss", "val_loss"])
            if not finite:
                return {**record, "diverged": True, "test": {}}
            chosen = {}
            output = rebuild(
                model,
                with_phase(test.images, 2),
                trajectory,
                settings["batch_size"],
            )
        else:
            chosen = choose(run.network, trajectory, validation, settings)
            output = rebuild_classically(
                classical(run.network, *chosen.values()),
                with_phase(test.images, 2),
                trajectory,
            )
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        test.voxel_size,
        truth=test.images[shown],
        output=output[shown],
        positions=trajectory.positions,
        density=density / density.max(),
    )
    return {
        **record,
        **chosen,
        "seconds": round(seconds(), 1),
        **curve_densities.facts(trajectory, density, hardware),
        "diverged": False,
        "test": evaluation.judge_images(test.images, output, test.volumes),
    }


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("unit_range")


COLUMNS = {
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "method": lambda cell, _: METHOD_TITLES[cell.network],
    "curves": lambda cell, _: TITLES[cell.density],
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "distance": experiments.spread("distance", 3),
    "gradient of the limit": experiments.spread("gradient", 3),
    "slew rate of the limit": experiments.spread("slew", 3),
    "regularization": experiments.spread("regularization", 4),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    return against_rivals(
        cells,
        "density",
        RIVALS,
        lambda cell, other: (
            f"{METHOD_TITLES[cell.network]}: {TITLES[cell.density]} against "
            f"{TITLES[other.density]}"
        ),
    )


def draw(cells, folder):
    """Draw densities with their curves, and the reconstructions."""
    images = experiments.first_images(cells, folder, Run.of)
    figures = {}
    for rate, network in dict.fromkeys(cell[:2] for cell in images):
        shown = {
            TITLES[cell.density]: found
            for cell, found in images.items()
            if cell[:2] == (rate, network)
        }
        where = f"R = {rate:g}"
        figures[f"curves_R{rate:g}"] = (
            draw_curves(shown),
            f"{where}: each density, and the curves that follow it.",
        )
        figures[f"reconstructions_R{rate:g}_{network}"] = (
            experiments.draw_outputs(shown),
            f"{where}, {METHOD_TITLES[network]}: the middle slice of the first "
            "test volume.",
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(claims(cells), volumes_of, by_cell=cells)
    return {
        "title": "Curves that hardware can run, after a learned density",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        **{**found, "figures": found["figures"] | draw(cells, folder)},
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(settings, grid, build_model, do, results, free=GRID)


if __name__ == "__main__":
    sys.exit(main())
