"""The options of `loupe-tf train`."""

from loupe_tf import distribution, masks
from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.cli.measurement import add_noise_options, check_noise_options
from loupe_tf.cli.training.networks import ITERATIONS, NETWORKS
from loupe_tf.cli.training.rivals import (
    CENTRAL,
    EASY,
    FOR_COILS,
    rivals_of,
)
from loupe_tf.cli.vocabulary import (
    add_calibration,
    add_data,
    add_lines,
    add_out,
    add_phase,
    add_seed,
)

# The settings of `--demo`: a few minutes on two cores.
DEMO = {
    "data": "mni_brain/96",
    "data_dir": "runs/data",
    "out": "runs/demo",
    "acceleration": 4.0,
    "filters": 8,
    "depth": 4,
    "epochs": [14, 4],
    # Small batches: the mask takes one step a batch, whatever its size.
    "batch_size": 4,
    "patience": 1,  # So that 4S acts in so few epochs.
    "cooldown": 1,
    "stop_patience": 12,
    "lr_patience": 2,
}


def _shown(name, value):
    """An option as it is typed."""
    values = value if isinstance(value, list) else [value]
    flag = f"--{name.replace('_', '-')}"
    return " ".join(
        [flag, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)]
    )


EPOCHS = [1000, 500]
"""The largest number of epochs of both rounds, as in the paper."""

# What the options of version 0.1.0 called them.
OLD_NAMES = {"uniform": "uniform_random", "poisson": "poisson_disc"}


def add_options(command):
    """Add all of them to the parser of the command."""
    command.add_argument(
        "--demo",
        action="store_true",
        help="a few minutes on simulated brains, with one coil; stands for "
        + " ".join(_shown(*item) for item in DEMO.items())
        + ". Options that you give replace these",
    )
    command.presets = {"--demo": DEMO}
    add_data(command)
    command.add_argument(
        "--crop-to-acquired",
        action="store_true",
        help="crop k-space to what was acquired, as found in the training "
        "images, where a scanner or a converter has filled it up with zeros",
    )
    add_phase(
        command,
        "Without a phase, either half of k-space determines the other, and the "
        "mask may leave one out, which the network cannot make up for in a "
        "scan. The targets stay magnitudes. With --coils the default is 1 for "
        "them",
    )
    add_out(command, "runs/loupe", "folder of the run")
    add_seed(command, "seed of the split, the weights, the masks and the order")
    add_scanner_options(command.add_argument_group("the simulated scanner"))
    add_mask_options(command.add_argument_group("the masks"))
    add_network_options(command.add_argument_group("the network"))
    add_training_options(command.add_argument_group("the training"))
    distribution.add_arguments(command.add_argument_group("the devices"))
    add_rare_options(command.add_argument_group("for experts"))


def add_scanner_options(group):
    """Add those that say what is measured."""
    add = group.add_argument
    add(
        "--coils",
        type=int,
        metavar="N",
        help="receive coils on a circle around the image (birdcage maps), at "
        "new angles in each epoch (default: one uniform coil)",
    )
    add_noise_options(add)


def add_mask_options(group):
    """Add those that say which masks are learned and compared."""
    add = group.add_argument
    add(
        "--acceleration",
        type=float,
        default=4.0,
        metavar="R",
        help="R > 1: a share 1/R of k-space is acquired (default: %(default)g)",
    )
    add_lines(
        group,
        "learn whole lines of k-space instead of points: columns if phase is "
        "encoded along W, rows if along H (default: points, for 3-D scans)",
    )
    add_calibration(
        group,
        "are always acquired, inside the budget; 0 for none. Sensitivity maps "
        "of the scan itself (ESPIRiT) need 13, and 24 are usual; at least half "
        "of the budget should remain to be learned "
        f"(default: fastMRI's share, {masks.CALIBRATION_SHARE}/R of the lines "
        "or of the shorter side, which is 13 of 160 at R = 4)",
    )
    points, lines = rivals_of("points"), rivals_of("lines")
    add(
        "--baseline",
        choices=points + lines,
        type=lambda name: OLD_NAMES.get(name, name),
        metavar="PATTERN",
        help="the fixed mask to compare with. Points: "
        f"{_patterns(points)}. Lines: {_patterns(lines)}. gaussian has "
        "variable density, regular_points are 2-D CAIPIRINHA; regular_* have "
        "integer distances and add what is left to the centre. * are easy "
        "rivals (default: the central ones; with --coils, "
        f"{' or '.join(FOR_COILS.values())})",
    )


def _patterns(names):
    """Names of patterns, of which the easy rivals have a star."""
    return ", ".join(name + "*" * (name in EASY) for name in names)


def add_network_options(group):
    """Add those that say what rebuilds the image."""
    add = group.add_argument
    add(
        "--network",
        choices=list(NETWORKS),
        help="modl, varnet and xpdnet are unrolled: better, also with one "
        "coil, the only ones that use the maps of several, and about "
        "--iterations times slower and larger (default: modl with two --coils "
        "or more, else unet)",
    )
    add(
        "--iterations",
        type=int,
        metavar="N",
        help="iterations of an unrolled network, each a U-Net of its own "
        f"(default: {ITERATIONS})",
    )
    add(
        "--filters",
        type=int,
        metavar="N",
        help="channels of the network's first scale (default: 32; 8 for "
        "unrolled networks)",
    )
    add(
        "--depth",
        type=int,
        metavar="N",
        help="scales of a U-Net, halvings of the two other networks (default: "
        "5 for unet, 3 for unrolled networks, 4 for fastmri_unet, 7 for "
        "encoder_decoder)",
    )


def add_training_options(group):
    """Add those of the two rounds."""
    add = group.add_argument
    add(
        "--epochs",
        type=int,
        nargs=2,
        default=EPOCHS,
        metavar=("FIRST", "SECOND"),
        help="largest number of epochs of the two rounds; on a CPU, try 30 10 "
        "(default: 1000 500, as in the paper)",
    )
    add(
        "--batch-size",
        type=int,
        default=16,
        metavar="N",
        help="images for one step; 4 for unrolled networks of several coils, "
        "for their memory (default: %(default)s)",
    )
    add(
        "--learning-rate",
        type=float,
        default=0.01,
        metavar="X",
        help="learning rate of Adam at the start, for the network; the step of "
        "the mask stays the same (default: %(default)s)",
    )


def add_rare_options(group):
    """Add those whose defaults are good for most; most are of 4S."""
    add = group.add_argument
    add(
        "--estimator",
        default="relaxed",
        metavar="NAME",
        help="how masks are drawn in training: relaxed, straight_through, "
        "concrete, gumbel_topk, or one of your own (default: %(default)s, the "
        "paper's)",
    )
    add(
        "--slope",
        type=float,
        metavar="X",
        help="initial slope that 4S raises; 200 with --factor 1 is worth a try "
        "(default: 20 for relaxed, smaller for the others)",
    )
    add(
        "--factor",
        type=float,
        default=1.5,
        metavar="X",
        help="factor by which 4S multiplies the slope; 1 leaves it as it is "
        "(default: %(default)s)",
    )
    add(
        "--patience",
        type=int,
        metavar="N",
        help="epochs without improvement before 4S raises the slope (default: "
        "40, as in the paper, or a 15th of the epochs of round one if fewer)",
    )
    add(
        "--cooldown",
        type=int,
        metavar="N",
        help="epochs that 4S waits after each rise (default: 10, or a 100th of "
        "the epochs of round one if fewer)",
    )
    add(
        "--stop-patience",
        type=int,
        default=100,
        metavar="N",
        help="epochs without improvement that end a round (default: "
        "%(default)s)",
    )
    add(
        "--lr-patience",
        type=int,
        default=50,
        metavar="N",
        help="epochs without improvement before round two lowers the learning "
        "rate (default: %(default)s)",
    )
    add(
        "--dropout",
        type=float,
        default=0.0,
        metavar="X",
        help="share of the network's channels dropped in training (default: "
        "%(default)g)",
    )
    add(
        "--weight-decay",
        type=float,
        default=0.0,
        metavar="X",
        help="weight decay of the network; the mask has none (default: "
        "%(default)g)",
    )


def complete(options):
    """Put in the defaults that depend on other options.

    Args:
        options: `argparse.Namespace`, which is changed.

    Raises:
        ValueError: If options do not go together.
    """
    if min(options.epochs) < 1:
        raise invalid("epochs", "two numbers of at least 1", options.epochs)
    # In few epochs, 4S would never act with those of the paper's thousand.
    first = options.epochs[0]
    if options.patience is None:
        options.patience = min(40, max(1, first // 15))
    if options.cooldown is None:
        options.cooldown = min(10, max(1, first // 100))
    if options.network is None:
        # A U-Net sees one combined image, and cannot use the maps.
        options.network = "modl" if (options.coils or 1) > 1 else "unet"
    complete_network(options)
    if options.baseline is None:
        rivals = CENTRAL if options.coils is None else FOR_COILS
        options.baseline = rivals["lines" if options.lines else "points"]
    if options.lines and options.baseline not in rivals_of("lines"):
        raise invalid(
            "baseline",
            f"a pattern of lines, with --lines {options.lines}: "
            + ", ".join(rivals_of("lines")),
            options.baseline,
        )


def complete_network(options):
    """Put in the sizes of the network that were not given.

    Args:
        options: `argparse.Namespace`, which is changed.

    Raises:
        ValueError: If iterations are given for a network that has none.
    """
    kind = NETWORKS[options.network]
    for name in ("filters", "depth"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(kind, name))
    if kind.unrolled and options.iterations is None:
        options.iterations = ITERATIONS
    elif options.iterations is not None and not kind.unrolled:
        unrolled = [name for name, one in NETWORKS.items() if one.unrolled]
        raise invalid(
            "iterations",
            f"none for --network {options.network}, which is not unrolled; "
            f"{', '.join(unrolled)} are",
            options.iterations,
        )


def check(options):
    """Refuse values that need no data to be found wrong.

    The functions that get them would refuse them as well, but only when the
    data have been read, or simulated.

    Args:
        options: `argparse.Namespace` that `complete` has changed.

    Raises:
        ValueError: If a value is out of range.
    """
    numbers = {
        "acceleration": {"above": 1},
        "slope": {"above": 0},
        "dropout": {"at_least": 0, "below": 1},
        "weight_decay": {"at_least": 0},
        "learning_rate": {"above": 0},
        "factor": {"at_least": 1},
    }
    integers = {
        "calibration": 0,
        "coils": 1,
        "iterations": 1,
        "filters": 1,
        "depth": 1,
        "batch_size": 1,
        "patience": 1,
        "cooldown": 0,
        "stop_patience": 0,
        "lr_patience": 0,
    }
    for name, bounds in numbers.items():
        if (value := getattr(options, name)) is not None:
            check_number(name, value, **bounds)
    for name, least in integers.items():
        if (value := getattr(options, name)) is not None:
            check_integer(name, value, at_least=least)
    check_noise_options(vars(options))
    check_integer("seed", options.seed, at_least=0)
    if options.seed >= 2**32:
        raise invalid("seed", "an integer below 2**32", options.seed)
