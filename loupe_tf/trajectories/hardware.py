"""The limits of a gradient system, and whether a trajectory keeps them."""

import dataclasses

import numpy as np

from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.trajectories.files.common import LARMOR
from loupe_tf.trajectories.hardware_report import HardwareReport
from loupe_tf.trajectories.waveforms import control_points, gradient_nodes

LIMITED = ("magnitude", "axis")


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits in units of positions: those of the differences of samples.

    Attributes:
        speed: Float, the largest first difference, in cycles per pixel.
        acceleration: Float, the largest second difference.
        scale: Tuple, factors of the axes, at most 1. Differences are multiplied
            by them first: an axis of larger pixels needs less gradient.
        by: `"magnitude"` or `"axis"`.
    """

    speed: float
    acceleration: float
    scale: tuple
    by: str = "magnitude"


@dataclasses.dataclass(frozen=True)
class Hardware:
    """Limits of a gradient system.

    Args:
        max_gradient: Float, in mT/m.
        max_slew: Float, in T/m/s.
        raster: Float, time between two values of a gradient in seconds.
        by: `"magnitude"` if the limits hold for the length of the vector, so
            that any orientation of the slice meets them, or `"axis"` if they
            hold for each axis by itself.
        gamma: Float, γ/2π of the nucleus in Hz/T; hydrogen by default.

    Raises:
        ValueError: If an argument is invalid.

    Example:

    >>> hardware = Hardware(max_gradient=40, max_slew=180)
    >>> spiral = loupe_tf.trajectories.spiral(
    ...     4, 2000, turns=8, matrix=(64, 64), field_of_view=(230, 230),
    ...     dwell=1e-5,
    ... )
    >>> hardware.check(spiral).ok
    True
    """

    max_gradient: float
    max_slew: float
    raster: float = 1e-5
    by: str = "magnitude"
    gamma: float = LARMOR

    def __post_init__(self):
        for name in ("max_gradient", "max_slew", "raster", "gamma"):
            value = check_number(name, getattr(self, name), above=0)
            object.__setattr__(self, name, value)
        check_choice("by", self.by, LIMITED)

    def limits(self, voxel_size, dwell):
        """Return the limits in units of positions, for one dwell time.

        With pixels of size v, `speed = γ/2π · max_gradient · dwell · v` and
        `acceleration = γ/2π · max_slew · dwell² · v` (Chauffert et al., "A
        projection algorithm for gradient waveforms design in magnetic resonance
        imaging", IEEE TMI, 2016).

        Args:
            voxel_size: Tuple, size of a pixel of the image in mm, by axis.
            dwell: Float, time between two samples in seconds, a multiple of the
                raster.

        Returns:
            `Limits`.
        """
        sizes = [check_number("voxel_size", v, above=0) for v in voxel_size]
        smallest = min(sizes)
        step = self.gamma * self.check_dwell(dwell) * smallest / 1000
        return Limits(
            speed=step * self.max_gradient / 1000,
            acceleration=step * self.max_slew * dwell,
            scale=tuple(smallest / size for size in sizes),
            by=self.by,
        )

    def check_dwell(self, dwell):
        """Refuse a dwell time that the raster does not divide."""
        dwell = check_number("dwell", dwell, above=0)
        steps = dwell / self.raster
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
            near = self.raster * max(round(steps), 1)
            raise invalid(
                "dwell",
                f"a multiple of the gradient raster of {self.raster:g} s, such "
                f"as {near:g}",
                dwell,
            )
        return dwell

    def waveform(self, trajectory):
        """Compute the gradients that run a trajectory.

        They are linear between nodes that are one dwell time apart, the first
        half a dwell time before the first sample. The ramps to
        the first node, and from the last one to 0, lie outside: a sequence
        adds them.

        Args:
            trajectory: `Trajectory` with `matrix`, `field_of_view` and `dwell`.

        Returns:
            Array `(shots, samples + 1, axes)`, in mT/m.
        """
        for name in ("dwell", "matrix", "field_of_view"):
            if getattr(trajectory, name) is None:
                raise invalid(name, "a known value, for hardware limits", None)
        dwell = self.check_dwell(trajectory.dwell)
        metres = np.array(trajectory.voxel_size) / 1000
        steps = gradient_nodes(control_points(trajectory.positions)) / metres
        return 1000 * steps / (self.gamma * dwell)

    def check(self, trajectory):
        """Compare the gradients of a trajectory with the limits.

        Args:
            trajectory: `Trajectory` with `matrix`, `field_of_view` and `dwell`.

        Returns:
            `HardwareReport`; its `ok` says whether all limits hold, its text
            names the samples that break one.

        Raises:
            ValueError: If the trajectory lacks a size, or its dwell time is not
                a multiple of the raster.
        """
        gradient = self.waveform(trajectory)
        slew = np.diff(gradient, axis=1) / (1000 * trajectory.dwell)
        sizes = [self._size(values) for values in (gradient, slew)]
        return HardwareReport(*sizes, self.max_gradient, self.max_slew)

    def _size(self, vectors):
        if self.by == "axis":
            return np.abs(vectors).max(axis=-1)
        return np.linalg.norm(vectors, axis=-1)


# As commonly quoted for these systems, not checked against data sheets;
# "clinical" is what any whole-body scanner of the last two decades has,
# "sparkling" what Lazarus et al. (MRM, 2019) used.
HARDWARE = {
    "clinical": Hardware(28, 150),
    "sparkling": Hardware(40, 180),
    "skyra": Hardware(45, 200),
    "prisma": Hardware(80, 200),
    "connectom": Hardware(300, 200),
    "mr750": Hardware(50, 200, raster=4e-6),
    "premier": Hardware(80, 200, raster=4e-6),
}
"""Gradient systems by name; an entry that you add is a choice everywhere.

The limits are those commonly quoted: check them against your scanner's.
"""


def standardize_hardware(hardware):
    """Return a `Hardware`, given one or the name of one."""
    if isinstance(hardware, Hardware):
        return hardware
    return HARDWARE[check_choice("hardware", hardware, HARDWARE)]
