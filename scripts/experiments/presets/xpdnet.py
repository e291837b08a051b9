"""Settings of the experiment on unrolled networks and their masks."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side
from loupe_tf.evaluation import REGULARIZATIONS

GRID = (
    *("networks", "masks", "coils", "accelerations", "iterations", "seeds"),
    "noises",
)
"""Settings that may differ between the runs of one folder."""

UNROLLED = ("modl", "varnet", "xpdnet", "pdnet")
NETWORKS = ("unet", *UNROLLED)
CLASSICAL = ("zero_filled", "wavelet_l1", "total_variation", "grappa")
METHODS = (*CLASSICAL, *NETWORKS)

GIVEN_LINES = ("equispaced", "random", "gaussian_lines", "central")
GIVEN_POINTS = ("central_points", "gaussian", "poisson_disc")
GIVEN = (*GIVEN_LINES, *GIVEN_POINTS)
# Their parameters are chosen on validation slices, for compressed sensing.
TUNED = ("tuned_gaussian", "tuned_poisson_disc")
LEARNED = ("lines", "points")
# What another network has learned, by the name of that network.
FROM_UNET = ("unet_lines", "unet_points")
FROM_MODL = ("modl_lines", "modl_points")
TAKEN = {
    **dict.fromkeys(FROM_UNET, "unet"),
    **dict.fromkeys(FROM_MODL, "modl"),
}
MASKS = (*GIVEN, *TUNED, *LEARNED, *TAKEN)

# Filters by number of iterations: of the U-Net in each iteration; of the
# U-Net and of the network in k-space in each iteration of PDNet. The weights
# of an iteration are its own, and their total hardly changes.
EQUAL = {1: (9, 8, 16), 3: (5, 4, 12), 5: (4, 3, 8)}

PRESETS = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    networks=(
        [*METHODS],
        [*CLASSICAL, "unet", "modl", "varnet", "xpdnet"],
        ["zero_filled", "total_variation", "unet", "varnet", "xpdnet"],
    ),
    masks=(
        [m for m in MASKS if m not in FROM_MODL],
        [m for m in MASKS if m not in FROM_MODL],
        ["equispaced", "points", "unet_points"],
    ),
    coils=([1, 8], [1], [1]),
    accelerations=([4.0, 8.0], [4.0, 8.0], [4.0]),
    iterations=([1, 5, 10], [1, 3, 5], [1, 3]),
    seeds=[0],
    # Networks of one coil, which are given images, have none.
    noises=[0.0],
    # The filters above; `None` has the networks of the papers, whose numbers
    # of parameters differ.
    sizes=(None, EQUAL, EQUAL),
    filters=(64, 9, 9),
    depth=(4, 3, 3),
    batch_size=(1, 8, 8),
    learning_rate=(1e-3, 1e-2, 1e-2),
    epochs=(50, 20, 2),
    slope=20.0,
    patience=(2, 2, 1),
    cooldown=(1, 1, 0),
    regularizations=([*REGULARIZATIONS], [*REGULARIZATIONS], [0.003, 0.01]),
    tuning_slices=(8, 4, 1),
    # Slices of training, validation and test; `None` uses all.
    images=(None, None, [32, 8, 8]),
    # Long runs are backed up, so that they resume from their last epoch.
    backup=(True, False, False),
)


def parse(doc, arguments=None):
    """Parse the settings of a command.

    Args:
        doc: String, the docstring of the script.
        arguments: (Optional) list of strings, by default the command line.

    Returns:
        A dict as from `experiments.options.parse`, with `"networks"` and
        `"masks"` in table order.
    """
    parser = argument_parser(
        doc,
        "xpdnet",
        PRESETS,
        "paper: 320×320, a GPU for weeks; cpu: small images and one coil, two "
        "hours; smoke: all steps in two minutes",
    )
    add_choices(parser, networks=METHODS, masks=MASKS)
    add_options(
        parser,
        *("accelerations", "batch_size"),
        coils=("N", "numbers of coils; 1 is the magnitude image itself"),
        iterations=(
            "N",
            "of unrolled networks; fewer than the most are tried "
            "with learned points alone",
        ),
        epochs=("N", "the learning rate falls after four fifths of them"),
        learning_rate=("LR", "learning rate of Adam"),
        slope=("S", "initial slope of learned masks, which 4S raises"),
        noises=(
            "S",
            "standard deviations of the noise, for images of maximum 1; "
            "networks of one coil have none",
        ),
        regularizations=("W", "those that compressed sensing chooses from"),
    )
    settings = parse_options(parser, arguments)
    for name in ("coils", "iterations"):
        settings[name] = sorted(set(settings[name]))
        if settings[name][0] < 1:
            parser.error(f"--{name}: expected 1 or more")
    sizes = settings["sizes"]
    if sizes and not sizes.keys() >= {*settings["iterations"]}:
        parser.error(
            f"--iterations: expected some of {', '.join(map(str, sizes))}"
        )
    for name, order in ("networks", METHODS), ("masks", MASKS):
        settings[name] = [x for x in order if x in settings[name]]
    return settings
