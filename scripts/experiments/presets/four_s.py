"""Settings of the reproduction of the 4S paper."""

from experiments.conducting import PLACES
from experiments.options import add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = (
    *("accelerations", "slopes", "protocols"),
    *("seeds", "methods", "regions"),
)
"""Settings that may differ between the runs of one folder."""

REGIONS = ("none", "auto")
"""Calibration regions: none, as in the paper, or auto, fastMRI's share."""

OF_PAPER = ("fixed", "4s")
PROTOCOLS = ("one_round", "two_rounds")
PRECISIONS = ("float32", "mixed_bfloat16")
SCHEDULES = ("linear", "geometric", "cosine")
ESTIMATORS = ("straight_through", "concrete", "gumbel_topk")


def _patient(epochs, patience, cooldown, stop_patience, lr_patience):
    return {
        "epochs": epochs,
        "patience": patience,
        "cooldown": cooldown,
        "stop_patience": stop_patience,
        "lr_patience": lr_patience,
    }


_SHORT = {"epochs": [30, 20], "patience": 1, "cooldown": 0, "lr_patience": 2}
# With the preset's patience, the slope rises as fast but less far.
_GENTLE = {**_SHORT, "patience": 2, "cooldown": 1}
# One round. The learning rate follows a cosine while 4S raises the slope.
_ANNEALED = {"epochs": [50, 0], "anneal": True}
# Round two trains only the network, with the mask that round one has found.
_FROZEN = {"freeze_mask": True}
# The same number of epochs, twice the steps.
_HALF_BATCHES = {"batch_size": 4}
# In round two the learning rate rises again, and falls to zero by a cosine.
_CYCLE = {**_FROZEN, "cycle": True}
# A quarter of the epochs that 4s_full takes with a region.
_QUARTER = {**_patient([45, 42], 10, 2, 1000, 1000), **_CYCLE}
_BEST = {**_HALF_BATCHES, "epochs": [65, 22]}

VARIANTS = {
    # The paper's full patience.
    "4s_full": _patient([400, 400], 40, 10, 100, 50),
    "4s_medium": _patient([75, 50], 4, 2, 45, 6),
    "4s_long": _patient([120, 80], 6, 3, 60, 12),
    "4s_short": _SHORT,
    # The training loss is smoother: it is a mean over all steps of an epoch.
    "4s_train_loss": {**_SHORT, "slope_monitor": "loss"},
    "4s_warm": {**_SHORT, "first_slope": 100.0},
    "4s_leap": {**_SHORT, "factor": 2.25},
    # The preset's patience, from the fixed slope that is best with a region.
    "4s_from_200": {"first_slope": 200.0},
    "4s_annealed": {**_SHORT, **_ANNEALED},
    "4s_gentle": _GENTLE,
    "4s_gentle_annealed": {**_GENTLE, **_ANNEALED},
    "4s_frozen": {**_GENTLE, **_FROZEN},
    # The same, with enough time for a small slope to make the mask binary.
    "4s_frozen_medium": {**_patient([80, 45], 10, 2, 45, 6), **_FROZEN},
    "4s_cycle": {**_patient([90, 90], 10, 2, 1000, 1000), **_CYCLE},
    "4s_quarter": _QUARTER,
    "4s_quarter_late": {**_QUARTER, "epochs": [65, 22]},
    # Logits take t times the step of the optimizer: the mask's own rate.
    "4s_quarter_fast_mask": {**_QUARTER, "prob_slope": 15.0},
    "4s_quarter_slow_mask": {**_QUARTER, "prob_slope": 2.0},
    "4s_quarter_spectrum": {**_QUARTER, "spectrum": True},
    "4s_quarter_gap": {**_QUARTER, "gap": 0.2},
    "4s_quarter_half_batches": {**_QUARTER, **_HALF_BATCHES},
    "4s_quarter_growing_batches": {**_QUARTER, "batch_size": [4, 16]},
    # What helped, together.
    "4s_quarter_best": {**_QUARTER, **_BEST},
    "4s_quarter_best_mask": {**_QUARTER, **_BEST, "prob_slope": 15.0},
    "4s_quarter_best_gap": {**_QUARTER, **_BEST, "gap": 0.2},
    # First the network alone, on the mask of random logits.
    "4s_quarter_warm": {**_QUARTER, "epochs": [40, 37], "warm": 10},
    "4s_quarter_best_warm": {
        **_QUARTER,
        **_BEST,
        "epochs": [50, 27],
        "warm": 10,
    },
    # Moving averages of all weights.
    "4s_quarter_average": {**_QUARTER, "average": 0.99},
    "4s_half_batches": {**_GENTLE, **_HALF_BATCHES},
    "4s_frozen_half_batches": {**_GENTLE, **_HALF_BATCHES, **_FROZEN},
}
"""Variants of 4S for the preset `cpu`, with the settings that they change."""

UNVARIED = {"slope_monitor": "val_loss", "anneal": False}
"""Settings that variants may change in addition to those of the preset."""

METHODS = (*OF_PAPER, *SCHEDULES, *ESTIMATORS, *VARIANTS)

_SLOPES = [20.0, 200.0, 2000.0, 5000.0, 10000.0, 50000.0]
_BOTH = list(PROTOCOLS)

# The settings of the paper; where it states none, those of its authors' code.
# The preset cpu scales patience and epochs together. The preset paper320 takes
# a few minutes on a data-centre GPU; benchmarks/paper_size_cost.py counts them.
PRESETS = side_by_side(
    ("paper", "paper320", "cpu", "smoke"),
    data=(
        *("fastmri_slices/knee_singlecoil_4s", None),
        *("mni_brain/64", "mni_brain/64"),
    ),
    # The maximum number of slices in the three splits.
    images=(None, [1024, 128, 64], None, None),
    accelerations=([4.0, 8.0], [8.0], [4.0, 8.0], [4.0]),
    regions=["none"],
    slopes=(_SLOPES, [20.0, 200.0], _SLOPES, [20.0, 2000.0]),
    protocols=(_BOTH, ["two_rounds"], _BOTH, _BOTH),
    seeds=([0], [0], [0, 1, 2], [0]),
    filters=(64, 64, 8, 4),
    depth=(5, 5, 3, 2),
    batch_size=(16, 16, 8, 16),
    learning_rate=0.01,
    # The maximum of each round; patience ends it earlier.
    epochs=(10000, 10, 40, 4),
    # The initial slope of 4S, which the paper does not state.
    first_slope=(200.0, 20.0, 20.0, 200.0),
    last_slope=(10000.0, 2000.0, 2000.0, 10000.0),  # For schedules.
    patience=(40, 1, 2, 1),
    factor=1.5,
    cooldown=(10, 0, 1, 0),
    stop_patience=(100, 10, 20, 6),
    lr_patience=(50, 2, 5, 2),
    # `None` is float32, as in records older than this setting. In bfloat16,
    # rounding loses the gradients of biases, which are sums over many pixels.
    precision=None,
    # Long runs are backed up, so that they resume from their last epoch.
    backup=(True, True, False, False),
    variants=({}, {}, VARIANTS, {}),
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"methods"`.
    """
    parser = argument_parser(
        doc,
        "4s",
        PRESETS,
        "paper: 320×320, a GPU for days; paper320: the same network, a "
        "data-centre GPU for minutes; cpu: 64×64, hours; smoke: all steps in "
        "two minutes",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(OF_PAPER),
        choices=METHODS,
        metavar="METHOD",
        help=f"from {', '.join(METHODS)} (fixed 4s); 4s_... with preset cpu",
    )
    parser.add_argument(
        "--regions",
        nargs="+",
        choices=REGIONS,
        help="calibration region: none, as in the paper (default), or auto, "
        "0.32/R of the lines",
    )
    parser.add_argument(
        "--protocols",
        nargs="+",
        choices=PROTOCOLS,
        metavar="PROTOCOL",
        help="protocols of fixed slopes: one_round, two_rounds",
    )
    parser.add_argument(
        "--images",
        type=int,
        nargs=3,
        metavar=("TRAIN", "VALIDATION", "TEST"),
        help="maximum slices of each split, evenly spaced (all)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="precision of the U-Net; mask and Fourier transform are float32",
    )
    add_options(
        parser,
        *("accelerations", "slopes", "first_slope", "last_slope", "factor"),
        *("epochs", "patience", "cooldown", "stop_patience", "lr_patience"),
        *("filters", "depth", "batch_size"),
    )
    settings = parse_options(parser, arguments)
    if settings["data"] is None:
        parser.error(
            f"--data: the preset {settings['preset']} has no data. Give "
            "images of 320×320: FILE.npz, where each array is a volume "
            "(slices, H, W), or the name of a TFDS data set, such as "
            "fastmri_slices/knee_singlecoil_4s"
        )
    if settings["images"] is not None and min(settings["images"]) < 1:
        parser.error("--images: expected three integers of at least 1")
    if settings["precision"] == "float32":
        settings["precision"] = None
    for method in settings["methods"]:
        if method in VARIANTS and method not in settings["variants"]:
            parser.error(
                f"--methods: the preset {settings['preset']} has no {method}"
            )
    return settings


def settings_of(run, settings):
    """Return the settings of one run; those of its variant take precedence.

    Args:
        run: The run, with a `method` and a `protocol`.
        settings: Dict of the settings of the command.
    """
    variant = settings["variants"].get(run.method, {})
    own = {**settings, **UNVARIED, **variant}
    if not isinstance(own["epochs"], list):
        own["epochs"] = [own["epochs"]] * 2
    if run.protocol == "one_round":
        # Only the round with ReduceLROnPlateau, as in the paper for fixed
        # slopes, with the epochs of both rounds.
        own["epochs"] = [0, sum(own["epochs"])]
    for name in (*GRID, *PLACES, "variants"):
        own.pop(name, None)
    return own
