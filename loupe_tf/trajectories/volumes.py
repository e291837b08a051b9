"""Trajectories through the k-space of volumes."""

import math

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.trajectories.patterns import GOLDEN_ANGLE, radial
from loupe_tf.trajectories.trajectory import Trajectory


def stack(trajectory, partitions, **options):
    """Repeat a trajectory of two axes in Cartesian planes along D.

    Partition p lies at `(p - partitions // 2) / partitions`. The partitions of
    a shot follow one another: shot s of the plane becomes the shots
    `s · partitions` to `(s + 1) · partitions - 1`. An inverse FFT along the
    partitions leaves samples of one plane for each slice, with which
    `loupe_tf.operators.NonUniform` is faster.

    Args:
        trajectory: `Trajectory` of two axes.
        partitions: Integer, number of planes.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.
            The dwell time is by default that of the plane.

    Returns:
        A `Trajectory` of three axes.

    Example:

    >>> plane = loupe_tf.trajectories.spiral(shots=8, samples=500, turns=5)
    >>> volume = stack(plane, partitions=32)
    >>> volume.shots, volume.axes
    (256, 3)
    """
    partitions = check_integer("partitions", partitions, at_least=1)
    if trajectory.axes != 2:
        raise invalid("trajectory", "two axes", found=repr(trajectory))
    shots, samples = trajectory.shots, trajectory.samples
    positions = np.empty((shots, partitions, samples, 3))
    planes = (np.arange(partitions) - partitions // 2) / partitions
    positions[..., 0] = planes[:, None]
    positions[..., 1:] = trajectory.positions[:, None]
    provenance = {"pattern": "stack", "plane": trajectory.provenance}
    return Trajectory(
        positions.reshape(-1, samples, 3),
        provenance=provenance,
        **{"dwell": trajectory.dwell} | options,
    )


def stack_of_stars(shots, samples, partitions, golden=False, **options):
    """Make spokes in Cartesian planes along D.

    Each angle is acquired in all partitions before the next one; see `radial`
    and `stack`.

    Args:
        shots: Integer, number of spokes in each plane.
        samples: Integer, number of samples in each.
        partitions: Integer, number of planes.
        golden: Boolean, `True` for golden angles.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory` of `shots · partitions` shots.

    Example:

    >>> stars = stack_of_stars(shots=50, samples=192, partitions=16)
    """
    plane = radial(shots, samples, golden)
    volume = stack(plane, partitions, **options)
    provenance = {**plane.provenance, "pattern": "stack_of_stars"}
    return volume.replace(provenance=provenance)


def cones(shots, samples, turns=3.0, **options):
    """Make spirals on cones around the axis D, from DC outwards.

    Shot s lies on the cone of the polar angle θ, with
    `cos θ = 1 - (2s + 1) / shots`, and is

        k(t) = t/2 (cos θ, sin θ sin φ(t), sin θ cos φ(t))

    along (D, H, W) for t in [0, 1), where
    `φ(t) = φₛ + 2π · turns · sin θ · t`: the spirals are narrower on narrow
    cones (Irarrazabal and Nishimura, "Fast three dimensional magnetic
    resonance imaging", 1995). From shot to shot, φₛ moves on by twice the
    golden angle, so the ends lie about evenly on a sphere.

    Args:
        shots: Integer, number of cones.
        samples: Integer, number of samples in each shot.
        turns: Number of at least 0, revolutions on the widest cone. With 0,
            the shots are straight.
        **options: `matrix`, `field_of_view` and `dwell` of the `Trajectory`.

    Returns:
        A `Trajectory`.

    Example:

    >>> trajectory = cones(shots=500, samples=200, turns=2)
    """
    shots = check_integer("shots", shots, at_least=1)
    samples = check_integer("samples", samples, at_least=1)
    turns = check_number("turns", turns, at_least=0)
    time = np.arange(samples) / samples
    counts = np.arange(shots)[:, None]
    cosine = 1 - (2 * counts + 1) / shots
    sine = np.sqrt(1 - cosine**2)
    angle = 2 * GOLDEN_ANGLE * counts + 2 * math.pi * turns * sine * time
    ends = [
        np.broadcast_to(cosine, angle.shape),
        sine * np.sin(angle),
        sine * np.cos(angle),
    ]
    positions = np.stack(ends, axis=-1) * time[:, None] / 2
    provenance = {"pattern": "cones", "turns": turns}
    return Trajectory(positions, provenance=provenance, **options)
