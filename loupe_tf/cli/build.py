"""`loupe-tf build`: a TFDS data set from files of MR volumes."""

from loupe_tf.cli.building.options import DATA_SETS, add_options
from loupe_tf.cli.vocabulary import add_command
from loupe_tf.command_line import in_flags

DOC = """\
Build a TFDS data set from files of MR volumes.

examples:
  NIfTI, DICOM, HDF5 or NumPy files, brought to one field of view:
    loupe-tf build mri_volumes/mine --data scans/ --data-dir data/ \\
        --field-of-view
  some of them, split by the patient that their path names:
    loupe-tf build mri_volumes/flair --data scans/ --data-dir data/ \\
        --include "*FLAIR*" --patient "(patient[0-9]+)" \\
        --split 0.7 0.15 0.15 --crop-to-acquired
  fastMRI's knees, one coil:
    loupe-tf build fastmri_slices/knee_singlecoil --data fastmri/ \\
        --data-dir data/
  its multi-coil k-space, on Apache Beam:
    loupe-tf build fastmri_slices/knee_multicoil --data fastmri/ \\
        --data-dir data/ --on-bad-volume skip --beam-runner DirectRunner

The files are read one volume at a time, checked, and written as records that
`tfds.load` (tfrecord) or `tfds.data_source` (array_record) opens. The name and
--data-dir then stand for the data set in other commands:

  loupe-tf train --data mri_volumes/mine --data-dir data/ --phase

Data sets that it builds:

{data_sets}

No fastMRI at hand? Make files like its own, and build from them:

  python -c "from loupe_tf.datasets import write_fastmri_dataset as write; \\
  write('simulated', {{'singlecoil_train': 8, 'singlecoil_val': 2}})"
  loupe-tf build fastmri_slices/knee_singlecoil --data simulated --data-dir data

A data set appears when it is complete, and not before: what a stopped or
killed build has left is removed by the next one, and --overwrite removes the
old data set after the new one is complete. A volume that is truncated,
unreadable, of a wrong shape or not finite is named in bad_volumes.txt, in the
folder of the data set or, if the build has stopped, beside it.

One folder of a data set holds one file format: give each its --data-dir.

On Beam (pip install "loupe-tf[beam]") the same records are written by many
workers. All of them must see --data and --data-dir under the same path. On a
single machine it is slower than without.

The exit code is 0 when the data set is there, and 2 with a message if it could
not be built.
"""
DOC = DOC.format(
    data_sets="\n".join(
        f"  {name}\n      {text}" for name, text in DATA_SETS.items()
    )
)


def add(commands):
    """Add the command."""
    build = add_command(
        commands,
        "build",
        "make a data set of files, split by patient",
        DOC,
        "NAME --data DIR",
    )
    add_options(build)
    build.set_defaults(run=run, stopped="Stopped. Nothing was built.")


def run(options):
    """Run the command."""
    import logging

    from loupe_tf.cli.building.builder import download_config, make_builder
    from loupe_tf.datasets.building import summary
    from loupe_tf.datasets.building.volume_builder import LostRecordsError

    # TFDS warns about each configuration that is not predefined.
    logging.getLogger("absl").setLevel(logging.ERROR)
    builder = make_builder(options)
    there = builder.is_prepared() and not options.overwrite
    try:
        builder.download_and_prepare(download_config=download_config(options))
    except LostRecordsError as error:  # The disk has lost them.
        raise OSError(str(error)) from error
    if there:
        print(f"Already there, --overwrite builds it again: {builder.data_dir}")
    else:
        print(f"Built {builder.data_dir}")
    print(f"{builder.info.full_name}, {builder.info.file_format.value}\n")
    print(summary.splits_table(builder))
    if note := summary.unknown_patients(builder):
        print(f"\n{in_flags(note)}")
    if done := summary.resizing(builder):
        print(f"\nVolumes:\n{done}")
