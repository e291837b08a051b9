"""`loupe-tf trajectory show`: what a trajectory is."""

import math

from loupe_tf.cli.masks import size_text
from loupe_tf.cli.trajectories import (
    UNCHECKED,
    add_command,
    add_hardware,
    read,
    steps_note,
    steps_text,
)
from loupe_tf.command_line import stands_for

DOC = """\
Print what a trajectory is, and whether hardware can run it.

examples:
  loupe-tf trajectory show curves.npz
  loupe-tf trajectory show curves.seq --hardware skyra --out curves.png

The facts are: shots, samples, times, how many samples fewer than the Cartesian
grid it takes, and its largest step between two samples. Above 1/FOV, which is
γ/2π · gradient · field of view · dwell time > 1, the receiver loses the outer
part of the field of view, which is noted.
"""


def add(commands):
    """Add the command to those on trajectories."""
    show = add_command(
        commands, "show", "describe one trajectory", DOC, "TRAJECTORY"
    )
    show.add_argument(
        "trajectory", metavar="TRAJECTORY", help="file of a trajectory"
    )
    add_hardware(show, "check the limits of this system (default: none)")
    out = show.add_argument(
        "--out", metavar="PNG", help="draw it into this file"
    )
    stands_for(out, "path")
    show.set_defaults(run=run)


def run(options):
    """Run the command."""
    trajectory = read(options.trajectory)
    print(description(trajectory, options.hardware))
    if options.out:
        from loupe_tf import plots
        from loupe_tf.report import save_figure

        save_figure(plots.trajectory(trajectory), options.out)
        print(f"\n{options.out}")


def description(trajectory, hardware=None):
    """What `show` prints, as a text of several lines."""
    from loupe_tf.trajectories.hardware import standardize_hardware

    samples = trajectory.shots * trajectory.samples
    rows = [
        ("shots", trajectory.shots),
        ("samples in each", trajectory.samples),
        ("axes", trajectory.axes),
        ("matrix", size_text(trajectory.matrix)),
        ("field of view", size_text(trajectory.field_of_view, " mm")),
    ]
    if trajectory.matrix is not None:
        fewer = math.prod(trajectory.matrix) / samples
        rows.append(("samples of the grid", f"{fewer:.4g} times as many"))
        rows.append(("largest step", steps_text(trajectory)))
    if trajectory.dwell is not None:
        dwell = trajectory.dwell
        length = 1e3 * dwell * trajectory.samples
        rows.append(("dwell time", f"{1e6 * dwell:.4g} µs"))
        rows.append(("length of a shot", f"{length:.4g} ms"))
    for name, value in trajectory.provenance.items():
        if name == "energy":
            if "distance" in trajectory.provenance:
                continue  # It says what the energy does not: how near.
            value = f"{value[0]:.6f} to {value[-1]:.6f}"
        if name == "distance":
            name = "distance to density"
            value = f"{value[0]:.3f} at first, {value[1]:.3f} in the end"
        text = str(value)
        rows.append((name, text if len(text) <= 70 else f"{text[:67]}..."))
    width = max(len(name) for name, _ in rows)
    text = "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
    if hardware is not None:
        report = standardize_hardware(hardware).check(trajectory)
        can = "can" if report.ok else "can NOT"
        text += f"\n\n{hardware} {can} run it: {report}\n{UNCHECKED}"
    if trajectory.matrix is not None and (note := steps_note(trajectory)):
        text += f"\n\n{note}"
    return text
