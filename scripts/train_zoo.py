"""Train the small models of `loupe_tf.zoo`, and write their cards.

Each model is a mask of points, learned by 4S together with its network, on
images with a permissive licence. A card says what it was trained on, with which
seed and settings, and what came out on the test volumes.

    python scripts/train_zoo.py --preset smoke
    python scripts/train_zoo.py --preset cpu --data-dir TFDS \\
        --into loupe_tf/zoo/weights

The second command made the files of the package. Networks, loss and number of
epochs are those of reproduce_xpdnet.py. The test uses the weights of the epoch
with the lowest validation loss.

Each finished run writes a small JSON file to the folder given by --out. Repeat
a stopped command to resume it.
"""

import dataclasses
import itertools
import json
import pathlib
import sys
import zipfile

import experiments
import loupe_tf
from experiments.presets.zoo import GRID, MODELS, parse
from experiments.unrolled_networks import count_parameters, make_network
from loupe_tf import evaluation, masks
from loupe_tf.atomic import written_aside
from loupe_tf.provenance import environment

CONVENTION = (
    "PSNR = -10 log10(MSE) of a slice, SSIM with the Gaussian window and data "
    "range 1, images divided by their volume's maximum; mean over the slices "
    "of a volume"
)
LESJAK = {
    "name": "open_ms: FLAIR volumes of multiple-sclerosis patients",
    "citation": (
        "Ž. Lesjak et al., Validation of White-Matter Lesion Change Detection "
        "Methods on a Novel Publicly Available MRI Image Database, "
        "Neuroinformatics 2016"
    ),
    "licence": "CC BY",
}
BRAIN = {
    "name": "the embedded brain: slices of the MNI152 template",
    "citation": "see docs of mni_brain",
    "licence": "see docs of mni_brain",
}
TITLES = {"unet": "U-Net", "varnet": "VarNet"}
PREPROCESSING = (
    "Magnitude images {}×{}, each volume divided by its maximum; one coil, "
    "k-space computed from the image"
)


@dataclasses.dataclass(frozen=True)
class Run(experiments.Run):
    """One model."""

    model: str
    seed: int

    order = {"model": MODELS}

    @property
    def stem(self):
        return f"{self.model}-seed{self.seed}"


def grid(settings):
    pairs = itertools.product(settings["seeds"], settings["models"])
    return [Run(model, seed) for seed, model in pairs]


def build_model(run, settings, image_shape):
    import keras

    keras.utils.set_random_seed(run.seed)
    acceleration, network = MODELS[run.model]
    size = tuple(image_shape[:2])
    model = loupe_tf.models.loupe_model(
        (*size, 1),
        acceleration=acceleration,
        slope=settings["slope"],
        # As in reproduce_xpdnet.py.
        prob_slope=0.05 / settings["learning_rate"],
        reconstructor=make_network(
            network, settings["iterations"], settings, size
        ),
        seed=run.seed,
        name=run.model,
    )
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    model.compile(optimizer, loss="mse")
    return model


def train(run, settings, splits, folder):
    """Train a model, write it with its card, and return the record."""
    test = splits["test"]
    shape = test.images.shape[1:]
    model = build_model(run, settings, shape)
    with experiments.time_spent(run, folder) as seconds:
        history, finite = experiments.fit_one_round(
            model,
            run,
            settings,
            *((splits[x].images,) * 2 for x in ("train", "validation")),
            folder,
        )
    record = {
        **run.record(history, ["loss", "val_loss", "slope"]),
        "seconds": round(seconds(), 1),
        "diverged": not finite,
        "test": {},
    }
    if record["diverged"]:
        return record
    mask = masks.from_model(model)
    found = {
        "model": model,
        "zero_filled": evaluation.CLASSICAL["zero_filled"],
    }
    for name, method in found.items():
        judged = evaluation.judge(method, mask, test.images, test.volumes)
        record["test"][name] = judged["unit_range"]
    into = pathlib.Path(settings["into"] or folder / "zoo")
    write(into, model, mask, record, run, settings, splits)
    return record


def write(into, model, mask, record, run, settings, splits):
    """Write a model and its card to a folder."""
    from loupe_tf.zoo.models import sha256

    name = f"{settings['prefix']}_{run.model}"
    path = into / f"{name}.keras"
    with written_aside(path) as partial:
        # Without the optimizer and its state.
        bare = type(model).from_config(model.get_config())
        bare.set_weights(model.get_weights())
        bare.save(partial)
        compress(partial)
    acceleration, network = MODELS[run.model]
    data = LESJAK if settings["prefix"].startswith("flair") else BRAIN
    height, width = mask.shape
    used = ("filters", "depth", "iterations", "batch_size", "learning_rate")
    title = TITLES[network]
    card = {
        "title": f"Learned points at R = {acceleration:g} with a {title}",
        "data": {
            **data,
            "splits": "; ".join(
                f"{split}: {part}{patients_of(part)}"
                for split, part in splits.items()
            ),
        },
        "preprocessing": PREPROCESSING.format(height, width),
        "mask": {
            "learned": True,
            "shape": list(mask.shape),
            "lines": mask.lines,
            "acceleration": mask.acceleration,
            "achieved_acceleration": mask.achieved_acceleration,
            "acquired": mask.acquired,
            "calibration": mask.calibration,
        },
        "metrics": {"convention": CONVENTION, **record["test"]},
        "training": {
            "command": "python scripts/train_zoo.py --preset cpu",
            "seed": run.seed,
            "epochs": record["epochs"],
            "settings": {key: settings[key] for key in used},
            **environment(),
        },
        "parameters": count_parameters(model.reconstructor),
        "licence": "MIT, as the package",
        "file": path.name,
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
    }
    text = json.dumps(card, indent=1, ensure_ascii=False)
    with written_aside(into / f"{name}.json") as partial:
        partial.write_text(text + "\n", "utf-8")


def compress(path):
    """Compress a .keras file, a ZIP archive, which Keras only stores."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            # Without the time, so that the same weights give the same file.
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def patients_of(part):
    """The patients of a split, for its line in a card."""
    if part.patients is None:
        return ""
    return " of " + ", ".join(sorted(set(map(str, part.patients))))


def volumes_of(record):
    """A record's metrics by volume; `None` if it has diverged."""
    return record["test"].get("model")


def zero_filled_of(record):
    """Those of zero filling with the same mask."""
    return record["test"].get("zero_filled")


COLUMNS = {
    "model": lambda cell, _: cell.model,
    "PSNR": experiments.metric(volumes_of),
    "SSIM": experiments.metric(volumes_of, "ssim", 4),
    "PSNR, zero-filled": experiments.metric(zero_filled_of),
    **experiments.TRAINING_COLUMNS,
}


def results(records, folder):
    """Make the arguments of `experiments.publish` for the report."""
    return {
        "title": "The models of loupe_tf.zoo",
        "convention": f"{CONVENTION}.",
        "table": experiments.table(Run.cells(records), COLUMNS),
        "figures": {},
        "sentences": [],
    }


def main(arguments=None):
    settings = parse(__doc__, arguments)
    free = (*GRID, "into", "prefix")
    return experiments.main(
        settings, grid, build_model, train, results, free=free
    )


if __name__ == "__main__":
    sys.exit(main())
