"""Masks as ISMRM raw data (Inati et al., MRM 77, 2017): what to acquire."""

import json

import numpy as np

from loupe_tf import reading
from loupe_tf.atomic import written_aside
from loupe_tf.formats.mask_arrays import (
    MARK,
    refuse_other_data,
    with_matrix,
)
from loupe_tf.masks.acquisition_order import acquisition_order
from loupe_tf.masks.budget import calibration_region
from loupe_tf.masks.sampling_mask import SamplingMask

FIELD_OF_VIEW = 256.0
# Acquisitions that are no part of the image.
OTHER_FLAGS = (
    "ACQ_IS_NOISE_MEASUREMENT",
    "ACQ_IS_PARALLEL_CALIBRATION",
    "ACQ_IS_NAVIGATION_DATA",
    "ACQ_IS_PHASECORR_DATA",
    "ACQ_IS_HPFEEDBACK_DATA",
    "ACQ_IS_DUMMYSCAN_DATA",
    "ACQ_IS_RTFEEDBACK_DATA",
)


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

    Lines are read out along `x`, and their number is
    `idx.kspace_encode_step_1`. Of points, which are read out through the
    plane, row and column are `idx.kspace_encode_step_1` and `_2`, and a
    read-out is one sample. The limits run from 0 to `N - 1` with the centre at
    `N // 2`. All samples are zero. Acquisitions of the calibration region carry
    the flag `ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING`; the metadata are a user
    parameter of the header. The frequency of protons, which the schema asks
    for, is 0: a mask does not know the field.

    Args:
        mask: `SamplingMask` that acquires something.
        path: Path of an HDF5 file. One that holds anything else is not
            overwritten.
        order, seed: See `loupe_tf.masks.acquisition_order`.
        matrix: (Optional) size `(H, W)` of k-space, by default that of the
            mask.
        field_of_view: (Optional) size `(H, W)` in mm, by default that of the
            mask, or 256 mm each.
        slice_thickness: Positive float, in mm.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        ValueError: If an argument is invalid, or the mask is empty.
    """
    ismrmrd = import_ismrmrd()
    mask = with_matrix(mask, matrix)
    if field_of_view is not None:
        mask = mask.replace(field_of_view=field_of_view)
    if not mask.acquired or max(mask.matrix) > 2**16 - 1:
        raise ValueError(
            "Invalid value for argument `mask`. Expected one that acquires "
            "something, of at most 65535 lines. Received: a mask of shape "
            f"{mask.matrix} with {mask.acquired} entries"
        )
    check_positive(slice_thickness=slice_thickness)
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
    refuse_other_data(path)
    header = _header(ismrmrd, mask, samples, slice_thickness)
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
    with written_aside(path) as partial:
        with ismrmrd.File(str(partial), "w") as file:
            file["dataset"].header = header
            file["dataset"].acquisitions = acquisitions
        _mark(partial)


def load_ismrmrd(path, encoding=0, lines=None):
    """Read which lines or points were acquired from ISMRM raw data.

    Args:
        path: Path of an HDF5 file with the group `dataset`.
        encoding: Integer, the number of the encoding space.
        lines: `"columns"` or `"rows"`, what the lines of a measurement are, if
            the file does not tell; `"columns"` by default. Its read-out is
            along the other axis.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        ValueError: If the file is none, has no such encoding, is not
            Cartesian, or its steps contradict its limits.
    """
    if lines not in (None, "columns", "rows"):
        raise ValueError(
            "Invalid value for argument `lines`. Expected None, 'columns' or "
            f"'rows'. Received: lines={lines!r}"
        )
    header, space, heads, _ = read_heads(path, encoding)
    stored = _metadata(header)
    size = space.encodedSpace.matrixSize
    steps, counts = encoding_steps(path, space, heads)
    points = len(counts) > 1
    array = np.zeros(counts if points else (1, size.y), dtype=bool)
    array[steps if points else (0, *steps)] = True
    kind = stored.get("lines") if stored else (lines or "columns")
    if stored and lines not in (None, kind):
        raise ValueError(
            "Invalid value for argument `lines`. Expected what the file says, "
            f"{kind!r}. Received: lines={lines!r}"
        )
    if points and lines:
        raise ValueError(
            "Invalid value for argument `lines`. Expected None for points. "
            f"Received: lines={lines!r}"
        )
    if not points and kind == "rows":
        array = array.T
    if stored:
        with reading.naming(path, "a mask in ISMRM raw data"):
            return SamplingMask.from_metadata(array, stored), True
    mm = space.encodedSpace.fieldOfView_mm
    if points:
        return SamplingMask(array, field_of_view=(mm.y, mm.z)), True
    matrix, view = (size.x, size.y), (mm.x, mm.y)
    if kind == "rows":
        matrix, view = matrix[::-1], view[::-1]
    return SamplingMask(array, matrix=matrix, field_of_view=view), True


def read_heads(path, encoding=0):
    """Read the header of ISMRM raw data, and the heads of the acquisitions.

    Args:
        path: Path of an HDF5 file with the group `dataset`.
        encoding: Integer, the number of the encoding space.

    Returns:
        The header; its encoding space; the heads of the acquisitions that are
        part of its image, an array of records; and their numbers in the file.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        ValueError: If the file is none, has no such encoding, or is not
            Cartesian.
    """
    ismrmrd = import_ismrmrd()
    with reading.open_hdf5(path) as file:
        xml, data = (
            reading.hdf5_dataset(file, f"dataset/{name}")
            for name in ("xml", "data")
        )
        if xml is None or data is None:
            raise reading.BadFileError(
                path,
                "Expected a group `dataset` with `xml` and `data`. Received: "
                f"{reading.hdf5_names(file)}",
            )
        with reading.naming(path, "ISMRM raw data"):
            text = reading.read_hdf5(xml, 0)
            reading.parse_xml(text)
            header = ismrmrd.xsd.CreateFromDocument(text)
            heads = reading.read_hdf5(data, field="head")
    if (
        not isinstance(encoding, int)
        or not 0 <= encoding < len(header.encoding)
        or not np.any(heads["encoding_space_ref"] == encoding)
    ):
        used = sorted(set(heads["encoding_space_ref"].tolist()))
        raise ValueError(
            "Invalid value for argument `encoding`. Expected the number of an "
            f"encoding space of {path}, which has {len(header.encoding)} and "
            f"acquisitions of {used}. Received: encoding={encoding!r}"
        )
    space = header.encoding[encoding]
    if space.trajectory.value != "cartesian":
        raise ValueError(
            f"Invalid file {path}. Expected a Cartesian trajectory. Received: "
            f"{space.trajectory.value}"
        )
    flags = sum(1 << (getattr(ismrmrd, name) - 1) for name in OTHER_FLAGS)
    numbers = np.flatnonzero(
        (heads["encoding_space_ref"] == encoding)
        & (heads["flags"] & np.uint64(flags) == 0)
    )
    return header, space, heads[numbers], numbers


def encoding_steps(path, space, heads):
    """Where acquisitions lie in the matrix.

    Args:
        path: Path of the file, for messages.
        space: Encoding space, such as `read_heads` returns.
        heads: Heads of its acquisitions.

    Returns:
        A tuple of index arrays, one for each axis that is phase-encoded, and
        the sizes of these axes. DC is at `N // 2`.

    Raises:
        ValueError: If the steps contradict the limits.
    """
    size = space.encodedSpace.matrixSize
    steps, counts = [], (size.y, size.z) if size.z > 1 else (size.y,)
    for axis, count in enumerate(counts, start=1):
        name = f"kspace_encode_step_{axis}"
        limit = getattr(
            space.encodingLimits, name.replace("encode", "encoding")
        )
        centre = limit.center if limit else count // 2
        # Partial acquisitions have their DC elsewhere than the matrix.
        step = heads["idx"][name].astype(int) - centre + count // 2
        if step.size and not 0 <= step.min() <= step.max() < count:
            raise ValueError(
                f"Invalid file {path}. Expected {name} within the {count} of "
                f"the encoded space. Received: {step.min()} to {step.max()}, "
                f"with the centre {centre} at {count // 2}"
            )
        steps.append(step)
    return tuple(steps), counts


def check_positive(**arguments):
    """Refuse what is not a positive, finite number."""
    for name, value in arguments.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float, np.number))
            or not 0 < value < float("inf")
        ):
            raise ValueError(
                f"Invalid value for argument `{name}`. Expected a positive "
                f"number. Received: {name}={value!r}"
            )


def import_ismrmrd():
    """The package `ismrmrd`, or an error that says how to install it."""
    try:
        import ismrmrd
        import ismrmrd.xsd
    except ImportError as error:
        raise ImportError(
            "ISMRM raw data require the package ismrmrd. Install it with: "
            'pip install "loupe-tf[export]"'
        ) from error
    return ismrmrd


def _header(ismrmrd, mask, samples, slice_thickness):
    """Header with one encoding space, all of which is reconstructed."""
    xsd = ismrmrd.xsd
    view = mask.field_of_view or (FIELD_OF_VIEW, FIELD_OF_VIEW)
    if mask.lines:
        order = (0, 1) if mask.lines == "columns" else (1, 0)
        matrix = [mask.matrix[axis] for axis in order] + [1]
        view = [view[axis] for axis in order] + [slice_thickness]
    else:
        matrix, view = [1, *mask.matrix], [slice_thickness, *view]
    space = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(**dict(zip("xyz", matrix, strict=True))),
        fieldOfView_mm=xsd.fieldOfViewMm(**dict(zip("xyz", view, strict=True))),
    )
    limits = [
        xsd.limitType(minimum=0, maximum=n - 1, center=n // 2)
        for n in (samples, *matrix[1:])
    ]
    encoding = xsd.encodingType(
        encodedSpace=space,
        reconSpace=space,
        trajectory=xsd.trajectoryType.CARTESIAN,
        encodingLimits=xsd.encodingLimitsType(
            kspace_encoding_step_0=limits[0],
            kspace_encoding_step_1=limits[1],
            kspace_encoding_step_2=limits[2],
        ),
    )
    return xsd.ismrmrdHeader(
        experimentalConditions=xsd.experimentalConditionsType(
            H1resonanceFrequency_Hz=0
        ),
        encoding=[encoding],
        userParameters=xsd.userParametersType(
            userParameterString=[
                xsd.userParameterStringType(
                    name=MARK, value=json.dumps(mask.metadata)
                )
            ]
        ),
    )


def _metadata(header):
    """What `save_ismrmrd` has put into the header, or `None`."""
    if header.userParameters:
        for parameter in header.userParameters.userParameterString:
            if parameter.name == MARK:
                return json.loads(parameter.value)
    return None


def _mark(path):
    """Tell a file with a mask from a measurement."""
    import h5py

    with h5py.File(path, "a") as file:
        file.attrs[MARK] = 1
