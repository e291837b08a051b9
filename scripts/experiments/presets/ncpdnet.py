"""Settings of the experiment on networks for non-Cartesian samples."""

import pathlib

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("networks", "trajectories", "accelerations", "coils", "seeds")
"""Settings that may differ between the runs of one folder."""

CLASSICAL = ("adjoint", "cg", "total_variation")
TRAINED = ("unet", "plain", "ncpdnet")
METHODS = (*CLASSICAL, *TRAINED)
TRAJECTORIES = ("radial", "spiral", "in_out_spiral", "one_turn_spiral")

PRESETS = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    networks=([*METHODS], [*METHODS], [*METHODS]),
    trajectories=([*TRAJECTORIES], [*TRAJECTORIES], ["radial"]),
    accelerations=([4.0], [4.7], [4.7]),
    coils=[1],
    seeds=[0],
    # Filters of the U-Net, and of each iteration of the unrolled networks.
    # In the preset cpu, all have as many weights, within a percent.
    filters=(64, 9, 4),
    depth=(4, 3, 2),
    unrolled_filters=(32, 20, 4),
    iterations=(10, 5, 1),
    buffers=(5, 5, 2),
    batch_size=(1, 8, 8),
    learning_rate=(1e-4, 1e-3, 1e-3),
    epochs=(100, 20, 1),
    regularizations=(
        [1e-3, 3e-3, 1e-2],
        [1e-3, 3e-3, 1e-2],
        [3e-3, 1e-2],
    ),
    tuning_slices=(8, 4, 1),
    # Slices of training, validation and test; `None` uses all.
    images=(None, None, [16, 4, 4]),
    # Files, folders or TFDS data sets of another contrast or anatomy, tested
    # without training.
    transfer=None,
    # Long runs are backed up, so that they resume from their last epoch.
    backup=(True, False, False),
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"networks"` and
        `"trajectories"` in table order.
    """
    parser = argument_parser(
        doc,
        "ncpdnet",
        PRESETS,
        "paper: 320×320 and the paper's sizes, a GPU; cpu: small images, an "
        "hour; smoke: all steps in a minute",
    )
    choices = {"networks": METHODS, "trajectories": TRAJECTORIES}
    add_choices(parser, **choices)
    add_options(
        parser,
        *("accelerations", "batch_size"),
        coils=("N", "numbers of coils, with simulated maps"),
        iterations=("N", "of unrolled networks"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
        regularizations=(
            "LAMBDA",
            "of conjugate gradients and total variation, to choose from on "
            "validation slices",
        ),
    )
    parser.add_argument(
        "--transfer",
        nargs="+",
        metavar="DATA",
        help="data of another contrast or anatomy, as for --data, which the "
        "same networks rebuild without training",
    )
    settings = parse_options(parser, arguments)
    if min(settings["coils"]) < 1:
        parser.error("--coils: expected 1 or more")
    # The records name other data by the last part of its path.
    names = [pathlib.PurePath(x).stem for x in settings["transfer"] or ()]
    if len(set(names)) < len(names):
        parser.error(f"--transfer: expected different names, not {names}")
    for name, order in choices.items():
        settings[name] = [x for x in order if x in settings[name]]
    return settings
