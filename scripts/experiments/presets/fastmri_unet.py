"""Settings of the reproduction of a report on the U-Net of fastMRI."""

from experiments.options import add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("masks", "accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

MASKS = ("random", "equispaced", "fixed", "learned")

# The settings of the report; where it states none, those of fastMRI's code.
PRESETS = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    masks=["random", "equispaced", "learned"],
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    seeds=([0], [0, 1, 2], [0]),
    filters=(32, 8, 4),
    depth=(4, 3, 2),
    batch_size=(1, 8, 8),
    learning_rate=1e-3,
    epochs=(50, 50, 5),
    slope=20.0,
    patience=(2, 2, 1),
    cooldown=(1, 1, 0),
    # Long runs are backed up, so that they resume from their last epoch.
    backup=(True, False, False),
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"masks"`.
    """
    parser = argument_parser(
        doc,
        "fastmri_unet",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: small images, an hour; smoke: "
        "two minutes",
    )
    parser.add_argument(
        "--masks",
        nargs="+",
        choices=MASKS,
        # Also accept the library's names of the patterns.
        type=lambda name: name.removesuffix("_lines"),
        metavar="MASK",
        help=f"from {', '.join(MASKS)} (random equispaced learned)",
    )
    add_options(
        parser,
        *("accelerations", "filters", "batch_size"),
        *("patience", "cooldown", "slope"),
        depth=("N", "number of times that images are halved"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of RMSProp"),
    )
    settings = parse_options(parser, arguments)
    return settings
