"""Settings of the experiment on more iterations in the test."""

from experiments.implicit_networks import NETWORKS
from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.presets.shine import GRADIENTS
from experiments.side_by_side import side_by_side

GRID = ("networks", "methods", "filters", "iterations", "epochs", "seeds")
"""Settings that may differ between the runs of one folder."""

METHODS = ("unrolled", "equilibrium")

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mni_brain/64", "mni_brain/64"),
    networks=([*NETWORKS], ["free"]),
    methods=[*METHODS],
    # Few and many parameters.
    filters=([8, 32], [2]),
    # Steps of the unrolled network in training, and limit of the search.
    iterations=([3, 10], [3]),
    # The same in the test.
    tested=([2, 3, 5, 10, 20], [3, 8]),
    seeds=[0],
    acceleration=4.0,
    # The network: its convolutions, and the norm of a contracting one.
    depth=3,
    norm=0.95,
    # Phantom leads equilibria to images as good as the exact gradient does.
    gradient="phantom",
    tolerance=1e-4,
    batch_size=(4, 8),
    learning_rate=(3e-3, 1e-2),
    epochs=([4], [1, 2]),
    # Slices of training, validation and test.
    images=([96, 16, 32], [16, 8, 8]),
    patience=1,
    cooldown=0,
    backup=False,
)


def parse(doc, arguments=None):
    """Parse the settings of a command, as `experiments.options.parse` does.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict.
    """
    parser = argument_parser(
        doc,
        "iterations_at_test_time",
        PRESETS,
        "cpu: 64×64, an hour; smoke: all steps in a minute",
    )
    add_choices(parser, networks=NETWORKS, methods=METHODS)
    add_options(
        parser,
        "batch_size",
        filters=("N", "of the network"),
        iterations=("N", "of the training"),
        tested=("N", "iterations of the test"),
        epochs=(
            "N",
            "several numbers compare networks at equal times of training",
        ),
        learning_rate=(
            "LR",
            "learning rate of Adam, which falls after four fifths of the "
            "epochs",
        ),
        images=("N", "slices of training, validation and test"),
    )
    parser.add_argument(
        "--gradient", choices=GRADIENTS, help="of the equilibria"
    )
    settings = parse_options(parser, arguments)
    for name in ("filters", "iterations", "tested", "epochs"):
        settings[name] = sorted(set(settings[name]))
        if settings[name][0] < 1:
            parser.error(f"--{name}: expected 1 or more")
    if len(settings["images"]) != 3:
        parser.error("--images: expected three numbers")
    for name, order in ("networks", NETWORKS), ("methods", METHODS):
        settings[name] = [x for x in order if x in settings[name]]
    return settings
