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
quarter of its epochs; VARIANTS in this file has them.

Each finished run leaves a small JSON file, and its mask, in the folder given by
--out. A command that was stopped goes on when it is given again; further
methods, slopes, accelerations and seeds can be added to the same folder, also
on another machine, and no run is repeated. report.html, results.json and the
figures are of all runs that the folder holds.
"""

import dataclasses
import itertools
import json
import pathlib
import sys

import matplotlib.figure
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
    run_folder,
)
from loupe_tf.records import read_json

# What the paper says, and where it is silent what its authors' code does.
PAPER = {
    "data": "fastmri_slices/knee_singlecoil_4s",
    "accelerations": [4.0, 8.0],
    "slopes": [20.0, 200.0, 2000.0, 5000.0, 10000.0, 50000.0],
    "seeds": [0],
    "filters": 64,
    "depth": 5,
    "batch_size": 16,
    "learning_rate": 0.01,
    "epochs": 10000,  # The most of each round; patience ends it.
    "first_slope": 200.0,  # Of 4S. The paper does not tell its own.
    "last_slope": 10000.0,  # Of schedules.
    "patience": 40,
    "factor": 1.5,
    "cooldown": 10,
    "stop_patience": 100,
    "lr_patience": 50,
    "backup": True,  # A killed run goes on from its last epoch.
}
# Of 4S, at the size of the preset `cpu`: what each changes of its settings.
SHORT = {
    "epochs": [30, 20],
    "patience": 1,
    "cooldown": 0,
    "lr_patience": 2,
}
VARIANTS = {
    # All the paper's patience.
    "4s_full": {
        "epochs": [400, 400],
        "patience": 40,
        "cooldown": 10,
        "stop_patience": 100,
        "lr_patience": 50,
    },
    "4s_medium": {
        "epochs": [75, 50],
        "patience": 4,
        "cooldown": 2,
        "stop_patience": 45,
        "lr_patience": 6,
    },
    "4s_long": {
        "epochs": [120, 80],
        "patience": 6,
        "cooldown": 3,
        "stop_patience": 60,
        "lr_patience": 12,
    },
    "4s_short": SHORT,
    # The training loss, a mean over all steps of an epoch, is smoother.
    "4s_train_loss": {**SHORT, "slope_monitor": "loss"},
    "4s_warm": {**SHORT, "first_slope": 100.0},
    "4s_leap": {**SHORT, "factor": 2.25},
    # One round; the learning rate falls by a cosine while 4S raises the slope.
    "4s_annealed": {**SHORT, "epochs": [50, 0], "anneal": True},
    # The patience of the preset: the slope rises as fast, and less far.
    "4s_gentle": {**SHORT, "patience": 2, "cooldown": 1},
    "4s_gentle_annealed": {
        **SHORT,
        "epochs": [50, 0],
        "patience": 2,
        "cooldown": 1,
        "anneal": True,
    },
    # Round two trains the network alone, on the mask that round one has found.
    "4s_frozen": {
        **SHORT,
        "patience": 2,
        "cooldown": 1,
        "freeze_mask": True,
    },
    # The same with time for a small slope to make the mask binary.
    "4s_frozen_medium": {
        "epochs": [80, 45],
        "patience": 10,
        "cooldown": 2,
        "stop_patience": 45,
        "lr_patience": 6,
        "freeze_mask": True,
    },
    # As many epochs, twice the steps.
    "4s_half_batches": {
        **SHORT,
        "patience": 2,
        "cooldown": 1,
        "batch_size": 4,
    },
    "4s_frozen_half_batches": {
        **SHORT,
        "patience": 2,
        "cooldown": 1,
        "batch_size": 4,
        "freeze_mask": True,
    },
}
PRESETS = {
    "paper": PAPER,
    # Patience and epochs are scaled together.
    "cpu": {
        **PAPER,
        "data": "mni_brain/64",
        "seeds": [0, 1, 2],
        "filters": 8,
        "depth": 3,
        "batch_size": 8,
        "epochs": 40,
        "first_slope": 20.0,
        "last_slope": 2000.0,
        "patience": 2,
        "cooldown": 1,
        "stop_patience": 20,
        "lr_patience": 5,
        "backup": False,  # A run is shorter than its backups are worth.
        "variants": VARIANTS,
    },
    "smoke": {
        **PAPER,
        "data": "mni_brain/64",
        "accelerations": [4.0],
        "slopes": [20.0, 2000.0],
        "filters": 4,
        "depth": 2,
        "epochs": 4,
        "patience": 1,
        "cooldown": 0,
        "stop_patience": 6,
        "lr_patience": 2,
        "backup": False,
    },
}
# What may differ between the runs of one folder.
GRID = ("accelerations", "slopes", "seeds", "methods")
# What changes no figure.
PLACES = ("out", "data_dir", "preset", "backup")

ESTIMATORS = ("straight_through", "concrete", "gumbel_topk")
SCHEDULES = ("linear", "geometric", "cosine")
OF_PAPER = ("fixed", "4s")
METHODS = (*OF_PAPER, *SCHEDULES, *ESTIMATORS, *VARIANTS)
BINARIZATIONS = ("relaxed", "sampled", "threshold", "exact")
REALIZATIONS = 1000

CONVENTION = (
    "PSNR = -10 log10(MSE) on images divided by their volume's maximum, "
    "averaged over the slices of a volume, then over the volumes of the test "
    "split; ± is the standard deviation over seeds."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    method: str
    slope: float | None
    protocol: str
    seed: int

    @property
    def label(self):
        return self.method if self.slope is None else f"s = {self.slope:g}"

    @property
    def name(self):
        method = self.method
        if self.slope is not None:
            method = f"slope_{self.slope:g}"
        return (
            f"R{self.acceleration:g}-{method}-{self.protocol}-seed{self.seed}"
        )


def grid(settings):
    """All runs of the settings, the quickest answers first."""
    every = []
    cells = itertools.product(settings["seeds"], settings["accelerations"])
    for seed, acceleration in cells:
        for method in settings["methods"]:
            if method != "fixed":
                every.append(
                    Run(acceleration, method, None, "two_rounds", seed)
                )
                continue
            for slope in settings["slopes"]:
                for protocol in ("one_round", "two_rounds"):
                    every.append(
                        Run(acceleration, method, slope, protocol, seed)
                    )
    return every


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "4s",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, hours; "
        "smoke: all steps in two minutes",
    )
    add = parser.add_argument
    add(
        "--methods",
        nargs="+",
        default=["fixed", "4s"],
        choices=METHODS,
        metavar="METHOD",
        help=f"of {', '.join(METHODS)} (fixed 4s); 4s_... with the preset cpu",
    )
    add("--accelerations", type=float, nargs="+", metavar="R", help="R > 1")
    add("--slopes", type=float, nargs="+", metavar="S", help="fixed slopes")
    for name, text in (
        ("epochs", "the most epochs of each round"),
        ("patience", "of 4S"),
        ("cooldown", "of 4S"),
        ("stop-patience", "epochs without improvement that end a round"),
        ("lr-patience", "of ReduceLROnPlateau"),
        ("filters", "of the U-Net"),
        ("depth", "of the U-Net"),
        ("batch-size", "images in a batch"),
    ):
        add(f"--{name}", type=int, metavar="N", help=text)
    add(
        "--first-slope",
        type=float,
        metavar="S",
        help="where 4S and schedules begin",
    )
    add("--last-slope", type=float, metavar="S", help="where schedules end")
    add("--factor", type=float, metavar="M", help="by which 4S raises s")
    settings = {"variants": {}, **experiments.parse(parser, arguments)}
    for method in settings["methods"]:
        if method in VARIANTS and method not in settings["variants"]:
            parser.error(
                f"--methods: the preset {settings['preset']} has no {method}"
            )
    for slope in settings["slopes"]:
        if not 0 < slope < float("inf"):
            parser.error(f"--slopes: expected S > 0, not {slope:g}")
    return settings


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
    for name in (*GRID, *PLACES, "variants"):
        own.pop(name, None)
    return own


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    estimator = run.method if run.method in ESTIMATORS else "relaxed"
    slope = run.slope
    if slope is None and estimator == "relaxed":
        slope = settings["first_slope"]
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
    compile_model(model, settings)
    return model


def freeze_mask(model, settings):
    """The network of a trained model alone, behind its exact-budget mask."""
    frozen = loupe_tf.models.loupe_model(
        model.input_shape[1:],
        mask=masks.from_model(model),
        reconstructor=model.get_layer("unet"),
        name="frozen",
    )
    compile_model(frozen, settings)
    return frozen


def compile_model(model, settings):
    import keras

    model.compile(
        keras.optimizers.Adam(settings["learning_rate"]),
        loss="mse",
        metrics=[loupe_tf.metrics.PSNR()],
    )


def slope_callback(run, settings):
    """What changes the slope in round one; `False` where it is held."""
    if run.method == "4s" or run.method in VARIANTS:
        return loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            monitor=settings["slope_monitor"],
            patience=settings["patience"],
            factor=settings["factor"],
            cooldown=settings["cooldown"],
        )
    if run.method in SCHEDULES:
        schedule = getattr(loupe_tf.callbacks, run.method)
        return loupe_tf.callbacks.SlopeSchedule(
            schedule(
                settings["first_slope"],
                settings["last_slope"],
                settings["epochs"][0],
            )
        )
    return False


def other_callbacks(settings):
    import keras

    callbacks = [keras.callbacks.TerminateOnNaN()]
    if settings["anneal"]:
        decay = keras.optimizers.schedules.CosineDecay(
            settings["learning_rate"], sum(settings["epochs"])
        )
        callbacks.append(
            keras.callbacks.LearningRateScheduler(lambda e: float(decay(e)))
        )
    return callbacks


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    own = settings_of(run, settings)
    model = build_model(run, own, test.images.shape[1:])
    unfinished = run_folder.RunFolder(folder / "unfinished" / run.name)

    def fit(model, epochs, slope_callback, name):
        return loupe_tf.callbacks.fit_two_rounds(
            model,
            splits["train"].images,
            validation_data=splits["validation"].images,
            epochs=epochs,
            batch_size=own["batch_size"],
            slope_callback=slope_callback,
            stop_patience=own["stop_patience"],
            lr_patience=own["lr_patience"],
            directory=unfinished / name if settings["backup"] else None,
            callbacks=other_callbacks(own),
            seed=run.seed,
            verbose=0,
        ).history

    with unfinished.stopwatch("spent") as seconds:
        first, second = own["epochs"]
        if own.get("freeze_mask"):
            history = fit(model, [first, 0], slope_callback(run, own), "rounds")
            network = freeze_mask(model, own)
            more = fit(network, [0, second], False, "network")
            more["slope"] = history["slope"][-1:] * len(more["loss"])
            history = {key: history[key] + more[key] for key in more}
        else:
            history = fit(
                model, [first, second], slope_callback(run, own), "rounds"
            )
    losses = np.array(history["loss"] + history["val_loss"], "float64")
    finite = [x for x in history["val_loss"] if np.isfinite(x)]
    return {
        **dataclasses.asdict(run),
        "settings": own,
        "diverged": not bool(np.isfinite(losses).all()),
        "epochs": len(history["val_loss"]),
        "seconds": round(seconds(), 1),
        "best_val_psnr": -10 * np.log10(min(finite)) if finite else None,
        "trace": experiments.to_trace(
            history, ("loss", "val_loss", "slope", "learning_rate", "round")
        ),
        **judge(model, run, test, own, folder),
        **provenance.environment(),
    }


def judge(model, run, test, settings, folder):
    """What the trained model is worth, with each kind of mask."""
    import keras

    probability = masks.probability_from_model(model)
    sampler = model.get_layer("sampled_mask")
    slope = float(keras.ops.convert_to_numpy(sampler.slope))
    result = {"slope_found": slope, "binarizations": {}}
    if not np.isfinite(probability).all():
        return result
    for kind in BINARIZATIONS:
        other = loupe_tf.models.with_binarization(model, kind)
        output, drawn = keras.Model(
            other.inputs,
            [other.output, other.get_layer("sampled_mask").output],
        ).predict(test.images, settings["batch_size"], verbose=0)
        if not np.isfinite(output).all():
            continue
        share = float(drawn.mean())
        result["binarizations"][kind] = {
            "achieved_acceleration": 1 / share if share else None,
            "volumes": evaluation.per_volume(test.images, output, test.volumes),
        }
    near = (probability < 0.05) | (probability > 0.95)
    result["near_binary"] = float(near.mean())
    average = average_realization(sampler, probability)
    counts, _ = np.histogram(average, bins=50, range=(0, 1))
    result["histogram"] = counts.tolist()
    experiments.save_images(
        folder, run.name, probability=probability, average=average
    )
    return result


def average_realization(sampler, probability, batch=50):
    """Mean of 1,000 masks as training draws them: figure 2 of the paper."""
    import keras

    prob = probability[None, :, :, None].astype("float32")
    reference = np.zeros((batch, 1, 1, 1), "float32")
    total = 0.0
    for _ in range(REALIZATIONS // batch):
        drawn = sampler([prob, reference], training=True)
        total += keras.ops.convert_to_numpy(drawn).sum(axis=0)[..., 0]
    return np.clip(total / REALIZATIONS, 0, 1)


def psnr(record, kind="exact"):
    """Mean over the test volumes, NaN where the run has diverged."""
    if kind not in record["binarizations"]:
        return float("nan")
    volumes = record["binarizations"][kind]["volumes"]
    return evaluation.mean_and_deviation(volumes, "psnr")[0]


def by_cell(records):
    return evaluation.by_cell(
        records,
        key=lambda r: (
            r["acceleration"],
            r["method"],
            r["protocol"],
            run_of(r).label,
        ),
        order=lambda r: (
            r["acceleration"],
            METHODS.index(r["method"]),
            r["protocol"],
            r["slope"] or 0,
        ),
    )


HEADER = [
    "R",
    "method",
    "protocol",
    "slope",
    *(f"{kind} [dB]" for kind in BINARIZATIONS),
    "R threshold",
    "R exact",
    "near-binary",
    "epochs",
    "seconds",
    "seeds",
    "diverged",
]


def table_rows(cells):
    rows = []
    for (acceleration, _, protocol, label), records in cells.items():
        achieved = {
            kind: [
                r["binarizations"].get(kind, {}).get("achieved_acceleration")
                for r in records
            ]
            for kind in ("threshold", "exact")
        }
        slopes = [r["slope_found"] for r in records]
        rows.append(
            [
                f"{acceleration:g}",
                label,
                protocol.replace("_", " "),
                "/".join(f"{s:.4g}" for s in dict.fromkeys(slopes)),
                *(
                    report.spread([psnr(r, kind) for r in records])
                    for kind in BINARIZATIONS
                ),
                report.spread(achieved["threshold"]),
                report.spread(achieved["exact"], 3),
                report.spread([r.get("near_binary") for r in records], 3),
                report.spread([r["epochs"] for r in records], 0),
                report.spread([r["seconds"] for r in records], 0),
                str(len(records)),
                str(sum(r["diverged"] for r in records)),
            ]
        )
    return rows


def verdicts(cells):
    """A sentence on each comparison of 4S with the best fixed slope."""
    sentences = []
    accelerations = dict.fromkeys(key[0] for key in cells)
    for acceleration, protocol in itertools.product(
        accelerations, ("one_round", "two_rounds")
    ):
        found = cells.get((acceleration, "4s", "two_rounds", "4s"))
        fixed = {
            key: records
            for key, records in cells.items()
            if key[:3] == (acceleration, "fixed", protocol)
            and any(r["best_val_psnr"] is not None for r in records)
        }
        if not found or not fixed:
            continue
        # The best on the validation volumes: the test volumes choose nothing.
        best = max(
            fixed,
            key=lambda key: np.mean(
                [r["best_val_psnr"] or -np.inf for r in fixed[key]]
            ),
        )
        differences = paired(found, fixed[best])
        if not len(differences):
            continue
        sentences.append(
            f"R = {acceleration:g}, {protocol.replace('_', ' ')}: 4S against "
            f"the fixed slope that is best on validation ({best[-1]}), "
            "exact-budget masks: "
            + evaluation.in_words(differences)
            + " Volumes of one patient and seeds on one volume are not "
            "independent, so take it as a hint."
        )
    return sentences


def shorter(cells):
    """A sentence on each variant of 4S that takes fewer epochs."""
    sentences = []
    for key, records in cells.items():
        full = cells.get((key[0], "4s_full", "two_rounds", "4s_full"))
        if key[1] not in ("4s", *VARIANTS) or key[1] == "4s_full" or not full:
            continue
        differences = paired(records, full)
        if not len(differences):
            continue
        share = np.mean([r["epochs"] for r in records]) / np.mean(
            [r["epochs"] for r in full]
        )
        sentences.append(
            f"R = {key[0]:g}: {key[1]} against 4s_full, in {share:.2f} of its "
            "epochs: " + evaluation.in_words(differences)
        )
    return sentences


def paired(records, others):
    """Differences of PSNR for the same seed and the same test volume."""
    return evaluation.paired(records, others, volumes_of)


def volumes_of(record):
    return record["binarizations"].get("exact", {}).get("volumes")


def draw_psnr(cells):
    """Figure 3: PSNR against the slope, 4S at the slope that it found."""
    accelerations = list(dict.fromkeys(key[0] for key in cells))
    figure = matplotlib.figure.Figure(
        figsize=(4.8 * len(accelerations), 4.0), layout="constrained"
    )
    axes = figure.subplots(1, len(accelerations), squeeze=False)[0]
    for ax, acceleration in zip(axes, accelerations):
        for protocol, marker in (("one_round", "o"), ("two_rounds", "s")):
            points = [
                (records[0]["slope"], finite(records))
                for key, records in cells.items()
                if key[:3] == (acceleration, "fixed", protocol)
                and len(finite(records))
            ]
            if points:
                slopes, values = zip(*sorted(points, key=lambda p: p[0]))
                ax.errorbar(
                    slopes,
                    [v.mean() for v in values],
                    [v.std() for v in values],
                    marker=marker,
                    capsize=3,
                    label=f"fixed, {protocol.replace('_', ' ')}",
                )
        found = cells.get((acceleration, "4s", "two_rounds", "4s"), [])
        values = finite(found)
        if len(values):
            slopes = [r["slope_found"] for r in found]
            mean = np.mean(slopes)
            ax.errorbar(
                mean,
                values.mean(),
                values.std(),
                [[mean - min(slopes)], [max(slopes) - mean]],
                marker="*",
                markersize=12,
                linestyle="none",
                capsize=3,
                label="4s, two rounds",
            )
        ax.set_xscale("log")
        ax.set_title(f"R = {acceleration:g}")
        ax.set_xlabel("slope s")
        ax.set_ylabel("PSNR [dB], exact-budget mask")
        ax.grid(alpha=0.3)
        ax.legend(frameon=False, fontsize=8)
    return figure


def draw_methods(cells):
    """PSNR of everything that was trained in two rounds, a row each."""
    cells = {k: v for k, v in cells.items() if k[2] == "two_rounds"}
    accelerations = list(dict.fromkeys(key[0] for key in cells))
    labels = list(dict.fromkeys(key[-1] for key in cells))
    figure = matplotlib.figure.Figure(
        figsize=(4.8 * len(accelerations), 1.2 + 0.3 * len(labels)),
        layout="constrained",
    )
    axes = figure.subplots(1, len(accelerations), squeeze=False, sharey=True)[0]
    for ax, acceleration in zip(axes, accelerations):
        for key, records in cells.items():
            values = finite(records)
            if key[0] != acceleration or not len(values):
                continue
            row = labels.index(key[-1])
            color = "tab:red" if key[1] == "4s" else "tab:blue"
            ax.errorbar(
                values.mean(),
                row,
                xerr=values.std(),
                marker="o",
                capsize=3,
                color=color,
            )
        ax.set_yticks(range(len(labels)), labels)
        ax.set_title(f"R = {acceleration:g}")
        ax.set_xlabel("PSNR [dB], exact-budget mask")
        ax.grid(alpha=0.3)
    axes[0].invert_yaxis()
    return figure


def finite(records):
    """PSNR of those runs that have not diverged."""
    values = np.array([psnr(record) for record in records])
    return values[np.isfinite(values)]


def first_seed(cells, folder, of_paper):
    """Record of the first seed of each cell of two rounds that has a mask."""
    return {
        key: records[0]
        for key, records in cells.items()
        if key[2] == "two_rounds"
        and load_mask(records[0], folder)
        and (key[1] in OF_PAPER) == of_paper
    }


def draw_masks(shown, folder):
    """Figure 4: probability masks, side by side, a row for each R."""
    labels = list(dict.fromkeys(key[-1] for key in shown))
    gallery = {}
    for acceleration in dict.fromkeys(key[0] for key in shown):
        gallery |= {f"R = {acceleration:g}, {label}": None for label in labels}
    for key, record in shown.items():
        probability = load_mask(record, folder)["probability"]
        gallery[f"R = {key[0]:g}, {key[-1]}"] = probability
    return plots.masks(gallery, columns=min(len(labels), 8))


def run_of(record):
    return Run(**{f.name: record[f.name] for f in dataclasses.fields(Run)})


def load_mask(record, folder):
    """`probability` and `average` of a run, or an empty dict."""
    return experiments.load_images(folder, run_of(record).name)


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(records)
    rows = table_rows(cells)
    sentences = verdicts(cells) + shorter(cells)
    paper, others = (first_seed(cells, folder, of) for of in (True, False))
    figures = {}
    if any(key[1] in OF_PAPER for key in cells):
        figures["psnr_against_slope"] = (
            draw_psnr(cells),
            "Figure 3 of the paper. PSNR on the test volumes against the "
            "slope; error bars over seeds, and over the slopes found.",
        )
    if paper:
        figures["probability_masks"] = (
            draw_masks(paper, folder),
            "Figure 4 of the paper. Probability masks, two rounds, first "
            "seed. DC is in the centre.",
        )
    if any(key[1] not in OF_PAPER for key in cells):
        figures["methods"] = (
            draw_methods(cells),
            "PSNR of all that was trained in two rounds; error bars over "
            "seeds.",
        )
    if others:
        figures["probability_masks_of_others"] = (
            draw_masks(others, folder),
            "Probability masks of the other methods, first seed.",
        )
    for acceleration in dict.fromkeys(key[0] for key in cells):
        histograms = {
            key[-1]: load_mask(record, folder)["average"]
            for key, record in paper.items()
            if key[0] == acceleration
        }
        if histograms:
            figures[f"histograms_R{acceleration:g}"] = (
                plots.probability_histogram(histograms),
                f"Figure 2 of the paper, R = {acceleration:g}: the average of "
                f"{REALIZATIONS} realizations of the mask, two rounds, first "
                "seed.",
            )
        found = cells.get((acceleration, "4s", "two_rounds", "4s"))
        if found:
            figures[f"trace_R{acceleration:g}"] = (
                plots.training_curves(found[0]["trace"]),
                f"4S at R = {acceleration:g}, first seed: loss, slope and "
                "learning rate.",
            )
    experiments.publish(
        folder,
        "4S and fixed slopes",
        facts,
        CONVENTION,
        (HEADER, rows),
        figures,
        sentences,
        records,
    )


def check_finished(todo, settings, folder):
    """Refuse to count a run of other settings as one of these."""
    for run in todo:
        path = folder / "runs" / f"{run.name}.json"
        if not path.exists():
            continue
        own = json.loads(json.dumps(settings_of(run, settings)))
        found = read_json(path, "Delete it to do that run again")
        found = found.get("settings", own)
        if found != own:
            differing = [k for k in own if found.get(k) != own[k]]
            raise ValueError(
                f"Invalid value for argument --out. Expected {path} to be of "
                f"{ {k: own[k] for k in differing} }. Received: one of "
                f"{ {k: found.get(k) for k in differing} }"
            )


def reproduce(settings):
    todo = grid(settings)
    check_finished(todo, settings, pathlib.Path(settings["out"]))
    folder, facts, records = experiments.conduct(
        settings,
        todo,
        build=lambda run, settings, shape: build_model(
            run, settings_of(run, settings), shape
        ),
        train=train,
        kind=lambda run: (run.acceleration, run.method),
        free=(*GRID, *PLACES, "variants"),
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
