"""The fastMRI U-Net on random, equispaced and learned lines.

A student report (Zerilli, Lodh and Bartel, "CS 7643: Fast MRI", Georgia
Institute of Technology, 2021) reproduces fastMRI's U-Net. It samples k-space
along random lines, with 8 % of all lines in the centre at R = 4 and 4 % at
R = 8. The loss is L1. The optimizer is RMSProp with a learning rate of 0.001,
which is divided by ten at epoch 40 of 50. This script does the same, also with
equispaced lines. It then trains the same network with lines learned by 4S, for
the same number of epochs.

    python scripts/reproduce_fastmri_unet.py --preset smoke
    python scripts/reproduce_fastmri_unet.py --preset cpu --data my_volumes/
    python scripts/reproduce_fastmri_unet.py --preset cpu --masks fixed

As in the report and in fastMRI, the network sees the magnitude of the
zero-filled image as one channel, normalised by its own mean and standard
deviation. Its output is the image: nothing is added to it. In training, each
example has a new random mask in each epoch (equispaced lines have a random
offset). In validation and test, each volume has one mask, drawn from its name.
The test uses the weights of the epoch with the lowest validation loss.

This script differs from fastMRI in three points. The number of lines is exactly
round(W / R); in fastMRI it is right only on average. K-space is computed from
the magnitude images, so either half determines the other. The loss is in units
of the image, as in the report, not of its standard deviation. With 64 columns,
8 % and 4 % are 5 and 3 lines.

A network that is trained with one mask has an easier task than a network that
is trained with many. --masks fixed uses one random mask in training and test
and shows how much of a learned mask's gain comes from this.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it. You can add further masks, accelerations and
seeds to the same folder. report.html, results.json and the figures cover all
runs in the folder.
"""

import dataclasses
import itertools
import sys
from functools import partial

import experiments
import loupe_tf
from experiments import conventions, drawn_lines, line_figures
from experiments.drawn_lines import calibration_lines
from experiments.presets.fastmri_unet import GRID, MASKS, parse
from loupe_tf import masks

RECONSTRUCTIONS = {"unet": "U-Net", "zero_filled": "zero-filled"}
CONVENTION = (
    f"{conventions.CONVENTION} Achieved R counts all drawn masks together; "
    "learned masks are relaxed in training."
)
REPORTED = (
    "The report shows curves but no numbers for its U-Net. The authors of "
    "fastMRI give an NMSE of 0.0323 and a PSNR of 32.34 dB, volume-wise, on "
    "the validation volumes of the single-coil knee "
    "(facebookresearch/fastMRI#130). These figures use other data and are not "
    "comparable with ours."
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One training: a cell of the grid, and a seed."""

    acceleration: float
    mask: str
    seed: int

    order = {"mask": MASKS}

    @property
    def stem(self):
        return f"R{self.acceleration:g}-{self.mask}-seed{self.seed}"


def grid(settings):
    """All runs of the settings, one seed after another."""
    cells = itertools.product(
        settings["seeds"], settings["accelerations"], settings["masks"]
    )
    return [Run(acceleration, mask, seed) for seed, acceleration, mask in cells]


def sampling(run, settings, size):
    """Arguments for sampling: learned lines, one mask, or a mask input."""
    lines = calibration_lines(size[1], run.acceleration)
    if run.mask == "learned":
        return {
            "acceleration": run.acceleration,
            "lines": "columns",
            "calibration": lines,
            "slope": settings["slope"],
        }
    if run.mask == "fixed":
        rate, seed = run.acceleration, run.seed
        return {"mask": masks.random_lines(size, rate, lines, seed=seed)}
    return {"mask_input": True}


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    # Build it first, so that all models of a seed start with equal networks.
    network = loupe_tf.models.fastmri_unet(
        image_shape,
        filters=settings["filters"],
        depth=settings["depth"],
        standardize="image",
    )
    measured = [
        keras.Input((1, *image_shape[:2], 2), name="kspace"),
        keras.Input((None, None, 1), name="mask"),
    ]
    zero_filled = loupe_tf.models.AdjointNetwork()(measured)
    model = loupe_tf.models.loupe_model(
        image_shape,
        **sampling(run, settings, image_shape[:2]),
        reconstructor=keras.Model(measured, network(zero_filled)),
        seed=run.seed,
        name=f"{run.mask}_lines",
    )
    metrics = loupe_tf.metrics
    model.compile(
        # Like PyTorch's, which has ε = 1e-8 outside the root.
        keras.optimizers.RMSprop(
            settings["learning_rate"], rho=0.99, epsilon=1e-16
        ),
        loss="mae",
        metrics=[metrics.NMSE(), metrics.PSNR(), metrics.SSIM()],
    )
    return model


def learning_rate(settings):
    """The learning rate by epoch: a tenth in the last fifth of epochs."""
    first = settings["learning_rate"]
    last = 0.8 * settings["epochs"]
    return lambda epoch: first if epoch < last else first / 10


def fit(model, run, settings, splits, folder, lines):
    """Train in one round without early stopping, for equal durations."""
    import keras

    size, epochs = settings["batch_size"], settings["epochs"]
    rounds = {"epochs": [epochs, 0], "stop_patience": epochs, "lr_patience": 1}
    rate = keras.callbacks.LearningRateScheduler(learning_rate(settings))
    return experiments.fit(
        model,
        run,
        {**settings, **rounds},
        *drawn_lines.training_data(splits, size, run.seed, lines),
        folder,
        callbacks=[rate],
    )


def train(run, settings, splits, folder):
    """Train and test one cell of the grid, and return its record."""
    test = splits["test"]
    conventions.check_volumes(test)
    width = test.images.shape[2]
    model = build_model(run, settings, test.images.shape[1:])
    # Drawn anew for each example; `None` if the mask is learned or fixed.
    lines = drawn_lines.of(run.mask, width, run.acceleration)
    with experiments.time_spent(run, folder) as seconds:
        history, finite = fit(model, run, settings, splits, folder, lines)
    found, achieved, images = drawn_lines.judge(
        model, test, settings["batch_size"], lines
    )
    keys = ["loss", "val_loss", *(f"val_{x}" for x in conventions.METRICS)]
    keys += ["learning_rate", *(["slope"] if run.mask == "learned" else [])]
    record = {
        **run.record(history, keys),
        "seconds": round(seconds(), 1),
        "calibration_lines": calibration_lines(width, run.acceleration),
    }
    if not (finite and found):
        return {**record, "diverged": True, "test": {}}
    experiments.save_images(folder, run.name, test.voxel_size, **images)
    trained = lines.achieved_acceleration() if lines else None
    return {
        **record,
        "diverged": False,
        "achieved_acceleration": {
            "training": achieved if run.mask == "fixed" else trained,
            "test": achieved,
        },
        "test": found,
    }


def volumes_of(name, convention):
    """Callable: a record's metrics by volume; `None` if it has diverged."""
    return lambda record: record["test"].get(name, {}).get(convention)


COLUMNS = {
    "R": lambda cell, _: f"{cell[0]:g}",
    "lines": lambda cell, _: cell[1],
    "reconstruction": lambda cell, _: RECONSTRUCTIONS[cell[2]],
    **conventions.columns(lambda cell, name: volumes_of(cell[-1], name)),
    "centre": lambda _, records: records[0]["calibration_lines"],
    "R in training": drawn_lines.achieved("training"),
    "R in test": drawn_lines.achieved("test"),
    **experiments.TRAINING_COLUMNS,
}


def claims(cells):
    """Claims that compare the U-Net with learned lines and other lines."""
    for (rate, mask), records in cells.items():
        if mask != "learned":
            yield experiments.Claim(
                f"R = {rate:g}, U-Net on learned against {mask} lines:",
                cells.get((rate, "learned"), []),
                records,
            )


def draw(cells, folder):
    """All figures with their captions, by name."""
    images = experiments.first_images(cells, folder, Run.of)
    metrics = list(conventions.METRICS)
    figures = {
        "curves": line_figures.draw_validation(cells, MASKS, metrics),
        "masks": line_figures.draw_masks(images),
    }
    for rate in experiments.rates_of(images):
        figures[f"reconstructions_R{rate:g}"] = (
            line_figures.draw_reconstructions(images, rate, RECONSTRUCTIONS)
        )
    return figures


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    cells = Run.cells(records)
    by_reconstruction = {
        (*cell, name): found
        for cell, found in cells.items()
        for name in RECONSTRUCTIONS
    }
    verdicts = conventions.verdicts(claims(cells), partial(volumes_of, "unet"))
    return {
        "title": "The fastMRI U-Net on random, equispaced and learned lines",
        "convention": CONVENTION,
        "table": experiments.table(by_reconstruction, COLUMNS),
        "figures": draw(cells, folder),
        "sentences": [*verdicts, REPORTED],
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    return experiments.main(
        settings, grid, build_model, train, results, free=GRID
    )


if __name__ == "__main__":
    sys.exit(main())
