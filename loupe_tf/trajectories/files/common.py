"""Helpers that the trajectory formats share."""

import math

import numpy as np

from loupe_tf.checks import check_choice, invalid

VERSION = 1
# γ/2π of hydrogen, in Hz/T (CODATA 2018, without shielding).
LARMOR = 42.577478518e6
# Bytes of memory per number while a trajectory is read and checked.
COST = 64
# Name of this package's metadata inside other formats.
MARK = "loupe_tf_trajectory"
UNITS = ("cycles/pixel", "radians/pixel", "cycles/fov", "1/m")
"""Units that positions may have in a file."""
KNOWN = {
    "matrix": "the size of the image, (H, W) or (D, H, W)",
    "field_of_view": "the size of the image in mm, (H, W) or (D, H, W)",
    "dwell": "the time between two samples in seconds",
}
# Single precision rounds positions just below 1/2 to this distance from it.
ROUNDING = 1e-6


def with_known(trajectory, what, **values):
    """Return the trajectory with everything that a format needs.

    Args:
        trajectory: `Trajectory`.
        what: String, what needs the values, for the message.
        **values: `matrix`, `field_of_view`, `dwell`; `None` takes the
            trajectory's own.
    """
    given = {name: value for name, value in values.items() if value is not None}
    trajectory = trajectory.replace(**given)
    for name in values:
        check_known(name, getattr(trajectory, name), what)
    return trajectory


def check_known(name, value, what):
    """Refuse a value that is `None`."""
    if value is None:
        raise invalid(name, f"{KNOWN[name]}, for {what}", None)


def per_cycle(unit, axes, matrix, field_of_view, path=None):
    """Return how many of a unit one cycle per pixel is, for each axis.

    Args:
        unit: String, one of `UNITS`.
        axes: Integer, number of axes.
        matrix, field_of_view: See `Trajectory`. `"cycles/fov"` needs the
            first, `"1/m"` both.
        path: (Optional) path of the file, for the message.

    Returns:
        A number, or an array with one number for each axis.
    """
    check_choice("unit", unit, UNITS)
    if unit == "cycles/pixel":
        return 1.0
    if unit == "radians/pixel":
        return 2 * math.pi
    sizes = {"matrix": matrix}
    if unit == "1/m":
        sizes["field_of_view"] = field_of_view
    for name, size in sizes.items():
        what = f"positions in {unit}"
        check_known(name, size, what if path is None else f"{what} of {path}")
        if np.shape(size) != (axes,):
            raise invalid(name, f"one value for each of {axes} axes", size)
    factor = np.array(matrix, float)
    if unit == "1/m":
        factor /= np.array(field_of_view, float) / 1000  # In mm.
    return factor


def same_pixels(old, view, matrix):
    """Return the field of view of another matrix of as large pixels.

    Args:
        old, view: Tuples, matrix and field of view; either may be `None`.
        matrix: Tuple, the other matrix.
    """
    if old is None or view is None or len(matrix) != len(old):
        return None
    return tuple(mm * n / m for mm, n, m in zip(view, matrix, old))


def from_single(positions):
    """Return float64 positions of numbers in single precision.

    Those that were rounded up to 1/2, or below -1/2, go back inside, where they
    came from: moving them by a whole cycle would tear a curve apart.
    """
    positions = np.asarray(positions, np.float64)
    positions = np.where(
        abs(positions - 0.5) < ROUNDING, np.nextafter(0.5, 0), positions
    )
    return np.where(abs(positions + 0.5) < ROUNDING, -0.5, positions)


def arguments_of(positions, metadata):
    """Return the arguments of `Trajectory`.

    Args:
        positions: Array.
        metadata: Dictionary like `Trajectory.metadata`.

    Raises:
        KeyError: If the dictionary lacks an entry.
        ValueError: If the dictionary is of another version.
    """
    if metadata["version"] != VERSION:
        raise invalid("version", f"{VERSION}", metadata["version"])
    names = ("matrix", "field_of_view", "dwell", "provenance")
    return {"positions": positions} | {name: metadata[name] for name in names}
