"""Trajectories as ISMRM raw data (Inati et al., MRM 77, 2017)."""

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.checks import check_number, invalid
from loupe_tf.ismrmrd_file import LARGEST, import_ismrmrd, read_heads
from loupe_tf.ismrmrd_writer import (
    make_header,
    stored_metadata,
    write_acquisitions,
)
from loupe_tf.trajectories.files.common import (
    COST,
    MARK,
    arguments_of,
    from_single,
    per_cycle,
    same_pixels,
    with_known,
)

# The standard's words for trajectories.
KINDS = {"radial": "radial", "spiral": "spiral", "epi": "epi"}


def save_ismrmrd(
    trajectory, path, matrix=None, field_of_view=None, slice_thickness=5.0
):
    """Write a trajectory as ISMRMRD: a header and empty acquisitions.

    Each shot is an acquisition of zeros with its trajectory, (along W, along
    H), or (W, H, D), the standard's (x, y, z), in cycles per pixel and in
    single precision. `idx.kspace_encode_step_1` counts shots, and
    `center_sample` is the sample nearest to DC.

    Args:
        trajectory: `Trajectory`.
        path: Path of an HDF5 file. An existing file is overwritten only if it
            is a trajectory.
        matrix, field_of_view: (Optional) those of the image, by default the
            trajectory's own. The standard requires both.
        slice_thickness: Positive float, in mm, for two axes.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        ValueError: If an argument is invalid or missing.
    """
    ismrmrd = import_ismrmrd()
    trajectory = with_known(
        trajectory,
        "the header of ISMRMRD",
        matrix=matrix,
        field_of_view=field_of_view,
    )
    check_number("slice_thickness", slice_thickness, above=0)
    shots, samples = trajectory.shots, trajectory.samples
    if max(shots, samples, *trajectory.matrix) > LARGEST:
        raise invalid(
            "trajectory",
            f"at most {LARGEST} shots, samples and pixels",
            found=repr(trajectory),
        )
    size, view = trajectory.matrix[::-1], trajectory.field_of_view[::-1]
    provenance = trajectory.provenance
    kind = KINDS.get(provenance.get("pattern"), "other")
    header = make_header(
        (*size, 1)[:3],
        (*view, slice_thickness)[:3],
        (samples, shots, 1),
        MARK,
        trajectory.metadata,
        "goldenangle" if provenance.get("golden") else kind,
    )
    positions = trajectory.positions[..., ::-1].astype(np.float32)
    radii = np.linalg.norm(trajectory.positions, axis=-1)
    acquisitions = []
    for shot in range(shots):
        acquisition = ismrmrd.Acquisition.from_array(
            np.zeros((1, samples), np.complex64),
            positions[shot],
            scan_counter=shot,
            center_sample=int(np.argmin(radii[shot])),
            sample_time_us=1e6 * (trajectory.dwell or 0),
        )
        acquisition.idx.kspace_encode_step_1 = shot
        acquisitions.append(acquisition)
    acquisitions[0].setFlag(ismrmrd.ACQ_FIRST_IN_SLICE)
    acquisitions[-1].setFlag(ismrmrd.ACQ_LAST_IN_SLICE)
    acquisitions[-1].setFlag(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    write_acquisitions(path, header, acquisitions, MARK, "trajectory")


def load_ismrmrd(
    path, unit="cycles/pixel", matrix=None, encoding=0, select=None
):
    """Read the arguments of a trajectory from the acquisitions of a scan.

    Shots are in the order of the file; those of the first slice are read.
    Samples that acquisitions discard are left out. In a scan of one slice, a
    third number beside each position is not read: it may be a weight.

    Args:
        path: Path of an HDF5 file with the group `dataset`.
        unit: String, one of the units of `save_csv`. The standard has none;
            `"cycles/pixel"` of the encoded space is usual.
        matrix: (Optional) size of the image, by default the encoded matrix.
        encoding: Integer, the number of the encoding space.
        select: (Optional) dictionary that selects a repetition, contrast,
            phase or set; see `loupe_tf.formats.load_kspace`.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        BadFileError: If the file is not ISMRMRD, is Cartesian or is
            inconsistent.
        ValueError: If an argument is invalid.
    """
    header, space, heads, numbers = read_heads(path, encoding, select, False)
    with reading.naming(path, "a trajectory in ISMRM raw data"):
        stored = stored_metadata(header, MARK)
        slices = heads["idx"]["slice"]
        first = slices == slices.min()
        heads, numbers = heads[first], numbers[first]
        axes = 3 if space.matrix[2] > 1 else 2
        if stored:
            axes = len(stored["matrix"])
        positions = read_positions(path, heads, numbers)[..., axes - 1 :: -1]
        if stored:
            arguments = arguments_of(None, stored)
        else:
            view = space.view[axes - 1 :: -1]
            # Single precision does not have the last digits.
            dwell = round(float(heads["sample_time_us"][0]) * 1e-6, 12)
            arguments = {
                "matrix": space.matrix[axes - 1 :: -1],
                "field_of_view": None if None in view else view,
                "dwell": dwell if dwell > 0 else None,
            }
    sizes = arguments["matrix"], arguments["field_of_view"]
    factor = per_cycle("cycles/pixel" if stored else unit, axes, *sizes, path)
    arguments["positions"] = from_single(positions / factor)
    if matrix is not None and tuple(matrix) != tuple(sizes[0]):
        arguments["matrix"] = matrix
        arguments["field_of_view"] = same_pixels(*sizes, matrix)
    return arguments


def read_positions(path, heads, numbers):
    """Return the positions of acquisitions as they are in the file.

    Args:
        path: Path of the file.
        heads: Heads of the acquisitions.
        numbers: Their indices in the file.

    Returns:
        Array `(shots, samples, axes)`, with the standard's (x, y, z).

    Raises:
        BadFileError: If acquisitions differ in their numbers of samples.
    """
    axes = heads["trajectory_dimensions"][0]
    count, start, stop = extent(path, heads)
    reading.check_memory(path, COST * len(heads) * count * int(axes))
    positions = np.empty((len(heads), count, axes))
    with hdf5.open_hdf5(path) as file:
        dataset = hdf5.hdf5_dataset(file, "dataset/data")
        for shot, number in enumerate(numbers):
            found = dataset[number]["traj"].reshape(-1, axes)
            if len(found) != count:
                raise reading.BadFileError(
                    path,
                    f"Expected the positions of {count} samples in acquisition "
                    f"{number}. Received: {len(found)}",
                )
            positions[shot] = found
    return positions[:, start:stop]


def extent(path, heads):
    """Return the number of samples of acquisitions, and which are kept.

    Returns:
        A tuple of three integers: the number, the first sample that is kept,
        and the one after the last.
    """
    names = ("number_of_samples", "discard_pre", "discard_post")
    for name in names:
        found = np.unique(heads[name]).tolist()
        if len(found) > 1:
            raise reading.BadFileError(
                path,
                f"Expected the same {name} in all acquisitions of a slice. "
                f"Received: {found}",
            )
    count, before, after = (int(heads[name][0]) for name in names)
    if before + after >= count:
        raise reading.BadFileError(
            path,
            "Expected samples that are not discarded. Received: "
            f"number_of_samples={count}, discard_pre={before}, "
            f"discard_post={after}",
        )
    return count, before, count - after
