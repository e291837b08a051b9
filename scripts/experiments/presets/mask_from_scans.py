"""Settings of the experiment on masks learned from undersampled scans."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("methods", "seeds")
"""Settings that may differ between the runs of one folder."""

METHODS = ("variable_density", "full_scans", "from_scans", "ignoring")

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data="mni_brain/64",
    methods=[*METHODS],
    # The mask's R, and the scans'.
    acceleration=4.0,
    scan_acceleration=1.8,
    hold_out=0.2,
    seeds=[0],
    iterations=(4, 1),
    filters=(16, 4),
    depth=(4, 2),
    batch_size=8,
    learning_rate=1e-3,
    epochs=(20, 1),
    slope=20.0,
    patience=(2, 1),
    images=(None, [16, 8, 8]),
)


def parse(doc, arguments=None):
    """Parse the settings of a command; see `experiments.options.parse`."""
    parser = argument_parser(
        doc,
        "mask_from_scans",
        PRESETS,
        "cpu: small images, a quarter of an hour for a fold; smoke: all steps "
        "in a minute",
    )
    add_choices(parser, methods=METHODS)
    add_options(
        parser,
        *("batch_size", "filters", "depth"),
        acceleration=("R", "of the mask"),
        scan_acceleration=("R", "of the scans, on average"),
        hold_out=("H", "share of a scan that is held out"),
        iterations=("N", "of the unrolled network"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
    )
    settings = parse_options(parser, arguments)
    offered = (1 - settings["hold_out"]) / settings["scan_acceleration"]
    if not 0 < 1 / settings["acceleration"] < offered < 1:
        parser.error(
            "--acceleration, --scan-acceleration, --hold-out: expected "
            "1 / R < (1 - H) / R of the scans < 1"
        )
    settings["methods"] = [x for x in METHODS if x in settings["methods"]]
    return settings
