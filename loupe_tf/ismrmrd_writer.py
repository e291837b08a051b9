"""Write masks and trajectories as ISMRM raw data (Inati et al., MRM 2017)."""

import json

from loupe_tf import hdf5, reading
from loupe_tf.atomic import written_aside
from loupe_tf.ismrmrd_file import import_ismrmrd


def make_header(matrix, view, samples, mark, metadata, kind="cartesian"):
    """Make a header with one encoding space, reconstructed as a whole.

    The proton frequency, which the schema requires, is 0: where samples lie in
    k-space does not depend on the field strength.

    Args:
        matrix: Three integers, size of k-space along x, y and z.
        view: Three numbers, field of view in mm.
        samples: Three integers, number of steps along each.
        mark: String, name of a user parameter.
        metadata: Dictionary that JSON can store, its value.
        kind: String, the trajectory in the words of the standard.

    Returns:
        An `ismrmrd.xsd.ismrmrdHeader`.
    """
    xsd = import_ismrmrd().xsd
    space = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(**dict(zip("xyz", matrix, strict=True))),
        fieldOfView_mm=xsd.fieldOfViewMm(**dict(zip("xyz", view, strict=True))),
    )
    limits = [
        xsd.limitType(minimum=0, maximum=n - 1, center=n // 2) for n in samples
    ]
    encoding = xsd.encodingType(
        encodedSpace=space,
        reconSpace=space,
        trajectory=xsd.trajectoryType(kind),
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
                    name=mark, value=json.dumps(metadata)
                )
            ]
        ),
    )


def stored_metadata(header, mark):
    """Return the metadata that `make_header` stored, or `None`."""
    if header.userParameters:
        for parameter in header.userParameters.userParameterString:
            if parameter.name == mark:
                stored = reading.parse_json(parameter.value)
                if not isinstance(stored, dict):
                    raise ValueError(f"{mark} is not a dictionary")
                return stored
    return None


def write_acquisitions(path, header, acquisitions, mark, kind):
    """Write a file that holds only a mask, or a trajectory.

    The file is written whole or not at all, and has an attribute that
    distinguishes it from a measurement.

    Args:
        path: Path of an HDF5 file. An existing file is overwritten only if it
            has that attribute.
        header: The result of `make_header`.
        acquisitions: List of `ismrmrd.Acquisition`.
        mark: String, name of the attribute.
        kind: String, what the file holds, for the message.
    """
    import h5py

    ismrmrd = import_ismrmrd()
    hdf5.refuse_other_data(path, mark, kind)
    with written_aside(path) as partial:
        with ismrmrd.File(str(partial), "w") as file:
            file["dataset"].header = header
            file["dataset"].acquisitions = acquisitions
        with h5py.File(partial, "a") as file:
            file.attrs[mark] = 1
