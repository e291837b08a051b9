"""Masks as the vector `mask` of fastMRI files."""

import json

from loupe_tf import hdf5, reading
from loupe_tf.atomic import hdf5_written
from loupe_tf.masks.files.common import COST, MARK, check_lines
from loupe_tf.masks.metadata import arguments_of


def save_fastmri(mask, path):
    """Write a mask of columns as in fastMRI files: a boolean vector `mask`.

    Args:
        mask: `SamplingMask` of columns; fastMRI has no other masks.
        path: Path of an HDF5 file. An existing file is overwritten only if it
            is a mask.
    """
    check_lines(mask, "fastMRI's `mask`", "columns")
    hdf5.refuse_other_data(path, MARK, "mask")
    with hdf5_written(path) as file:
        file.attrs[MARK] = 1
        file["mask"] = mask.array[0]
        file["mask_metadata"] = json.dumps(mask.metadata)


def load_fastmri(path):
    """Read `mask` of a fastMRI file. See `read_mask` for the return value."""
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
            array = hdf5.read_hdf5(dataset)[None]
            if MARK in file.attrs:
                text = hdf5.hdf5_dataset(file, "mask_metadata")
                metadata = reading.parse_json(hdf5.read_hdf5(text))
                return arguments_of(array, metadata), True
            kspace = hdf5.hdf5_dataset(file, "kspace")
            matrix = None
            if kspace is not None:
                matrix = tuple(int(n) for n in kspace.shape[-2:])
            return {"array": array, "matrix": matrix}, False
