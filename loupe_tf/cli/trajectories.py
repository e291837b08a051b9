"""Options and texts that the commands on trajectories share."""

import textwrap

from loupe_tf.cli import vocabulary
from loupe_tf.cli.protocol import (
    add_contrast,
    add_dummy_scans,
    add_version,
    describe,
    describe_scan,
    describe_start,
)
from loupe_tf.command_line import meaning
from loupe_tf.file_formats import find_format
from loupe_tf.report import save_figure
from loupe_tf.trajectories.files.trajectory_files import (
    FORMATS,
    save_trajectory,
)
from loupe_tf.trajectories.hardware import HARDWARE

PULSEQ = (
    *("hardware", "slice_thickness", "te", "tr", "flip_angle"),
    *("dummy_scans", "version"),
)
PICTURES = (".png", ".pdf", ".svg")
# Options that Pulseq and ISMRMRD take, by their name in Python.
OF_FORMATS = {
    "pulseq": PULSEQ,
    "ismrmrd": ("slice_thickness",),
}
UNCHECKED = (
    "Note: peripheral nerve stimulation, mechanical resonances and the duty "
    "cycle are not checked."
)


def add_command(commands, name, text, doc, usage):
    """Add a command on trajectories; its help says which formats there are."""
    text_of_all = f"{doc}\n{describe_files()}"
    return vocabulary.add_command(commands, name, text, text_of_all, usage)


def describe_files():
    """Return the part of a help that lists formats and hardware."""
    rows = [(" ".join(f.suffixes), f.holds) for f in FORMATS.values()]
    rows.append((" ".join(PICTURES), "a picture"))
    width = max(len(suffixes) for suffixes, _ in rows) + 2
    lines = ["formats, by the suffix of the file:"]
    lines += [f"  {suffixes:{width}}{holds}" for suffixes, holds in rows]
    lines += [
        "",
        "hardware: gradient in mT/m, slew rate in T/m/s, raster in µs",
    ]
    lines += [
        f"  {name:{width}}{h.max_gradient:4g} {h.max_slew:5g} "
        f"{1e6 * h.raster:4g}"
        for name, h in HARDWARE.items()
    ]
    return "\n".join(lines)


def add_hardware(command, text):
    """Add `--hardware`."""
    command.add_argument("--hardware", choices=HARDWARE, help=text)


def add_protocol(command):
    """Add the options of Pulseq protocols."""
    protocol = command.add_argument_group("Pulseq (and ISMRMRD: thickness)")
    add_contrast(protocol)
    add_dummy_scans(protocol, "shot")
    add_version(protocol)


def read(path):
    """Load the trajectory of a command that has one as its first argument."""
    from loupe_tf.trajectories.trajectory import load_trajectory

    # The suffix alone tells the format.
    with meaning(path="trajectory", format=None):
        return load_trajectory(path)


def check_paths(paths):
    """Refuse files that cannot be written before anything is computed."""
    for path in paths:
        if not path.lower().endswith(PICTURES):
            needs = FORMATS[_format_of(path)].needs
            if needs is not None:
                needs()


def steps_text(trajectory):
    """The largest step between two samples, by axis; the matrix is known."""
    axes = "DHW"[-trajectory.axes :]
    steps = zip(trajectory.largest_steps, axes)
    return (
        ", ".join(f"{s:.3g} along {axis}" for s, axis in steps) + ", in 1/FOV"
    )


def steps_note(trajectory):
    """Say what the receiver loses of the field of view, `""` if nothing.

    Args:
        trajectory: `Trajectory` with a matrix.
    """
    axes = "DHW"[-trajectory.axes :]
    lost = [
        f"{100 / s:.0f} % of the field of view along {axis}"
        for s, axis in zip(trajectory.largest_steps, axes)
        if s > 1 + 1e-6  # Rounding is no step above 1.
    ]
    if not lost:
        return ""
    return textwrap.fill(
        "Note: a step above 1/FOV between two samples means that the receiver, "
        "at the fastest part of the curve, keeps only the central "
        f"{' and '.join(lost)}; its filter removes or folds in the rest. Take "
        "more samples in a shot, or weaker gradients.",
        80,
    )


def write(trajectory, path, options):
    """Write a picture, or a file in the format of the suffix."""
    if path.lower().endswith(PICTURES):
        from loupe_tf import plots

        save_figure(plots.trajectory(trajectory), path)
        print(path)
        return
    name = _format_of(path)
    wanted = OF_FORMATS.get(name, ())
    given = {option: getattr(options, option) for option in wanted}
    given = {k: v for k, v in given.items() if v is not None}
    save_trajectory(trajectory, path, **given)
    print(path)
    # In three axes, the sizes of the image say all.
    if wanted and trajectory.axes == 2:
        print(describe(path, name, FORMATS[name], options))
    if name == "pulseq":
        print(describe_scan(path))
        start = describe_start(path, "shot")
        if start:
            print(textwrap.fill(start, 80))


def _format_of(path):
    with meaning(format=None):
        return find_format(FORMATS, path)
