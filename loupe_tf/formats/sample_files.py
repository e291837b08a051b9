"""Read the samples of non-Cartesian scans from files."""

import math
import os
import pathlib

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.cfl import read_cfl
from loupe_tf.checks import check_options, invalid
from loupe_tf.formats.kspace_files import kind_of, open_npy
from loupe_tf.formats.kspace_ismrmrd import (
    count_coils,
    find_slices,
    refuse_coded,
    sort_slices,
)
from loupe_tf.formats.kspace_volume import COPIES
from loupe_tf.formats.sample_volume import SampleVolume
from loupe_tf.ismrmrd_file import read_heads
from loupe_tf.trajectories.files.common import same_pixels
from loupe_tf.trajectories.files.ismrmrd import (
    extent,
    load_ismrmrd,
    read_positions,
)
from loupe_tf.trajectories.trajectory import Trajectory, load_trajectory

# Dimensions of BART that samples may have.
SAMPLES, SHOTS, COILS, SLICES = 1, 2, 3, 13
# By this, in the unit of the file, slices may differ in their positions.
SAME = 1e-5


def load_samples(path, trajectory=None, matrix=None, **options):
    """Open the samples of a non-Cartesian scan to read them slice by slice.

    | file | holds | options |
    |---|---|---|
    | ISMRMRD | acquisitions with their trajectory | `unit`, `encoding`, `select` |
    | BART's `.cfl`, `.hdr` | dimensions 1, 2, 3 and 13: samples, shots, coils, slices | |
    | `.npy` | complex array `(shots, samples)`, `(slices, coils, shots, samples)`, or of three axes | `leading` |

    The trajectory of ISMRMRD is in the file; BART's files and arrays need one.
    All slices have the same trajectory. Samples are in the unit of the file.
    The flags, counters and slices of ISMRMRD are treated as in `load_kspace`;
    each acquisition is a shot, in the order of the file, and samples that it
    discards are left out.

    Args:
        path: Path of the file.
        trajectory: (Optional) `Trajectory`, or the path of one for
            `load_trajectory`. For ISMRMRD, it replaces the one in the file.
        matrix: (Optional) size of the image, `(H, W)` or `(D, H, W)`, by
            default that of the trajectory.
        **options: The options in the table. `unit`, `encoding` and `select`
            are those of `load_trajectory`; `leading`, `"coils"` or `"slices"`,
            is the meaning of the first of three axes.

    Returns:
        A `SampleVolume` of shape `(slices, coils, shots, samples)`. It is a
        context manager.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the package `ismrmrd` is missing (the extra `export`).
        ValueError: If the file is damaged or of another kind, or does not fit
            the trajectory, or if an option is invalid.

    Example:

    ```python
    with loupe_tf.formats.load_samples("samples.cfl", "spokes.cfl") as volume:
        samples = volume[0]  # (coils, shots, samples)
    ```
    """  # noqa: E501
    path = pathlib.Path(path)
    kind = kind_of(path)
    name, open_ = {
        "hdf5": ("ismrmrd", _open_ismrmrd),
        "bart": ("bart", _open_bart),
        "npy": ("npy", _open_npy),
    }[kind]
    if trajectory is not None:
        trajectory = _trajectory(trajectory, matrix)
    elif kind != "hdf5":
        raise invalid(
            "trajectory", f"a trajectory or its file, for {path}", None
        )
    else:
        options["matrix"] = matrix
    check_options(f"the format {name!r}", open_, options)
    return open_(path, trajectory, **options)


def _trajectory(given, matrix):
    """Return a trajectory that may be in a file."""
    if isinstance(given, str | os.PathLike):
        is_bart = pathlib.Path(given).suffix.lower() in (".cfl", ".hdr")
        # Its unit needs the size.
        options = {"matrix": matrix} if is_bart else {}
        given = load_trajectory(given, **options)
    if not isinstance(given, Trajectory):
        raise invalid("trajectory", "a `Trajectory` or a path", given)
    if matrix is None or given.matrix == tuple(matrix):
        return given
    view = same_pixels(given.matrix, given.field_of_view, matrix)
    return given.replace(matrix=matrix, field_of_view=view)


def _open_bart(path, trajectory):
    array = read_cfl(path, memory_map=True)
    sizes = array.shape + (1,) * (16 - array.ndim)
    known = SAMPLES, SHOTS, COILS, SLICES
    if any(n > 1 and i not in known for i, n in enumerate(sizes)):
        raise reading.BadFileError(
            path,
            "Expected samples in the dimensions 1, 2 (shots), 3 (coils) and 13 "
            f"(slices). Received: dimensions {sizes}",
        )
    array = array.reshape([sizes[axis] for axis in known], order="F")
    array = array.transpose(3, 2, 1, 0)
    return SampleVolume(path, array.shape, array.__getitem__, trajectory)


def _open_npy(path, trajectory, leading=None):
    volume = open_npy(path, leading)
    return SampleVolume(path, volume.shape, volume.__getitem__, trajectory)


def _open_ismrmrd(
    path,
    trajectory,
    matrix=None,
    unit="cycles/pixel",
    encoding=0,
    select=None,
):
    own = trajectory is None
    if own:
        arguments = load_ismrmrd(path, unit, matrix, encoding, select)
        with reading.naming(path, "a trajectory"):
            trajectory = Trajectory(**arguments)
    _, space, heads, numbers = read_heads(
        path, encoding, select, cartesian=False if own else None
    )
    with reading.naming(path, "ISMRM raw data"):
        refuse_coded(path, heads)
        slices, number_of_slices = find_slices(path, space, heads)
        slices, spacing = sort_slices(heads, slices)
        coils = count_coils(path, heads)
        count, start, stop = extent(path, heads)
        shots = np.bincount(slices)
        if len(set(shots.tolist())) > 1:
            raise reading.BadFileError(
                path,
                "Expected the same number of acquisitions in each slice. "
                f"Received: {shots.tolist()}",
            )
        shape = number_of_slices, coils, int(shots[0]), stop - start
        reading.check_memory(path, COPIES * 8 * math.prod(shape[1:]))
    file = hdf5.open_hdf5(path)
    dataset = hdf5.hdf5_dataset(file, "dataset/data")
    # The slice whose trajectory `load_ismrmrd` reads.
    counters = heads["idx"]["slice"]
    first = counters == counters.min()

    def read(i):
        """Return the samples `(coils, shots, samples)` of a slice."""
        chosen = slices == i
        if own and not np.array_equal(chosen, first):
            _check_same(path, i, heads, numbers, chosen, first)
        found = np.empty(shape[1:], np.complex64)
        for shot, n in enumerate(numbers[chosen]):
            # The file has floats, real and imaginary parts in turn.
            data = dataset[n]["data"].view(np.complex64).reshape(coils, count)
            found[:, shot] = data[:, start:stop]
        return found

    if spacing is None:
        spacing = space.recon_view[2] or space.view[2]
    return SampleVolume(path, shape, read, trajectory, file.close, spacing)


def _check_same(path, i, heads, numbers, chosen, first):
    """Refuse a slice whose positions differ from those of the first."""
    found, expected = (
        read_positions(path, heads[which], numbers[which])
        for which in (chosen, first)
    )
    apart = np.abs(found - expected)[..., :2].max()
    if not apart <= SAME:
        raise reading.BadFileError(
            path,
            f"Expected the same trajectory in all slices. Received: slice {i} "
            f"with positions up to {apart:.3g} from those of another",
        )
