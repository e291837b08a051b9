"""Settings of the experiment on initial slopes and calibration regions."""

from experiments.options import add_training_options, argument_parser
from experiments.options import parse as parse_options
from experiments.presets.comparing_masks import training_and

GRID = ("seeds", "sizes", "estimators", "slopes", "accelerations")
"""Settings that may differ between the runs of one folder."""

SIZES = {16: (1, 8), 32: (4, 4), 64: (2, 8), 128: (4, 4), 320: (15, 1)}
"""By image size: the stride of the images used, and the batch size."""

SLOPES = {
    "relaxed": [5.0, 10.0, 20.0, 50.0, 200.0],
    "straight_through": [3.0, 12.0, 50.0],
    "concrete": [0.5, 1.5, 5.0],
    "gumbel_topk": [0.3, 1.0, 3.0],
}
"""Initial slopes by estimator."""

PRESETS = training_and(
    ("cpu", "smoke"),
    accelerations=([4.0, 8.0], [4.0]),
    epochs=([20, 10], [1, 1]),
    sizes=([64, 128, 320], [32]),
    estimators=["relaxed"],
    slopes=None,  # Those of SLOPES.
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"sizes"`,
        `"estimators"` and `"slopes"`.
    """
    parser = argument_parser(
        doc,
        "defaults",
        PRESETS,
        "cpu: sizes 64, 128 and 320, hours on one core; smoke: all steps in "
        "two minutes",
    )
    add_training_options(parser)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", choices=SIZES, metavar="N")
    add("--estimators", nargs="+", choices=SLOPES, metavar="NAME")
    add("--slopes", type=float, nargs="+", metavar="S")
    settings = parse_options(parser, arguments)
    # The batch size depends on the image size, the slope on the run.
    del settings["batch_size"], settings["slope"]
    return settings
