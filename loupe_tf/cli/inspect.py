"""`loupe-tf inspect`: processing that makes learned masks look too good."""

from loupe_tf.cli.vocabulary import (
    add_command,
    add_data_dir,
    add_on_bad_volume,
    add_volumes,
)
from loupe_tf.command_line import stands_for

DOC = """\
Find image processing that makes learned masks look better than they are.

examples:
  a folder of scans, with pictures of their k-space:
    loupe-tf inspect --data scans/ --include "*FLAIR*" --out runs/look
  one file:
    loupe-tf inspect --data volume.nii.gz
  a data set that `loupe-tf build` has made:
    loupe-tf inspect --data mri_volumes/mine --data-dir data/

Images that were published to be looked at have been processed: scanners fill
the borders of k-space with zeros, archives round to 8 bits, magnitudes have no
phase. A mask learned on them, and the PSNR reported with it, are better than
they would be on a scan: "implicit data crimes" (Shimron, Tamir, Wang and
Lustig, PNAS 119, 2022). Look before you train.

Each finding, and its effect:

  Hermitian k-space     either half of k-space determines the other; all
                        magnitude images have it
  zero-filled borders   a mask "accelerates" by leaving out what was never
                        acquired; --crop-to-acquired mends that
  empty corners         the same, for masks of points
  coarse quantisation   8-bit images: rounding adds noise, which limits PSNR
  JPEG blocks           compressed images are not the truth
  a patient, or a       what is tested on was trained on
  slice, in two splits

"not found" is no proof: the command does not see a border of less than 3 % on a
side, a border that begins where there is only noise, or JPEG of a quality above
90.

Where DICOM headers state the axis of phase encoding, H or W, it is printed with
the lines that a 2-D scan can leave out: columns for W, rows for H.

A file or a folder (NIfTI, DICOM, HDF5 of fastMRI, NumPy) is read as it is, and
each size of its images gets a table of its own. Volumes that cannot be read are
left out and named, unless --on-bad-volume stop is given. Anything else is the
name of a prepared TFDS data set, whose splits are compared.

The folder given by --out gets inspection.json and, for each size, a picture of
the mean log-spectrum with the extent that was found. The exit code is 0,
whatever was found, and 2 with a message if there was nothing to look at.
"""


def add(commands):
    """Add the command."""
    inspect = add_command(
        commands,
        "inspect",
        "report how images were already processed",
        DOC,
        "--data DATA",
    )
    data = inspect.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="a file, a folder, or the name of a TFDS data set",
    )
    stands_for(data, "images", "folder", "path")
    add_data_dir(inspect)
    inspect.add_argument(
        "--out",
        metavar="DIR",
        help="folder for the table and the pictures (default: none)",
    )
    add_volumes(inspect)
    add_on_bad_volume(inspect, "skip")
    inspect.set_defaults(run=run)


def run(options):
    """Run the command."""
    import logging
    import pathlib

    logging.getLogger("absl").setLevel(logging.ERROR)
    is_file = pathlib.Path(options.data).expanduser().exists()
    refuse_unused(options, is_file)
    import loupe_tf.datasets
    from loupe_tf.datasets.inspecting.inspect_files import inspect_files
    from loupe_tf.datasets.prepared import find_data_set

    if is_file:
        inspections, left_out = inspect_files(
            options.data,
            options.include,
            options.exclude,
            options.slice_axis,
            options.on_bad_volume,
        )
    else:
        builder = find_data_set(options.data, options.data_dir)
        inspections, left_out = [loupe_tf.datasets.inspect(builder)], []
    print("\n\n\n".join(map(str, inspections)))
    for entry in left_out:
        print("\nLeft out: {volume}: {reason}".format(**entry))
    if options.out:
        write(pathlib.Path(options.out), options.data, inspections, left_out)


def refuse_unused(options, is_file):
    """Refuse options that files, or data sets, do not have."""
    from loupe_tf.checks import invalid

    of_files = {
        "include": options.include,
        "exclude": options.exclude,
        "slice_axis": options.slice_axis,
    }
    unused = {"data_dir": options.data_dir} if is_file else of_files
    for name, value in unused.items():
        if value is not None:
            what = "a file or a folder" if is_file else "no file or folder"
            raise invalid(name, f"none, as {options.data} is {what}", value)


def write(folder, data, inspections, left_out):
    """Write the table and the pictures."""
    import json

    from loupe_tf import report

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
