"""Learned against unlearned masks at several drop rates.

A student report (Zalman and Zohar, "MRI compressed sensing", Technion, 2025)
trains an encoder and decoder on undersampled k-space, of which 20, 40 or 60 %
is dropped, once with a random mask and once with a mask that is learned beside
the network, and finds the learned mask better, the more so the more is dropped.
This script makes its table and figures anew, and tries the losses that the
report wishes for: structural similarity, and a mix of it with L1.

    python scripts/reproduce_drop_rates.py --preset smoke
    python scripts/reproduce_drop_rates.py --preset cpu --data my_volumes/
    python scripts/reproduce_drop_rates.py --preset cpu --losses ssim l1_ssim

A drop rate d is an acceleration of 1 / (1 - d). Both masks have exactly that
budget, and both models the same network, data, losses and two rounds of
training; the learned mask has 4S in the first of them. The unlearned mask is
drawn anew for each seed.

Each finished run leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and further drop rates,
losses and seeds can be added to the same folder. report.html, results.json and
the figures are of all runs that the folder holds.
"""

import dataclasses
import itertools
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
)

# What the report says. It is silent on sizes, epochs and batches.
PAPER = {
    "data": "fastmri_slices/knee_singlecoil",
    "drop_rates": [0.2, 0.4, 0.6],
    "losses": ["mse"],
    "seeds": [0, 1, 2],
    "filters": 32,
    "depth": 7,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "epochs": 100,
    "slope": 20.0,
    "patience": 5,
    "cooldown": 2,
    "stop_patience": 30,
    "lr_patience": 10,
}
PRESETS = {
    "paper": PAPER,
    "cpu": {
        **PAPER,
        "data": "mni_brain/64",
        "filters": 8,
        "depth": 4,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "epochs": 30,
        "patience": 2,
        "cooldown": 1,
        "stop_patience": 15,
        "lr_patience": 5,
    },
    "smoke": {
        **PAPER,
        "data": "mni_brain/64",
        "drop_rates": [0.4, 0.6],
        "seeds": [0],
        "filters": 4,
        "depth": 2,
        "learning_rate": 1e-2,
        "epochs": 3,
        "patience": 1,
        "cooldown": 0,
        "stop_patience": 3,
        "lr_patience": 1,
    },
}
# What may differ between the runs of one folder, and what changes no figure.
GRID = ("drop_rates", "losses", "seeds")
PLACES = ("out", "data_dir", "preset")

# Names in `loupe_tf.losses`, or one of Keras.
LOSSES = {"mse": "mse", "ssim": "SSIM", "l1_ssim": "L1SSIM"}
MASKS = ("unlearned", "learned")
# The table of the report, test PSNR in dB.
REPORTED = {
    (0.2, "unlearned"): 28.56,
    (0.2, "learned"): 28.71,
    (0.4, "unlearned"): 26.32,
    (0.4, "learned"): 26.68,
    (0.6, "unlearned"): 23.22,
    (0.6, "learned"): 25.13,
}

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, images divided by their volume's "
    "maximum. Mean over the slices, then over seeds ± their standard "
    'deviation; "slices" is the standard deviation over the slices of a '
    "split, mean over seeds. SSIM with data range 1. Exact-budget masks. "
    "The report's figures are of other data, and not to be compared with ours."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a cell of the grid, and a seed."""

    drop_rate: float
    mask: str
    loss: str
    seed: int

    @property
    def name(self):
        return f"d{self.drop_rate:g}-{self.mask}-{self.loss}-seed{self.seed}"


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "drop_rates",
        PRESETS,
        "paper: the network of the report, a GPU for a day; cpu: small "
        "images, hours; smoke: two minutes",
    )
    add = parser.add_argument
    add("--drop-rates", type=float, nargs="+", metavar="D", help="0 < D < 1")
    add("--losses", nargs="+", choices=list(LOSSES), help="(mse)")
    add("--epochs", type=int, metavar="N", help="the most of each round")
    add("--filters", type=int, metavar="N", help="of the finest scale")
    add("--depth", type=int, metavar="N", help="how often images are halved")
    add("--batch-size", type=int, metavar="N", help="images in a batch")
    settings = experiments.parse(parser, arguments)
    for rate in settings["drop_rates"]:
        if not 0 < rate < 1:
            parser.error(f"--drop-rates: expected 0 < D < 1, not {rate:g}")
    return settings


def grid(settings):
    """All runs of the settings, one seed after another."""
    cells = itertools.product(
        settings["seeds"], settings["losses"], settings["drop_rates"], MASKS
    )
    return [Run(rate, mask, loss, seed) for seed, loss, rate, mask in cells]


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    acceleration = 1 / (1 - run.drop_rate)
    if run.mask == "learned":
        sampling = {
            "acceleration": acceleration,
            "calibration": None,
            "slope": settings["slope"],
        }
    else:
        sampling = {
            "mask": masks.uniform_random(
                image_shape[:2], acceleration, seed=run.seed
            )
        }
    model = loupe_tf.models.loupe_model(
        image_shape,
        **sampling,
        reconstructor=loupe_tf.models.encoder_decoder(
            (*image_shape[:2], 2),
            filters=settings["filters"],
            depth=settings["depth"],
            # Start from the zero-filled image, so that the mask sees sound
            # gradients from the first step.
            output_initializer="zeros",
        ),
        seed=run.seed,
        name=run.mask,
    )
    loss = LOSSES[run.loss]
    if loss != run.loss:
        loss = getattr(loupe_tf.losses, loss)()
    model.compile(
        keras.optimizers.Adam(settings["learning_rate"]),
        loss=loss,
        metrics=[loupe_tf.metrics.PSNR()],
    )
    return model


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    import keras

    model = build_model(run, settings, splits["test"].images.shape[1:])
    history = loupe_tf.callbacks.fit_two_rounds(
        model,
        splits["train"].images,
        validation_data=splits["validation"].images,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        slope_callback=run.mask == "learned"
        and loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
            patience=settings["patience"], cooldown=settings["cooldown"]
        ),
        stop_patience=settings["stop_patience"],
        lr_patience=settings["lr_patience"],
        callbacks=[keras.callbacks.TerminateOnNaN()],
        seed=run.seed,
        verbose=0,
    ).history
    keys = ("loss", "val_loss", "psnr", "val_psnr", "round")
    record = {
        **dataclasses.asdict(run),
        "epochs": len(history["loss"]),
        "trace": experiments.to_trace(history, keys),
        **provenance.environment(),
    }
    if not np.isfinite(history["loss"] + history["val_loss"]).all():
        return {**record, "diverged": True, "splits": {}}
    record["diverged"] = False
    record["splits"] = {}
    for name in ("train", "test"):
        part = splits[name]
        output = model.predict(part.images, settings["batch_size"], verbose=0)
        slices = keras.ops.convert_to_numpy(
            loupe_tf.metrics.psnr(part.images, output)
        )
        record["splits"][name] = {
            "psnr": float(slices.mean()),
            "psnr_over_slices": float(slices.std()),
            "volumes": evaluation.per_volume(part.images, output, part.volumes),
        }
    mask = masks.from_model(model)
    record["achieved_acceleration"] = mask.achieved_acceleration
    shown = evaluation.middle_slice(splits["test"].volumes)
    experiments.save_images(
        folder,
        run.name,
        mask=mask.array,
        truth=splits["test"].images[shown],
        output=output[shown],
        voxel_size=splits["test"].voxel_size,
    )
    return record


def by_cell(records):
    return evaluation.by_cell(
        records,
        key=lambda r: (r["loss"], r["drop_rate"], r["mask"]),
        order=lambda r: (
            list(LOSSES).index(r["loss"]),
            r["drop_rate"],
            MASKS.index(r["mask"]),
        ),
    )


HEADER = [
    "loss",
    "drop rate",
    "mask",
    "train [dB]",
    "slices",
    "test [dB]",
    "slices",
    "test SSIM",
    "report's test [dB]",
    "epochs",
    "seeds",
    "diverged",
]


def table_rows(cells):
    rows = []
    for (loss, rate, mask), records in cells.items():
        good = [r["splits"] for r in records if not r["diverged"]]
        row = [loss, f"{rate:g}", mask]
        for split in ("train", "test"):
            row += [
                report.spread([s[split]["psnr"] for s in good]),
                report.spread(
                    [np.mean([s[split]["psnr_over_slices"] for s in good])]
                    if good
                    else []
                ),
            ]
        ssim = [
            evaluation.mean_and_deviation(s["test"]["volumes"], "ssim")[0]
            for s in good
        ]
        reported = REPORTED.get((rate, mask)) if loss == "mse" else None
        rows.append(
            [
                *row,
                report.spread(ssim, 4),
                "-" if reported is None else f"{reported:.2f}",
                report.spread([r["epochs"] for r in records], 0),
                str(len(records)),
                str(len(records) - len(good)),
            ]
        )
    return rows


def verdicts(cells):
    """A sentence on learned against unlearned masks, for each drop rate."""

    def volumes(record):
        return record["splits"].get("test", {}).get("volumes")

    sentences = []
    for loss, rate, mask in cells:
        if mask != "learned":
            continue
        records = cells[loss, rate, mask]
        others = cells.get((loss, rate, "unlearned"), [])
        differences = evaluation.paired(records, others, volumes)
        if len(differences):
            sentences.append(
                f"{loss}, drop rate {rate:g}: learned against unlearned mask "
                + evaluation.in_words(
                    differences, evaluation.number_of_volumes(records, volumes)
                )
            )
    return sentences


def draw_curves(cells, loss):
    """Loss of training and validation, a column for each drop rate."""
    rates = list(dict.fromkeys(key[1] for key in cells if key[0] == loss))
    figure = matplotlib.figure.Figure(
        figsize=(4.2 * len(rates), 3.4), layout="constrained"
    )
    axes = figure.subplots(1, len(rates), squeeze=False, sharey=True)[0]
    for ax, rate in zip(axes, rates):
        for color, mask in zip(("tab:blue", "tab:orange"), MASKS):
            if (loss, rate, mask) not in cells:
                continue
            trace = cells[loss, rate, mask][0]["trace"]
            for key, style in (("loss", "-"), ("val_loss", "--")):
                values = [np.nan if x is None else x for x in trace[key]]
                label = mask if key == "loss" else f"{mask}, validation"
                ax.plot(values, style, color=color, label=label)
        ax.set_yscale("log")
        ax.set_title(f"drop rate {rate:g}")
        ax.set_xlabel("epoch")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(f"loss ({loss})")
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def load_images(record, folder):
    """Mask, true and rebuilt slice of a run; empty if it left none."""
    run = Run(*(record[f.name] for f in dataclasses.fields(Run)))
    return experiments.load_images(folder, run.name)


def draw_reconstructions(cells, loss, rate, folder):
    """True slice and both reconstructions of one drop rate, first seed."""
    found = {
        mask: load_images(cells[loss, rate, mask][0], folder)
        for mask in MASKS
        if (loss, rate, mask) in cells
    }
    found = {mask: images for mask, images in found.items() if images}
    if not found:
        return None
    first = next(iter(found.values()))
    return plots.reconstructions(
        first["truth"][None],
        {mask: images["output"][None] for mask, images in found.items()},
        voxel_size=first.get("voxel_size"),
    )


def draw_masks(cells, loss, folder):
    """The masks of the first seed."""
    shown = {
        f"{key[2]}, d = {key[1]:g}": load_images(records[0], folder)
        for key, records in cells.items()
        if key[0] == loss
    }
    shown = {title: images["mask"] for title, images in shown.items() if images}
    return plots.masks(shown) if shown else None


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(records)
    figures = {}
    for loss in dict.fromkeys(key[0] for key in cells):
        figures[f"curves_{loss}"] = (
            draw_curves(cells, loss),
            f"Training with the loss {loss}, first seed.",
        )
        figures[f"masks_{loss}"] = (
            draw_masks(cells, loss, folder),
            f"Masks, loss {loss}, first seed. DC is in the centre.",
        )
        for rate in dict.fromkeys(key[1] for key in cells if key[0] == loss):
            figures[f"reconstructions_{loss}_d{rate:g}"] = (
                draw_reconstructions(cells, loss, rate, folder),
                f"Drop rate {rate:g}, loss {loss}, first seed: the middle "
                "slice of the first test volume.",
            )
    experiments.publish(
        folder,
        "Learned and unlearned masks by drop rate",
        facts,
        CONVENTION,
        (HEADER, table_rows(cells)),
        figures,
        verdicts(cells),
        records,
    )


def reproduce(settings):
    folder, facts, records = experiments.conduct(
        settings,
        grid(settings),
        build=build_model,
        train=train,
        kind=lambda run: (run.drop_rate, run.mask, run.loss),
        free=(*GRID, *PLACES),
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
