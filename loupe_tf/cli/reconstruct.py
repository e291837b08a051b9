"""`loupe-tf reconstruct`: images from raw k-space, by a model or without."""

import os

from loupe_tf.cli.masks import add_shift
from loupe_tf.cli.reconstructing.methods import (
    ESPIRIT_OPTIONS,
    OF_CURVES,
    OPTIONS,
    defaults,
    espirit_default,
    having,
    of_masks,
)
from loupe_tf.cli.vocabulary import GOES_ON, add_command, add_lines, add_out
from loupe_tf.trajectories.files.common import UNITS

DOC = """\
Images from raw k-space, by a trained model or by a method that needs none.

examples:
  a scan with the mask of a model, for several coils:
    loupe-tf reconstruct scan.mrd --model runs/lines/model.keras --maps espirit
  the same scan without a model; ISMRMRD can be its own mask:
    loupe-tf reconstruct scan.mrd --mask scan.mrd --method sense --maps espirit
  what a scan would give: fully sampled files, sampled with masks first:
    loupe-tf reconstruct full.h5 --undersample --method total_variation \\
        --maps espirit --mask learned.npz --mask equispaced.npz --out compared
  spokes or spirals, in a file that has their trajectory:
    loupe-tf reconstruct radial.mrd --trajectory own --method cg_sense \\
        --maps espirit
  a trajectory in a file of its own:
    loupe-tf reconstruct samples.cfl --trajectory spokes.cfl \\
        --matrix 256 256 --method adjoint --format nii.gz png

Files are fastMRI's HDF5, ISMRMRD, BART's .cfl or .npy, one volume each, of one
coil or several; slices are read one by one, so that volumes may be larger than
memory.

K-space is taken as it was measured with the mask. With --undersample it is
fully sampled, and is sampled with the mask first: the table then has the error
of the images beside that of zero filling, both compared with the images of all
samples. Give --mask more than once to compare masks on the same scan; the
images of each mask go to a folder of its own in --out.

--maps espirit needs 13 fully sampled lines in the centre of k-space, along each
axis that is undersampled; 24 are usual.

--noise prewhitens the coils, which matters if their noise is unequal or
correlated: `own` takes the noise acquisitions of an ISMRMRD file, FILE those of
another scan. Images then have the unit of the noise. For a noisy scan, a higher
--espirit-threshold keeps noise out of the maps.

A scan along a trajectory has --trajectory in the place of --mask: the file of a
trajectory, or `own` for ISMRMRD that has it. The scan is ISMRMRD, BART's .cfl
(1, samples, shots, coils) or .npy (coils, shots, samples). Its methods are
`adjoint`, with density compensation, `cg_sense` and `total_variation`.

Without --mask, that of the model is taken. A mask of another size (or another
number of lines) is an error, and so are samples that the mask acquires and the
file lacks. Lines made for another length of the read-out, a mask that is not
the model's, and samples that are not used give a warning.

Images have the unit of the k-space. The folder given by --out gets the images
of each file in the formats asked for, and in records/ the figures of the table;
.png is to look at, black 0 and white the value that 99.5 percent of the pixels
do not exceed. A file that cannot be used is named, the others still come out,
and the command ends with 2. A command that was stopped goes on when it is given
again: what is there, of a file that has not changed, is not made anew without
--overwrite, nor replaced by the images of another file of the same name. The
folder belongs to one model, mask and set of options. It may be that of the
scans unless an image would replace a file that is read.
"""
FORMATS = ("npy", "nii", "nii.gz", "png")
# What has no meaning with a trajectory, and without one.
MASKS_ONLY = ("mask", "shift", "undersample", "allow_zeros", "lines")
CURVES_ONLY = ("matrix", "unit")


def add(commands):
    """Add the command."""
    reconstruct = add_command(
        commands,
        "reconstruct",
        "turn scans into images",
        DOC,
        "FILE [FILE ...] (--model MODEL | --method NAME --mask MASK)",
    )
    add_options(reconstruct)
    add_options_of_methods(reconstruct.add_argument_group("without a model"))
    add_options_of_files(reconstruct.add_argument_group("of some files"))
    curves = reconstruct.add_argument_group("of scans along a trajectory")
    add_options_of_curves(curves)
    reconstruct.set_defaults(run=run, stopped=GOES_ON)


def add_options(command):
    """Add those of all files."""
    add = command.add_argument
    add("files", nargs="+", metavar="FILE", help="k-space, one volume each")
    add("--model", metavar="MODEL", help="trained model (.keras)")
    add(
        "--mask",
        dest="masks",
        action="append",
        metavar="MASK",
        help="mask of the scan, in any format of `loupe-tf mask`; with "
        "--undersample, more than once to compare masks (default: that of the "
        "model)",
    )
    add_shift(command)
    add_out(command, "images", "folder of the images")
    add(
        "--format",
        dest="formats",
        nargs="+",
        choices=FORMATS,
        default=["npy", "png"],
        help="formats of the images; nii and nii.gz need the extra `volumes` "
        "(default: npy png)",
    )
    add(
        "--maps",
        metavar="espirit|FILE",
        help="sensitivity maps of several coils: estimated from the centre of "
        "k-space of each slice (the extra `reconstruction`; for a model, not "
        "cropped to the object), or a file of maps for all volumes, .npy "
        "(coils, H, W) or (slices, coils, H, W), or .cfl (default: none)",
    )
    add(
        "--espirit-threshold",
        type=float,
        metavar="X",
        help="with --maps espirit: singular values of the calibration region "
        "below this share of the largest count as noise (default: "
        f"{espirit_default('threshold')})",
    )
    add(
        "--espirit-crop",
        type=float,
        metavar="X",
        help="with --maps espirit: maps are 0 where the eigenvalue is lower, "
        f"which is outside the object (default: {espirit_default('crop')}; for "
        "a model 0)",
    )
    add(
        "--noise",
        metavar="FILE|own",
        help="whiten the coils, and maps of a file, with a noise scan: "
        "ISMRMRD, .npy (coils, ...) or .cfl; `own`: the noise acquisitions in "
        "the ISMRMRD file itself (default: coils as they are)",
    )
    add(
        "--scale",
        type=float,
        metavar="X",
        help="k-space is divided by it before it goes to the model (default: "
        "the maximum of the zero-filled volume)",
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


def add_options_of_methods(group):
    """Add those of methods that need no training."""
    group.add_argument(
        "--method",
        choices=dict.fromkeys((*of_masks(), *OF_CURVES)),
        help=f"with a mask: {', '.join(of_masks())}; with a trajectory: "
        f"{', '.join(OF_CURVES)}. adjoint compensates for the density. sense, "
        "wavelet_l1 and total_variation need the extra `reconstruction`",
    )
    group.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help=f"iterations (default: {defaults('iterations')})",
    )
    group.add_argument(
        "--regularization",
        type=float,
        metavar="X",
        help="weight of the penalty, relative to Σ|S|² = 1 of the maps for "
        "sense and cg_sense, to the brightest zero-filled pixel for wavelet_l1 "
        "and total_variation. For total_variation, try 0.003 to 0.01 at a peak "
        "SNR of 50; 0.0003 or less suits images without noise only (default: "
        f"{defaults('regularization')})",
    )


def add_options_of_curves(group):
    """Add those of scans along a trajectory."""
    group.add_argument(
        "--trajectory",
        metavar="FILE|own",
        help="trajectory of the scan; `own`: the one in the ISMRMRD file",
    )
    group.add_argument(
        "--matrix",
        nargs="+",
        type=int,
        metavar="N",
        help="size of the image, H W or D H W, which BART's trajectories need "
        "(default: that of the trajectory)",
    )
    group.add_argument(
        "--unit",
        choices=UNITS,
        help="unit of the positions in ISMRMRD (default: cycles/pixel)",
    )


def add_options_of_files(group):
    """Add those that say what some formats do not."""
    group.add_argument(
        "--leading",
        choices=("coils", "slices"),
        help="what the first of three axes counts, in .npy files",
    )
    add_lines(group, "what the lines of ISMRMRD files are (default: columns)")
    group.add_argument(
        "--select",
        nargs="+",
        metavar="NAME=N",
        help="which counters of ISMRMRD files to read, such as contrast=1 or "
        "repetition=2 (default: 0 of each)",
    )


def run(options):
    """Run the command."""
    every = of_each_mask(options)
    for each in every:
        check(each)
    from loupe_tf.cli.reconstructing.volumes import reconstruct_all

    reconstruct_all(every)


def of_each_mask(options):
    """The options for each mask, which has a folder of its own.

    Args:
        options: `argparse.Namespace`.

    Returns:
        List of `argparse.Namespace`, with one `mask` each.

    Raises:
        ValueError: If there are several masks of one scan.
    """
    import argparse
    import pathlib

    from loupe_tf.checks import invalid

    given = vars(options)
    several = options.masks or [None]
    if len(several) == 1:
        return [argparse.Namespace(**{**given, "mask": several[0]})]
    if not options.undersample:
        raise invalid(
            "masks",
            "the one mask that the scan was made with; masks are compared on "
            "a fully sampled scan, with --undersample",
            options.masks,
        )
    if len(set(several)) < len(several):
        raise invalid("masks", "each mask once", options.masks)
    names = [pathlib.Path(path).stem for path in several]
    if len(set(names)) < len(names):
        names = [f"{number}_{name}" for number, name in enumerate(names, 1)]
    return [
        argparse.Namespace(
            **{**given, "mask": path, "out": os.path.join(options.out, name)}
        )
        for path, name in zip(several, names, strict=True)
    ]


def check(options):
    """Refuse what cannot be, and read `--select`.

    Args:
        options: `argparse.Namespace`, which is changed.

    Raises:
        ValueError: If two files have one name, if an image would replace a file
            that is read, if there is no such counter, or if options do not go
            together.
    """
    import pathlib

    from loupe_tf.checks import check_number, invalid
    from loupe_tf.formats.kspace_ismrmrd import COUNTERS

    names = [pathlib.Path(file).stem for file in options.files]
    if len(set(names)) < len(names):
        raise invalid(
            "files",
            "files of different names, since images are named after them",
            options.files,
        )
    check_trajectory(options)
    check_outputs(options)
    for name in ESPIRIT_OPTIONS:
        value = getattr(options, f"espirit_{name}")
        if value is None:
            continue
        if options.maps != "espirit":
            raise invalid(
                f"espirit_{name}", "none without --maps espirit", value
            )
        check_number(f"espirit_{name}", value, at_least=0, at_most=1)
    if options.select:
        pairs = [text.partition("=") for text in options.select]
        if not all(name in COUNTERS and n.isdecimal() for name, _, n in pairs):
            raise invalid(
                "select",
                f"NAME=N, NAME one of {', '.join(COUNTERS)}",
                options.select,
            )
        options.select = {name: int(n) for name, _, n in pairs}


def check_outputs(options):
    """Refuse a folder where an image would replace a file that is read."""
    import pathlib

    from loupe_tf.checks import invalid

    names = "model", "mask", "maps", "trajectory", "noise"
    others = [getattr(options, name) for name in names]
    read = [*options.files, *filter(None, others)]
    read = [path for path in read if os.path.exists(path)]
    for file in options.files:
        for suffix in options.formats:
            name = f"{pathlib.Path(file).stem}.{suffix}"
            image = pathlib.Path(options.out, name)
            # Also through links.
            if any(image.exists() and image.samefile(path) for path in read):
                raise invalid(
                    "out",
                    "a folder where no image replaces a file that is read",
                    found=f"{options.out}, where {name} is such a file",
                )


def check_trajectory(options):
    """Refuse options that do not go with a trajectory, or without one."""
    from loupe_tf.checks import invalid

    if (options.model is None) == (options.method is None):
        raise invalid(
            "model",
            "a trained model, or a --method in its place",
            found=f"--model {options.model}, --method {options.method}",
        )
    curves = options.trajectory is not None
    methods = OF_CURVES if curves else of_masks()
    if options.method not in (None, *methods):
        raise invalid(
            "method",
            f"one of {', '.join(methods)}, for scans with a "
            f"{'trajectory' if curves else 'mask'}",
            options.method,
        )
    for name in OPTIONS:
        known = having(name)
        if getattr(options, name) is not None and options.method not in known:
            raise invalid(
                "method",
                f"one of {', '.join(known)}, for --{name}",
                options.method,
            )
    wrong = MASKS_ONLY if curves else CURVES_ONLY
    given = [x for x in wrong if getattr(options, x) not in (None, False)]
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise invalid(
            "trajectory",
            "no options of masks" if curves else f"a trajectory for {names}",
            found=f"--trajectory {options.trajectory}, {names}",
        )
