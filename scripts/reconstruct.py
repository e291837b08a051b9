"""Images from raw k-space, with a learned mask and the model that goes with it.

A scan was made with a mask; this rebuilds its images. Files are fastMRI's HDF5,
ISMRMRD, BART's .cfl or .npy, one volume each, of one coil or several; slices
are read one by one, so that volumes may be larger than memory.

    python scripts/reconstruct.py --model model.keras --mask mask.npz \\
        --out images scan1.h5 scan2.mrd
    python scripts/reconstruct.py --model model.keras --maps espirit \\
        --formats nii.gz png --out images multicoil/*.h5
    python scripts/reconstruct.py --model model.keras --undersample \\
        --out tried fully_sampled.h5

K-space is taken as it was measured with that mask. With --undersample it is
fully sampled, and is sampled with the mask first, to try out what a scan would
give: the table then has the error of the images beside that of zero filling,
both compared with the images of all samples.

Without --mask the model's own is taken. What cannot be right is an error: a
mask of another size, samples that the mask acquires and the file has not; what
may be meant is a warning: a mask that is not the model's, samples that are
not used.

Images have the unit of the k-space. The folder given by --out gets the images
of each file in the formats asked for, and in records/ the figures of the table;
.png is to look at, black 0 and white the value that 99.5 percent of the pixels
do not exceed. A file that cannot be used is named, the others still come out,
and the script ends with 2. A command that was stopped goes on when it is given
again: what is there, of a file that has not changed, is not made anew without
--overwrite. The folder belongs to one model, mask and set of options.
"""

import hashlib
import os
import pathlib
import sys
import time
import warnings

import numpy as np
import tqdm

import loupe_tf
from loupe_tf import (
    command_line,
    evaluation,
    formats,
    masks,
    reading,
    report,
    run_folder,
)
from loupe_tf.formats.kspace_ismrmrd import COUNTERS
from loupe_tf.reconstruction import Network, ZeroFilled
from loupe_tf.records import read_json

FORMATS = ("npy", "nii", "nii.gz", "png")
CONVENTION = (
    "Errors: magnitudes of the whole volume, compared with those of all "
    "samples, in the convention of fastMRI (PSNR: the peak is the volume's "
    "largest pixel)."
)
KSPACE_OPTIONS = ("leading", "lines", "select")
FIGURES = (("nmse", 4), ("psnr", 2), ("ssim", 3))


def parse_arguments(arguments=None):
    parser = command_line.argument_parser(__doc__)
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="k-space, one volume each")
    add("--model", required=True, help="trained model (.keras)")
    add(
        "--mask",
        help="mask of the scan, in any format of `loupe-tf mask` (that of the "
        "model)",
    )
    dc = parser.add_mutually_exclusive_group()
    dc.add_argument(
        "--shift",
        dest="shift",
        action="store_true",
        default=None,
        help="the mask has DC in a corner: move it to the centre",
    )
    dc.add_argument(
        "--as-is",
        dest="shift",
        action="store_false",
        help="take the mask as it is, wherever DC seems to be",
    )
    add("--out", default="images", help="folder of the images (%(default)s)")
    add(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=["npy", "png"],
        help="of the images (npy png); nii and nii.gz need the extra `volumes`",
    )
    add(
        "--maps",
        metavar="espirit|FILE",
        help="sensitivity maps of several coils: estimated from the centre of "
        "k-space of each slice (the extra `reconstruction`), or a file of maps "
        "for all volumes, .npy (coils, H, W) or (slices, coils, H, W), or .cfl",
    )
    add(
        "--scale",
        type=float,
        help="k-space is divided by it before it goes to the model (the "
        "maximum of the zero-filled volume)",
    )
    add(
        "--undersample",
        action="store_true",
        help="the files are fully sampled: sample them with the mask first",
    )
    add(
        "--allow-zeros",
        action="store_true",
        help="zeros where the mask acquires samples count as measured: some "
        "files have columns of zeros around what was measured",
    )
    add("--overwrite", action="store_true", help="make all images anew")
    add(
        "--leading",
        choices=("coils", "slices"),
        help="of .npy with three axes: what the first one counts",
    )
    add(
        "--lines",
        choices=("columns", "rows"),
        help="of ISMRMRD: what lines are (columns)",
    )
    add(
        "--select",
        nargs="+",
        metavar="NAME=N",
        help=f"of ISMRMRD: which of {', '.join(COUNTERS)} (0), such as "
        "contrast=1",
    )
    options = parser.parse_args(arguments)
    names = [pathlib.Path(file).stem for file in options.files]
    if len(set(names)) < len(names):
        parser.error(
            "FILE: expected files of different names, since images are named "
            f"after them, not {' '.join(options.files)}"
        )
    if options.select:
        pairs = [text.partition("=") for text in options.select]
        if not all(name in COUNTERS and n.isdecimal() for name, _, n in pairs):
            parser.error(
                f"--select: expected NAME=N, NAME one of {', '.join(COUNTERS)},"
                f" not {' '.join(options.select)}"
            )
        options.select = {name: int(n) for name, _, n in pairs}
    return options


class Undersampled:
    """Fully sampled k-space, as a scan with a mask would have left it."""

    def __init__(self, volume, mask):
        self.shape = volume.shape
        self.volume = volume
        self.mask = mask

    def __getitem__(self, i):
        return np.where(self.mask, self.volume[i], 0)


def load_mask(options, network):
    if options.mask is not None:
        return formats.load_mask(options.mask, shift=options.shift)
    mask = masks.from_model(network.model)
    if isinstance(mask, tuple):
        raise ValueError(
            "Invalid value for argument --mask. Expected the one of the "
            f"model's {len(mask)} masks that the scan was made with. Received: "
            "none"
        )
    return mask


def load_maps(path):
    if path in (None, "espirit"):
        return path
    if pathlib.Path(path).suffix == ".npy":
        return reading.load_npy(path)
    return formats.load_coils(path)


def settings_of(options):
    """What one folder holds the images of; files by their content."""

    def content(path):
        if path in (None, "espirit"):
            return path
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()

    names = ("shift", "scale", "undersample", "allow_zeros", *KSPACE_OPTIONS)
    return {
        **{name: getattr(options, name) for name in names},
        "model": content(options.model),
        "mask": content(options.mask),
        "maps": content(options.maps),
    }


def rebuild(path, network, mask, maps, options):
    """Images of one file; their place in mm; and their record."""
    given = {name: getattr(options, name) for name in KSPACE_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    with formats.load_kspace(path, **given) as volume:
        sampled = Undersampled(volume, mask) if options.undersample else volume
        begin = time.perf_counter()
        images = loupe_tf.reconstruct(
            network,
            sampled,
            mask,
            maps,
            scale=options.scale,
            shift=False,  # `load_mask` has seen to it.
            allow_zeros=options.allow_zeros,
            verbose=1,
        )
        record = {
            "file": pathlib.Path(path).name,
            "shape": volume.shape,
            "acceleration": mask.achieved_acceleration,
            "seconds": time.perf_counter() - begin,
        }
        if options.undersample:
            fixed = None if isinstance(maps, str) else maps
            truth = zero_filled(volume, fixed)
            for name, found in (
                ("model", images),
                ("zero-filled", zero_filled(sampled, fixed)),
            ):
                record[name] = evaluation.fastmri_metrics(truth, np.abs(found))
        view = volume.field_of_view or mask.field_of_view
        place = view, volume.slice_spacing
    return images, place, record


def zero_filled(volume, maps):
    """Magnitudes of all slices, what is zero taken as measured."""
    everything = np.ones(volume.shape[2:], bool)
    images = []
    for i in range(volume.shape[0]):
        one = maps[i] if np.ndim(maps) == 4 else maps
        images.append(np.abs(ZeroFilled()(volume[i], everything, one)))
    return np.stack(images)


def complete(path, network, mask, maps, options, folder):
    """Make what is missing of one file."""
    name = pathlib.Path(path).stem
    stat = os.stat(path)
    stamp = [stat.st_size, stat.st_mtime_ns]
    outputs = [folder / f"{name}.{suffix}" for suffix in options.formats]
    if not options.overwrite and all(file.exists() for file in outputs):
        record = read_record(folder, path)
        if record and record["stamp"] == stamp:
            return
    images, place, record = rebuild(path, network, mask, maps, options)
    folder.claim()
    for file in outputs:
        formats.save_image(images, file, *place)
    # Last: it says that the others are there.
    folder.write_json(f"records/{name}.json", {**record, "stamp": stamp})


def read_record(folder, path):
    file = folder / f"records/{pathlib.Path(path).stem}.json"
    remedy = "Delete it to reconstruct that file again"
    return read_json(file, remedy) if file.exists() else None


def write_table(records, undersample):
    header = ["file", "slices", "coils", "matrix", "R", "seconds"]
    methods = ("model", "zero-filled") if undersample else ()
    header += [
        f"{method}: {unit}"
        for method in methods
        for unit in ("NMSE", "PSNR [dB]", "SSIM")
    ]
    rows = []
    for record in records:
        slices, coils, height, width = record["shape"]
        rows.append(
            [
                record["file"],
                str(slices),
                str(coils),
                f"{height}×{width}",
                f"{record['acceleration']:.3g}",
                f"{record['seconds']:.1f}",
                *(
                    f"{record[method][figure]:.{digits}f}"
                    for method in methods
                    for figure, digits in FIGURES
                ),
            ]
        )
    print(report.text_table(header, rows))
    if undersample:
        print(CONVENTION)


def reconstruct_all(options):
    network = Network(options.model)
    mask = load_mask(options, network)
    maps = load_maps(options.maps)
    folder = run_folder.RunFolder(options.out)
    folder.check_settings(settings_of(options))
    failed = []
    bar = tqdm.tqdm(options.files, unit="volume")
    for path in bar:
        bar.set_description(pathlib.Path(path).stem)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            try:
                complete(path, network, mask, maps, options, folder)
            except (ValueError, ImportError, OSError) as error:
                failed.append(path)
                bar.write(
                    f"{path}: error: {command_line.in_flags(str(error))}",
                    sys.stderr,
                )
        for warning in caught:
            # Packages force others on us.
            if issubclass(warning.category, UserWarning):
                bar.write(f"{path}: warning: {warning.message}", sys.stderr)
    records = [
        read_record(folder, path)
        for path in options.files
        if path not in failed
    ]
    if records:
        write_table(records, options.undersample)
        print(f"Images are in {folder.path}")
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(options.files)} files were not "
            f"reconstructed: {', '.join(failed)}"
        )


def main(arguments=None):
    return command_line.exit_code(reconstruct_all, parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
