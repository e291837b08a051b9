"""Settings of the experiment on drop rates."""

from experiments.options import add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("drop_rates", "losses", "seeds")
"""Settings that may differ between the runs of one folder."""

LOSSES = ("mse", "ssim", "l1_ssim")

PRESETS = side_by_side(
    # The report does not state image sizes, epochs or batch sizes.
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    drop_rates=([0.2, 0.4, 0.6], [0.2, 0.4, 0.6], [0.4, 0.6]),
    losses=["mse"],
    seeds=([0, 1, 2], [0, 1, 2], [0]),
    filters=(32, 8, 4),
    depth=(7, 4, 2),
    batch_size=(16, 8, 16),
    learning_rate=(1e-3, 1e-2, 1e-2),
    epochs=(100, 30, 3),
    slope=20.0,
    patience=(5, 2, 1),
    cooldown=(2, 1, 0),
    stop_patience=(30, 15, 3),
    lr_patience=(10, 5, 1),
    backup=(True, False, False),
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"drop_rates"` and
        `"losses"`.
    """
    parser = argument_parser(
        doc,
        "drop_rates",
        PRESETS,
        "paper: the network of the report, a GPU for a day; cpu: small "
        "images, hours; smoke: two minutes",
    )
    parser.add_argument("--losses", nargs="+", choices=LOSSES, help="(mse)")
    add_options(
        parser,
        *("epochs", "lr_patience", "filters", "depth", "batch_size"),
        drop_rates=("D", "0 < D < 1"),
    )
    settings = parse_options(parser, arguments)
    for rate in settings["drop_rates"]:
        if not 0 < rate < 1:
            parser.error(f"--drop-rates: expected 0 < D < 1, not {rate:g}")
    return settings
