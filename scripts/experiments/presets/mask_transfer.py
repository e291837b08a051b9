"""Settings of the experiment on masks and reconstructors."""

from experiments.options import add_training_options, argument_parser
from experiments.options import parse as parse_options
from experiments.presets.comparing_masks import training_and
from loupe_tf.evaluation import REGULARIZATIONS

GRID = ("accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

PRESETS = training_and(
    ("paper", "cpu", "smoke"),
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
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
        A dict as from `experiments.options.parse`.
    """
    parser = argument_parser(
        doc,
        "mask_transfer",
        PRESETS,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, hours; "
        "smoke: all steps in two minutes",
    )
    add_training_options(parser)
    return parse_options(parser, arguments)
