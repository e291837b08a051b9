"""Trajectories in the binary format of mri-nufft and of NeuroSpin's sequences.

The format is specified in the documentation of mri-nufft, "The trajectory
binary file specification".
"""

import math

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.checks import check_number, invalid
from loupe_tf.trajectories.files.common import (
    COST,
    LARMOR,
    from_single,
    per_cycle,
    with_known,
)

ITEM = np.dtype("<f4")
# Every release of mri-nufft reads this one; later ones have ends of shots.
WRITTEN = 4.2
READ = (4.1, 4.2, 5.0, 5.1)
RASTER = 1e-5


def save_neurospin(
    trajectory, path, matrix=None, field_of_view=None, raster=RASTER
):
    """Write a trajectory as gradients, in the binary format of mri-nufft.

    The file has the first position of each shot, in 1/m, and the gradients
    that lead from each sample to the next, one a raster time, in single
    precision. Axes are in the order of the image's, (H, W) or (D, H, W), as in
    mri-nufft. The file does not have the raster time.

    Args:
        trajectory: `Trajectory` of at least two samples, whose dwell time is
            the raster time.
        path: Path of the file.
        matrix, field_of_view: (Optional) those of the image, by default the
            trajectory's own. The format requires both.
        raster: Float, raster time of the scanner's gradients in seconds.
    """
    trajectory = with_known(
        trajectory,
        "gradients in mT/m",
        matrix=matrix,
        field_of_view=field_of_view,
        dwell=None,
    )
    check_number("raster", raster, above=0)
    if not math.isclose(trajectory.dwell, raster, rel_tol=1e-6):
        raise invalid(
            "trajectory",
            f"a dwell time of raster={raster:g} s, since the file has one "
            "gradient for each raster time of the scanner",
            found=f"dwell={trajectory.dwell:g}",
        )
    if trajectory.samples < 2:
        raise invalid(
            "trajectory", "at least 2 samples", found=repr(trajectory)
        )
    gradients = trajectory.gradients()
    largest = float(np.abs(gradients).max())
    steps = np.diff(trajectory.positions, axis=1) * trajectory.matrix
    # Steps above one cycle per field of view alias in the receiver.
    oversampling = max(1, math.ceil(np.linalg.norm(steps, axis=-1).max()))
    radii = np.linalg.norm(trajectory.positions[0], axis=-1)
    metres = np.array(trajectory.field_of_view) / 1000
    starts = trajectory.positions[:, 0] * trajectory.matrix / metres
    header = [
        WRITTEN,
        trajectory.axes,
        *metres,
        *trajectory.matrix,
        oversampling,
        LARMOR,
        trajectory.shots,
        trajectory.samples - 1,
        np.argmin(radii) / (trajectory.samples - 1),  # The echo.
        largest,
        *[0] * 11,  # Tags of reconstruction and time, and reserved numbers.
    ]
    scaled = gradients / (largest or 1)
    numbers = np.concatenate([header, starts.ravel(), scaled.ravel()])
    with written_aside(path) as partial:
        numbers.astype(ITEM).tofile(partial)


def load_neurospin(path, raster=RASTER, dwell=None):
    """Read the arguments of a trajectory from the binary format of mri-nufft.

    Versions 4.1, 4.2, 5.0 and 5.1 are read. Samples that a file of version 5.1
    says to skip are left out.

    Args:
        path: Path of the file.
        raster: Float, raster time of the scanner's gradients in seconds.
        dwell: (Optional) float, time between two samples in seconds, by default
            the raster time. The gradients are constant in between, so the
            positions are interpolated.
    """
    raster = check_number("raster", raster, above=0)
    dwell = raster if dwell is None else check_number("dwell", dwell, above=0)
    size = reading.check_file(path)
    reading.check_memory(path, COST * size / ITEM.itemsize)
    with reading.naming(path, "a trajectory of mri-nufft"):
        if not size or size % ITEM.itemsize:
            raise ValueError(f"It has {size} bytes")
        numbers = _Numbers(np.fromfile(path, ITEM).astype(np.float64))
        version = round(float(numbers.take(1)[0]), 2)
        if version not in READ:
            raise ValueError(f"Its version is {version}, not one of {READ}")
        axes = numbers.count("dimension", 2, 3)
        metres = numbers.take(axes)
        matrix = [numbers.count("matrix size") for _ in range(axes)]
        numbers.take(1)  # The receiver's oversampling.
        (larmor,) = numbers.take(1)
        shots = numbers.count("number of shots")
        steps = numbers.count("number of samples")
        _, largest, *_ = numbers.take(4 if version > 4.1 else 3)
        skipped = [0, 0]
        if version > 5:
            skipped = [numbers.count("number to skip", 0) for _ in range(2)]
        numbers.take({4.1: 10, 4.2: 9, 5.0: 9, 5.1: 7}[version])
        starts = numbers.take(shots * axes).reshape(shots, 1, axes)
        if version >= 5:
            numbers.take(shots * axes)
        gradients = numbers.take(shots * steps * axes)
        gradients = gradients.reshape(shots, steps, axes) * largest / 1000
        numbers.finish()
        moves = np.cumsum(larmor * raster * gradients, axis=1)
        places = np.concatenate([starts, starts + moves], axis=1)
        places = places[:, skipped[0] : steps + 1 - skipped[1]]
        if not places.size or not (metres > 0).all():
            raise ValueError("No samples are left, or a length is not positive")
        # Single precision does not have the last digits.
        view = [round(1000 * float(x), 4) for x in metres]
        places = _interpolate(places, dwell / raster)
        places = places / per_cycle("1/m", axes, matrix, view)
        return {
            "positions": from_single(places),
            "matrix": matrix,
            "field_of_view": view,
            "dwell": dwell,
        }


def _interpolate(places, step):
    """Return the positions at each step, in units of the raster time."""
    last = places.shape[1] - 1
    times = step * np.arange(math.floor(last / step + 1e-9) + 1)
    before = np.minimum(times.astype(int), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    share = (times - before)[:, None]
    return places[:, before] * (1 - share) + places[:, after] * share


class _Numbers:
    """The numbers of a file, one after the other."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.place = 0

    def take(self, count):
        """Return the next numbers."""
        found = self.numbers[self.place : self.place + count]
        if len(found) < count:
            raise ValueError(
                f"It has {len(self.numbers)} numbers, not at least "
                f"{self.place + count}"
            )
        self.place += count
        return found

    def count(self, name, least=1, most=2**24):
        """Return the next number, which has to be an integer."""
        (found,) = self.take(1).tolist()
        if not (found == int(found) and least <= found <= most):
            raise ValueError(f"Its {name} is {found:g}")
        return int(found)

    def finish(self):
        """Refuse numbers that are left."""
        left = len(self.numbers) - self.place
        if left:
            raise ValueError(f"It has {left} numbers too many")
