"""Look for what makes a learned mask, or its figures, too good.

Images that were published to be looked at have been processed: scanners fill
the borders of k-space with zeros, archives round to 8 bits, magnitudes have no
phase. A mask learned on them, and the PSNR reported with it, are better than
they would be on a scan: "implicit data crimes" (Shimron, Tamir, Wang and
Lustig, PNAS 119, 2022). Look before you train:

    python scripts/inspect_data.py scans/ --include "*FLAIR*" --out runs/look
    python scripts/inspect_data.py mri_volumes/flair --data-dir ~/data
    python scripts/inspect_data.py volume.nii.gz

What is looked for, and what it does:

    Hermitian k-space     one half of k-space tells the other; all magnitude
                          images have it
    zero-filled borders   a mask "accelerates" by leaving out what was never
                          acquired; build_dataset.py --crop-to-acquired mends
                          that
    empty corners         the same, for masks of points
    coarse quantisation   8-bit images: a floor of noise, a ceiling of PSNR
    JPEG blocks           compressed images are not the truth
    a patient, or a       what is tested on was trained on
    slice, in two splits

"not found" is no proof: a border of less than 3 % on a side, a signal that has
sunk into noise before the border begins, and JPEG of a quality above 90 are
not seen.

A file or a folder (NIfTI, DICOM, HDF5 of fastMRI, NumPy) is read as it is, and
each size of its images gets a table of its own. Anything else is the name of a
prepared TFDS data set, whose splits are compared.

The folder given by --out gets inspection.json and, for each size, a picture of
the mean log-spectrum with the extent that was found. The exit code is 0,
whatever was found, and 2 with a message if there was nothing to look at.
"""

import json
import logging
import pathlib
import sys

import loupe_tf.datasets
from loupe_tf import report
from loupe_tf.checks import invalid
from loupe_tf.command_line import argument_parser, exit_code
from loupe_tf.datasets import BadVolumeError
from loupe_tf.datasets.building.readers import find_volumes, read_volume
from loupe_tf.datasets.inspecting.inspector import Inspector


def parse_arguments(arguments=None):
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("data", help="a file, a folder, or the name of a TFDS data set")
    add("--data-dir", metavar="DIR", help="where TFDS keeps its data")
    add("--out", metavar="DIR", help="folder for the table and the pictures")
    add(
        "--include",
        nargs="+",
        metavar="PATTERN",
        help="which volumes of a folder, by their path in it: '*FLAIR*'",
    )
    add("--exclude", nargs="+", metavar="PATTERN", help="which of them not")
    add(
        "--slice-axis",
        type=int,
        choices=[0, 1, 2],
        help="the axis of NIfTI files that counts slices (default: the one of "
        "the longest voxels, else the last)",
    )
    return parser.parse_args(arguments)


def inspect_files(options):
    """An `Inspection` for each size of the images, and what was left out."""
    path = pathlib.Path(options.data).expanduser()
    names = [path.name]
    if path.is_dir():
        names = find_volumes(path, options.include or "*", options.exclude)
    if not names:
        raise ValueError(
            "Invalid folder. Expected volumes (NIfTI, DICOM, HDF5, NumPy) that "
            f"--include and --exclude leave. Received: none in {path}"
        )
    inspectors, left_out = {}, []
    for name in names:
        file = path / name if path.is_dir() else path
        try:
            volume = read_volume(file, options.slice_axis)
        except BadVolumeError as error:
            if len(names) == 1:
                raise
            left_out.append({"volume": name, "reason": error.reason})
            continue
        size = volume.images.shape[1:]
        inspector = inspectors.setdefault(size, Inspector())
        for image in volume.images:
            inspector.add(
                image,
                volume=name,
                patient=volume.patient,
                source=volume.source,
            )
    if not inspectors:
        raise ValueError(
            "Invalid folder. Expected a volume that can be read. Received: "
            f"{left_out[0]['volume']}: {left_out[0]['reason']}"
        )
    # The size of the most images first.
    found = [inspectors[size].result() for size in inspectors]
    found.sort(key=lambda i: -sum(v["slices"] for v in i.volumes))
    return found, left_out


def run(options):
    of_files = {
        "include": options.include,
        "exclude": options.exclude,
        "slice_axis": options.slice_axis,
    }
    is_file = pathlib.Path(options.data).expanduser().exists()
    unused = {"data_dir": options.data_dir} if is_file else of_files
    for name, value in unused.items():
        if value is not None:
            what = "a file or a folder" if is_file else "no file or folder"
            raise invalid(name, f"none, as {options.data} is {what}", value)
    inspections, left_out = [], []
    if is_file:
        inspections, left_out = inspect_files(options)
    else:
        inspection = loupe_tf.datasets.inspect(
            options.data, data_dir=options.data_dir
        )
        inspections = [inspection]
    print("\n\n\n".join(map(str, inspections)))
    for entry in left_out:
        print("\nLeft out: {volume}: {reason}".format(**entry))
    if options.out:
        write(pathlib.Path(options.out), options.data, inspections, left_out)


def write(folder, data, inspections, left_out):
    folder.mkdir(parents=True, exist_ok=True)
    for inspection in inspections:
        height, width = inspection.size
        file = folder / f"spectrum_{height}x{width}.png"
        report.save_figure(inspection.plot(), file)
    everything = {
        "data": data,
        "inspections": [inspection.to_json() for inspection in inspections],
        "left_out": left_out,
    }
    file = folder / "inspection.json"
    file.write_text(json.dumps(everything, indent=2) + "\n")
    print(f"\nWritten to {folder}")


def main(arguments=None):
    options = parse_arguments(arguments)
    logging.getLogger("absl").setLevel(logging.ERROR)
    return exit_code(run, options, interrupted="Stopped.")


if __name__ == "__main__":
    sys.exit(main())
