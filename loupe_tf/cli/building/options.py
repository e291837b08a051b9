"""The options of `loupe-tf build`."""

from loupe_tf.cli.vocabulary import (
    add_data_dir,
    add_on_bad_volume,
    add_volumes,
)
from loupe_tf.command_line import stands_for

# What there is, for --help, which does not import TFDS.
DATA_SETS = {
    "mri_volumes/NAME": "Your own volumes (NIfTI, DICOM, HDF5, NumPy), under a "
    "name that you choose.",
    "fastmri_slices/knee_singlecoil": "Magnitude images of knees, each volume "
    "divided by its maximum.",
    "fastmri_slices/knee_singlecoil_4s": "As knee_singlecoil: a subset of "
    "about the size of the 4S paper's.",
    "fastmri_slices/knee_singlecoil_kspace": "Emulated single-coil k-space of "
    "knees, with reconstructions.",
    "fastmri_slices/knee_multicoil": "Multi-coil k-space of knees, with "
    "reconstructions.",
    "fastmri_slices/brain_multicoil": "Multi-coil k-space of brains, with "
    "reconstructions.",
}


def add_options(command):
    """Add all of them to the parser of the command."""
    add = command.add_argument
    name = add(
        "name",
        metavar="NAME",
        help="what to build, such as mri_volumes/mine; the list is below",
    )
    stands_for(name, "config")
    data = add(
        "--data",
        dest="source",
        metavar="DIR",
        help="folder with the files to read (TFDS's manual directory)",
    )
    stands_for(data, "folder")
    add_data_dir(command)
    add(
        "--format",
        dest="file_format",
        choices=["tfrecord", "array_record"],
        default="tfrecord",
        help="tfrecord for tf.data, array_record for random access (default: "
        "%(default)s)",
    )
    add_on_bad_volume(command, "stop")
    add(
        "--overwrite",
        action="store_true",
        help="build again what is already there",
    )
    add(
        "--size",
        type=int,
        nargs="+",
        metavar=("SIZE", "WIDTH"),
        help="crop magnitude images to SIZE×SIZE (default: 320 for "
        "fastmri_slices), or crop or pad them to SIZE×WIDTH where both are "
        "given (default: as they are for mri_volumes); with --field-of-view, "
        "the matrix of k-space (default: the largest that all have acquired)",
    )
    add(
        "--seed",
        type=int,
        metavar="N",
        help="another choice of volumes for knee_singlecoil_4s, and of "
        "patients for shares in mri_volumes (default: 0)",
    )
    add_options_of_mri_volumes(command.add_argument_group("of mri_volumes"))
    group = command.add_argument_group("of fastmri_slices")
    group.add_argument(
        "--manifest",
        metavar="FILE",
        help='JSON that says which volumes to take: {"splits": {"train": '
        '["file1000001", ...], "validation": [...], "test": [...]}}',
    )
    add_options_of_beam(command.add_argument_group("on Apache Beam"))


def add_options_of_beam(group):
    """Add those that say how many workers build."""
    group.add_argument(
        "--beam-runner",
        metavar="RUNNER",
        help="build on Apache Beam, such as DirectRunner",
    )
    group.add_argument(
        "--beam-options",
        metavar="OPTIONS",
        help="options of the runner, as one string: "
        '--beam-options="--direct_num_workers=2"',
    )


def add_options_of_mri_volumes(group):
    """Add those that only volumes of the user's own have."""
    add = group.add_argument
    add_volumes(group)
    add(
        "--complex",
        dest="complex_images",
        action="store_const",
        const=True,
        help="keep the phase of complex NumPy and NIfTI files; files without a "
        "phase are bad volumes then (default: magnitudes)",
    )
    add(
        "--patient",
        metavar="REGEX",
        help="what in the path of a volume is the patient: a regular "
        "expression with one group, such as '(patient[0-9]+)' (default: what "
        "DICOM and HDF5 files say, else each volume is a patient)",
    )
    add(
        "--split",
        nargs="+",
        metavar="SPLIT",
        help="three shares, drawn by a hash of the patient; or "
        "train=PATIENT,PATIENT validation=PATIENT test=PATIENT; or a CSV file "
        "with the columns split and volume, patient or both (default: 0.7 0.15 "
        "0.15)",
    )
    add(
        "--field-of-view",
        type=float,
        nargs="*",
        metavar="MM",
        help="bring volumes of mixed matrices and voxel sizes to one field of "
        "view, H W in mm, and one matrix, by cropping images and k-space; "
        "without numbers to the largest field of view that all have",
    )
    add(
        "--zero-fill",
        choices=["image", "kspace", "both"],
        help="with --field-of-view, where zeros may stand for what was not "
        "acquired (default: nowhere, such volumes are refused)",
    )
    add(
        "--crop-to-acquired",
        type=int,
        nargs="*",
        metavar="LINES",
        help="crop k-space to the extent that was acquired: found in the "
        "images (with --field-of-view in those of each volume), or the two "
        "numbers of lines given",
    )
