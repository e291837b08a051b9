"""Build a TFDS data set from files of MR volumes.

The files are read one volume at a time, checked, and written as records that
`tfds.load` (tfrecord) or `tfds.data_source` (array_record) opens:

    python scripts/build_dataset.py fastmri_slices/knee_singlecoil \\
        --source ~/fastmri --data-dir ~/data
    python scripts/build_dataset.py fastmri_slices/knee_singlecoil_4s \\
        --source ~/fastmri --data-dir ~/data --file-format array_record
    python scripts/build_dataset.py fastmri_slices/knee_multicoil \\
        --source /mnt/fastmri --data-dir /mnt/data --on-bad-volume skip \\
        --beam-runner DirectRunner
    python scripts/build_dataset.py mri_volumes/flair \\
        --source scans --data-dir ~/data --include "*FLAIR*" \\
        --patient "(patient[0-9]+)" --split 0.7 0.15 0.15 --crop-to-acquired
    python scripts/build_dataset.py mri_volumes/mixed \\
        --source scans --data-dir ~/data --field-of-view 220 220

and then

    tfds.load("fastmri_slices/knee_singlecoil", data_dir="~/data")

What can be built:

{data_sets}

No fastMRI at hand? Make files like its own, and build from them:

    python -c "from loupe_tf.datasets import write_fastmri_dataset as write; \\
    write('simulated', {{'singlecoil_train': 8, 'singlecoil_val': 2}})"
    python scripts/build_dataset.py fastmri_slices/knee_singlecoil \\
        --source simulated --data-dir data

A data set appears when it is complete, and not before: what a stopped or
killed build has left is removed by the next one, and --overwrite removes the
old data set after the new one is complete. A volume that is truncated,
unreadable, of a wrong shape or not finite is named in bad_volumes.txt, in the
folder of the data set or, if the build has stopped, beside it.

One folder of a data set holds one file format: give each its --data-dir.

On Beam (pip install "loupe-tf[beam]") the same records are written by many
workers. All of them must see --source and --data-dir under the same path. On a
single machine it is slower than without.

The exit code is 0 when the data set is there, and 2 with a message if it could
not be built.
"""

import json
import logging
import pathlib
import shlex
import sys

import numpy as np
import tensorflow_datasets as tfds

import loupe_tf.datasets
from loupe_tf.checks import invalid
from loupe_tf.command_line import argument_parser, exit_code
from loupe_tf.datasets.building.volume_builder import LostRecordsError
from loupe_tf.datasets.fastmri_slices import fastmri_slices_dataset_builder
from loupe_tf.datasets.mri_volumes import mri_volumes_dataset_builder


def fastmri_slices(config, options):
    """The builder's class and its configuration."""
    configs = fastmri_slices_dataset_builder.Builder.builder_configs
    check_name("fastmri_slices", config, configs)
    given = given_options(options, ("size", "manifest", "seed"))
    if "size" in given:
        if len(given["size"]) > 1:
            raise invalid("size", "one number", given["size"])
        (given["size"],) = given["size"]
    config = loupe_tf.datasets.FastmriSlicesConfig(config, **given)
    return fastmri_slices_dataset_builder.Builder, config


def mri_volumes(config, options):
    """The builder's class and its configuration."""
    if not options.source:
        raise ValueError(
            "Missing option --source. Expected the folder of your volumes"
        )
    given = given_options(options, OF_MRI_VOLUMES)
    if "size" in given:
        size = given["size"]
        given["size"] = size[0] if len(size) == 1 else tuple(size)
    if "field_of_view" in given:
        view = given["field_of_view"]
        if len(view) > 2:
            raise invalid(
                "field_of_view",
                "two numbers H W in mm, one for both, or none",
                view,
            )
        given["field_of_view"] = (*view, *view)[:2] or True
    if "crop_to_acquired" in given:
        given["crop_to_acquired"] = tuple(given["crop_to_acquired"]) or True
    if "split" in given:
        given["split"] = parse_split(given["split"])
    config = loupe_tf.datasets.MriVolumesConfig(
        options.source, name=config or None, **given
    )
    return mri_volumes_dataset_builder.Builder, config


def parse_split(words):
    """Three shares, `SPLIT=PATIENT,...` or the path of a CSV file."""
    if all("=" in word for word in words):
        pairs = [word.split("=", 1) for word in words]
        return {split: patients.split(",") for split, patients in pairs}
    if len(words) == 1:
        return words[0]
    try:
        return [float(word) for word in words]
    except ValueError:
        raise invalid(
            "split",
            "three shares, a CSV file, or train=PATIENT,... test=PATIENT,...",
            words,
        ) from None


def given_options(options, names):
    given = {name: getattr(options, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


OF_MRI_VOLUMES = {
    "split",
    "patient",
    "include",
    "exclude",
    "field_of_view",
    "size",
    "zero_fill",
    "crop_to_acquired",
    "slice_axis",
    "seed",
}
# Name: the function that makes its configuration, the options that it takes
# beside those of all data sets, and what there is, for --help.
DATA_SETS = {
    "fastmri_slices": (
        fastmri_slices,
        {"size", "manifest", "seed"},
        {
            config.name: config.description
            for config in fastmri_slices_dataset_builder.Builder.BUILDER_CONFIGS
        },
    ),
    "mri_volumes": (
        mri_volumes,
        OF_MRI_VOLUMES,
        {
            "NAME": "Your own volumes (NIfTI, DICOM, HDF5, NumPy), under a "
            "name that you choose."
        },
    ),
}


def check_name(data_set, config, configs):
    if config not in configs:
        raise ValueError(
            f"Invalid configuration of {data_set}. Expected one of "
            f"{', '.join(f'{data_set}/{name}' for name in configs)}. "
            f"Received: {data_set}/{config}"
        )


def parse_arguments(arguments=None):
    lines = [
        f"    {name}/{config}\n        {description}"
        for name, (_, _, configs) in DATA_SETS.items()
        for config, description in configs.items()
    ]
    parser = argument_parser(__doc__.format(data_sets="\n".join(lines)))
    add = parser.add_argument
    add("name", help="what to build, such as fastmri_slices/knee_singlecoil")
    add(
        "--source",
        "--manual-dir",
        metavar="DIR",
        help="folder with the files to read (TFDS's manual directory)",
    )
    add("--data-dir", metavar="DIR", help="where TFDS keeps its data")
    add(
        "--file-format",
        choices=["tfrecord", "array_record"],
        default="tfrecord",
        help="tfrecord for tf.data, array_record for random access "
        "(%(default)s)",
    )
    add(
        "--on-bad-volume",
        choices=["stop", "skip"],
        default="stop",
        help="stop at the first bad volume, or leave bad volumes out "
        "(%(default)s)",
    )
    add(
        "--overwrite",
        action="store_true",
        help="build again what is already there",
    )
    add(
        "--beam-runner",
        metavar="RUNNER",
        help="build on Apache Beam, such as DirectRunner",
    )
    add(
        "--beam-options",
        metavar="OPTIONS",
        help="options of the runner, as one string: "
        '--beam-options="--direct_num_workers=2"',
    )
    add(
        "--size",
        type=int,
        nargs="+",
        metavar=("SIZE", "WIDTH"),
        help="crop magnitude images to SIZE×SIZE (fastmri_slices: 320); crop "
        "or pad them, to SIZE×WIDTH where both are given (mri_volumes: as "
        "they are); with --field-of-view, the matrix of k-space (the largest "
        "that all have acquired)",
    )
    add(
        "--seed",
        type=int,
        help="another choice of volumes for knee_singlecoil_4s, and of "
        "patients for shares in mri_volumes (0)",
    )
    group = parser.add_argument_group("of fastmri_slices")
    group.add_argument(
        "--manifest",
        metavar="FILE",
        help='JSON that says which volumes to take: {"splits": {"train": '
        '["file1000001", ...], "validation": [...], "test": [...]}}',
    )
    group = parser.add_argument_group("of mri_volumes")
    group.add_argument(
        "--include",
        nargs="+",
        metavar="PATTERN",
        help="which volumes, by their path in --source, such as '*FLAIR*'",
    )
    group.add_argument(
        "--exclude",
        nargs="+",
        metavar="PATTERN",
        help="which of them not",
    )
    group.add_argument(
        "--patient",
        metavar="REGEX",
        help="what in the path of a volume is the patient: a regular "
        "expression with one group, such as '(patient[0-9]+)' (default: what "
        "DICOM and HDF5 files say, else each volume is a patient)",
    )
    group.add_argument(
        "--split",
        nargs="+",
        metavar="SPLIT",
        help="three shares, drawn by a hash of the patient (0.7 0.15 0.15); or "
        "train=PATIENT,PATIENT validation=PATIENT test=PATIENT; or a CSV file "
        "with the columns split and volume, patient or both",
    )
    group.add_argument(
        "--field-of-view",
        type=float,
        nargs="*",
        metavar="MM",
        help="bring volumes of mixed matrices and voxel sizes to one field of "
        "view, H W in mm, and one matrix, by cropping images and k-space; "
        "without numbers to the largest field of view that all have",
    )
    group.add_argument(
        "--zero-fill",
        choices=["image", "kspace", "both"],
        help="with --field-of-view, where zeros may stand for what was not "
        "acquired (default: nowhere, such volumes are refused)",
    )
    group.add_argument(
        "--crop-to-acquired",
        type=int,
        nargs="*",
        metavar="LINES",
        help="crop k-space to the extent that was acquired: found in the "
        "images (with --field-of-view in those of each volume), or the two "
        "numbers of lines given",
    )
    group.add_argument(
        "--slice-axis",
        type=int,
        choices=[0, 1, 2],
        help="the axis of NIfTI files that counts slices (default: the one of "
        "the longest voxels, else the last)",
    )
    return parser.parse_args(arguments)


def make_builder(options):
    name, _, config = options.name.partition("/")
    if name not in DATA_SETS:
        raise invalid(
            "name", f"the name of a data set, one of {sorted(DATA_SETS)}", name
        )
    make, own, _ = DATA_SETS[name]
    for option in set().union(*(o for _, o, _ in DATA_SETS.values())) - own:
        value = getattr(options, option)
        if value is not None:
            raise invalid(option, f"none, as {name} does not have it", value)
    cls, config = make(config, options)
    # First in whatever format is there.
    builder = cls(
        data_dir=options.data_dir,
        config=config,
        on_bad_volume=options.on_bad_volume,
    )
    found = builder.info.file_format.value
    if not builder.is_prepared():
        return cls(
            data_dir=options.data_dir,
            config=config,
            on_bad_volume=options.on_bad_volume,
            file_format=options.file_format,
        )
    if found != options.file_format:
        raise invalid(
            "file_format",
            f"{found}, which is the format of what is already in "
            f"{builder.data_dir}, or another --data-dir",
            options.file_format,
        )
    return builder


def download_config(options):
    modes = tfds.download.GenerateMode
    overwrite, reuse = (
        modes.REUSE_CACHE_IF_EXISTS,
        modes.REUSE_DATASET_IF_EXISTS,
    )
    config = tfds.download.DownloadConfig(
        download_mode=overwrite if options.overwrite else reuse,
        beam_runner=options.beam_runner,
    )
    if options.source:
        source = pathlib.Path(options.source).expanduser()
        config = config.replace(manual_dir=source)
    if options.beam_options:
        if not options.beam_runner:
            raise invalid(
                "beam_options",
                "a --beam-runner with them",
                options.beam_options,
            )
        config = config.replace(beam_options=beam_options(options.beam_options))
    return config


def beam_options(text):
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise ImportError(
            "Building on Beam requires apache-beam. Install it with: "
            'pip install "loupe-tf[beam]"'
        ) from error
    return PipelineOptions(shlex.split(text))


def table(builder):
    """The splits of a data set that has been prepared."""
    report = pathlib.Path(builder.data_dir) / "bad_volumes.json"
    bad = []
    if report.exists():
        bad = json.loads(report.read_text())["volumes"]
    line = "{:<12}{:>9}{:>9}{:>12}{:>10}".format
    lines = [line("split", "volumes", "slices", "on disk", "left out")]
    for split, info in builder.info.splits.items():
        size = f"{info.num_bytes / 1e6:.1f} MB"
        left_out = sum(entry["split"] == split for entry in bad)
        volumes = len(info.shard_lengths)
        row = line(split, volumes, info.num_examples, size, left_out)
        lines.append(row)
    if bad:
        lines.append("\nLeft out:")
        lines += ["{volume}: {reason}".format(**entry) for entry in bad]
    return "\n".join(lines)


def resizing(builder):
    """What was done to volumes of the user's own, in words; "" to others."""
    groups = {}
    for name, done in (builder.info.metadata or {}).get("volumes", {}).items():
        key = json.dumps(
            {
                k: np.round(v[1:], 3).tolist() if "voxel" in k else v
                for k, v in done.items()
                # Slices stay as far apart as they are.
                if k != "voxel_size"
            }
        )
        groups.setdefault(key, []).append((name, done))
    lines = []
    for each in groups.values():
        name, done = each[0]
        steps = [
            f"{'k-space' if space != 'image' else space} {h}×{w}"
            for space, (h, w) in done["steps"]
        ]
        view = [n * mm for n, mm in zip(done["size"], done["voxel_size"][1:])]
        before, after = (
            "{}×{} ({})".format(*done[f"size{k}"], _mm(done[f"voxel_size{k}"]))
            for k in ("_in_file", "")
        )
        text = f"{len(each)} of {before} -> {' -> '.join(steps)}: {after}"
        if all(view):
            text += ", field of view {:.1f}×{:.1f} mm".format(*view)
        lines.append(f"{text}; such as {name}")
    return "\n".join(lines)


def _mm(voxel_size):
    if not all(voxel_size[1:]):
        return "voxel size unknown"
    return "{:.3f}×{:.3f} mm".format(*voxel_size[1:])


def run(options):
    builder = make_builder(options)
    there = builder.is_prepared() and not options.overwrite
    builder.download_and_prepare(download_config=download_config(options))
    if there:
        print(f"Already there, --overwrite builds it again: {builder.data_dir}")
    else:
        print(f"Built {builder.data_dir}")
    print(f"{builder.info.full_name}, {builder.info.file_format.value}\n")
    print(table(builder))
    if done := resizing(builder):
        print(f"\nVolumes:\n{done}")


def main(arguments=None):
    options = parse_arguments(arguments)
    # Of every configuration that has no name of its own.
    logging.getLogger("absl").setLevel(logging.ERROR)
    return exit_code(
        run,
        options,
        errors=(ValueError, ImportError, OSError, LostRecordsError),
        interrupted="Stopped. Nothing was built.",
    )


if __name__ == "__main__":
    sys.exit(main())
