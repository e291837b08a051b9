"""The rows of the table: what is tried, each once."""

import dataclasses
import hashlib
import itertools
import pathlib
import re

import keras
import numpy as np

from loupe_tf import evaluation, masks, provenance
from loupe_tf.checks import invalid
from loupe_tf.cli.evaluating.scans import simulate
from loupe_tf.cli.measurement import describe, phase_for
from loupe_tf.cli.phase import images_of, with_phase
from loupe_tf.datasets import load_splits
from loupe_tf.evaluation.trying import try_on
from loupe_tf.kept_images import save_images
from loupe_tf.reconstruction import Network, ZeroFilled
from loupe_tf.reconstruction.network import load_model
from loupe_tf.reconstruction.scan_checks import fit_to_size
from loupe_tf.reconstruction.sigpy_problem import import_sigpy
from loupe_tf.run_folder import RunFolder

# What may differ between the rows of one folder, and what changes no figure.
FREE = (
    "masks",
    "reconstructors",
    "accelerations",
    "baseline",
    "zoom",
    "out",
    "data_dir",
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One row: a mask, at an R unless it is a file, and a reconstructor."""

    mask: str
    reconstructor: str
    acceleration: float | None

    @property
    def name(self):
        rate = "" if self.acceleration is None else f"R{self.acceleration:g}-"
        return f"{rate}{_slug(self.mask)}-{_slug(self.reconstructor)}"


def methods():
    """Return the reconstructors that need no training, by name."""
    return {**evaluation.CLASSICAL, **evaluation.OF_COILS}


def _slug(name):
    """A name for a file: that of a pattern or method, or of what a file is."""
    if name in masks.PATTERNS or name in methods():
        return name
    path = pathlib.Path(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return re.sub(r"\W+", "_", path.stem) + f"_{digest}"


def grid(settings):
    """All rows, in the order of the table; those of files have no R yet."""
    every = []
    cells = itertools.product(
        settings["accelerations"],
        settings["reconstructors"],
        settings["masks"],
    )
    for rate, reconstructor, mask in cells:
        drawn = mask in masks.PATTERNS
        every.append(Cell(mask, reconstructor, rate if drawn else None))
    return list(dict.fromkeys(every))


def find_mask(cell, settings, images):
    """The mask of a row; `spectrum` is of the images."""
    if cell.mask in masks.PATTERNS:
        return masks.fixed_mask(
            cell.mask,
            images,
            cell.acceleration,
            settings["calibration"],
            settings["seed"],
            lines=settings["lines"]
            if masks.PATTERNS[cell.mask].of_lines
            else None,
        )
    if cell.mask.endswith(".keras"):
        found = masks.from_model(load_model(cell.mask))
        if isinstance(found, tuple):
            raise ValueError(
                "Invalid value for argument --mask. Expected a model of one "
                f"mask, or one of its masks in a file. Received: {cell.mask}, "
                f"which has {len(found)}"
            )
    else:
        found = masks.SamplingMask.load(cell.mask)
    return fit_to_size(found, images.shape[1:3])


def find_reconstructor(cell, settings, mask, validation, scans):
    """Reconstructor of a row, and the scores that chose its regularization."""
    if cell.reconstructor in methods():
        return evaluation.tune(
            cell.reconstructor,
            mask,
            validation.images,
            slices=settings["tuning_slices"],
            **scans,
        )
    network = Network(cell.reconstructor)
    if settings["coils"] is None:
        check_one_coil(cell.reconstructor, network.model)
    return network, {}


def check_one_coil(path, model):
    """Refuse a model of several coils, if one coil is simulated.

    Args:
        path: String, the file of the model.
        model: The Keras model.

    Raises:
        ValueError: If it was trained with several coils.
    """
    coils = getattr(model, "coils", None)
    if coils not in (None, 1, "any"):
        raise invalid(
            "reconstructor",
            f"a model of one coil, or --coils {coils} to simulate several",
            found=f"{path}, a model of {coils} coils",
        )


def check(cell, settings, image_shape):
    """Try what does not depend on files, on an image of zeros."""
    zeros = np.zeros((1, *image_shape), "float32")
    if cell.mask not in masks.PATTERNS:
        return
    mask = find_mask(cell, settings, zeros)
    if cell.reconstructor in evaluation.CLASSICAL:
        reconstructor = evaluation.CLASSICAL[cell.reconstructor]
        evaluation.reconstruct(reconstructor, mask, zeros)
    elif cell.reconstructor in evaluation.OF_COILS:
        if evaluation.OF_COILS[cell.reconstructor].needs_sigpy:
            import_sigpy()


def evaluate_cell(cell, settings, splits, scans, folder):
    """Judge one row, and return its record: metrics, or an error."""
    record = {
        **dataclasses.asdict(cell),
        **provenance.environment(),
        "error": None,
    }
    test = splits["test"]
    try:
        mask = find_mask(cell, settings, splits["train"].images)
        record["acquired"] = [mask.acquired, mask.array.size]
        reconstructor, scores = find_reconstructor(
            cell, settings, mask, splits["validation"], scans["validation"]
        )
        if scores:
            record["regularization"] = reconstructor.regularization
            record["regularization_psnr"] = {
                f"{key:g}": value for key, value in scores.items()
            }
        result, shown = try_on(reconstructor, mask, test, **scans["test"])
    except ValueError as error:
        return {**record, "error": str(error)}
    if cell.reconstructor != "zero_filled":
        record["zero_filled"] = evaluation.judge(
            ZeroFilled(), mask, test.images, test.volumes, **scans["test"]
        )["unit_range"]
    record |= result
    if not result["unit_range"]:
        return {**record, "error": "no volume could be judged"}
    save_images(folder, cell.name, test.voxel_size, mask=mask.array, **shown)
    return record


def fingerprint(slices):
    """Shape and sum of images, a JSON value that tells data apart."""
    total = np.sum(slices.images, dtype="float64")
    # Processors differ in the last digits.
    return [list(slices.images.shape), float(f"{total:.9g}")]


def cell_of(record):
    """The row that a record is of."""
    return Cell(*(record[field.name] for field in dataclasses.fields(Cell)))


def conduct(settings):
    """Judge the rows that have not been judged yet.

    Whatever may be refused (the data, the folder, a pattern) is refused before
    the first row.

    Args:
        settings: Dict of the settings of `loupe-tf evaluate`.

    Returns:
        A tuple `(folder, facts, records)`: the `RunFolder`, texts by name for
        the report, and all records that the folder holds, by name.
    """
    splits, source = load_splits(
        settings["data"],
        settings["data_dir"],
        settings["seed"],
        complex_images=True,
    )
    fingerprints = {name: fingerprint(each) for name, each in splits.items()}
    phase = phase_for(settings["coils"], settings["phase"], splits)
    settings = {**settings, "phase": phase}
    images = images_of(splits, settings["phase"], settings["seed"])
    splits = {
        name: dataclasses.replace(slices, images=images[name])
        for name, slices in splits.items()
    }
    source = with_phase(source, settings["phase"])
    scans = simulate(settings, images)
    facts = provenance.provenance(settings, source, splits)
    facts["measurement"] = describe(settings)
    print(f"Data: {source}; {facts['volumes']}")
    print(f"Measurement: {facts['measurement']}")
    todo = grid(settings)
    for cell in todo:
        check(cell, settings, splits["test"].images.shape[1:])
    folder = RunFolder(settings["out"])
    same = {k: v for k, v in settings.items() if k not in FREE}
    same |= {"volumes": facts["volumes"]}
    data = {"source": source, "images": fingerprints}
    # Folders of older versions do not know their data. Their rows are reported,
    # but get no others beside them.
    known = folder.records_by_name()
    finished = all(cell.name in known for cell in todo)
    folder.check_settings(same | data, data if finished else ())

    def judge_one(cell):
        keras.utils.clear_session(free_memory=False)
        return evaluate_cell(cell, settings, splits, scans, folder)

    folder.complete(todo, judge_one)
    return folder, facts, folder.records_by_name()
