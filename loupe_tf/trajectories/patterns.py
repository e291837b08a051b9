"""Trajectories that are not learned."""

import math

import numpy as np

from loupe_tf.checks import check_choice, check_integer, check_number, invalid
from loupe_tf.trajectories.trajectory import Trajectory

GOLDEN_ANGLE = math.pi * (math.sqrt(5) - 1) / 2
"""Angle between successive spokes, 111.25°, in radians."""


def radial(shots, samples, golden=False, **options):
    """Make spokes through DC.

    Spoke s has the angle `πs / shots`, or s golden angles, from the axis W
    towards the axis H; sample j is at the distance `(j - samples // 2) /
    samples`, so DC is at index `samples // 2`. With golden angles, any number
    of successive spokes covers k-space about evenly (Winkelmann et al., "An
    optimal radial profile order based on the golden ratio for time-resolved
    MRI", 2007).

    Args:
        shots: Integer, number of spokes. `π/2` times the matrix size samples
            all of k-space.
        samples: Integer, number of samples in each.
        golden: Boolean, `True` for golden angles.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory`.

    Example:

    >>> spokes = radial(shots=50, samples=192, golden=True)
    """
    shots, samples = _check_counts(shots, samples)
    check_choice("golden", golden, (False, True))
    step = GOLDEN_ANGLE if golden else math.pi / shots
    radii = (np.arange(samples) - samples // 2) / samples
    curves = radii * np.exp(1j * step * np.arange(shots)[:, None])
    return _trajectory(curves, "radial", {"golden": golden}, options)


def spiral(shots, samples, turns, direction="out", **options):
    """Make interleaved Archimedean spirals.

    Shot s is `k(t) = t/2 exp(2πi (turns · t + s / shots))`, from DC at t = 0 to
    just inside of the edge. One that goes in and out,

        `k(t) = t/2 exp(πi (turns · |t| + s / shots)),  -1 < t < 1`,

    passes DC at index `samples // 2`, with half of its turns on either side.
    The angle changes at a constant rate. An image of N pixels is fully sampled
    by `turns · shots = N / 2`.

    Args:
        shots: Integer, number of spirals.
        samples: Integer, number of samples in each.
        turns: Positive number, revolutions of each.
        direction: `"out"` from DC to the edge, `"in"` from the edge to DC, or
            `"in_out"` from edge to edge.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory`.

    Example:

    >>> trajectory = spiral(shots=8, samples=1000, turns=10)
    """
    shots, samples = _check_counts(shots, samples)
    turns = check_number("turns", turns, above=0)
    check_choice("direction", direction, ("out", "in", "in_out"))
    shift = np.arange(shots)[:, None] / shots
    if direction == "in_out":
        # One side is the other turned by π, so half a turn holds all shots.
        half = samples // 2
        time = (np.arange(samples) - half) / (half + 0.5)
        angle = (turns * np.abs(time) + shift) / 2
    else:
        time = np.arange(samples) / samples
        angle = turns * time + shift
    curves = time / 2 * np.exp(2j * np.pi * angle)
    if direction == "in":
        curves = curves[:, ::-1]
    arguments = {"turns": turns, "direction": direction}
    return _trajectory(curves, "spiral", arguments, options)


def rosette(shots, samples, petals=8, turns=1.0, **options):
    """Make rosettes, which cross DC again and again.

    Shot s is `k(t) = 1/2 sin(π · petals · t) exp(iπ (turns · t + s / shots))`
    for t in [0, 1) (Noll, "Multishot rosette trajectories for spectrally
    selective MR imaging", 1997): at each of the `petals` half periods of the
    sine it leaves DC and comes back.

    Args:
        shots: Integer, number of rosettes.
        samples: Integer, number of samples in each.
        petals: Integer, number of times that each shot leaves DC.
        turns: Positive number, half revolutions of each shot.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory`.

    Example:

    >>> trajectory = rosette(shots=16, samples=500, petals=6)
    """
    shots, samples = _check_counts(shots, samples)
    petals = check_integer("petals", petals, at_least=1)
    turns = check_number("turns", turns, above=0)
    time = np.arange(samples) / samples
    angle = turns * time + np.arange(shots)[:, None] / shots
    # 1/2 itself lies outside of k-space.
    radius = np.nextafter(0.5, 0) * np.sin(np.pi * petals * time)
    curves = radius * np.exp(1j * np.pi * angle)
    arguments = {"petals": petals, "turns": turns}
    return _trajectory(curves, "rosette", arguments, options)


def epi(matrix, shots=1, **options):
    """Make the interleaved rows of echo-planar imaging.

    Shot s acquires the rows s, s + shots, ..., to and fro, at the points of the
    Cartesian grid; the blips between two rows are not sampled.

    Args:
        matrix: Tuple `(H, W)`, size of the image.
        shots: Integer that divides H.
        **options: `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory` of `H · W / shots` samples in each shot.

    Example:

    >>> trajectory = epi((64, 64), shots=4)
    """
    height, width = (check_integer("matrix", n, at_least=1) for n in matrix)
    shots = check_integer("shots", shots, at_least=1)
    if height % shots:
        raise invalid("shots", f"a divisor of the {height} rows", shots)
    rows = (np.arange(height) - height // 2) / height
    columns = (np.arange(width) - width // 2) / width
    shape = (height // shots, shots, width)
    grid = np.empty((*shape, 2))
    grid[..., 0] = rows.reshape(-1, shots, 1)
    grid[..., 1] = columns
    grid[1::2, ..., 1] = columns[::-1]
    positions = np.moveaxis(grid, 1, 0).reshape(shots, -1, 2)
    provenance = {"pattern": "epi"}
    return Trajectory(
        positions, matrix=matrix, provenance=provenance, **options
    )


def _trajectory(curves, pattern, arguments, options):
    """Make a `Trajectory` of complex curves: W + iH, in cycles per pixel."""
    positions = np.stack([curves.imag, curves.real], axis=-1)
    provenance = {"pattern": pattern, **arguments}
    return Trajectory(positions, provenance=provenance, **options)


def _check_counts(shots, samples):
    return (
        check_integer("shots", shots, at_least=1),
        check_integer("samples", samples, at_least=1),
    )
