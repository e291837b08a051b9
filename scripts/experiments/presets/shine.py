"""Settings of the experiment on gradients of implicit models."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("methods", "filters", "iterations", "seeds")
"""Settings that may differ between the runs of one folder."""

GRADIENTS = ("exact", "phantom", "jacobian_free", "shine", "shine_refined")
METHODS = ("unrolled", *GRADIENTS)

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mni_brain/64", "mni_brain/64"),
    methods=([*METHODS], ["unrolled", "exact", "shine"]),
    # Few and many parameters.
    filters=([2, 8], [2]),
    # At most those of the search; those of the unrolled network.
    iterations=([10], [3]),
    seeds=[0],
    acceleration=4.0,
    # The network: its convolutions and its norm.
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
        "cpu: 64×64, an hour; smoke: all steps in a minute",
    )
    add_choices(parser, methods=METHODS)
    add_options(
        parser,
        "batch_size",
        filters=("N", "of the network"),
        iterations=("N", "of the search"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
        images=("N", "slices of training, validation and test"),
    )
    settings = parse_options(parser, arguments)
    for name in ("filters", "iterations"):
        settings[name] = sorted(set(settings[name]))
        if settings[name][0] < 1:
            parser.error(f"--{name}: expected 1 or more")
    if len(settings["images"]) != 3:
        parser.error("--images: expected three numbers")
    settings["methods"] = [x for x in METHODS if x in settings["methods"]]
    return settings
