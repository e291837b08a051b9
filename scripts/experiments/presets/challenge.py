"""Settings of the stand-in of the fastMRI challenge."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side
from loupe_tf.evaluation import TRACKS

GRID = ("methods", "tracks", "seeds")
"""Settings that may differ between the runs of one folder."""

NETWORKS = ("unet", "varnet")
METHODS = ("zero_filled", *NETWORKS)
TRAINED = ("4x", "8x")
"""Tracks with networks of their own; transfer uses those of 4x."""

PRESETS = side_by_side(
    ("cpu", "smoke"),
    data="mni_brain/64",
    other=None,
    seeds=[0],
    methods=[*METHODS],
    tracks=([*TRAINED], ["4x"]),
    filters=(8, 4),
    varnet_filters=(4, 2),
    depth=(3, 2),
    iterations=(2, 1),
    batch_size=4,
    learning_rate=3e-3,
    epochs=(10, 1),
    # Slices of each volume, evenly spaced.
    trained=(24, 8),
    tested=(8, 2),
    # Slices of training, validation and test; `None` uses all.
    images=(None, [16, 4, 8]),
    backup=False,
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`. `"truth"` is `None` for the
        stand-in.
    """
    parser = argument_parser(
        doc,
        "challenge",
        PRESETS,
        "cpu: small images, twenty minutes for five folds; smoke: all steps "
        "in two minutes",
    )
    add_choices(parser, methods=METHODS, tracks=TRAINED)
    parser.add_argument(
        "--other",
        metavar="DATA",
        help="images of vendor B, as for --data: those of the tested patients, "
        "or all where patients are unknown (default: the tested images with "
        "inverted contrast)",
    )
    add_options(
        parser,
        "batch_size",
        epochs=("N", "the learning rate falls after four fifths of them"),
    )
    real = parser.add_argument_group("a real challenge")
    real.add_argument(
        "--truth",
        metavar="FOLDER",
        help="fully sampled multi-coil files of fastMRI",
    )
    real.add_argument(
        "--submission",
        nargs="+",
        metavar="FOLDER",
        help="submissions to judge; the first is compared with each other one",
    )
    real.add_argument(
        "--model",
        help="rebuild the volumes of --truth into the first --submission: a "
        ".keras file of a model from [kspace, mask], or zero_filled",
    )
    real.add_argument(
        "--track", choices=list(TRACKS), help="the masks for --model (4x)"
    )
    real.add_argument(
        "--rows",
        type=int,
        metavar="N",
        help="pad shorter read-outs to so many rows, as the model was trained",
    )
    settings = {"truth": None, **parse_options(parser, arguments)}
    needed = ("submission", "model", "track", "rows")
    if settings["truth"] is None:
        for name in needed:
            if name in settings:
                parser.error(f"--{name}: expected with --truth alone")
    elif "submission" not in settings:
        parser.error("--truth: expected with --submission")
    for name, order in ("methods", METHODS), ("tracks", TRAINED):
        settings[name] = [x for x in order if x in settings[name]]
    return settings
