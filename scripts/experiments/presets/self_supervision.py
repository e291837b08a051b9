"""Settings of the experiment on training without fully sampled images."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side
from loupe_tf.evaluation import REGULARIZATIONS

GRID = ("methods", "masks", "coils", "ratios", "seeds")
"""Settings that may differ between the runs of one folder."""

CLASSICAL = ("zero_filled", "total_variation")
SELF_SUPERVISED = (
    *("hold_out", "squared", "weighted"),
    *("multi", "distillation", "unanchored"),
)
METHODS = (*CLASSICAL, *SELF_SUPERVISED, "supervised")
RATIO = 0.4
"""The share of samples that is held out, unless several are compared."""
MASKS = ("random", "one", "with_network", "drawn")

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data=("mri_volumes/flair64", "mni_brain/64"),
    methods=[*METHODS],
    masks=([*MASKS], ["one"]),
    coils=([1, 4], [1]),
    acceleration=4.0,
    calibration=6,
    ratios=[RATIO],
    # The teacher's.
    weight=0.3,
    seeds=[0],
    iterations=(4, 1),
    filters=(16, 4),
    depth=(4, 2),
    batch_size=8,
    learning_rate=(1e-3, 1e-2),
    epochs=(40, 1),
    # Epochs in which the one mask is learned, from full images.
    mask_epochs=(20, 1),
    slope=20.0,
    regularizations=([*REGULARIZATIONS], [0.01]),
    tuning_slices=(4, 1),
    # Slices of training, validation and test; `None` uses all.
    images=(None, [16, 8, 4]),
    backup=False,
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"methods"` and
        `"masks"` in table order.
    """
    parser = argument_parser(
        doc,
        "self_supervision",
        PRESETS,
        "cpu: 64×64, an hour or two; smoke: all steps in a minute",
    )
    add_choices(parser, methods=METHODS, masks=MASKS)
    add_options(
        parser,
        "batch_size",
        coils=("N", "numbers of coils; 1 is the magnitude image itself"),
        ratios=("RHO", "shares of the acquired samples that are held out"),
        weight=("W", "of the teacher in distillation"),
        iterations=("N", "of the unrolled network"),
        filters=("N", "of the network in each iteration"),
        epochs=("N", "of each training"),
        learning_rate=("LR", "learning rate of Adam"),
    )
    settings = parse_options(parser, arguments)
    for name, order in ("methods", METHODS), ("masks", MASKS):
        settings[name] = [x for x in order if x in settings[name]]
    return settings
