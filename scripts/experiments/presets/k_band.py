"""Settings of the experiment on scans that are bands of k-space."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("methods", "seeds")
"""Settings that may differ between the runs of one folder."""

METHODS = (
    *("square", "vertical", "unweighted", "k_band", "supervised"),
    "k_band_learned",
)

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data="mni_brain/64",
    methods=[*METHODS],
    # The mask's R, and the band's.
    acceleration=3.0,
    band_acceleration=4.0,
    angles=180,
    annuli=(8, 4),
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
        "k_band",
        PRESETS,
        "cpu: small images, a quarter of an hour for a fold; smoke: all steps "
        "in a minute",
    )
    add_choices(parser, methods=METHODS)
    add_options(
        parser,
        *("batch_size", "filters", "depth"),
        acceleration=("R", "of the mask"),
        band_acceleration=("R", "k-space over band"),
        angles=("N", "of bands"),
        iterations=("N", "of the unrolled network"),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
    )
    settings = parse_options(parser, arguments)
    for name, least in ("acceleration", 1), ("band_acceleration", 1):
        if not settings[name] > least:
            parser.error(f"--{name.replace('_', '-')}: expected R > {least}")
    settings["methods"] = [x for x in METHODS if x in settings["methods"]]
    return settings
