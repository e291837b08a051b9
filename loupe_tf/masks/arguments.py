"""Check the arguments of `SamplingMask` and bring them to standard form."""

import json

import numpy as np

from loupe_tf.checks import check_number, invalid
from loupe_tf.masks.budget import check_pair, standardize_shape


def standardize_array(array):
    """Return a read-only boolean copy of a matrix of 0 and 1."""
    array = np.asarray(array)
    if array.ndim != 2 or array.size == 0:
        raise invalid(
            "array",
            "shape (H, W), (1, W) or (H, 1)",
            found=f"an array of shape {array.shape}",
        )
    if (
        array.dtype.kind not in "fiub"
        or not ((array == 0) | (array == 1)).all()
    ):
        raise invalid(
            "array",
            "booleans, or only 0 and 1",
            found=f"dtype {array.dtype} with other values",
        )
    array = array.astype(bool)
    array.setflags(write=False)
    return array


def standardize_probability(argument, value):
    """Return a float32 matrix of numbers in [0, 1]."""
    array = np.asarray(value)
    is_matrix = array.ndim == 2 and array.size and array.dtype.kind in "fiub"
    if not is_matrix or not ((array >= 0) & (array <= 1)).all():
        raise invalid(
            argument,
            "an array (H, W), (1, W) or (H, 1) of numbers in [0, 1]",
            found=f"shape {array.shape}"
            + (f", from {array.min()} to {array.max()}" if is_matrix else ""),
        )
    return array.astype("float32")


def standardize_provenance(provenance):
    """Pass `provenance` through JSON, as `save` and `load` do."""
    provenance = {} if provenance is None else provenance
    try:
        stored = json.loads(json.dumps(provenance, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise invalid(
            "provenance",
            "a dictionary that JSON can store",
            found=f"provenance={provenance} ({error})",
        ) from error
    if not isinstance(stored, dict):
        raise invalid("provenance", "a dictionary", provenance)
    return stored


def standardize_matrix(matrix, shape):
    """Return integers `(H, W)` that fit a mask of this shape, or `None`."""
    if matrix is None:
        return None
    try:
        matrix = standardize_shape(matrix)
    except ValueError:
        fits = False
    else:
        # Each axis of the mask has the size of the matrix; only the axis
        # along lines has size 1.
        lines = 1 in shape
        fits = all(
            m == n or (lines and n == 1)
            for m, n in zip(matrix, shape, strict=True)
        )
    if not fits:
        raise invalid(
            "matrix",
            f"the size (H, W) of k-space for a mask of shape {shape}",
            matrix,
        )
    return matrix


def standardize_field_of_view(field_of_view):
    """Return two floats `(H, W)` in mm, or `None`."""
    if field_of_view is None:
        return None
    return check_pair(
        "field_of_view",
        field_of_view,
        "a pair of positive numbers, (H, W) in mm",
        check_number,
        above=0,
    )
