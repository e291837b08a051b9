"""Reproduce the 4S paper: does the slope of a learned mask need tuning?

LOUPE learns a k-space mask through a sigmoid. The slope s of the sigmoid
determines how close to binary the masks in training are. The paper (Martinini
et al., "Training Binary Layers by Self-Shrinking of Sigmoid Slope", BioCAS
2022) claims that its callback 4S, which raises s whenever the loss stops
falling, needs no tuning and is at least as good as the best fixed s. This
script trains the grid behind that claim and draws the paper's figures 2, 3 and
4 from it.

    python scripts/reproduce_4s.py --preset smoke
    python scripts/reproduce_4s.py --preset cpu --data mni_brain/64
    python scripts/reproduce_4s.py --preset cpu --accelerations 8 --seeds 3 4 \\
        --methods fixed 4s geometric straight_through
    KERAS_BACKEND=jax python scripts/reproduce_4s.py --preset paper320 \\
        --data knees.npz

The paper trains fixed slopes in one round and 4S in two. This confounds the
effect of the slope with that of restarting the learning rate. So this script
trains each fixed slope in both protocols: `one_round`, as in the paper, and
`two_rounds`, with a constant slope. Both have the same maximum of epochs.

--methods adds alternatives: slope schedules (linear, geometric, cosine) and
other estimators (straight_through, concrete, gumbel_topk), in the two rounds of
4S. The preset cpu also has variants of 4S: 4s_full, with the paper's patience
of 40, and others that try to match it in at most a quarter of its epochs;
experiments/presets/four_s.py lists them.

Each finished run writes a small JSON file and its mask to the folder given by
--out. Repeat a stopped command to resume it. You can add further methods,
slopes, accelerations and seeds to the same folder, even on another machine; no
run is repeated. report.html, results.json and the figures cover all runs in the
folder.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
from experiments import binarizations, slope_claims, slope_figures, slope_tables
from experiments.presets.four_s import (
    ESTIMATORS,
    GRID,
    METHODS,
    REGIONS,
    parse,
    settings_of,
)
from experiments.slope_figures import label
from experiments.slope_methods import fit_by_method

CONVENTION = (
    "PSNR = -10 log10(MSE) on images divided by their volume's maximum, "
    "averaged over the slices of a volume, then over the volumes of the test "
    "split; ± is the standard deviation over seeds."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    method: str
    protocol: str
    slope: float | None
    seed: int
    region: str = "none"

    order = {"method": METHODS, "region": REGIONS}

    @property
    def stem(self):
        method = self.method
        if self.slope is not None:
            method = f"slope_{self.slope:g}"
        region = "" if self.region == "none" else f"-region_{self.region}"
        return (
            f"R{self.acceleration:g}-{method}-{self.protocol}{region}"
            f"-seed{self.seed}"
        )


def grid(settings):
    """All runs of the settings, ordered to give results early."""
    every = []
    for seed, region, acceleration, method in itertools.product(
        *(settings[key] for key in ("seeds", "regions")),
        *(settings[key] for key in ("accelerations", "methods")),
    ):
        cells = [("two_rounds", None)]
        if method == "fixed":
            slopes, protocols = settings["slopes"], settings["protocols"]
            cells = [(rounds, s) for s in slopes for rounds in protocols]
        every += [
            Run(acceleration, method, *cell, seed, region) for cell in cells
        ]
    return every


def build_model(run, settings, image_shape):
    import keras

    # Layers of masks and Fourier transforms stay float32.
    keras.config.set_dtype_policy(settings["precision"] or "float32")
    estimator = run.method if run.method in ESTIMATORS else "relaxed"
    slope = run.slope
    if slope is None and estimator == "relaxed":
        slope = settings_of(run, settings)["first_slope"]
    return experiments.build_unet(
        settings,
        image_shape,
        run.seed,
        acceleration=run.acceleration,
        calibration=None if run.region == "none" else run.region,
        estimator=estimator,
        slope=slope,
        prob_slope=settings_of(run, settings).get("prob_slope", 5.0),
        name=run.method,
    )


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    own = settings_of(run, settings)
    model = build_model(run, settings, test.images.shape[1:])
    with experiments.time_spent(run, folder) as seconds:
        history = fit_by_method(
            model, run, {**own, "backup": settings["backup"]}, splits, folder
        )
    found, images = binarizations.judge(model, test, settings["batch_size"])
    if images:
        experiments.save_images(folder, run.name, **images)
    losses = history["loss"] + history["val_loss"]
    finite = [x for x in history["val_loss"] if np.isfinite(x)]
    keys = ("loss", "val_loss", "slope", "learning_rate", "round")
    return {
        **run.record(history, keys),
        "settings": own,
        "diverged": not np.isfinite(losses).all(),
        "seconds": round(seconds(), 1),
        "best_val_psnr": -10 * np.log10(min(finite)) if finite else None,
        **found,
    }


def binarized(kind, key):
    """Callable that returns a value for one kind of mask from a record."""
    return lambda record: record["binarizations"].get(kind, {}).get(key)


volumes_of = binarized("exact", "volumes")
COLUMNS = {
    "R": lambda cell, _: f"{cell.acceleration:g}",
    "region": lambda cell, _: cell.region,
    "method": lambda cell, _: label(cell),
    "protocol": lambda cell, _: cell.protocol.replace("_", " "),
    "slope": lambda _, records: "/".join(
        f"{s:.4g}" for s in dict.fromkeys(r["slope_found"] for r in records)
    ),
    **{
        f"{kind} [dB]": experiments.metric(binarized(kind, "volumes"))
        for kind in binarizations.BINARIZATIONS
    },
    "R threshold": experiments.spread(
        binarized("threshold", "achieved_acceleration")
    ),
    "R exact": experiments.spread(
        binarized("exact", "achieved_acceleration"), 3
    ),
    "near-binary": experiments.spread("near_binary", 3),
    **experiments.TRAINING_COLUMNS,
}


def draw(cells, folder):
    """All figures with their captions, by name."""
    two_rounds = {k: x for k, x in cells.items() if k.protocol == "two_rounds"}
    images = experiments.first_images(two_rounds, folder, Run.of)
    others = slope_figures.draw_probabilities(images, of_paper=False)
    figures = {
        "psnr_against_slope": slope_figures.draw_against_slope(
            cells, volumes_of
        ),
        "probability_masks": slope_figures.draw_probabilities(images),
        "methods": slope_figures.draw_methods(cells, volumes_of),
        "probability_masks_of_others": others,
    }
    for rate in experiments.rates_of(cells):
        figures |= {
            f"histograms_R{rate:g}": slope_figures.draw_histograms(
                images, rate
            ),
            f"trace_R{rate:g}": slope_figures.draw_trace(cells, rate),
        }
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    found = experiments.findings(
        (*slope_claims.claims_of_slopes(cells), *slope_claims.claims(cells)),
        volumes_of,
        caption=slope_claims.CAPTION,
    )
    others = experiments.findings(
        slope_claims.claims_of_others(cells),
        volumes_of,
        figure="gains_of_others",
        caption=slope_claims.CAPTION_OF_OTHERS,
    )
    return {
        "title": "4S and fixed slopes",
        "convention": CONVENTION,
        "table": experiments.table(cells, COLUMNS),
        "tables": {
            **found["tables"],
            **others["tables"],
            **slope_tables.table_of_methods(cells, volumes_of),
            **slope_tables.table_of_masks(
                cells, lambda kind: binarized(kind, "volumes")
            ),
            **slope_tables.tables_of_recipes(cells, volumes_of),
        },
        "figures": {
            **found["figures"],
            **others["figures"],
            **draw(cells, folder),
        },
        "sentences": [*found["sentences"], *others["sentences"]],
    }


def main(arguments=None):
    return experiments.main(
        parse(__doc__, arguments),
        grid,
        build_model,
        train,
        results,
        kind=lambda run: (run.acceleration, run.method),
        free=(*GRID, "variants"),
        own=settings_of,
    )


if __name__ == "__main__":
    sys.exit(main())
