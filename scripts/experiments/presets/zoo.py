"""Settings of the trained models that come with the package."""

from experiments.options import argument_parser
from experiments.options import parse as parse_options
from experiments.presets.xpdnet import EQUAL
from experiments.side_by_side import side_by_side

GRID = ("models", "seeds")
"""Settings that may differ between the runs of one folder."""

MODELS = {
    "points_r4_unet": (4.0, "unet"),
    "points_r8_unet": (8.0, "unet"),
    "points_r4_varnet": (4.0, "varnet"),
}
"""R and network of each model, by the end of its name."""

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mri_volumes/flair64", "mni_brain/64"),
    seeds=[0],
    models=[*MODELS],
    prefix=("flair64", "brain64"),
    into=None,
    # As in the experiment on unrolled networks.
    sizes=EQUAL,
    filters=9,
    depth=3,
    iterations=(3, 1),
    batch_size=8,
    learning_rate=1e-2,
    epochs=(20, 1),
    slope=20.0,
    patience=(2, 1),
    cooldown=(1, 0),
    images=(None, [16, 8, 8]),
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
        "zoo",
        PRESETS,
        "cpu: the models of the package, five minutes; smoke: all steps in a "
        "minute",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        metavar="NAME",
        help=f"from {', '.join(MODELS)} (all)",
    )
    parser.add_argument(
        "--prefix", metavar="TEXT", help="start of the names: the data"
    )
    parser.add_argument(
        "--into",
        metavar="FOLDER",
        help="folder of the models and cards (zoo in --out)",
    )
    return parse_options(parser, arguments)
