"""Reproduce the 4S paper: does the slope of a learned mask need tuning?

LOUPE learns a k-space mask through a sigmoid, whose slope s decides how nearly
binary the masks are that it trains with. The paper (Martinini et al., "Training
Binary Layers by Self-Shrinking of Sigmoid Slope", BioCAS 2022) claims that its
callback 4S, which raises s whenever the loss stops falling, needs no tuning,
and is at least as good as the best fixed s. This script trains the grid behind
that claim and draws the paper's figures 2, 3 and 4 of it.

    python scripts/reproduce_4s.py --preset smoke
    python scripts/reproduce_4s.py --preset cpu --data mni_brain/64
    python scripts/reproduce_4s.py --preset cpu --accelerations 8 --seeds 3 4 \\
        --methods fixed 4s geometric straight_through

The paper trains fixed slopes in one round and 4S in two, which mixes the slope
with the restart of the learning rate. So each fixed slope is trained in both
protocols here: `one_round`, the paper's, and `two_rounds`, with the slope held.
Both may take as many epochs.

--methods adds what else could do the job: slope schedules (linear, geometric,
cosine) and other estimators (straight_through, concrete, gumbel_topk), in the
two rounds that 4S has. The preset cpu knows variants of 4S as well: 4s_full,
with the paper's patience of 40, and others that try to be as good in at most a
quarter of its epochs; experiments/slope_methods.py has them.

Each finished run leaves a small JSON file, and its mask, in the folder given by
--out. A command that was stopped goes on when it is given again; further
methods, slopes, accelerations and seeds can be added to the same folder, also
on another machine, and no run is repeated. report.html, results.json and the
figures are of all runs that the folder holds.
"""

import dataclasses
import itertools
import sys

import numpy as np

import experiments
import loupe_tf
from experiments.binarizations import (
    BINARIZATIONS,
    average_realization,
    judge_binarizations,
)
from experiments.slope_figures import (
    draw_against_slope,
    draw_methods,
    draw_probabilities,
    label,
    rates_of,
)
from experiments.slope_methods import (
    ESTIMATORS,
    METHODS,
    OF_PAPER,
    VARIANTS,
    fit_by_method,
)
from loupe_tf import command_line, masks, plots

# What the paper says, and where it is silent what its authors' code does. The
# preset cpu scales patience and epochs together.
PRESETS = experiments.side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil_4s", "mni_brain/64", "mni_brain/64"),
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    slopes=(
        [20.0, 200.0, 2000.0, 5000.0, 10000.0, 50000.0],
        [20.0, 200.0, 2000.0, 5000.0, 10000.0, 50000.0],
        [20.0, 2000.0],
    ),
    seeds=([0], [0, 1, 2], [0]),
    filters=(64, 8, 4),
    depth=(5, 3, 2),
    batch_size=(16, 8, 16),
    learning_rate=0.01,
    epochs=(10000, 40, 4),  # The most of each round; patience ends it.
    first_slope=(200.0, 20.0, 200.0),  # Of 4S. The paper does not tell its own.
    last_slope=(10000.0, 2000.0, 10000.0),  # Of schedules.
    patience=(40, 2, 1),
    factor=1.5,
    cooldown=(10, 1, 0),
    stop_patience=(100, 20, 6),
    lr_patience=(50, 5, 2),
    # A killed run goes on from its last epoch, where that is worth it.
    backup=(True, False, False),
    variants=({}, VARIANTS, {}),
)
# What may differ between the runs of one folder.
GRID = ("accelerations", "slopes", "seeds", "methods")

PROTOCOLS = ("one_round", "two_rounds")
FOUR_S = ("4s", "two_rounds", None)  # A cell, behind its R.
REALIZATIONS = 1000
CONVENTION = (
    "PSNR = -10 log10(MSE) on images divided by their volume's maximum, "
    "averaged over the slices of a volume, then over the volumes of the test "
    "split; ± is the standard deviation over seeds."
)
HINT = (
    "Volumes of one patient and seeds on one volume are not independent, so "
    "take it as a hint."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    method: str
    protocol: str
    slope: float | None
    seed: int

    order = {"method": METHODS}

    @property
    def name(self):
        method = self.method
        if self.slope is not None:
            method = f"slope_{self.slope:g}"
        return (
            f"R{self.acceleration:g}-{method}-{self.protocol}-seed{self.seed}"
        )


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "4s",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, hours; "
        "smoke: all steps in two minutes",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(OF_PAPER),
        choices=METHODS,
        metavar="METHOD",
        help=f"of {', '.join(METHODS)} (fixed 4s); 4s_... with the preset cpu",
    )
    experiments.add_options(
        parser,
        *("accelerations", "slopes", "first_slope", "last_slope", "factor"),
        *("epochs", "patience", "cooldown", "stop_patience", "lr_patience"),
        *("filters", "depth", "batch_size"),
    )
    settings = experiments.parse(parser, arguments)
    for method in settings["methods"]:
        if method in VARIANTS and method not in settings["variants"]:
            parser.error(
                f"--methods: the preset {settings['preset']} has no {method}"
            )
    return settings


def grid(settings):
    """All runs of the settings, the quickest answers first."""
    every = []
    for seed, acceleration, method in itertools.product(
        settings["seeds"], settings["accelerations"], settings["methods"]
    ):
        cells = [("two_rounds", None)]
        if method == "fixed":
            slopes = settings["slopes"]
            cells = [(rounds, s) for s in slopes for rounds in PROTOCOLS]
        every += [Run(acceleration, method, *cell, seed) for cell in cells]
    return every


def settings_of(run, settings):
    """What one run is trained with: those of its variant win."""
    variant = settings["variants"].get(run.method, {})
    own = {**settings, "slope_monitor": "val_loss", "anneal": False, **variant}
    if not isinstance(own["epochs"], list):
        own["epochs"] = [own["epochs"]] * 2
    if run.protocol == "one_round":
        # That of ReduceLROnPlateau, the only one that the paper gives to
        # fixed slopes. As many epochs as both have.
        own["epochs"] = [0, sum(own["epochs"])]
    for name in (*GRID, *experiments.PLACES, "variants"):
        own.pop(name, None)
    return own


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    estimator = run.method if run.method in ESTIMATORS else "relaxed"
    slope = run.slope
    if slope is None and estimator == "relaxed":
        slope = settings_of(run, settings)["first_slope"]
    model = loupe_tf.models.loupe_model(
        image_shape,
        acceleration=run.acceleration,
        calibration=None,  # The paper has none.
        estimator=estimator,
        slope=slope,
        filters=settings["filters"],
        depth=settings["depth"],
        # Start from the zero-filled image, so that the mask sees sound
        # gradients from the first step.
        output_initializer="zeros",
        normalization=lambda name: keras.layers.BatchNormalization(
            momentum=0.9, name=name
        ),
        seed=run.seed,
        name=run.method,
    )
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    own = settings_of(run, settings)
    model = build_model(run, settings, test.images.shape[1:])
    with experiments.time_spent(run, folder) as seconds:
        history = fit_by_method(
            model, run, {**own, "backup": settings["backup"]}, splits, folder
        )
    losses = history["loss"] + history["val_loss"]
    finite = [x for x in history["val_loss"] if np.isfinite(x)]
    keys = ("loss", "val_loss", "slope", "learning_rate", "round")
    return {
        **run.record(history, keys),
        "settings": own,
        "diverged": not np.isfinite(losses).all(),
        "seconds": round(seconds(), 1),
        "best_val_psnr": -10 * np.log10(min(finite)) if finite else None,
        **judge(model, run, test, own["batch_size"], folder),
    }


def judge(model, run, test, batch_size, folder):
    """What the trained model is worth, with each kind of mask."""
    import keras

    slope = model.get_layer("sampled_mask").slope
    result = {"slope_found": float(keras.ops.convert_to_numpy(slope))}
    probability = masks.probability_from_model(model)
    if not np.isfinite(probability).all():
        return {**result, "binarizations": {}}
    result["binarizations"] = judge_binarizations(model, test, batch_size)
    average = average_realization(model, REALIZATIONS)
    experiments.save_images(
        folder, run.name, probability=probability, average=average
    )
    near_binary = (probability < 0.05) | (probability > 0.95)
    histogram, _ = np.histogram(average, bins=50, range=(0, 1))
    return {
        **result,
        "near_binary": float(near_binary.mean()),
        "histogram": histogram.tolist(),
    }


def binarized(kind, key):
    """Callable: what a record says of masks of one kind, if it is there."""
    return lambda record: record["binarizations"].get(kind, {}).get(key)


volumes_of = binarized("exact", "volumes")
COLUMNS = {
    "R": lambda cell, _: f"{cell[0]:g}",
    "method": lambda cell, _: label(cell),
    "protocol": lambda cell, _: cell[2].replace("_", " "),
    "slope": lambda _, records: "/".join(
        f"{s:.4g}" for s in dict.fromkeys(r["slope_found"] for r in records)
    ),
    **{
        f"{kind} [dB]": experiments.metric(binarized(kind, "volumes"))
        for kind in BINARIZATIONS
    },
    "R threshold": experiments.spread(
        binarized("threshold", "achieved_acceleration")
    ),
    "R exact": experiments.spread(
        binarized("exact", "achieved_acceleration"), 3
    ),
    "near-binary": experiments.spread("near_binary", 3),
    "epochs": experiments.spread("epochs", 0),
    "seconds": experiments.spread("seconds", 0),
    "seeds": experiments.count,
    "diverged": experiments.count_diverged,
}


def verdicts(cells):
    """4S beside the best fixed slope, and its variants beside 4s_full."""
    sentences = []
    for rate, protocol in itertools.product(rates_of(cells), PROTOCOLS):
        fixed = {
            cell: np.mean([r["best_val_psnr"] or -np.inf for r in records])
            for cell, records in cells.items()
            if cell[:3] == (rate, "fixed", protocol)
        }
        if fixed:
            # The best on the validation volumes: the test volumes choose none.
            best = max(fixed, key=fixed.get)
            found = experiments.compare(
                f"R = {rate:g}, {protocol.replace('_', ' ')}: 4S against the "
                f"fixed slope that is best on validation ({label(best)}), "
                "exact-budget masks:",
                cells.get((rate, *FOUR_S), []),
                cells[best],
                volumes_of,
            )
            sentences += [f"{sentence} {HINT}" for sentence in found]
    for (rate, method, *_), records in cells.items():
        full = cells.get((rate, "4s_full", "two_rounds", None))
        if full and method in ("4s", *VARIANTS) and method != "4s_full":
            epochs, most = (
                np.mean([r["epochs"] for r in each]) for each in (records, full)
            )
            sentences += experiments.compare(
                f"R = {rate:g}: {method} against 4s_full, in "
                f"{epochs / most:.2f} of its epochs:",
                records,
                full,
                volumes_of,
            )
    return sentences


def draw(cells, folder):
    """All figures with their captions, by name."""
    two_rounds = {k: x for k, x in cells.items() if k[2] == "two_rounds"}
    images = experiments.first_images(two_rounds, folder, Run.of)
    paper = {k: x for k, x in images.items() if k[1] in OF_PAPER}
    others = {k: x for k, x in images.items() if k[1] not in OF_PAPER}
    figures = {}
    if any(method in OF_PAPER for _, method, *_ in cells):
        figures["psnr_against_slope"] = (
            draw_against_slope(cells, volumes_of),
            "Figure 3 of the paper. PSNR on the test volumes against the "
            "slope; error bars over seeds, and over the slopes found.",
        )
    if paper:
        figures["probability_masks"] = (
            draw_probabilities(paper),
            "Figure 4 of the paper. Probability masks, two rounds, first "
            "seed. DC is in the centre.",
        )
    if any(method not in OF_PAPER for _, method, *_ in cells):
        figures["methods"] = (
            draw_methods(two_rounds, volumes_of),
            "PSNR of all that was trained in two rounds; error bars over "
            "seeds.",
        )
    if others:
        figures["probability_masks_of_others"] = (
            draw_probabilities(others),
            "Probability masks of the other methods, first seed.",
        )
    for rate in rates_of(cells):
        averages = {
            label(k): x["average"] for k, x in paper.items() if k[0] == rate
        }
        if averages:
            figures[f"histograms_R{rate:g}"] = (
                plots.probability_histogram(averages),
                f"Figure 2 of the paper, R = {rate:g}: the average of "
                f"{REALIZATIONS} realizations of the mask, two rounds, first "
                "seed.",
            )
        four_s = cells.get((rate, *FOUR_S))
        if four_s:
            figures[f"trace_R{rate:g}"] = (
                plots.training_curves(four_s[0]["trace"]),
                f"4S at R = {rate:g}, first seed: loss, slope and learning "
                "rate.",
            )
    return figures


def reproduce(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=build_model,
        train=train,
        kind=lambda run: (run.acceleration, run.method),
        free=(*GRID, "variants"),
        own=settings_of,
    )
    cells = Run.cells(records)
    experiments.publish(
        folder,
        "4S and fixed slopes",
        facts,
        CONVENTION,
        experiments.table(cells, COLUMNS),
        draw(cells, folder),
        verdicts(cells),
        records,
    )


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
