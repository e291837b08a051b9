"""Masks as ISMRM raw data (Inati et al., MRM 77, 2017)."""

import math

import numpy as np

from loupe_tf import reading
from loupe_tf.checks import check_choice, check_number, invalid
from loupe_tf.ismrmrd_file import (
    LARGEST,
    encoding_steps,
    import_ismrmrd,
    read_heads,
    read_out,
)
from loupe_tf.ismrmrd_writer import (
    make_header,
    stored_metadata,
    write_acquisitions,
)
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.budget import calibration_region
from loupe_tf.masks.files.common import MARK, with_sizes
from loupe_tf.masks.metadata import arguments_of


def save_ismrmrd(
    mask,
    path,
    order="linear",
    seed=0,
    matrix=None,
    field_of_view=None,
    slice_thickness=5.0,
):
    """Write a mask as ISMRMRD: encoding, limits and empty acquisitions.

    Lines are read out along `x`, and their index is
    `idx.kspace_encode_step_1`. Points are read out through the plane, so each
    read-out is one sample; row and column are `idx.kspace_encode_step_1` and
    `_2`. The limits run from 0 to `N - 1` with the centre at `N // 2`. All
    samples are zero. Acquisitions of the calibration region have the flag
    `ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING`. The metadata are a user
    parameter of the header. The proton frequency, which the schema requires,
    is 0, because a mask does not depend on the field strength.

    Args:
        mask: `SamplingMask` that acquires something.
        path: Path of an HDF5 file. An existing file is overwritten only if it
            is a mask.
        order, seed: See `loupe_tf.masks.acquisition_order`.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask.
        field_of_view: (Optional) size `(H, W)` in mm, by default that of the
            mask. Required if the mask has none.
        slice_thickness: Positive float, in mm.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        ValueError: If an argument is invalid, or the mask is empty.
    """
    ismrmrd = import_ismrmrd()
    mask = with_sizes(mask, matrix=matrix, field_of_view=field_of_view)
    if not mask.acquired or max(mask.matrix) > LARGEST:
        raise invalid(
            "mask",
            f"one that acquires something, of at most {LARGEST} lines",
            found=f"a mask of shape {mask.matrix} with {mask.acquired} entries",
        )
    check_number("slice_thickness", slice_thickness, above=0)
    entries = acquisition_order(mask, order, seed)
    if mask.lines:
        along = 0 if mask.lines == "columns" else 1
        samples = mask.matrix[along]
        steps = np.stack([entries, np.zeros_like(entries)], axis=1)
        inside = calibration_region(mask.shape, mask.calibration).ravel()
        inside = inside[entries]
    else:
        samples, steps = 1, entries
        inside = calibration_region(mask.shape, mask.calibration)
        inside = inside[tuple(entries.T)]
    header = _header(mask, samples, slice_thickness)
    acquisitions = _acquisitions(ismrmrd, samples, steps, inside)
    write_acquisitions(path, header, acquisitions, MARK, "mask")


def load_ismrmrd(path, encoding=0, lines=None, select=None):
    """Read which lines or points were acquired.

    See `read_mask` for the return value.

    Args:
        path: Path of an HDF5 file with the group `dataset`.
        encoding: Integer, the number of the encoding space.
        lines: `"columns"` or `"rows"`, the kind of lines in a measurement, if
            the file does not say. Defaults to `"columns"`. The read-out is
            along the other axis.
        select: (Optional) dictionary that selects a repetition, contrast,
            phase or set; see `loupe_tf.formats.load_kspace`.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        BadFileError: If the file is not ISMRMRD, is not Cartesian, or is
            inconsistent.
        ValueError: If the file has no such encoding space, or no acquisition
            that matches `select`.
    """
    check_choice("lines", lines, (None, "columns", "rows"))
    header, space, heads, _ = read_heads(path, encoding, select)
    with reading.naming(path, "ISMRM raw data"):
        stored = stored_metadata(header, MARK)
        steps, counts = encoding_steps(path, space, heads)
        points = len(counts) > 1
        shape = counts if points else (1, *counts)
        reading.check_memory(path, 2 * math.prod(shape))
        array = np.zeros(shape, dtype=bool)
        array[steps if points else (0, *steps)] = True
    kind = stored.get("lines") if stored else (lines or "columns")
    if stored and lines not in (None, kind):
        raise invalid("lines", f"the value in the file, {kind!r}", lines)
    if points and lines:
        raise invalid("lines", "None for points", lines)
    if not points and kind == "rows":
        array = array.T
    if stored:
        with reading.naming(path, "a mask in ISMRM raw data"):
            return arguments_of(array, stored), True
    if points:
        matrix, view = None, space.view[1:]
    else:
        width, along = _read_out(path, space, heads)
        matrix, view = (width, space.matrix[1]), (along, space.view[1])
    view = None if None in view else view
    if kind == "rows" and not points:
        matrix, view = matrix[::-1], view and view[::-1]
    return {"array": array, "matrix": matrix, "field_of_view": view}, True


def _read_out(path, space, heads):
    """Return the length of the read-out, as it is reconstructed, and in mm."""
    try:
        return read_out(path, space, heads)[1:]
    except reading.BadFileError:  # The mask does not depend on it.
        return space.matrix[0], space.view[0]


def _acquisitions(ismrmrd, samples, steps, inside):
    """Make empty read-outs of `steps`; flag those `inside` the calibration."""
    acquisitions = []
    for counter, (first, second) in enumerate(steps.tolist()):
        acquisition = ismrmrd.Acquisition.from_array(
            np.zeros((1, samples), np.complex64),
            scan_counter=counter,
            center_sample=samples // 2,
        )
        acquisition.idx.kspace_encode_step_1 = first
        acquisition.idx.kspace_encode_step_2 = second
        if inside[counter]:
            acquisition.setFlag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
        acquisitions.append(acquisition)
    acquisitions[0].setFlag(ismrmrd.ACQ_FIRST_IN_SLICE)
    acquisitions[-1].setFlag(ismrmrd.ACQ_LAST_IN_SLICE)
    acquisitions[-1].setFlag(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    return acquisitions


def _header(mask, samples, slice_thickness):
    """Make a header with one encoding space, reconstructed as a whole."""
    view = mask.field_of_view
    if mask.lines:
        order = (0, 1) if mask.lines == "columns" else (1, 0)
        matrix = [mask.matrix[axis] for axis in order] + [1]
        view = [view[axis] for axis in order] + [slice_thickness]
    else:
        matrix, view = [1, *mask.matrix], [slice_thickness, *view]
    steps = (samples, *matrix[1:])
    return make_header(matrix, view, steps, MARK, mask.metadata)
