"""The trajectory as an object that can be saved."""

import json
import pathlib
import warnings

import numpy as np

from loupe_tf.checks import check_integer, check_number, invalid
from loupe_tf.reading import naming
from loupe_tf.trajectories.files.common import LARMOR, VERSION
from loupe_tf.trajectories.files.trajectory_files import (
    formats_by_suffix,
    read_trajectory,
    save_trajectory,
)


class Trajectory:
    """Positions in k-space of the samples of each shot, in time order.

    A trajectory cannot be changed once it is made. Positions outside
    [-1/2, 1/2) are moved there by whole cycles per pixel, which changes no
    sample of a discrete image, with a warning: they are often in another unit.

    Args:
        positions: Array `(shots, samples, 2)`, in cycles per pixel, (along H,
            along W); `(shots, samples, 3)` is (along D, along H, along W).
        matrix: (Optional) tuple `(H, W)` or `(D, H, W)`, size of the image.
        field_of_view: (Optional) tuple of the same length, size of the image
            in mm.
        dwell: (Optional) float, time between two samples in seconds.
        provenance: (Optional) dictionary that JSON can store, which says how
            the trajectory was made.

    Raises:
        ValueError: If an argument is invalid, or a position is not finite.

    Example:

    >>> trajectory = loupe_tf.trajectories.radial(shots=34, samples=128)
    >>> trajectory.shots, trajectory.samples
    (34, 128)
    >>> trajectory.save("radial.npz")
    >>> Trajectory.load("radial.npz") == trajectory
    True
    """

    def __init__(
        self,
        positions,
        matrix=None,
        field_of_view=None,
        dwell=None,
        provenance=None,
    ):
        self.positions = _standardize(positions)
        """Float64 array `(shots, samples, 2 or 3)`, read-only."""
        self.matrix = self._per_axis(
            "matrix", matrix, check_integer, at_least=1
        )
        """Tuple, size of the image, or `None`."""
        self.field_of_view = self._per_axis(
            "field_of_view", field_of_view, check_number, above=0
        )
        """Tuple, size of the image in mm, or `None`."""
        self.dwell = dwell
        """Float, time between two samples in seconds, or `None`."""
        if dwell is not None:
            self.dwell = check_number("dwell", dwell, above=0)
        try:
            text = json.dumps(dict(provenance or {}), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise invalid(
                "provenance",
                "a dictionary that JSON can store",
                found=f"provenance={provenance} ({error})",
            ) from error
        self.provenance = json.loads(text)
        """Dictionary, how the trajectory was made."""

    @property
    def shots(self):
        """Number of shots."""
        return self.positions.shape[0]

    @property
    def samples(self):
        """Number of samples in each shot."""
        return self.positions.shape[1]

    @property
    def axes(self):
        """Number of axes of k-space, 2 or 3."""
        return self.positions.shape[2]

    @property
    def voxel_size(self):
        """Size of a pixel of the image in mm, a tuple, or `None`."""
        if self.matrix is None or self.field_of_view is None:
            return None
        return tuple(mm / n for mm, n in zip(self.field_of_view, self.matrix))

    @property
    def largest_steps(self):
        """The largest step between two samples of a shot, along each axis.

        A tuple of floats in units of one over the field of view, or `None` if
        the matrix is unknown: `max |Δk| N = γ/2π max |G| FOV dwell` for N
        pixels. A receiver that takes one sample a dwell time has the bandwidth
        `1 / dwell`, and the field of view spans `γ/2π G FOV`. So along an axis
        whose step is s > 1, its filter keeps only 1/s of the field of view, and
        removes or folds in what lies outside; of an oblique step, a corner is
        lost before the middle of an edge.
        """
        if self.matrix is None:
            return None
        # +1/2 is stored as -1/2, which is the same frequency.
        steps = np.diff(self.positions, axis=1)
        steps = np.abs(steps - np.round(steps))
        largest = steps.max(axis=(0, 1), initial=0)
        return tuple(float(s * n) for s, n in zip(largest, self.matrix))

    def gradients(self):
        """Return the field gradients between two samples, in mT/m.

        They are `G = Δk / (γ/2π · dwell)`, for hydrogen.

        Returns:
            Array `(shots, samples - 1, axes)`.

        Raises:
            ValueError: If `dwell`, `matrix` or `field_of_view` is unknown.
        """
        for name in ("dwell", "matrix", "field_of_view"):
            if getattr(self, name) is None:
                raise invalid(
                    name, "a known value, for gradients in mT/m", None
                )
        metres = np.array(self.voxel_size) / 1000
        steps = np.diff(self.positions, axis=1) / metres  # In cycles per m.
        return 1000 * steps / (LARMOR * self.dwell)

    @property
    def metadata(self):
        """Everything except the positions, as a dictionary for JSON."""
        return {
            "version": VERSION,
            "matrix": self.matrix and list(self.matrix),
            "field_of_view": self.field_of_view and list(self.field_of_view),
            "dwell": self.dwell,
            "provenance": self.provenance,
        }

    def replace(self, **changes):
        """Return a copy of the trajectory with some attributes replaced.

        Args:
            **changes: Arguments of the class.

        Returns:
            A `Trajectory`.

        Example:

        >>> trajectory = loupe_tf.trajectories.radial(34, samples=128)
        >>> trajectory.replace(matrix=(64, 64)).save("radial.cfl")
        """
        names = ("positions", "matrix", "field_of_view", "dwell", "provenance")
        return type(self)(
            **{name: getattr(self, name) for name in names} | changes
        )

    def save(self, path):
        """Write the trajectory to a file, in NumPy's `.npz` format.

        Another suffix selects another format, as in
        `loupe_tf.formats.save_trajectory`, which also has options. A path
        without a known suffix is written as `.npz`. The file is written whole
        or not at all.

        Args:
            path: Path of the file, used unchanged: no `.npz` is appended.

        Raises:
            ValueError: If the format needs something of the trajectory that is
                not known.
        """
        save_trajectory(self, path, _npz_unless_known(path))

    @classmethod
    def load(cls, path):
        """Read a trajectory that `save` wrote. Nothing is ever unpickled.

        The suffix selects the format, as in
        `loupe_tf.formats.load_trajectory`.

        Args:
            path: Path of the file.

        Returns:
            A `Trajectory`, equal to the one that was saved, up to single
            precision in formats that have no more.

        Raises:
            ValueError: If the file is not a trajectory, is damaged, or is of
                another version.
            OSError: If the file cannot be opened.
        """
        return load_trajectory(path, _npz_unless_known(path))

    def get_config(self):
        """Return the arguments as lists and numbers, for Keras to store."""
        config = {"positions": self.positions.tolist(), **self.metadata}
        del config["version"]
        return config

    def __eq__(self, other):
        if not isinstance(other, Trajectory):
            return NotImplemented
        return (
            np.array_equal(self.positions, other.positions)
            and self.metadata == other.metadata
        )

    def __repr__(self):
        return (
            f"<Trajectory pattern={self.provenance.get('pattern')}, "
            f"shots={self.shots}, samples={self.samples}, axes={self.axes}, "
            f"matrix={self.matrix}, field_of_view={self.field_of_view}, "
            f"dwell={self.dwell}>"
        )

    def _per_axis(self, name, values, check, **bounds):
        if values is None:
            return None
        if np.ndim(values) != 1 or len(values) != self.axes:
            raise invalid(
                name, f"one value for each of {self.axes} axes", values
            )
        return tuple(check(name, value, **bounds) for value in values)


def load_trajectory(path, format=None, **options):
    """Read a trajectory from a file in any format of `save_trajectory`.

    Files of other programs are read as far as they say what they hold.
    Positions that are not finite, and shots of different lengths, are errors;
    positions outside of k-space are moved by whole cycles, with a warning.
    Nothing is unpickled.

    Args:
        path: Path of the file.
        format: (Optional) one of the names of `save_trajectory`, by default
            that of the suffix.
        **options: Facts that a file of another program may lack. For CSV,
            `unit`, `matrix`, `field_of_view` and `dwell`. For BART, `matrix`,
            which its unit needs. For ISMRMRD, `unit` (by default
            `"cycles/pixel"`), `matrix`, by default that of the encoded space,
            and `encoding` and `select`, as in `load_kspace`. For mri-nufft's
            `.bin`, `raster`, the raster time of the gradients in seconds
            (1e-5), and `dwell`, the time between two samples, by default the
            same.

    Returns:
        A `Trajectory`.

    Raises:
        ImportError: If a package of the extra `export` is missing.
        ValueError: If the file is damaged or of another format, or if
            something is needed that it does not say.
        OSError: If the file cannot be opened.

    Example:

    >>> spokes = loupe_tf.trajectories.radial(shots=34, samples=128)
    >>> spokes.replace(matrix=(64, 64)).save("spokes.cfl")
    >>> loupe_tf.formats.load_trajectory("spokes.cfl").shots
    34
    """
    arguments = read_trajectory(path, format, **options)
    with naming(path, "a trajectory"):
        return Trajectory(**arguments)


def _npz_unless_known(path):
    """Return the format of a path, if its suffix does not give one."""
    known = pathlib.Path(path).suffix.lower() in formats_by_suffix()
    return None if known else "npz"


def as_trajectory(given):
    """Return a `Trajectory`, from its positions or its configuration.

    Args:
        given: `Trajectory`, positions `(shots, samples, 2 or 3)`, or the
            dictionary of `Trajectory.get_config`.

    Returns:
        A `Trajectory`.
    """
    if isinstance(given, Trajectory):
        return given
    if isinstance(given, dict):
        return Trajectory(**given)
    return Trajectory(given)


def check_matrix(trajectory, size):
    """Refuse a trajectory whose matrix is not the size of the images.

    Its positions are in cycles per pixel, so they mean other frequencies where
    the pixels have another size.

    Args:
        trajectory: `Trajectory`.
        size: Tuple, size of the images; axes of unknown size are `None`.
    """
    matrix, size = trajectory.matrix, tuple(size)
    if matrix is None or None in size or matrix == size:
        return
    if len(matrix) != len(size):
        raise invalid(
            "trajectory",
            f"{len(size)} axes, as many as the images have",
            found=f"{len(matrix)} axes",
        )
    raise invalid(
        "trajectory",
        f"the matrix {size}, the size of the images, or none",
        found=f"matrix={matrix}",
    )


def _standardize(positions):
    """Return a read-only copy within [-1/2, 1/2)."""
    positions = np.array(positions, dtype=np.float64)
    if (
        positions.ndim != 3
        or positions.shape[-1] not in (2, 3)
        or 0 in positions.shape
    ):
        raise invalid(
            "positions",
            "shape (shots, samples, 2) or (shots, samples, 3)",
            found=f"shape={positions.shape}",
        )
    if not np.isfinite(positions).all():
        shot = np.argwhere(~np.isfinite(positions))[0][0]
        raise invalid(
            "positions", "finite positions", found=f"NaN or inf in shot {shot}"
        )
    outside = (positions < -0.5) | (positions >= 0.5)
    if outside.any():
        largest = np.abs(positions).max()
        positions = positions - np.floor(positions + 0.5)
        # Rounding can give 1/2 for a position just below -1/2.
        positions[positions >= 0.5] = -0.5
        warnings.warn(
            f"{outside.any(axis=-1).sum()} samples lie outside [-1/2, 1/2) "
            f"cycles per pixel, up to {largest:.4g}; they are moved by whole "
            "cycles",
            stacklevel=3,
        )
    positions.setflags(write=False)
    return positions
