"""Settings of the experiment on posterior samples."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("methods", "masks", "accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

# Of Gaussian images, and of the volumes.
TOY = ("langevin", "hmc")
METHODS = (
    *("zero_filled", "unet", "dropout", "ensemble"),
    *("gaussian", "network"),
)
MASKS = ("random", "power", "learned", "uncertain")

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mni_brain/64", "mni_brain/64"),
    accelerations=([8.0], [4.0]),
    methods=[*METHODS],
    masks=[*MASKS],
    seeds=[0],
    calibration=4,
    noise=0.02,
    # Copies of the training images, each with a random phase of its own, and
    # mirrored in turn.
    copies=(3, 1),
    # The score network.
    range=(
        [0.0015, 2.0],
        [0.01, 1.0],
    ),
    filters=(16, 4),
    depth=(3, 2),
    spectral_norm=None,
    score_epochs=(24, 2),
    learning_rate=2e-3,
    batch_size=8,
    # The supervised U-Net, its ensemble, and the one that learns lines.
    unet_filters=(8, 4),
    unet_depth=(4, 2),
    unet_epochs=(12, 2),
    dropout=0.1,
    members=(4, 4),
    mask_epochs=(10, 2),
    mask_learning_rate=1e-2,
    # The chains.
    levels=(40, 6),
    steps=(4, 2),
    length=1.0,
    chains=(8, 4),
    # Lines that are chosen by uncertainty come in so many rounds.
    rounds=(2, 2),
    # Slices of each volume, evenly spaced.
    tested=(2, 1),
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
        "posterior",
        PRESETS,
        "cpu: small images, 12 minutes a fold; smoke: all steps in two minutes",
    )
    add_choices(parser, methods=METHODS, masks=MASKS)
    add_options(
        parser,
        *("accelerations", "filters", "batch_size"),
        score_epochs=("N", "epochs of the score network"),
        unet_epochs=("N", "epochs of the U-Net"),
        mask_epochs=("N", "epochs of the U-Net that learns lines"),
        chains=("N", "samples of each image"),
        levels=("N", "noise levels"),
        steps=("N", "steps at each level"),
        tested=("N", "slices of each volume"),
    )
    settings = parse_options(parser, arguments)
    for name, order in ("methods", METHODS), ("masks", MASKS):
        settings[name] = [x for x in order if x in settings[name]]
    return settings
