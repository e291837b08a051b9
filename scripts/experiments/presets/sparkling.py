"""Settings of the experiment on densities of hardware-compliant curves."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("networks", "densities", "accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

DENSITIES = ("radial", "uniform", "decay", "share", "learned", "smooth")
"""Spokes first, which follow no given density."""
METHODS = ("adjoint", "total_variation", "ncpdnet")

PRESETS = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    densities=[*DENSITIES],
    networks=[*METHODS],
    # Points of the grid for each sample.
    accelerations=([20.0], [4.0], [4.0]),
    seeds=[0],
    # Samples of each shot, their distance in seconds, and the side of a pixel
    # in mm. That of the preset cpu is one of 320 pixels in 224 mm, so that the
    # curves bend as little as those of a scan of full size.
    samples=(512, 64, 64),
    dwell=(1e-5, 2e-5, 2e-5),
    voxel_size=0.7,
    hardware="sparkling",
    steps=(40, 40, 3),
    # Powers of decaying densities; the one that validates best is used.
    decays=([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0]),
    # The learned mask: a U-Net.
    filters=(64, 9, 4),
    depth=(4, 3, 2),
    slope=20.0,
    patience=(2, 2, 1),
    cooldown=(1, 1, 0),
    mask_epochs=(50, 12, 1),
    mask_learning_rate=(1e-3, 1e-2, 1e-2),
    # NC-PDNet.
    unrolled_filters=(32, 16, 4),
    iterations=(10, 3, 1),
    buffers=(5, 2, 2),
    batch_size=(1, 8, 8),
    learning_rate=(1e-4, 2e-3, 2e-3),
    epochs=(100, 8, 1),
    regularizations=(
        [1e-3, 3e-3, 1e-2],
        [3e-3, 1e-2],
        [3e-3],
    ),
    tuning_slices=(8, 2, 1),
    # Slices of each test volume; `None` uses all.
    test_slices=(None, 4, None),
    # Slices of training, validation and test; `None` uses all.
    images=(None, None, [16, 4, 4]),
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
        `"densities"` in table order.
    """
    parser = argument_parser(
        doc,
        "sparkling",
        PRESETS,
        "paper: 320×320, a GPU; cpu: small images, minutes; smoke: all steps "
        "in a minute",
    )
    choices = {"networks": METHODS, "densities": DENSITIES}
    add_choices(parser, **choices)
    add_options(
        parser,
        *("accelerations", "batch_size"),
        samples=("N", "of each shot"),
        steps=("N", "of SPARKLING at each level"),
        mask_epochs=("N", "of the U-Net that learns the density"),
        iterations=("N", "of NC-PDNet"),
        epochs=("N", "the learning rate falls after four fifths of them"),
    )
    settings = parse_options(parser, arguments)
    for name in ("samples", "steps", "mask_epochs"):
        if settings[name] < 1:
            parser.error(f"--{name}: expected 1 or more")
    for name, order in choices.items():
        settings[name] = [x for x in order if x in settings[name]]
    return settings
