"""`loupe-tf trajectory make`: SPARKLING from a learned density, or another."""

from loupe_tf.checks import invalid
from loupe_tf.cli.show_trajectory import description
from loupe_tf.cli.trajectories import (
    add_command,
    add_hardware,
    add_protocol,
    check_paths,
    write,
)
from loupe_tf.cli.vocabulary import add_field_of_view, add_seed
from loupe_tf.command_line import stands_for

DOC = """\
Make curves that a scanner can run and whose samples follow a density.

examples:
  from a model that `loupe-tf train --demo` left:
    loupe-tf trajectory make runs/demo/model.keras --shots 16 --samples 512 \\
        --hardware prisma --out curves.npz curves.png curves.seq
  to compare with: a density that decays with the square of the distance
    loupe-tf trajectory make decay --matrix 64 64 --shots 16 --samples 512 \\
        --fov 220 220 --hardware prisma --out decay.npz
  radial shots that begin at DC, 4 µs apart, on a 4 µs raster:
    loupe-tf trajectory make decay --matrix 64 64 --shots 8 --samples 1024 \\
        --echo 0 --fov 220 220 --hardware premier --dwell 4e-6

The method is SPARKLING. The density is that of a model with a learned mask of
points, or an array, or decays from the centre, or is uniform. All shots cross
DC at the same sample.

8192 samples, as above, take minutes on a CPU: each step sums the forces
between all pairs of samples. Half of --shots or of --samples takes a quarter of
the time, and half of --iterations takes half.

If the shots are too short to reach the density, the message says how many
samples, or which dwell time, would do.
"""


def add(commands):
    """Add the command to those on trajectories."""
    make = add_command(
        commands,
        "make",
        "make curves from a density",
        DOC,
        "DENSITY --shots N --samples N",
    )
    number = {"type": float, "metavar": "X"}
    make.add_argument(
        "density",
        metavar="DENSITY",
        help=".keras file of a model, .npy file of an array (H, W) with DC in "
        "the centre, decay, or uniform",
    )
    make.add_argument(
        "--shots",
        type=int,
        metavar="N",
        required=True,
        help="number of shots",
    )
    make.add_argument(
        "--samples",
        type=int,
        metavar="N",
        required=True,
        help="samples in each shot",
    )
    view = add_field_of_view(make, " (default: that of the model)")
    stands_for(view, "voxel_size")
    make.add_argument(
        "--matrix",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="size of the image in pixels (default: that of the density)",
    )
    make.add_argument(
        "--dwell",
        type=float,
        default=1e-5,
        metavar="S",
        help="time between two samples in seconds, not ms or µs: 4e-6 is 4 µs "
        "(default: 1e-5, 10 µs)",
    )
    add_hardware(make, "limits of the gradients (default: clinical)")
    make.add_argument(
        "--echo",
        type=int,
        metavar="N",
        help="sample at DC (default: the middle)",
    )
    make.add_argument(
        "--rule",
        choices=("rate", "share"),
        default="rate",
        help="how probabilities of a mask become a density: rate is "
        "-log(1 - P), share is P (default: %(default)s)",
    )
    make.add_argument(
        "--smoothing",
        **number,
        help="points over which probabilities of a mask are averaged first "
        "(default: a 32nd of k-space)",
    )
    make.add_argument(
        "--decay",
        default=2.0,
        **number,
        help="power of decay (default: %(default)g)",
    )
    make.add_argument(
        "--cutoff",
        default=0.1,
        **number,
        help="where decay begins, in cycles per pixel (default: %(default)s)",
    )
    make.add_argument(
        "--iterations",
        type=int,
        default=40,
        metavar="N",
        help="steps at each level (default: %(default)s)",
    )
    make.add_argument(
        "--levels",
        type=int,
        default=3,
        metavar="N",
        help="resolutions, from few samples in each shot to all (default: "
        "%(default)s)",
    )
    add_seed(make, "seed of the first curves")
    out = make.add_argument(
        "--out",
        nargs="+",
        metavar="FILE",
        default=["trajectory.npz"],
        help="files to write: trajectories and pictures (default: "
        "trajectory.npz)",
    )
    stands_for(out, "path")
    add_protocol(make)
    make.set_defaults(run=run, stopped="Stopped. Nothing was written.")


def run(options):
    """Run the command."""
    from loupe_tf.trajectories import sparkling

    check_paths(options.out)
    density, field_of_view, provenance = read_density(options)
    if options.field_of_view is not None:
        field_of_view = options.field_of_view
    if field_of_view is None:
        raise invalid(
            "field_of_view", "the size (H, W) of the image in mm", None
        )
    hardware = options.hardware or "clinical"
    trajectory = sparkling(
        density,
        options.shots,
        options.samples,
        hardware,
        field_of_view,
        options.dwell,
        echo="middle" if options.echo is None else options.echo,
        matrix=options.matrix,
        iterations=options.iterations,
        levels=options.levels,
        seed=options.seed,
        verbose=True,
        provenance=provenance,
    )
    print(description(trajectory, hardware))
    print()
    for path in options.out:
        write(trajectory, path, options)


def read_density(options):
    """Return density, field of view or `None`, and facts about the density."""
    from loupe_tf.trajectories import (
        decaying_density,
        learned_density,
        uniform_density,
    )

    name, provenance = options.density, {"density": options.density}
    if name in ("decay", "uniform"):
        if options.matrix is None:
            raise invalid("matrix", f"a size (H, W) for {name}", None)
        if name == "uniform":
            return uniform_density(options.matrix), None, provenance
        provenance |= {"decay": options.decay, "cutoff": options.cutoff}
        return (
            decaying_density(options.matrix, options.decay, options.cutoff),
            None,
            provenance,
        )
    if name.endswith(".npy"):
        from loupe_tf.reading import load_npy

        return load_npy(name), None, provenance
    if not name.endswith(".keras"):
        raise invalid("density", "decay, uniform, a .keras or .npy file", name)
    import keras

    from loupe_tf import masks, models  # noqa: F401
    from loupe_tf.trajectories.density import default_smoothing

    model = keras.models.load_model(name)
    mask = masks.from_model(model)
    probability = masks.probability_from_model(model)
    if mask.lines is not None:
        raise invalid(
            "density",
            "a model whose mask has points: one of `loupe-tf train` without "
            "--lines, as --demo trains it; or a density without a model, decay "
            "or uniform with --matrix",
            found=f"{name}, whose mask has {mask.lines}",
        )
    smoothing = options.smoothing
    if smoothing is None:
        smoothing = default_smoothing(probability.shape)
    provenance |= {
        "rule": options.rule,
        "smoothing": smoothing,
        "acceleration": mask.acceleration,
        "weights_sha256": mask.provenance["weights_sha256"],
    }
    density = learned_density(probability, options.rule, smoothing)
    return density, mask.field_of_view, provenance
