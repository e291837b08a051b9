"""Masks as arrays: NumPy's, BART's and fastMRI's."""

import json
import math
import os

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.atomic import hdf5_written, written_aside
from loupe_tf.cfl import pair, read_cfl, write_cfl
from loupe_tf.masks.sampling_mask import COST, SamplingMask

MARK = "loupe_tf_mask"


def save_npz(mask, path):
    """Write a mask with its metadata, as `SamplingMask.save` does."""
    mask.save_npz(path)


def load_npz(path):
    """Read what `SamplingMask.save` wrote."""
    return SamplingMask.load_npz(path), True


def save_npy(mask, path):
    """Write the boolean array of a mask alone."""
    with written_aside(path) as partial:
        np.save(partial, mask.array)


def load_npy(path):
    """Read a mask from an array of booleans, or of 0 and 1."""
    array = reading.load_npy(path)
    reading.check_memory(path, COST * array.size)
    with reading.naming(path, "a mask in a .npy file"):
        return SamplingMask(array), False


def save_bart(mask, path, matrix=None):
    """Write a mask as a pattern for BART, 1 where k-space is acquired.

    Args:
        mask: `SamplingMask`.
        path: Path of the pair of files.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask: lines are written along the whole of it, as BART's tools
            expect.
    """
    mask = with_matrix(mask, matrix)
    reading.check_memory(path, 8 * math.prod(mask.matrix))
    pattern = np.broadcast_to(mask.array, mask.matrix)
    # BART reads over sections that it does not know.
    write_cfl(path, pattern, {MARK: json.dumps(mask.metadata)})


def load_bart(path):
    """Read a pattern `(H, W)` of BART.

    A pattern whose rows (or columns) are all alike is one of lines.
    """
    array = read_cfl(path, memory_map=True)
    reading.check_memory(path, COST * array.size)
    with reading.naming(path, "a pattern of 0 and 1, (H, W)"):
        found = array.shape
        while array.ndim > 2 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim > 2:
            raise ValueError(f"Expected (H, W), not the dimensions {found}")
        array = np.array(array.reshape(array.shape[0], -1))
        if not ((array == 0) | (array == 1)).all():
            raise ValueError("it has other values")
        array = array.real.astype(bool)
        header = pair(path)[0].read_text("utf-8", "replace").splitlines()
        if f"# {MARK}" not in header:
            return _as_lines(array), False
        metadata = reading.parse_json(header[header.index(f"# {MARK}") + 1])
        return _from_full(array, metadata), True


def save_fastmri(mask, path):
    """Write columns as `mask`, a vector of booleans, as in fastMRI's files.

    Args:
        mask: `SamplingMask` of columns: fastMRI knows no other.
        path: Path of an HDF5 file. One that holds anything else is not
            overwritten.
    """
    check_lines(mask, "fastMRI's `mask`", "columns")
    refuse_other_data(path)
    with hdf5_written(path) as file:
        file.attrs[MARK] = 1
        file["mask"] = mask.array[0]
        file["mask_metadata"] = json.dumps(mask.metadata)


def load_fastmri(path):
    """Read `mask` of a file of fastMRI."""
    with hdf5.open_hdf5(path) as file:
        dataset = hdf5.hdf5_dataset(file, "mask")
        if dataset is None:
            raise reading.BadFileError(
                path,
                "Expected a data set `mask`. Received: "
                f"{hdf5.hdf5_names(file)}",
            )
        with reading.naming(path, "a vector of 0 and 1, `mask`"):
            if dataset.ndim != 1:
                raise ValueError(f"`mask` has the shape {dataset.shape}")
            reading.check_memory(path, COST * dataset.size)
            array = hdf5.read_hdf5(dataset)
            if MARK in file.attrs:
                text = hdf5.hdf5_dataset(file, "mask_metadata")
                metadata = reading.parse_json(hdf5.read_hdf5(text))
                return SamplingMask.from_metadata(array[None], metadata), True
            kspace = hdf5.hdf5_dataset(file, "kspace")
            matrix = None
            if kspace is not None:
                matrix = tuple(int(n) for n in kspace.shape[-2:])
            return SamplingMask(array[None], matrix=matrix), False


def refuse_other_data(path):
    """Keep a mask from taking the place of a measurement."""
    if not os.path.exists(path):
        return
    with hdf5.open_hdf5(path) as file:
        with reading.naming(path, "an HDF5 file"):
            is_mask = MARK in file.attrs
        if not is_mask:
            raise ValueError(
                "Invalid value for argument `path`. Expected a new file, or "
                f"one that holds a mask alone. Received: path={path}, which "
                f"holds {hdf5.hdf5_names(file)}"
            )


def with_matrix(mask, matrix):
    """The mask with the size of k-space, which lines may lack."""
    if matrix is not None:
        mask = mask.replace(matrix=matrix)
    if mask.matrix is None:
        raise ValueError(
            "Invalid value for argument `matrix`. Expected the size (H, W) of "
            f"k-space, which a mask of {mask.lines} of shape {mask.shape} does "
            "not tell (--matrix H W). Received: None"
        )
    return mask


def with_field_of_view(mask, field_of_view):
    """The mask with the size of the image in mm, which it may lack."""
    if field_of_view is not None:
        mask = mask.replace(field_of_view=field_of_view)
    if mask.field_of_view is None:
        raise ValueError(
            "Invalid value for argument `field_of_view`. Expected the size "
            "(H, W) of the image in mm, which this mask does not tell "
            "(--fov H W). Received: None"
        )
    return mask


def check_lines(mask, what, *kinds):
    """Refuse what a format of lines cannot hold."""
    if mask.lines not in kinds:
        found = mask.lines or "points"
        raise ValueError(
            "Invalid value for argument `mask`. Expected "
            f"{' or '.join(kinds)} for {what}, which holds whole lines. "
            f"Received: a mask of {found}, of shape {mask.shape}. Learn one "
            f"with lines={kinds[0]!r}, or write this one in a format that "
            "holds it, such as .csv, .cfl or .mrd"
        )


def _from_full(array, metadata):
    """Undo the broadcast of lines."""
    full = array
    array = array[tuple(slice(n) for n in metadata["shape"])]
    if not np.array_equal(np.broadcast_to(array, full.shape), full):
        raise ValueError(f"Expected {metadata['lines']}, all lines alike")
    return SamplingMask.from_metadata(array, metadata)


def _as_lines(array):
    """A mask of lines, where the full pattern is one."""
    if 1 not in array.shape and 0 < array.sum() < array.size:
        for axis in (0, 1):
            line = array.take([0], axis=axis)
            if (line == array).all():
                return SamplingMask(line, matrix=array.shape)
    return SamplingMask(array)
