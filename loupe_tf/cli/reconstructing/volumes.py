"""Reconstructing files one by one, each once, and the table of all."""

import os
import pathlib
import sys
import time
import warnings

import numpy as np
import tqdm

from loupe_tf import command_line, evaluation, formats, masks, report
from loupe_tf.checks import invalid
from loupe_tf.cli.masks import titles
from loupe_tf.cli.reconstructing.curves import Curves
from loupe_tf.cli.reconstructing.inputs import (
    Coils,
    content,
    files_of,
    print_whitened,
)
from loupe_tf.cli.reconstructing.methods import (
    OPTIONS,
    make_method,
    of_masks,
)
from loupe_tf.reconstruction import Network, ZeroFilled
from loupe_tf.reconstruction.reconstruct import reconstruct
from loupe_tf.records import read_json
from loupe_tf.run_folder import RunFolder

CONVENTION = (
    "Errors: magnitudes of the whole volume, compared with those of all "
    "samples, in the convention of fastMRI (PSNR: the peak is the volume's "
    "largest pixel)."
)
KSPACE_OPTIONS = ("leading", "lines", "select")
FIGURES = (("nmse", 4), ("psnr", 2), ("ssim", 3))


class Undersampled:
    """Fully sampled k-space, as a scan with a mask would have left it."""

    def __init__(self, volume, mask):
        self.shape = volume.shape
        self.volume = volume
        self.mask = mask

    def __getitem__(self, i):
        return np.where(self.mask, self.volume[i], 0)


def reconstruct_all(every):
    """Reconstruct all files, with each mask, and print the table.

    Args:
        every: List of `argparse.Namespace` of `loupe-tf reconstruct`, one for
            each mask.

    Raises:
        ValueError: If the model, the mask or the maps cannot be used; or at
            the end, if files could not.
    """
    tasks = [
        Curves(options) if options.trajectory else Masked(options)
        for options in every
    ]
    folders = [RunFolder(options.out) for options in every]
    for task, folder in zip(tasks, folders, strict=True):
        folder.check_settings(task.settings, task.coils.later)
    records, failed = {}, []
    for options, task, folder in zip(every, tasks, folders, strict=True):
        records[options.mask], others = reconstruct_files(options, task, folder)
        failed += [path for path in others if path not in failed]
    if len(every) > 1:
        records = with_masks(records)
    else:
        (records,) = records.values()
    if records:
        tasks[0].print_table(records)
        print(
            "Images are in", ", ".join(str(folder.path) for folder in folders)
        )
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(every[0].files)} files were not "
            f"reconstructed: {', '.join(failed)}"
        )


def with_masks(records):
    """The records of all masks, those of a file together.

    Args:
        records: Dict by mask of lists of records.

    Returns:
        List of records, each with the name of its mask.
    """
    together = {}
    for title, own in zip(titles([*records]), records.values(), strict=True):
        for record in own:
            named = {**record, "mask": title}
            together.setdefault(record["file"], []).append(named)
    return [record for own in together.values() for record in own]


def reconstruct_files(options, task, folder):
    """Reconstruct all files with one mask or trajectory.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
        task: `Curves` or `Masked`.
        folder: `RunFolder`.

    Returns:
        A pair of lists: the records of files, and the paths of files that
        could not be reconstructed.
    """
    failed = []
    bar = tqdm.tqdm(options.files, unit="volume")
    for path in bar:
        bar.set_description(pathlib.Path(path).stem)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            try:
                complete(path, task, options, folder)
            except (ValueError, ImportError, OSError) as error:
                failed.append(path)
                bar.write(
                    f"{path}: error: {command_line.in_flags(str(error))}",
                    sys.stderr,
                )
        for warning in caught:
            # Packages force others on us.
            if issubclass(warning.category, UserWarning):
                text = command_line.in_flags(str(warning.message))
                bar.write(f"{path}: warning: {text}", sys.stderr)
    done = [path for path in options.files if path not in failed]
    return [read_record(folder, path) for path in done], failed


def load_mask(options, reconstructor):
    """The mask of the scan: that of the file, or the model's."""
    if options.mask is not None:
        with command_line.meaning(path="mask", format=None):
            return formats.load_mask(options.mask, shift=options.shift)
    if options.method is not None:
        raise ValueError(
            "Invalid value for argument --mask. Expected the mask of the scan; "
            "an ISMRMRD file, such as the scan itself, is one too. Received: "
            "none"
        )
    mask = masks.from_model(reconstructor.model)
    if isinstance(mask, tuple):
        raise ValueError(
            "Invalid value for argument --mask. Expected the one of the "
            f"model's {len(mask)} masks that the scan was made with. Received: "
            "none"
        )
    return mask


class Masked:
    """Rebuild scans that were made with a mask.

    Args:
        options: `argparse.Namespace` of `loupe-tf reconstruct`.
    """

    def __init__(self, options):
        self.options = options
        self.reconstructor = (
            make_method(options, of_masks())
            if options.method
            else Network(options.model)
        )
        self.mask = load_mask(options, self.reconstructor)
        self.coils = Coils(options)
        names = ("shift", "scale", "undersample", "allow_zeros")
        self.settings = {
            **{name: getattr(options, name) for name in names},
            **{name: getattr(options, name) for name in KSPACE_OPTIONS},
            **{name: getattr(options, name) for name in OPTIONS},
            "method": options.method,
            "model": content(options.model),
            "mask": content(options.mask),
            **self.coils.settings,
        }

    def rebuild(self, path):
        """Images of one file; their place in mm; and their record."""
        return rebuild(
            path, self.reconstructor, self.mask, self.coils, self.options
        )

    def print_table(self, records):
        """Print a row for each file, with errors where there is a truth."""
        name = self.options.method or "model"
        print_table(records, name, self.options.undersample)
        print_whitened(records)


def complete(path, task, options, folder):
    """Make what is missing of one file."""
    name = pathlib.Path(path).stem
    stats = [os.stat(file) for file in files_of(path)]
    stamp = [x for stat in stats for x in (stat.st_size, stat.st_mtime_ns)]
    outputs = [folder / f"{name}.{suffix}" for suffix in options.formats]
    record = None if options.overwrite else read_record(folder, path)
    if record:
        check_same_file(record, path, stamp, folder)
        same = record["stamp"] == stamp
        if same and all(file.exists() for file in outputs):
            return
    images, place, record = task.rebuild(path)
    folder.claim()
    for file in outputs:
        formats.save_image(images, file, *place)
    # Last: it says that the others are there.
    own = os.path.abspath(files_of(path)[-1])
    record |= {"path": own, "stamp": stamp}
    folder.write_json(f"records/{name}.json", record)


def check_same_file(record, path, stamp, folder):
    """Refuse a file if the folder has the images of another of its name."""
    own = files_of(path)[-1]
    if "path" in record:
        known, own = record["path"], os.path.abspath(own)
        exists = os.path.exists(known)
        moved = record["stamp"] == stamp and not exists
        same = known == own or moved or exists and os.path.samefile(known, own)
    else:
        # Records of older versions have the name alone.
        known = record["file"]
        same = files_of(known)[-1].name == own.name
    if not same:
        raise invalid(
            "out",
            "a folder without images of another file of that name, or "
            "--overwrite to replace them",
            found=f"{folder.path}, which has those of {known}, for {path}",
        )


def rebuild(path, reconstructor, mask, coils, options):
    """Images of one file; their place in mm; and their record."""
    given = {name: getattr(options, name) for name in KSPACE_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    with formats.load_kspace(path, **given) as file:
        volume, maps, of_noise = coils.prepare(file, path)
        sampled = Undersampled(volume, mask) if options.undersample else volume
        begin = time.perf_counter()
        images = reconstruct(
            reconstructor,
            sampled,
            mask,
            maps,
            scale=options.scale,
            # `load_mask` has already shifted DC to the centre.
            shift=False,
            allow_zeros=options.allow_zeros,
            verbose=1,
            espirit_options=coils.espirit_options,
        )
        record = {
            "file": pathlib.Path(path).name,
            **of_noise,
            "shape": volume.shape,
            "acceleration": mask.achieved_acceleration,
            "seconds": time.perf_counter() - begin,
        }
        if options.undersample:
            fixed = None if isinstance(maps, str) else maps
            truth = zero_filled(volume, fixed)
            found = {options.method or "model": images}
            if options.method != "zero_filled":
                found["zero-filled"] = zero_filled(sampled, fixed)
            for name, each in found.items():
                record[name] = evaluation.fastmri_metrics(truth, np.abs(each))
        view = file.field_of_view
        if not view and mask.matrix in (None, tuple(volume.shape[2:])):
            view = mask.field_of_view
        place = view, file.slice_spacing
    return images, place, record


def zero_filled(volume, maps):
    """Magnitudes of all slices, what is zero taken as measured."""
    everything = np.ones(volume.shape[2:], bool)
    images = []
    for i in range(volume.shape[0]):
        one = maps[i] if np.ndim(maps) == 4 else maps
        images.append(np.abs(ZeroFilled()(volume[i], everything, one)))
    return np.stack(images)


def read_record(folder, path):
    """The record of a file, or `None`."""
    file = folder / f"records/{pathlib.Path(path).stem}.json"
    remedy = "Delete it to reconstruct that file again"
    return read_json(file, remedy) if file.exists() else None


def print_table(records, method, undersample):
    """Print a row for each file, with errors where there is a truth."""
    header = ["file", "slices", "coils", "matrix", "R", "seconds"]
    several = any("mask" in record for record in records)
    if several:
        header.insert(1, "mask")
    methods = ()
    if undersample:
        # Once is enough of zero filling.
        others = () if method == "zero_filled" else ("zero-filled",)
        methods = (method, *others)
    header += [
        f"{each}: {unit}"
        for each in methods
        for unit in ("NMSE", "PSNR [dB]", "SSIM")
    ]
    rows = []
    for record in records:
        slices, coils, height, width = record["shape"]
        rows.append(
            [
                record["file"],
                *([record["mask"]] if several else []),
                str(slices),
                str(coils),
                f"{height}×{width}",
                f"{record['acceleration']:.3g}",
                f"{record['seconds']:.1f}",
                *(
                    f"{record[each][figure]:.{digits}f}"
                    for each in methods
                    for figure, digits in FIGURES
                ),
            ]
        )
    print(report.text_table(header, rows))
    if undersample:
        print(CONVENTION)
