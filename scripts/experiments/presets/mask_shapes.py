"""Settings of the experiment on shapes of masks."""

from experiments.options import add_training_options, argument_parser
from experiments.options import parse as parse_options
from experiments.presets.comparing_masks import TRAINING

GRID = ("seeds",)
"""Settings that may differ between the runs of one folder."""


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with each acceleration
        once, in increasing order.
    """
    parser = argument_parser(
        doc,
        "mask_shapes",
        TRAINING,
        "paper: 320×320, a GPU for days; cpu: the same at 64×64, an hour; "
        "smoke: all steps in two minutes",
    )
    add_training_options(parser)
    settings = parse_options(parser, arguments)
    settings["accelerations"] = sorted(set(settings["accelerations"]))
    return settings
