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

import numpy as np

import experiments
import loupe_tf
from experiments import conventions
from experiments.conventions import METRICS
from experiments.curves import draw_validation
from experiments.drawn_lines import DrawnLines
from loupe_tf import command_line, evaluation, masks, plots

# What the report says, and where it is silent what fastMRI's code does.
PRESETS = experiments.side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    masks=["random", "equispaced", "learned"],
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    seeds=([0], [0, 1, 2], [0]),
    filters=(32, 8, 4),
    depth=(4, 3, 2),
    batch_size=(1, 8, 8),
    learning_rate=1e-3,
    epochs=(50, 50, 5),
    slope=20.0,
    patience=(2, 2, 1),
    cooldown=(1, 1, 0),
    # A killed run goes on from its last epoch, where that is worth it.
    backup=(True, False, False),
)
# What may differ between the runs of one folder.
GRID = ("masks", "accelerations", "seeds")

# When the learning rate is divided by ten, in shares of the epochs.
DECAY = 0.8
MASKS = ("random", "equispaced", "fixed", "learned")
PATTERNS = {
    "random": masks.random_lines,
    "equispaced": masks.equispaced_lines,
}
RECONSTRUCTIONS = {"unet": "U-Net", "zero_filled": "zero-filled"}
REPORTED = (
    "The report draws curves and prints no figure of its U-Net. The authors of "
    "fastMRI give an NMSE of 0.0323 and a PSNR of 32.34 dB, volume-wise, on "
    "the validation volumes of the single-coil knee "
    "(facebookresearch/fastMRI#130). These are of other data, and not to be "
    "compared with ours."
)

CONVENTION = (
    f"{conventions.CONVENTION} Achieved R: of all masks that were drawn; "
    "learned masks are soft in training."
)
HINT = (
    "Pairs are of the same seed and test volume, p is of the paired sign-flip "
    "test; seeds on one volume are not independent, so take it as a hint."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    mask: str
    seed: int

    order = {"mask": MASKS}

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
    parser.add_argument(
        "--masks",
        nargs="+",
        choices=MASKS,
        # The library's names of the patterns are known too.
        type=lambda name: name.removesuffix("_lines"),
        metavar="MASK",
        help=f"of {', '.join(MASKS)} (random equispaced learned)",
    )
    experiments.add_options(
        parser,
        *("accelerations", "filters", "batch_size"),
        *("patience", "cooldown", "slope"),
        depth=("N", "how often images are halved"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "of RMSProp"),
    )
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
    share = masks.patterns.CALIBRATION_SHARE / acceleration
    lines = round(share * width)
    if not lines:
        raise ValueError(
            f"Invalid width of the images. Expected {int(0.5 / share) + 1} "
            f"columns or more, so that {share:.1%} of them, the calibration "
            f"lines at R = {acceleration:g}, are one at least. Received: "
            f"{width} columns"
        )
    return lines


def drawn_lines(run, width):
    lines = calibration_lines(width, run.acceleration)
    return DrawnLines(PATTERNS[run.mask], width, run.acceleration, lines)


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
    measured = [
        keras.Input((1, *image_shape[:2], 2), name="kspace"),
        keras.Input((None, None, 1), name="mask"),
    ]
    zero_filled = loupe_tf.models.AdjointNetwork()(measured)
    model = loupe_tf.models.loupe_model(
        image_shape,
        **sampling,
        reconstructor=keras.Model(measured, network(zero_filled)),
        seed=run.seed,
        name=f"{run.mask}_lines",
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


def fit(model, run, settings, splits, folder):
    """Train in one round; the history, and R in training where it is known."""
    import keras

    size = settings["batch_size"]
    training = splits["train"]
    width = training.images.shape[2]
    if run.mask in PATTERNS:
        lines = drawn_lines(run, width)
        data = (
            lines.batches(training, size, run.seed),
            # Lines of its own: R is counted of those in training.
            drawn_lines(run, width).batches_by_volume(
                splits["validation"], size
            ),
        )
    else:
        lines = None
        data = training.images, splits["validation"].images
    # One round, which nothing ends early: as many epochs for all.
    epochs = settings["epochs"]
    rounds = {"epochs": [epochs, 0], "stop_patience": epochs, "lr_patience": 1}
    rate = keras.callbacks.LearningRateScheduler(learning_rate(settings))
    history, _ = experiments.fit(
        *(model, run, {**settings, **rounds}, *data, folder), callbacks=[rate]
    )
    return history, lines and lines.achieved_acceleration()


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    conventions.check_volumes(test)
    model = build_model(run, settings, test.images.shape[1:])
    with experiments.time_spent(run, folder) as seconds:
        history, trained = fit(model, run, settings, splits, folder)
    outputs, acquired = reconstruct(model, run, test, settings["batch_size"])
    keys = ["loss", "val_loss", *(f"val_{name}" for name in METRICS)]
    keys += ["learning_rate", *(["slope"] if run.mask == "learned" else [])]
    record = {
        **run.record(history, keys),
        "seconds": round(seconds(), 1),
        "calibration_lines": calibration_lines(
            test.images.shape[2], run.acceleration
        ),
    }
    finite = [history["loss"], history["val_loss"], *outputs.values()]
    if not all(np.isfinite(values).all() for values in finite):
        return {**record, "diverged": True, "test": {}}
    shown = evaluation.middle_slice(test.volumes)
    experiments.save_images(
        folder,
        run.name,
        mask=acquired[shown] > 0,
        truth=test.images[shown],
        voxel_size=test.voxel_size,
        **{name: output[shown] for name, output in outputs.items()},
    )
    tested = 1 / float(np.mean(acquired))
    return {
        **record,
        "diverged": False,
        "achieved_acceleration": {
            "training": tested if run.mask == "fixed" else trained,
            "test": tested,
        },
        "test": {
            name: conventions.judge(test, x) for name, x in outputs.items()
        },
    }


def reconstruct(model, run, part, batch_size):
    """Images rebuilt by the network, and zero-filled; the lines acquired.

    Returns:
        A dict of arrays `(n, H, W, 1)`, and the masks, `(n, 1, W)`.
    """
    import keras

    inputs, count = part.images, len(part.images)
    if run.mask in PATTERNS:
        lines = drawn_lines(run, inputs.shape[2])
        drawn = lines.batches_by_volume(part, batch_size).masks(range(count))
        inputs, acquired = [inputs, drawn], drawn[:, :1, :, 0]
    else:
        mask = masks.from_model(model).array
        acquired = np.repeat(mask[None], count, axis=0)
    zero_filled = loupe_tf.models.AdjointNetwork()(model.measured)
    both = keras.Model(model.input, [model.output, zero_filled])
    every = both.predict(inputs, batch_size, verbose=0)
    return dict(zip(RECONSTRUCTIONS, every)), acquired


def volumes_of(name, convention):
    """Callable: metrics by volume of a record; `None` if it has diverged."""
    return lambda record: record["test"].get(name, {}).get(convention)


def achieved(when):
    """A column with the acceleration in training or in test."""
    return experiments.spread(
        lambda record: record.get("achieved_acceleration", {}).get(when), 3
    )


COLUMNS = {
    "R": lambda cell, _: f"{cell[0]:g}",
    "lines": lambda cell, _: cell[1],
    "reconstruction": lambda cell, _: RECONSTRUCTIONS[cell[2]],
    **conventions.columns(
        lambda cell, convention: volumes_of(cell[-1], convention)
    ),
    "centre": lambda _, records: records[0]["calibration_lines"],
    "R in training": achieved("training"),
    "R in test": achieved("test"),
    "epochs": experiments.spread("epochs", 0),
    "seconds": experiments.spread("seconds", 0),
    "seeds": experiments.count,
    "diverged": experiments.count_diverged,
}


def verdicts(cells):
    """Sentences on learned against other lines, and the report's figures."""
    sentences = []
    for (rate, mask), records in cells.items():
        if mask != "learned":
            sentences += conventions.compare(
                f"R = {rate:g}, U-Net on learned against {mask} lines:",
                cells.get((rate, "learned"), []),
                records,
                functools.partial(volumes_of, "unet"),
            )
    return [*sentences, *([HINT] if sentences else []), REPORTED]


def draw(cells, folder):
    """All figures with their captions, by name."""
    images = experiments.first_images(cells, folder, Run.of)
    rates = [rate for rate, _ in images]
    figures = {
        "curves": (
            draw_validation(cells, MASKS, list(METRICS)),
            "Validation in each epoch, a line for each seed; metrics of "
            "slices. The learning rate falls after four fifths of the epochs.",
        ),
    }
    if images:
        shown = {f"{m}, R = {r:g}": x["mask"] for (r, m), x in images.items()}
        figures["masks"] = (
            plots.masks(shown, columns=max(map(rates.count, rates))),
            "Masks, first seed; those of the volume below where each volume "
            "has one. DC is in the centre.",
        )
    for rate in dict.fromkeys(rates):
        figures[f"reconstructions_R{rate:g}"] = (
            experiments.draw_rows(
                {mask: x for (of, mask), x in images.items() if of == rate},
                RECONSTRUCTIONS,
            ),
            f"R = {rate:g}, first seed, the middle slice of the first test "
            "volume: above by the U-Net, below zero-filled.",
        )
    return figures


def reproduce(settings):
    folder, facts, records = experiments.conduct(
        settings, grid(settings), build=build_model, train=train, free=GRID
    )
    cells = Run.cells(records)
    by_reconstruction = {
        (*cell, name): found
        for cell, found in cells.items()
        for name in RECONSTRUCTIONS
    }
    experiments.publish(
        folder,
        "The fastMRI U-Net on random, equispaced and learned lines",
        facts,
        CONVENTION,
        experiments.table(by_reconstruction, COLUMNS),
        draw(cells, folder),
        verdicts(cells),
        records,
    )


def main(arguments=None):
    return command_line.exit_code(reproduce, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
