"""`loupe-tf trajectory convert`: a trajectory in another format."""

from loupe_tf.cli.trajectories import (
    UNCHECKED,
    add_command,
    add_hardware,
    add_protocol,
    read,
    steps_note,
    steps_text,
    write,
)
from loupe_tf.command_line import stands_for

DOC = """\
Write a trajectory in another format.

examples:
  a table, and a Pulseq protocol with an echo time of 5 ms:
    loupe-tf trajectory convert curves.npz curves.csv
    loupe-tf trajectory convert curves.npz scan.seq --hardware prisma --te 5
  a spiral of another program, whose dwell time the file does not say:
    loupe-tf trajectory convert spiral.cfl spiral.seq --fov 220 220 --dwell 1e-5

The file appears at once and whole. A Pulseq protocol is written only if the
hardware can run the trajectory: its limits of amplitude and slew rate, not
nerve stimulation or the duty cycle. The time of its scan, the length of its
read-out and the largest gradient and slew rate are printed. If the size of the
image is known, the largest step between two samples is printed: above 1/FOV,
the receiver loses the outer part of the field of view.
"""


def add(commands):
    """Add the command to those on trajectories."""
    convert = add_command(
        commands,
        "convert",
        "write a trajectory in another format",
        DOC,
        "TRAJECTORY OUT",
    )
    convert.add_argument(
        "trajectory", metavar="TRAJECTORY", help="file of a trajectory"
    )
    out = convert.add_argument("out", metavar="OUT", help="file to write")
    stands_for(out, "path")
    for name, dest, kind, metavar, text in (
        ("matrix", "matrix", int, "N", "size of the image in pixels"),
        ("fov", "field_of_view", float, "MM", "size of the image in mm"),
    ):
        convert.add_argument(
            f"--{name}",
            dest=dest,
            nargs="+",
            type=kind,
            metavar=metavar,
            help=f"{text}, H W or D H W (default: that of the file)",
        )
    convert.add_argument(
        "--dwell",
        type=float,
        metavar="S",
        help="time between two samples in seconds (default: that of the file)",
    )
    add_hardware(convert, "what has to run a Pulseq file (default: clinical)")
    add_protocol(convert)
    convert.set_defaults(run=run)


def run(options):
    """Run the command."""
    trajectory = read(options.trajectory)
    names = ("matrix", "field_of_view", "dwell")
    changes = {name: getattr(options, name) for name in names}
    trajectory = trajectory.replace(
        **{k: v for k, v in changes.items() if v is not None}
    )
    write(trajectory, options.out, options)
    if trajectory.matrix is not None:
        print(f"largest step {steps_text(trajectory)}")
        if note := steps_note(trajectory):
            print(note)
    if options.out.lower().endswith(".seq"):
        print(UNCHECKED)
