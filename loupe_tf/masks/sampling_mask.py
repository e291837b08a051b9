"""The sampling mask as an object that can be saved."""

import math
import pathlib

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.masks.arguments import (
    standardize_array,
    standardize_field_of_view,
    standardize_matrix,
    standardize_provenance,
)
from loupe_tf.masks.budget import calibration_region, standardize_calibration
from loupe_tf.masks.centre import centred
from loupe_tf.masks.files.mask_files import (
    formats_by_suffix,
    read_mask,
    save_mask,
)
from loupe_tf.masks.metadata import VERSION, arguments_of, facts, lines_of
from loupe_tf.reading import naming

# Suffixes of common files that are never masks.
OTHERS = (".mat", ".nii", ".gz", ".png", ".dcm", ".txt", ".keras", ".pkl")


class SamplingMask:
    """A binary sampling mask with its acceleration and provenance.

    The mask is centred: DC is at index `N // 2` of each axis. A mask cannot be
    changed once it is made; `np.asarray(mask)` gives the read-only array.

    Args:
        array: Array of booleans, or of 0 and 1, of shape `(H, W)` for points,
            `(1, W)` for columns or `(H, 1)` for rows.
        acceleration: The acceleration `R` that was asked for, a number of at
            least 1. Defaults to the achieved acceleration.
        calibration: `None`, an integer or, for points, `(h, w)`: the centre
            that is always acquired. See `calibration_region`.
        slope: Float, the slope of the relaxed threshold at which the mask was
            learned. Defaults to `None`.
        provenance: Dictionary that JSON can store, which says how the mask was
            made, e.g. `{"pattern": "gaussian", "seed": 0}`.
        matrix: Size `(H, W)` of the k-space that the mask is for. Defaults to
            the shape of the mask for points, and to `None` for lines, whose
            length is not known.
        field_of_view: Size `(H, W)` of the image in mm. Defaults to `None`,
            which means unknown.

    Raises:
        ValueError: If an argument is invalid, or if `array` leaves out part of
            the calibration region.

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
        self.array = standardize_array(array)
        """Boolean array, read-only."""
        if acceleration is None:
            acceleration = self.achieved_acceleration
        # An empty mask has an infinite acceleration.
        if not (isinstance(acceleration, float) and acceleration == math.inf):
            check_number("acceleration", acceleration, at_least=1)
        self.acceleration = float(acceleration)
        """The acceleration that was asked for."""
        if not self.array[calibration_region(self.shape, calibration)].all():
            raise invalid(
                "array",
                "a mask that acquires its whole calibration region",
                found="a mask that leaves part of it out, "
                f"calibration={calibration}",
            )
        self.calibration = standardize_calibration(calibration)
        self.slope = None if slope is None else check_number("slope", slope)
        self.provenance = standardize_provenance(provenance)
        if matrix is None and not self.lines:
            matrix = self.shape
        self.matrix = standardize_matrix(matrix, self.shape)
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
        """`"columns"` or `"rows"` for a mask of lines, else `None`."""
        return lines_of(self.shape)

    @property
    def acquired(self):
        """Number of acquired entries (or lines), calibration included."""
        return int(self.array.sum())

    @property
    def achieved_acceleration(self):
        """Ratio of all entries to the acquired ones, calibration included."""
        return self.array.size / self.acquired if self.acquired else math.inf

    @property
    def acceleration_outside_calibration(self):
        """Same as `achieved_acceleration`, without the calibration region."""
        inside = int(calibration_region(self.shape, self.calibration).sum())
        if self.acquired == inside:
            return math.inf
        return (self.array.size - inside) / (self.acquired - inside)

    @property
    def metadata(self):
        """Everything except the array, as a dictionary that JSON can store.

        Some entries follow from the array; `from_metadata` checks them.
        """
        several = isinstance(self.calibration, tuple)
        return {
            "version": VERSION,
            **facts(self.array),
            "matrix": self.matrix and list(self.matrix),
            "field_of_view": self.field_of_view and list(self.field_of_view),
            "voxel_size": self.voxel_size and list(self.voxel_size),
            # JSON has no infinity.
            "acceleration": (
                None if self.acceleration == math.inf else self.acceleration
            ),
            "calibration": (
                list(self.calibration) if several else self.calibration
            ),
            "slope": self.slope,
            "provenance": self.provenance,
        }

    @classmethod
    def from_metadata(cls, array, metadata):
        """Rebuild a mask from its array and its `metadata`.

        Args:
            array: As for the class.
            metadata: Dictionary like the attribute `metadata`. Entries that
                files of version 0.1 lack have defaults.

        Returns:
            A `SamplingMask`.

        Raises:
            KeyError: If the dictionary lacks an entry.
            ValueError: If the dictionary is of another version or contradicts
                the array.
        """
        return cls(**arguments_of(array, metadata))

    def replace(self, **changes):
        """Return a copy of the mask with some attributes replaced.

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

        Another suffix selects another format, as in
        `loupe_tf.formats.save_mask`, which also has options. A path without a
        known suffix is written as `.npz`. The file is written whole or not at
        all: an interrupted `save` leaves the previous file in place.

        Args:
            path: Path of the file, used unchanged: no `.npz` is appended.

        Raises:
            ValueError: If the suffix belongs to files that are not masks
                (`.mat`, `.png`), or if the format cannot hold this mask.
        """
        suffix = pathlib.Path(path).suffix.lower()
        unknown = suffix not in (*formats_by_suffix(), *OTHERS)
        save_mask(self, path, "npz" if unknown else None, shift=False)

    @classmethod
    def load(cls, path):
        """Read a mask that `save` wrote. Nothing is ever unpickled.

        The suffix selects the format, as in `loupe_tf.formats.load_mask`.

        Args:
            path: Path of the file.

        Returns:
            A `SamplingMask`, equal to the one that was saved.

        Raises:
            ValueError: If the file is not a mask, is damaged, is of another
                version, or is inconsistent.
            OSError: If the file cannot be opened.
        """
        suffix = pathlib.Path(path).suffix.lower()
        # `.npy` holds only an array.
        known = suffix in formats_by_suffix() and suffix != ".npy"
        return load_mask(path, None if known else "npz")

    def plot(self, ax=None):
        """Draw the mask, with acquired entries in white and DC in the centre.

        Lines are drawn over the whole of k-space, or over a square if their
        length is unknown. If the field of view is known, entries have the
        aspect ratio that they have in k-space, where their size is one over
        the field of view.

        Args:
            ax: Matplotlib axes to draw on. Defaults to a new figure.

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
            raise invalid(
                "copy", f"None or True for an array of dtype {dtype}", copy
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
        """Describe the mask in half a sentence."""
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
            text += f"; slope {self.slope:.4g} in the end"
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


def load_mask(path, format=None, shift=None, **options):
    """Read a mask from a file in any format of `save_mask`.

    A file of `save_mask` gives the same mask with all attributes. The
    exceptions are `.npy`, which holds only the array, and `.seq`, which holds
    only part of the provenance. Files from other programs are read as far as
    possible: a `.npy` array, a BART pattern (a mask of lines if all its rows,
    or all its columns, are alike), fastMRI's `mask`, and the acquisitions of an
    ISMRMRD measurement. Nothing is unpickled.

    Args:
        path: Path of the file.
        format: (Optional) one of the names of `save_mask`. By default, the
            suffix determines the format, and for HDF5 files the content.
        shift: How to treat a mask that has DC in a corner, if the file does
            not give the position of DC: `None` to refuse it, `True` to move DC
            to the centre, `False` to read the mask as it is.
        **options: For ISMRMRD only. `encoding` is the number of the encoding
            space, 0 by default. `lines` is `"columns"` (the default) or
            `"rows"`, the kind of lines in a measurement. `select` is as in
            `load_kspace`.

    Returns:
        A `SamplingMask`.

    Raises:
        ImportError: If a package of the extra `export` is missing.
        ValueError: If the file is damaged, is of another format or has values
            other than 0 and 1, or if an argument is invalid.
        OSError: If the file cannot be opened.
    """
    arguments, says_centre = read_mask(path, format, **options)
    with naming(path, "a mask"):
        mask = SamplingMask(**arguments)
    # If the file gives the position of DC, move DC only on request.
    return mask if says_centre and shift is None else centred(mask, shift)
