"""The fastMRI U-Net on random, equispaced and learned lines.

A student report (Zerilli, Lodh and Bartel, "CS 7643: Fast MRI", Georgia
Institute of Technology, 2021) trains the U-Net of fastMRI anew: k-space is
sampled along random lines, 8 % of them in the centre at R = 4 and 4 % at R = 8,
the loss is L1, the optimizer RMSProp, whose learning rate of 0.001 is divided
by ten at epoch 40 of 50. This script does the same, on equispaced lines too,
and then lets the same network learn its lines, with 4S, in as many epochs.

    python scripts/reproduce_fastmri_unet.py --preset smoke
    python scripts/reproduce_fastmri_unet.py --preset cpu --data my_volumes/
    python scripts/reproduce_fastmri_unet.py --preset cpu --masks fixed

As in the report and in fastMRI, the network sees the magnitude of the
zero-filled image, one channel, normalised by its own mean and deviation, and
its output is the image: nothing is added to it. In training each example has
another random mask in each epoch (equispaced lines have a random offset); in
validation and test a volume has one, drawn from its name. The weights tested
are those of the epoch whose validation loss was the lowest.

What is not as in fastMRI: the number of lines is exactly round(W / R), where
fastMRI's is right on average; k-space is that of the magnitude images, in which
one half tells the other; the loss is in units of the image (as the report has
it), not of its deviation. With 64 columns, 8 % and 4 % are 5 and 3 lines.

A network that is trained for one mask has an easier task than one that is
trained for all. --masks fixed, one random mask in training and test, tells what
of a learned mask's gain is due to that.

Each finished run leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and further masks,
accelerations and seeds can be added to the same folder. report.html,
results.json and the figures are of all runs that the folder holds.
"""

import dataclasses
import functools
import itertools
import sys
import zlib

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
from loupe_tf.plots.drawing import COLOURS

# What the report says, and where it is silent what fastMRI's code does.
PAPER = {
    "data": "fastmri_slices/knee_singlecoil",
    "masks": ["random", "equispaced", "learned"],
    "accelerations": [4.0, 8.0],
    "seeds": [0],
    "filters": 32,
    "depth": 4,
    "batch_size": 1,
    "learning_rate": 1e-3,
    "epochs": 50,
    "slope": 20.0,
    "patience": 2,
    "cooldown": 1,
    "backup": True,  # A killed run goes on from its last epoch.
}
PRESETS = {
    "paper": PAPER,
    "cpu": {
        **PAPER,
        "data": "mni_brain/64",
        "seeds": [0, 1, 2],
        "filters": 8,
        "depth": 3,
        "batch_size": 8,
        "backup": False,  # A run is shorter than its backups are worth.
    },
    "smoke": {
        **PAPER,
        "data": "mni_brain/64",
        "accelerations": [4.0],
        "filters": 4,
        "depth": 2,
        "batch_size": 8,
        "epochs": 5,
        "patience": 1,
        "cooldown": 0,
        "backup": False,
    },
}
# What may differ between the runs of one folder, and what changes no figure.
GRID = ("masks", "accelerations", "seeds")
PLACES = ("out", "data_dir", "preset", "backup")

# Share of the columns in the centre that are always acquired, times R.
CALIBRATION = 0.32
# When the learning rate is divided by ten, in shares of the epochs.
DECAY = 0.8
MASKS = ("random", "equispaced", "fixed", "learned")
PATTERNS = {
    "random": masks.random_lines,
    "equispaced": masks.equispaced_lines,
}
METRICS = {"nmse": 5, "psnr": 2, "ssim": 4}  # and their digits
RECONSTRUCTIONS = {"unet": "U-Net", "zero_filled": "zero-filled"}
REPORTED = (
    "The report draws curves and prints no figure of its U-Net. The authors of "
    "fastMRI give an NMSE of 0.0323 and a PSNR of 32.34 dB, volume-wise, on "
    "the validation volumes of the single-coil knee "
    "(facebookresearch/fastMRI#130). These are of other data, and not to be "
    "compared with ours."
)

CONVENTION = (
    '"volume" is fastMRI\'s convention: a volume counts as one image, PSNR and '
    "SSIM have its maximum as their peak, SSIM a uniform 7×7 window. "
    '"slice" is the mean over the slices of a volume, PSNR = -10 log10(MSE), '
    "SSIM with a Gaussian window, images divided by their volume's maximum. "
    "Both: mean over the test volumes, then over seeds ± their standard "
    "deviation. Achieved R: of all masks that were drawn; learned masks are "
    "soft in training."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    mask: str
    seed: int

    @property
    def name(self):
        return f"R{self.acceleration:g}-{self.mask}-seed{self.seed}"


def parse_arguments(arguments=None):
    parser = experiments.argument_parser(
        __doc__,
        "fastmri_unet",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: small images, an hour; smoke: "
        "two minutes",
    )
    add = parser.add_argument
    add(
        "--masks",
        nargs="+",
        choices=MASKS,
        # The library's names of the patterns are known too.
        type=lambda name: name.removesuffix("_lines"),
        metavar="MASK",
        help=f"of {', '.join(MASKS)} (random equispaced learned)",
    )
    add("--accelerations", type=float, nargs="+", metavar="R", help="R > 1")
    for name, text in (
        ("epochs", "the learning rate falls after four fifths of them"),
        ("filters", "channels at the finest scale"),
        ("depth", "how often images are halved"),
        ("batch-size", "images in a batch"),
        ("patience", "of 4S"),
        ("cooldown", "of 4S"),
    ):
        add(f"--{name}", type=int, metavar="N", help=text)
    add("--slope", type=float, metavar="S", help="where 4S begins")
    add("--learning-rate", type=float, metavar="LR", help="of RMSProp")
    settings = experiments.parse(parser, arguments)
    for name in ("epochs", "batch_size"):
        if settings[name] < 1:
            parser.error(f"--{name.replace('_', '-')}: expected 1 or more")
    return settings


def grid(settings):
    """All runs of the settings, one seed after another."""
    cells = itertools.product(
        settings["seeds"], settings["accelerations"], settings["masks"]
    )
    return [Run(acceleration, mask, seed) for seed, acceleration, mask in cells]


def calibration_lines(width, acceleration):
    """How many columns in the centre are always acquired."""
    lines = round(CALIBRATION / acceleration * width)
    if not lines:
        least = int(acceleration / (2 * CALIBRATION)) + 1
        raise ValueError(
            "Invalid width of the images. Expected "
            f"{least} columns or more, so that {CALIBRATION / acceleration:.1%}"
            f" of them, the calibration lines at R = {acceleration:g}, are one "
            f"at least. Received: {width} columns"
        )
    return lines


class Lines:
    """Draws masks of lines from seeds, and counts what they acquire."""

    def __init__(self, run, image_shape):
        self.pattern = PATTERNS[run.mask]
        width = image_shape[1]
        self.arguments = (
            (1, width),
            run.acceleration,
            calibration_lines(width, run.acceleration),
        )
        self.shares = []

    def __call__(self, seed):
        mask = self.pattern(*self.arguments, seed=seed)
        self.shares.append(mask.array.mean())
        return mask

    def achieved_acceleration(self):
        return 1 / float(np.mean(self.shares))


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    # First, so that all models of a seed begin with the same network.
    network = loupe_tf.models.fastmri_unet(
        image_shape,
        filters=settings["filters"],
        depth=settings["depth"],
        standardize="image",
    )
    lines = calibration_lines(image_shape[1], run.acceleration)
    if run.mask == "learned":
        sampling = {
            "acceleration": run.acceleration,
            "lines": "columns",
            "calibration": lines,
            "slope": settings["slope"],
        }
    elif run.mask == "fixed":
        sampling = {
            "mask": masks.random_lines(
                image_shape[:2], run.acceleration, lines, seed=run.seed
            )
        }
    else:
        sampling = {"mask_input": True}
    adjoint = loupe_tf.models.loupe_model(
        image_shape, **sampling, reconstructor="zero_filled", seed=run.seed
    )
    model = keras.Model(
        adjoint.input, network(adjoint.output), name=f"{run.mask}_lines"
    )
    model.compile(
        # As PyTorch's, which has the ε of 1e-8 outside the root.
        keras.optimizers.RMSprop(
            settings["learning_rate"], rho=0.99, epsilon=1e-16
        ),
        loss="mae",
        metrics=[
            loupe_tf.metrics.NMSE(),
            loupe_tf.metrics.PSNR(),
            loupe_tf.metrics.SSIM(),
        ],
    )
    return model


def learning_rate(settings):
    """The learning rate of an epoch: a tenth in the last fifth of them."""
    first = settings["learning_rate"]
    last = DECAY * settings["epochs"]
    return lambda epoch: first if epoch < last else first / 10


def seeds_by_volume(part):
    """A seed for each slice, which depends on its volume's name alone."""
    return np.array([zlib.crc32(str(v).encode()) for v in part.volumes])


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    import keras

    test = splits["test"]
    check_volumes(test)
    model = build_model(run, settings, test.images.shape[1:])
    size = settings["batch_size"]
    images = splits["train"].images
    held_out = splits["validation"].images
    draw = None
    if run.mask in PATTERNS:
        draw = Lines(run, images.shape[1:])
        train_data = loupe_tf.callbacks.MaskedBatches(
            images, images, draw, size, run.seed
        )
        validation_data = loupe_tf.callbacks.MaskedBatches(
            held_out,
            held_out,
            Lines(run, images.shape[1:]),
            size,
            seeds=seeds_by_volume(splits["validation"]),
        )
    else:
        train_data = loupe_tf.callbacks.ShuffledBatches(
            images, images, size, run.seed
        )
        validation_data = held_out
    unfinished = run_folder.RunFolder(folder / "unfinished" / run.name)
    with unfinished.stopwatch("spent") as seconds:
        history = loupe_tf.callbacks.fit_two_rounds(
            model,
            train_data,
            validation_data,
            # One round, no early stop: as many epochs for all.
            epochs=(settings["epochs"], 0),
            stop_patience=settings["epochs"],
            batch_size=size,
            slope_callback=run.mask == "learned"
            and loupe_tf.callbacks.SelfShrinkingSigmoidSlope(
                patience=settings["patience"], cooldown=settings["cooldown"]
            ),
            directory=unfinished / "rounds" if settings["backup"] else None,
            callbacks=[
                keras.callbacks.LearningRateScheduler(learning_rate(settings)),
                keras.callbacks.TerminateOnNaN(),
            ],
            seed=run.seed,
            verbose=0,
        ).history
    validated = [f"val_{name}" for name in METRICS]
    keys = ["loss", "val_loss", *validated, "learning_rate"]
    if run.mask == "learned":
        keys.append("slope")
    record = {
        **dataclasses.asdict(run),
        "epochs": len(history["loss"]),
        "seconds": round(seconds(), 1),
        "calibration_lines": calibration_lines(
            images.shape[2], run.acceleration
        ),
        "trace": experiments.to_trace(history, keys),
        **provenance.environment(),
    }
    outputs, acquired = reconstruct(model, run, test, size)
    finite = [history["loss"], history["val_loss"], *outputs.values()]
    if not all(np.isfinite(values).all() for values in finite):
        return {**record, "diverged": True, "test": {}}
    record["diverged"] = False
    tested = 1 / float(np.mean(acquired))
    trained = tested if run.mask == "fixed" else None
    record["achieved_acceleration"] = {
        "training": draw.achieved_acceleration() if draw else trained,
        "test": tested,
    }
    record["test"] = {
        name: judge(test, output) for name, output in outputs.items()
    }
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        mask=acquired[shown] > 0,
        truth=test.images[shown],
        voxel_size=test.voxel_size,
        **{name: output[shown] for name, output in outputs.items()},
    )
    return record


def check_volumes(part):
    """Refuse, before training, test volumes that no metric is defined for."""
    for volume in np.unique(part.volumes):
        images = part.images[part.volumes == volume]
        if not images.max() > 0:
            raise ValueError(
                f"Invalid test volume {volume}. Expected magnitudes that are "
                "not zero everywhere. Received: a maximum of "
                f"{images.max():g}"
            )


def reconstruct(model, run, part, batch_size):
    """Images rebuilt by the network, and zero-filled; the lines acquired.

    Returns:
        A dict of arrays `(n, H, W, 1)`, and the masks, `(n, 1, W)`.
    """
    import keras

    inputs = part.images
    if run.mask in PATTERNS:
        lines = Lines(run, part.images.shape[1:])
        drawn = loupe_tf.callbacks.MaskedBatches(
            part.images, part.images, lines, seeds=seeds_by_volume(part)
        ).masks(range(len(part.images)))
        inputs = [part.images, drawn]
        acquired = drawn[:, :1, :, 0]
    else:
        acquired = np.repeat(
            masks.from_model(model).array[None], len(part.images), axis=0
        )
    every = keras.Model(
        model.input,
        [model.output, model.get_layer("complex_addition").output],
    ).predict(inputs, batch_size, verbose=0)
    return dict(zip(RECONSTRUCTIONS, every)), acquired


def judge(part, output):
    """Metrics of each volume, in both conventions."""
    return {
        "volume": {
            str(volume): evaluation.fastmri_metrics(
                part.images[part.volumes == volume],
                output[part.volumes == volume],
            )
            for volume in np.unique(part.volumes)
        },
        "slice": evaluation.per_volume(part.images, output, part.volumes),
    }


def by_cell(records):
    return evaluation.by_cell(
        records,
        key=lambda r: (r["acceleration"], r["mask"]),
        order=lambda r: (r["acceleration"], MASKS.index(r["mask"])),
    )


HEADER = [
    "R",
    "lines",
    "reconstruction",
    *(
        f"{convention} {name.upper()}"
        for convention in ("volume", "slice")
        for name in METRICS
    ),
    "centre",
    "R in training",
    "R in test",
    "epochs",
    "seconds",
    "seeds",
    "diverged",
]


def table_rows(cells):
    rows = []
    for (acceleration, mask), records in cells.items():
        good = [r for r in records if not r["diverged"]]
        for name, text in RECONSTRUCTIONS.items():
            figures = [
                report.spread(
                    [
                        evaluation.mean_and_deviation(
                            r["test"][name][convention], metric
                        )[0]
                        for r in good
                    ],
                    digits,
                )
                for convention in ("volume", "slice")
                for metric, digits in METRICS.items()
            ]
            achieved = [
                report.spread(
                    [r["achieved_acceleration"][when] for r in good], 3
                )
                for when in ("training", "test")
            ]
            rows.append(
                [
                    f"{acceleration:g}",
                    mask,
                    text,
                    *figures,
                    str(records[0]["calibration_lines"]),
                    *achieved,
                    report.spread([r["epochs"] for r in records], 0),
                    report.spread([r["seconds"] for r in records], 0),
                    str(len(records)),
                    str(len(records) - len(good)),
                ]
            )
    return rows


def unet_volumes(convention, record):
    """Metrics of the U-Net by volume; `None` where the run has diverged."""
    return record["test"].get("unet", {}).get(convention)


def verdicts(cells):
    """Sentences on learned against other lines, and the report's figures."""
    sentences = []
    for acceleration, mask in cells:
        learned = cells.get((acceleration, "learned"), [])
        if mask == "learned" or not learned:
            continue
        parts = []
        for convention in ("volume", "slice"):
            volumes = functools.partial(unet_volumes, convention)
            differences = {
                metric: evaluation.paired(
                    learned, cells[acceleration, mask], volumes, metric
                )
                for metric in METRICS
            }
            psnr = differences["psnr"]
            if not len(psnr):
                continue
            several = psnr.shape[1] > 1
            figures = []
            for metric, values in differences.items():
                values = values.ravel() if several else [values.mean()]
                text = report.spread(values, METRICS[metric], sign="+")
                unit = " dB" if metric == "psnr" else ""
                figures.append(f"{metric.upper()} {text}{unit}")
            if not several:
                verdict = "one test volume, which tells nothing of others"
            else:
                p_value = evaluation.sign_flip_test(psnr)
                verdict = (
                    f"PSNR better in {np.sum(psnr > 0)} of {psnr.size} pairs, "
                    f"p = {p_value:.3f}"
                )
            parts.append(f"{', '.join(figures)} by {convention}s ({verdict})")
        if parts:
            sentences.append(
                f"R = {acceleration:g}, U-Net on learned against {mask} lines: "
                f"{'; '.join(parts)}."
            )
    if sentences:
        sentences.append(
            "Pairs are of the same seed and test volume, p is of the paired "
            "sign-flip test; seeds on one volume are not independent, so take "
            "it as a hint."
        )
    return [*sentences, REPORTED]


def draw_curves(cells):
    """Validation metrics, a column for each R, a line for each seed."""
    accelerations = list(dict.fromkeys(key[0] for key in cells))
    figure = matplotlib.figure.Figure(
        figsize=(1.5 + 4 * len(accelerations), 7.5), layout="constrained"
    )
    axes = figure.subplots(
        len(METRICS), len(accelerations), squeeze=False, sharex=True
    )
    for column, acceleration in enumerate(accelerations):
        for (of, mask), records in cells.items():
            if of != acceleration:
                continue
            color = COLOURS[MASKS.index(mask)]
            for ax, metric in zip(axes[:, column], METRICS):
                for i, record in enumerate(records):
                    values = np.array(record["trace"][f"val_{metric}"], "float")
                    ax.plot(
                        np.arange(1, len(values) + 1),
                        values,
                        color=color,
                        linewidth=1,
                        marker="." if len(values) < 10 else None,
                        label=None if i else mask,
                    )
        axes[0, column].set_title(f"R = {acceleration:g}")
        axes[-1, column].set_xlabel("epoch")
    for ax, metric in zip(axes[:, 0], METRICS):
        unit = " [dB]" if metric == "psnr" else ""
        ax.set_ylabel(f"validation {metric.upper()}{unit}")
    for ax in axes[0]:
        ax.set_yscale("log")
    for ax in axes.flat:
        ax.grid(alpha=0.3)
        ax.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def images_of(records, folder):
    """What the first run of a cell that left images shows."""
    for record in records:
        run = Run(*(record[f.name] for f in dataclasses.fields(Run)))
        images = experiments.load_images(folder, run.name)
        if images:
            return images
    return {}


def draw_reconstructions(cells, acceleration, folder):
    """True slice and reconstructions with all masks, at one acceleration."""
    found = {
        mask: images_of(records, folder)
        for (of, mask), records in cells.items()
        if of == acceleration
    }
    found = {mask: images for mask, images in found.items() if images}
    if not found:
        return None
    first = next(iter(found.values()))
    truth = first["truth"]
    figure = plots.reconstructions(
        # A row for each reconstruction, a column for each mask.
        np.stack([truth] * len(RECONSTRUCTIONS)),
        {
            mask: np.stack([images[name] for name in RECONSTRUCTIONS])
            for mask, images in found.items()
        },
        voxel_size=first.get("voxel_size"),
    )
    labelled = [ax for ax in figure.axes if ax.get_ylabel()]
    for ax, text in zip(labelled, RECONSTRUCTIONS.values(), strict=True):
        ax.set_ylabel(text)
    return figure


def draw_masks(cells, folder):
    """The masks of the first seed, those of the slice that is shown."""
    found = {
        f"{mask}, R = {acceleration:g}": images_of(records, folder)
        for (acceleration, mask), records in cells.items()
    }
    shown = {title: images["mask"] for title, images in found.items() if images}
    columns = max(
        sum(key[0] == acceleration for key in cells)
        for acceleration, _ in cells
    )
    return plots.masks(shown, columns) if shown else None


def write_report(facts, records, folder):
    """Everything that the folder's runs have to say."""
    cells = by_cell(records)
    figures = {
        "curves": (
            draw_curves(cells),
            "Validation in each epoch, a line for each seed; metrics of "
            "slices. The learning rate falls after four fifths of the epochs.",
        ),
        "masks": (
            draw_masks(cells, folder),
            "Masks, first seed; those of the volume below where each volume "
            "has one. DC is in the centre.",
        ),
    }
    for acceleration in dict.fromkeys(key[0] for key in cells):
        figures[f"reconstructions_R{acceleration:g}"] = (
            draw_reconstructions(cells, acceleration, folder),
            f"R = {acceleration:g}, first seed, the middle slice of the first "
            "test volume: above by the U-Net, below zero-filled.",
        )
    experiments.publish(
        folder,
        "The fastMRI U-Net on random, equispaced and learned lines",
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
        kind=lambda run: (run.acceleration, run.mask),
        free=(*GRID, *PLACES),
    )
    write_report(facts, records, folder)


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
