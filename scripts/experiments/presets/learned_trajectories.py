"""Settings of the experiment on learned trajectories."""

from experiments.options import add_choices, add_options, argument_parser
from experiments.options import parse as parse_options
from experiments.side_by_side import side_by_side

GRID = ("networks", "curves", "accelerations", "seeds")
"""Settings that may differ between the runs of one folder."""

CURVES = (
    *("radial", "free", "projection", "differentiated", "resolutions"),
    *("penalty", "weak", "splines"),
)
METHODS = ("adjoint", "ncpdnet")

PRESETS = side_by_side(
    ("paper", "cpu", "smoke"),
    data=("fastmri_slices/knee_singlecoil", "mni_brain/64", "mni_brain/64"),
    curves=[*CURVES],
    networks=([*METHODS], ["adjoint"], [*METHODS]),
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
    # Resolutions; in the preset paper, the coarsest has splines 8 samples
    # apart. Those of `splines` are as far apart as at the coarsest.
    levels=(4, 3, 2),
    # Iterations of a projection. With 50, what they leave beyond a limit draws
    # shots of the preset cpu towards DC, step by step.
    projections=(50, 300, 50),
    # Learning rate of positions, in cycles per pixel.
    step=1e-3,
    # The one with the highest PSNR on the validation volumes of the first
    # fold, after a projection, among 1e-6, 3e-6, 1e-5, 1e-4 and 1e-3.
    penalty=1e-5,
    # NC-PDNet.
    unrolled_filters=(32, 16, 4),
    iterations=(10, 3, 1),
    buffers=(5, 2, 2),
    batch_size=(1, 8, 8),
    learning_rate=(1e-4, 2e-3, 2e-3),
    epochs=(100, 8, 2),
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
        `"curves"` in table order.
    """
    parser = argument_parser(
        doc,
        "learned_trajectories",
        PRESETS,
        "paper: 320×320, a GPU; cpu: small images, minutes; smoke: all steps "
        "in a minute",
    )
    choices = {"networks": METHODS, "curves": CURVES}
    add_choices(parser, **choices)
    add_options(
        parser,
        *("accelerations", "batch_size"),
        samples=("N", "of each shot"),
        levels=("N", "resolutions"),
        projections=("N", "iterations of each projection"),
        step=("LR", "learning rate of positions, in cycles per pixel"),
        penalty=("P", "strength of the penalty"),
        iterations=("N", "of NC-PDNet"),
        epochs=("N", "the learning rate falls after four fifths of them"),
    )
    settings = parse_options(parser, arguments)
    for name in ("samples", "levels", "projections"):
        if settings[name] < 1:
            parser.error(f"--{name}: expected 1 or more")
    for name, order in choices.items():
        settings[name] = [x for x in order if x in settings[name]]
    return settings
