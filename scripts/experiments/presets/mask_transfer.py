"""Settings of the experiment on masks and reconstructors."""

from experiments.options import (
    add_choices,
    add_options,
    add_training_options,
    argument_parser,
)
from experiments.options import parse as parse_options
from experiments.presets.comparing_masks import training_and
from loupe_tf.evaluation import REGULARIZATIONS

GRID = ("accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

# Calibrated masks have the same calibration region as unlearned masks.
LEARNED = (
    "learned",
    "learned_calibrated",
    "learned_lines",
    "learned_lines_calibrated",
)
POINTS = (*LEARNED[:2], "gaussian", "poisson_disc", "spectrum")
LINES = (*LEARNED[2:], "random_lines", "equispaced_lines")
MASKS = (*POINTS, *LINES)

PRESETS = training_and(
    ("paper", "cpu", "smoke"),
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    # A trial is of all masks of the folder, so they cannot be added later.
    masks=None,
    regularizations=([*REGULARIZATIONS], [*REGULARIZATIONS], [0.01, 0.1]),
    tuning_slices=(8, 4, 1),
    test_slices=(None, None, 1),  # Per volume; `None` uses all slices.
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"masks"` in table
        order; `None` is all.
    """
    parser = argument_parser(
        doc,
        "mask_transfer",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, hours; "
        "smoke: all steps in two minutes",
    )
    add_training_options(parser)
    add_choices(parser, masks=MASKS)
    add_options(
        parser,
        tuning_slices=("N", "validation slices that choose a regularization"),
    )
    parser.add_argument(
        "--test-slices",
        type=int,
        metavar="N",
        help="of each test volume, evenly spaced (preset cpu: all)",
    )
    settings = parse_options(parser, arguments)
    if settings["masks"] is not None:
        settings["masks"] = [x for x in MASKS if x in settings["masks"]]
    for name in ("tuning_slices", "test_slices"):
        if settings[name] is not None and settings[name] < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option}: expected 1 or more")
    return settings
