"""The mask as an object that can be saved."""

import json
import math
import pathlib
import zlib
from numbers import Real

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.masks.budget import (
    calibration_region,
    standardize_calibration,
    standardize_shape,
)
from loupe_tf.reading import check_memory, load_npz, naming, parse_json

FORMAT_VERSION = 1
# Bytes of memory that an entry takes while a mask is made and judged.
COST = 32
# What the array tells as well.
REDUNDANT = ("dc", "axes", "shape", "lines", "acquired", "crc32")
REDUNDANT += ("achieved_acceleration",)
# Suffixes of what is no mask in any format of ours.
OTHERS = (".mat", ".nii", ".gz", ".png", ".dcm", ".txt", ".keras", ".pkl")


class SamplingMask:
    """A binary sampling mask, with what is needed to know where it came from.

    The mask is centred: DC lies at index `N // 2` of each axis. It does not
    change once it is made; `np.asarray(mask)` gives the (read-only) array.

    Args:
        array: Array of booleans, or of 0 and 1, of shape `(H, W)` for points,
            `(1, W)` for columns or `(H, 1)` for rows.
        acceleration: The acceleration `R` that was asked for, a number of at
            least 1. Defaults to the achieved one.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired. See `calibration_region`.
        slope: Float, the slope of the relaxed threshold at which the mask was
            learned. Defaults to `None`.
        provenance: Dictionary that JSON can store, which tells how the mask
            was made, e.g. `{"pattern": "gaussian", "seed": 0}`.
        matrix: Size `(H, W)` of the k-space that the mask is for. Defaults to
            the shape of the mask for points; of lines their length cannot be
            known, so that it defaults to `None`.
        field_of_view: Size `(H, W)` of the image in mm. Defaults to `None`,
            not known.

    Raises:
        ValueError: If an argument is invalid, or if `array` leaves a part of
            the calibration region out.

    Example:

    >>> mask = uniform_random((64, 64), acceleration=4, calibration=8)
    >>> mask.acquired, mask.achieved_acceleration
    (1024, 4.0)
    >>> mask.save("mask.npz")
    >>> SamplingMask.load("mask.npz") == mask
    True
    """

    def __init__(
        self,
        array,
        acceleration=None,
        calibration=None,
        slope=None,
        provenance=None,
        matrix=None,
        field_of_view=None,
    ):
        self.array = _standardize_array(array)
        """Boolean array, read-only."""
        if acceleration is None:
            acceleration = self.achieved_acceleration
        if not _is_real(acceleration) or not acceleration >= 1:
            raise ValueError(
                "Invalid value for argument `acceleration`. Expected a number "
                f"of at least 1. Received: acceleration={acceleration!r}"
            )
        self.acceleration = float(acceleration)
        """The acceleration that was asked for."""
        if not self.array[calibration_region(self.shape, calibration)].all():
            raise ValueError(
                "Invalid value for argument `array`. Expected a mask that "
                "acquires its whole calibration region. Received: a mask "
                f"that leaves part of it out, calibration={calibration}"
            )
        self.calibration = standardize_calibration(calibration)
        if slope is not None and not (_is_real(slope) and math.isfinite(slope)):
            raise ValueError(
                "Invalid value for argument `slope`. Expected None or a "
                f"finite number. Received: slope={slope!r}"
            )
        self.slope = None if slope is None else float(slope)
        self.provenance = _standardize_provenance(provenance)
        if matrix is None and not self.lines:
            matrix = self.shape
        self.matrix = _standardize_matrix(matrix, self.shape)
        """Size `(H, W)` of k-space, or `None` for lines of unknown length."""
        self.field_of_view = standardize_field_of_view(field_of_view)
        """Size `(H, W)` of the image in mm, or `None`."""

    @property
    def shape(self):
        """`(H, W)`, or `(1, W)` for columns, or `(H, 1)` for rows."""
        return self.array.shape

    @property
    def voxel_size(self):
        """Size `(H, W)` of a pixel of the image in mm, or `None`."""
        if self.matrix is None or self.field_of_view is None:
            return None
        return tuple(mm / n for mm, n in zip(self.field_of_view, self.matrix))

    @property
    def lines(self):
        """`"columns"` or `"rows"` if whole lines are taken, else `None`."""
        if self.shape[0] == 1:
            return "columns"
        return "rows" if self.shape[1] == 1 else None

    @property
    def acquired(self):
        """Number of entries (of lines) acquired, calibration included."""
        return int(self.array.sum())

    @property
    def achieved_acceleration(self):
        """All entries over the acquired ones, calibration included."""
        return self.array.size / self.acquired if self.acquired else math.inf

    @property
    def acceleration_outside_calibration(self):
        """As `achieved_acceleration`, with the calibration region left out."""
        inside = int(calibration_region(self.shape, self.calibration).sum())
        if self.acquired == inside:
            return math.inf
        return (self.array.size - inside) / (self.acquired - inside)

    @property
    def metadata(self):
        """All but the array, as a dictionary that JSON can store.

        Some of it follows from the array, and is there for whoever reads a file
        without this package, and to find out damaged ones: `crc32` is the
        checksum of the array, a byte of 0 or 1 an entry, row by row.
        """
        achieved = self.achieved_acceleration
        return {
            "version": FORMAT_VERSION,
            "dc": "N // 2",
            "axes": "(H, W)",
            "shape": list(self.shape),
            "lines": self.lines,
            "matrix": self.matrix and list(self.matrix),
            "field_of_view": self.field_of_view and list(self.field_of_view),
            "voxel_size": self.voxel_size and list(self.voxel_size),
            "acquired": self.acquired,
            "crc32": zlib.crc32(self.array.tobytes()),
            "acceleration": _finite(self.acceleration),
            "achieved_acceleration": _finite(achieved),
            "calibration": (
                list(self.calibration)
                if isinstance(self.calibration, tuple)
                else self.calibration
            ),
            "slope": self.slope,
            "provenance": self.provenance,
        }

    @classmethod
    def from_metadata(cls, array, metadata):
        """Put a mask together again from its array and its `metadata`.

        Args:
            array: As for the class.
            metadata: Dictionary such as the attribute `metadata`. Of entries
                that files of 0.1 lack, the defaults are taken.

        Returns:
            A `SamplingMask`.

        Raises:
            KeyError: If the dictionary lacks an entry.
            ValueError: If it is of another version, or contradicts the array.
        """
        if metadata["version"] != FORMAT_VERSION:
            raise ValueError(
                f"Expected version {FORMAT_VERSION} of the format. "
                f"Received: version={metadata['version']}"
            )
        acceleration = metadata["acceleration"]
        mask = cls(
            array,
            # JSON has no infinity.
            acceleration=math.inf if acceleration is None else acceleration,
            calibration=metadata["calibration"],
            slope=metadata["slope"],
            provenance=metadata["provenance"],
            matrix=metadata.get("matrix"),
            field_of_view=metadata.get("field_of_view"),
        )
        found = mask.metadata
        for name in REDUNDANT:
            expected = found[name]
            if metadata.get(name, expected) != expected:
                raise ValueError(
                    f"Expected {name}={expected!r}, which is that of the "
                    f"array. Received: {name}={metadata[name]!r}"
                )
        return mask

    def replace(self, **changes):
        """The same mask with other attributes.

        Args:
            **changes: Arguments of the class.

        Returns:
            A `SamplingMask`.

        Example:

        >>> mask.replace(field_of_view=(240, 240)).save("mask.npz")
        """
        names = ("array", "acceleration", "calibration", "slope", "provenance")
        names += ("matrix", "field_of_view")
        return type(self)(
            **{name: getattr(self, name) for name in names} | changes
        )

    def save(self, path):
        """Write the mask to a file, in NumPy's `.npz` format.

        Another suffix names another format, as in
        `loupe_tf.formats.save_mask`, which has options for them; a path
        with no known suffix is `.npz` all the same. The file appears at once
        and whole: an interrupted `save` leaves what was there before.

        Args:
            path: Path of the file. It is used as it is: no `.npz` is added.

        Raises:
            ValueError: If the suffix is that of no mask (`.mat`, `.png`), or
                its format cannot hold this one.
        """
        from loupe_tf.masks.files import mask_files  # They use this module.

        suffix = pathlib.Path(path).suffix.lower()
        if (
            suffix in OTHERS
            or suffix != ".npz"
            and suffix in mask_files.SUFFIXES
        ):
            return mask_files.save_mask(self, path, shift=False)
        self.save_npz(path)

    def save_npz(self, path):
        """Write `.npz`, whatever the suffix says: `save_mask` was told so."""
        with written_aside(path) as partial, open(partial, "xb") as file:
            np.savez_compressed(
                file, mask=self.array, metadata=json.dumps(self.metadata)
            )

    @classmethod
    def load(cls, path):
        """Read a mask that `save` wrote. Nothing is ever unpickled.

        Suffixes of other formats are those of `loupe_tf.formats.load_mask`.

        Args:
            path: Path of the file.

        Returns:
            A `SamplingMask`, equal to the one that was saved.

        Raises:
            ValueError: If the file is not a mask, is damaged, is of another
                version, or contradicts itself.
            OSError: If the file cannot be opened.
        """
        from loupe_tf.masks.files import mask_files  # They use this module.

        name = mask_files.SUFFIXES.get(pathlib.Path(path).suffix.lower(), "npz")
        if name not in ("npz", "npy"):  # .npy holds an array alone.
            return mask_files.load_mask(path)
        return cls.load_npz(path)

    @classmethod
    def load_npz(cls, path):
        """Read `.npz`, whatever the suffix says: `load_mask` was told so."""
        arrays = load_npz(path)
        with naming(path, "a file written by `SamplingMask.save`"):
            check_memory(path, COST * arrays["mask"].size)
            metadata = parse_json(arrays["metadata"].item())
            return cls.from_metadata(arrays["mask"], metadata)

    def plot(self, ax=None):
        """Draw the mask, acquired entries in white, DC in the centre.

        Lines are drawn as the square image they stand for. Where the field of
        view is known, an entry is as high and wide as it is in k-space, one
        over the field of view.

        Args:
            ax: Matplotlib axes to draw on. Defaults to those of a new figure.

        Returns:
            The Matplotlib axes.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        image, aspect = self.array, 1.0
        if self.voxel_size is not None:
            image = np.broadcast_to(image, self.matrix)
            aspect = self.field_of_view[1] / self.field_of_view[0]
        elif self.lines:
            image = np.broadcast_to(image, (image.size, image.size))
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, aspect=aspect)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(
            f"{self.provenance.get('pattern', 'mask')}, "
            f"R = {self.achieved_acceleration:.4g}"
        )
        return ax

    def __array__(self, dtype=None, copy=None):
        dtype = np.dtype(bool if dtype is None else dtype)
        if copy is False and dtype.kind != "b":
            raise ValueError(
                "Invalid value for argument `copy`. Expected None or True for "
                f"an array of dtype {dtype}. Received: copy={copy}"
            )
        return self.array.astype(dtype, copy=bool(copy))

    def __eq__(self, other):
        if not isinstance(other, SamplingMask):
            return NotImplemented
        return (
            np.array_equal(self.array, other.array)
            and self.metadata == other.metadata
        )

    def __str__(self):
        """What the mask is, for people: half a sentence."""
        height, width = self.matrix or self.shape
        text = (
            f"{self.provenance.get('pattern', 'mask')} for {height}×{width}: "
            f"{self.acquired} of {self.array.size} {self.lines or 'points'} "
            f"acquired, R = {self.achieved_acceleration:.4g}"
        )
        if not math.isclose(
            self.acceleration, self.achieved_acceleration, rel_tol=1e-3
        ):
            text += f" ({self.acceleration:.4g} was asked for)"
        region = calibration_region(self.shape, self.calibration)
        if region.any():
            h, w = (int(region.any(axis).sum()) for axis in (1, 0))
            count = max(h, w) if self.lines else f"{h}×{w}"
            text += f", the central {count} always"
        if self.slope is not None:
            text += f"; learned at slope {self.slope:.4g}"
        return text

    def __repr__(self):
        return (
            f"<SamplingMask pattern={self.provenance.get('pattern')}, "
            f"shape={self.shape}, lines={self.lines}, "
            f"acquired={self.acquired}, acceleration={self.acceleration:g}, "
            f"achieved_acceleration={self.achieved_acceleration:.4g}, "
            f"calibration={self.calibration}, "
            "acceleration_outside_calibration="
            f"{self.acceleration_outside_calibration:.4g}, "
            f"slope={self.slope}>"
        )


def _standardize_array(array):
    array = np.asarray(array)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            "Invalid value for argument `array`. Expected shape (H, W), "
            f"(1, W) or (H, 1). Received: array of shape {array.shape}"
        )
    if (
        array.dtype.kind not in "fiub"
        or not ((array == 0) | (array == 1)).all()
    ):
        raise ValueError(
            "Invalid value for argument `array`. Expected booleans, or 0 and "
            f"1 alone. Received: array of dtype {array.dtype} with other values"
        )
    array = array.astype(bool)  # A copy, so that nobody else can write to it.
    array.setflags(write=False)
    return array


def _standardize_provenance(provenance):
    """Pass `provenance` through JSON, as `save` and `load` do."""
    provenance = {} if provenance is None else provenance
    try:
        stored = json.loads(json.dumps(provenance, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Invalid value for argument `provenance`. Expected what JSON can "
            f"store. Received: provenance={provenance} ({error})"
        ) from error
    if not isinstance(stored, dict):
        raise ValueError(
            "Invalid value for argument `provenance`. Expected a dictionary. "
            f"Received: provenance={provenance}"
        )
    return stored


def _standardize_matrix(matrix, shape):
    if matrix is None:
        return None
    try:
        matrix = standardize_shape(matrix)
    except ValueError:
        fits = False
    else:
        # A line is as long as the matrix, and a point is an entry of it.
        lines = 1 in shape
        fits = all(
            m == n or (lines and n == 1)
            for m, n in zip(matrix, shape, strict=True)
        )
    if not fits:
        raise ValueError(
            "Invalid value for argument `matrix`. Expected the size (H, W) of "
            f"k-space for a mask of shape {shape}. Received: matrix={matrix!r}"
        )
    return matrix


def standardize_field_of_view(field_of_view):
    """Two floats `(H, W)` in mm, or `None`."""
    if field_of_view is None:
        return None
    if (
        not isinstance(field_of_view, (tuple, list))
        or len(field_of_view) != 2
        or not all(_is_real(x) and 0 < x < math.inf for x in field_of_view)
    ):
        raise ValueError(
            "Invalid value for argument `field_of_view`. Expected None or a "
            "pair of positive numbers, (H, W) in mm. "
            f"Received: field_of_view={field_of_view!r}"
        )
    return tuple(float(x) for x in field_of_view)


def _finite(value):
    return value if math.isfinite(value) else None


def _is_real(value):
    """Whether it is a number that fits into a float."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True
