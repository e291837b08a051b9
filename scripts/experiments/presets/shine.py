"""Settings of the experiment on implicit models and their gradients."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("methods", "filters", "iterations", "seeds")
"""Settings that may differ between the runs of one folder."""

GRADIENTS = ("exact", "phantom", "jacobian_free", "shine", "shine_refined")
METHODS = ("unrolled", *GRADIENTS)
NETWORKS = ("contracting", "free")

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mni_brain/64", "mni_brain/64"),
    methods=([*METHODS], ["unrolled", "exact", "shine"]),
    # Few and many parameters.
    filters=([2, 8], [2]),
    # The search in training, or the unrolled network.
    iterations=([3, 10], [3]),
    # The search in the test.
    tested=([2, 3, 5, 10, 20], [3, 8]),
    seeds=[0],
    acceleration=4.0,
    # The network: its form, convolutions, and the norm of a contracting one.
    network="contracting",
    depth=3,
    norm=0.95,
    tolerance=1e-4,
    batch_size=(4, 8),
    learning_rate=(3e-3, 1e-2),
    epochs=(8, 1),
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
        "shine",
        PRESETS,
        "cpu: 64×64, up to two hours; smoke: all steps in a minute",
    )
    add_choices(parser, methods=METHODS)
    add_options(
        parser,
        "batch_size",
        filters=("N", "of the network"),
        iterations=("N", "of the search in training"),
        tested=("N", "iterations of the search in the test"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
        images=("N", "slices of training, validation and test"),
    )
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        help="contracting: brings any two images closer together; free: a "
        "CNN without a bound, which may drive them apart",
    )
    settings = parse_options(parser, arguments)
    for name in ("filters", "iterations", "tested"):
        settings[name] = sorted(set(settings[name]))
        if settings[name][0] < 1:
            parser.error(f"--{name}: expected 1 or more")
    if len(settings["images"]) != 3:
        parser.error("--images: expected three numbers")
    settings["methods"] = [x for x in METHODS if x in settings["methods"]]
    return settings
