"""Settings of the experiment on scans that a network has not seen."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.presets.xpdnet import EQUAL
from experiments.side_by_side import side_by_side
from loupe_tf.evaluation import REGULARIZATIONS

GRID = ("methods", "seeds")
"""Settings that may differ between the runs of one folder."""

# The second MoDL is trained with the noise of the test.
NETWORKS = ("unet", "modl", "modl_noise", "varnet")
# The weight of the second total variation is chosen on scans with noise.
CLASSICAL = (
    *("zero_filled", "total_variation", "total_variation_noise"),
    *("sense", "grappa"),
)
METHODS = (*CLASSICAL, *NETWORKS)

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mni_brain/64", "mni_brain/64"),
    others=[],
    seeds=[0],
    methods=([*METHODS], ["zero_filled", "sense", "unet", "varnet"]),
    acceleration=4.0,
    other_accelerations=([3.0, 6.0], [6.0]),
    calibration=8,
    coils=4,
    other_coils=([8], [8]),
    noise=0.02,
    iterations=(5, 1),
    sizes=EQUAL,
    filters=9,
    depth=3,
    batch_size=8,
    learning_rate=1e-2,
    epochs=(20, 2),
    regularizations=([*REGULARIZATIONS], [0.01]),
    tuning_slices=(4, 1),
    # Slices of each test volume, evenly spaced.
    tested=(12, 2),
    # Slices of training, validation and test; `None` uses all.
    images=(None, [32, 8, 8]),
    backup=False,
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`.
    """
    parser = argument_parser(
        doc,
        "unseen",
        PRESETS,
        "cpu: small images, an hour for five folds; smoke: all steps in two "
        "minutes",
    )
    add_choices(parser, methods=METHODS)
    parser.add_argument(
        "--others",
        nargs="+",
        metavar="NAME=DATA",
        help="other images of the same matrix, to test on: those of the tested "
        "patients, or all where patients are unknown. A name for the table, "
        "and a value as for --data",
    )
    add_options(
        parser,
        "batch_size",
        acceleration=("R", "R of the training, and of all other tests"),
        other_accelerations=("R", "R of further tests"),
        coils=("N", "coils of the training"),
        other_coils=("N", "coils of further tests"),
        noise=("S", "standard deviation of the noise, where there is some"),
        epochs=("N", "the learning rate falls after four fifths of them"),
    )
    settings = parse_options(parser, arguments)
    settings["methods"] = [x for x in METHODS if x in settings["methods"]]
    for text in settings["others"]:
        if not all(text.partition("=")):
            parser.error(f"--others: expected NAME=DATA, not {text}")
    rates = [settings["acceleration"], *settings["other_accelerations"]]
    if not all(1 < rate < float("inf") for rate in rates):
        parser.error("--acceleration, --other-accelerations: expected R > 1")
    if min(settings["coils"], *settings["other_coils"]) < 2:
        parser.error("--coils, --other-coils: expected 2 or more")
    return settings
