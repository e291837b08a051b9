"""`loupe-tf evaluate`: any masks with any reconstructors, on a test set."""

from loupe_tf import evaluation, masks
from loupe_tf.cli.measurement import add_noise_options, check_noise_options
from loupe_tf.cli.phase import check_phase
from loupe_tf.cli.vocabulary import (
    GOES_ON,
    add_calibration,
    add_command,
    add_data,
    add_lines,
    add_out,
    add_phase,
    add_seed,
    settings_of,
)

DOC = """\
Compare any masks with any reconstructors on held-out volumes.

examples:
  patterns on simulated brains, zero-filled:
    loupe-tf evaluate --data mni_brain/64
  a learned mask and its model, beside patterns and a method:
    loupe-tf evaluate --data mni_brain/96 --data-dir runs/data \\
        --mask runs/demo/model.keras gaussian poisson_disc \\
        --reconstructor runs/demo/model.keras total_variation
  whether learned lines are better than equispaced ones for 8 coils:
    loupe-tf evaluate --data my_volumes/ --coils 8 --peak-snr 50 \\
        --mask runs/lines/mask.npz equispaced_lines \\
        --baseline equispaced_lines --reconstructor total_variation sense

Every mask is tried with every reconstructor at every acceleration R, on the
test volumes of a data set, and each volume is judged in two conventions: that
of the 4S paper, by slices of images between 0 and 1, and that of fastMRI, by
whole volumes.

Images of magnitudes have no phase, as scans have: give --phase for models that
`loupe-tf train --phase` has trained.

--coils simulates receive coils around each image, and --peak-snr the noise of
the receiver. All masks measure the same scans, and the truth has no noise.
Reconstructors get the maps of the coils. sense and grappa need --coils.

A mask is the name of a pattern, drawn anew for each R; or a file, which has an
R of its own: a mask that `SamplingMask.save` wrote, or a model, whose mask is
taken. spectrum is made of the training images. --lines says whether patterns of
lines have columns or rows. Without --mask, patterns of one kind are compared,
since one scan cannot choose between lines, which suit 2-D and 3-D, and points,
which are for 3-D only.

A reconstructor is a method that needs no training, of those that
--reconstructor lists, or a model, which may be tried with any mask, not only
with its own. The regularization of a method is chosen for each mask on slices
of the validation volumes. wavelet_l1, total_variation and sense need the extra
`reconstruction`.

Differences from the baseline are of the same volumes, at the same R. Their
95-percent intervals are Student's, over volumes, as in `loupe-tf train`. A row
that cannot be judged, such as a mask for another matrix size, says why, the
other rows are finished, and the command ends with 2.

Each finished row leaves a small JSON file in the folder given by --out. A
command that was stopped goes on when it is given again, and masks,
reconstructors and accelerations can be added, for the same images; the report
is of the rows that the last command asked for. A mask or model file that has
changed is evaluated anew.
"""
POINTS = ("gaussian", "poisson_disc")
LINES = ("random_lines", "equispaced_lines")


def add(commands):
    """Add the command."""
    evaluate = add_command(
        commands,
        "evaluate",
        "compare masks and reconstructors",
        DOC,
        "[--data DATA] [--mask MASK ...] [--reconstructor NAME ...]",
    )
    add_data(evaluate, "mni_brain/64")
    add_phase(
        evaluate,
        "The reconstructions are compared with the magnitudes",
    )
    add_out(evaluate, "runs/evaluate", "folder of the results")
    add_seed(
        evaluate,
        "seed of the split of files, of random patterns, of phases, coils and "
        "noise; for a trained model, take the seed of its training: the split "
        "is the same, coils and noise are drawn anew",
    )
    add_options_of_scanner(evaluate.add_argument_group("the simulated scanner"))
    add_options_of_rows(evaluate.add_argument_group("the rows"))
    evaluate.add_argument(
        "--tuning-slices",
        type=int,
        default=4,
        metavar="N",
        help="validation slices that regularization is chosen on (default: "
        "%(default)s)",
    )
    evaluate.add_argument(
        "--zoom",
        type=int,
        nargs=4,
        metavar=("TOP", "LEFT", "HEIGHT", "WIDTH"),
        help="region of the pictures that is magnified (default: the central "
        "third)",
    )
    evaluate.set_defaults(run=run, stopped=GOES_ON)


def add_options_of_scanner(group):
    """Add those that say what is measured."""
    add = group.add_argument
    add(
        "--coils",
        type=int,
        metavar="N",
        help="receive coils on a circle around the image (birdcage maps), at a "
        "random angle for each slice; magnitude images then get a phase of 1, "
        "--phase 0 leaves it out (default: one uniform coil)",
    )
    add_noise_options(add)


def add_options_of_rows(group):
    """Add those that say what is tried."""
    add = group.add_argument
    add(
        "--mask",
        dest="masks",
        nargs="+",
        metavar="MASK",
        help=f"one or more of {', '.join(masks.PATTERNS)}, or of files, .npz "
        f"or .keras (default: {' '.join(POINTS)}; with --lines or a model of "
        f"lines {' '.join(LINES)})",
    )
    add(
        "--reconstructor",
        dest="reconstructors",
        nargs="+",
        metavar="NAME",
        default=["zero_filled"],
        help=f"one or more of {', '.join(evaluation.CLASSICAL)}, with --coils "
        f"also {', '.join(evaluation.OF_COILS)}, or of .keras files (default: "
        "zero_filled)",
    )
    add(
        "--acceleration",
        dest="accelerations",
        type=float,
        nargs="+",
        metavar="R",
        default=[4.0],
        help="R > 1, for patterns (default: 4)",
    )
    add_calibration(
        group,
        f"patterns always acquire (default: {masks.CALIBRATION_SHARE}/R of the "
        "lines or of the shorter side; 0 for spectrum)",
    )
    add_lines(
        group,
        "the kind of lines, for patterns of lines (default: columns, or those "
        "of the model)",
    )
    add(
        "--baseline",
        nargs="+",
        metavar=("MASK", "RECONSTRUCTOR"),
        help="what rows are compared with: this mask with the reconstructor "
        "of the row, or always with the one given (default: the first of "
        "--mask)",
    )


def run(options):
    """Run the command."""
    settings = settings_of(options)
    if settings["masks"] is None:
        settings |= default_masks(settings)
    settings["baseline"] = settings["baseline"] or settings["masks"][:1]
    check(settings)
    from loupe_tf.cli.evaluating.report import write_report
    from loupe_tf.cli.evaluating.rows import conduct

    folder, facts, records = conduct(settings)
    failed = write_report(settings, facts, records, folder)
    if failed:
        raise ValueError(
            f"{len(failed)} rows or volumes were not judged; the report says "
            f"why, first: {failed[0]}"
        )


def default_masks(settings):
    """Choose patterns of one kind, if no mask was asked for, and say so.

    Points and lines are never alternatives of one 2-D scan. The kind is that of
    `--lines`, of the baseline, or of the first model.

    Args:
        settings: Dict.

    Returns:
        Dict of the settings `masks` and `lines`.
    """
    from loupe_tf.masks import from_model

    lines = settings["lines"]
    baseline = masks.PATTERNS.get((settings["baseline"] or [""])[0])
    of_lines = bool(lines or baseline and baseline.of_lines)
    models = [x for x in settings["reconstructors"] if x.endswith(".keras")]
    if not (lines or baseline) and models:
        from loupe_tf.reconstruction.network import load_model

        found = from_model(load_model(models[0]))
        lines = (found[0] if isinstance(found, tuple) else found).lines
        of_lines = lines is not None
    chosen, kind, other = POINTS, "points", "--lines columns|rows for lines"
    if of_lines:
        chosen, kind = LINES, lines or "columns"
        other = f"--mask {' '.join(POINTS)} for points"
    print(
        f"Masks: patterns of {kind}, {' and '.join(chosen)}. Give {other}, or "
        f"--mask {' '.join((*POINTS, *LINES))} for all."
    )
    return {"masks": [*chosen], "lines": lines}


def check(settings):
    """Refuse what cannot be, before anything heavy is imported.

    Args:
        settings: Dict.

    Raises:
        ValueError: If a mask, reconstructor, R, number or baseline is none.
    """
    import pathlib

    from loupe_tf.checks import check_integer, invalid

    of_option = {
        "masks": masks.PATTERNS,
        "reconstructors": {**evaluation.CLASSICAL, **evaluation.OF_COILS},
    }
    for option, names in of_option.items():
        suffixes = (".keras", ".npz") if option == "masks" else (".keras",)
        for name in settings[option]:
            path = pathlib.Path(name)
            if name in names or path.suffix in suffixes and path.is_file():
                continue
            expected = (
                f"one of {', '.join(names)}, or a file that exists, "
                f"{' or '.join(suffixes)}"
            )
            if option == "masks":
                expected += ". `loupe-tf mask make` makes other patterns"
            found = f"{name}, and there is no such file"
            raise invalid(
                option, expected, name, found=None if path.exists() else found
            )
    for rate in settings["accelerations"]:
        if not 1 < rate < float("inf"):
            raise invalid("accelerations", "R > 1", rate)
    check_phase(settings["phase"])
    check_scanner(settings)
    check_lines(settings)
    check_integer("tuning_slices", settings["tuning_slices"], at_least=1)
    baseline = settings["baseline"]
    known = settings["masks"], settings["reconstructors"]
    if len(baseline) > 2 or any(n not in k for n, k in zip(baseline, known)):
        raise invalid(
            "baseline",
            "one of --mask, and none or one of --reconstructor",
            baseline,
        )


def check_scanner(settings):
    """Refuse coils and noise that cannot be, see `check`."""
    from loupe_tf.checks import check_integer, invalid

    check_noise_options(settings)
    if settings["coils"] is not None:
        check_integer("coils", settings["coils"], at_least=1)
    need = [x for x in settings["reconstructors"] if x in evaluation.OF_COILS]
    if need and settings["coils"] in (None, 1):
        raise invalid(
            "coils",
            f"two or more, which {' and '.join(need)} "
            f"need{'s' * (len(need) == 1)}",
            settings["coils"],
        )


def check_lines(settings):
    """Refuse a kind of lines where no pattern has lines, see `check`."""
    from loupe_tf.checks import invalid

    patterns = [masks.PATTERNS.get(name) for name in settings["masks"]]
    if settings["lines"] and not any(p and p.of_lines for p in patterns):
        names = [name for name, p in masks.PATTERNS.items() if p.of_lines]
        raise invalid(
            "lines",
            f"a pattern of lines among --mask ({', '.join(names)}); a file "
            "has the lines that it has",
            settings["lines"],
        )
