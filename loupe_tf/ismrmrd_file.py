"""Read headers of ISMRM raw data (Inati et al., MRM 77, 2017)."""

import dataclasses
import math
import warnings

import numpy as np

from loupe_tf import hdf5, reading
from loupe_tf.checks import invalid
from loupe_tf.reading import BadFileError

# Counters that select an image: one value of each is read at a time.
COUNTERS = ("repetition", "contrast", "phase", "set")
# The standard's flags of read-outs that are not part of the image. Its other
# flags do not exclude read-outs: FIRST and LAST are places in the order of the
# scan, REVERSE is a direction, PARALLEL_CALIBRATION_AND_IMAGING includes the
# image, and USER1 to 8 have no meaning in the standard.
OTHER_FLAGS = (
    "ACQ_IS_NOISE_MEASUREMENT",  # Only noise, without excitation.
    "ACQ_IS_PARALLEL_CALIBRATION",  # A separate scan, of another contrast.
    "ACQ_IS_NAVIGATION_DATA",  # Tracks breathing or motion.
    "ACQ_IS_PHASECORR_DATA",  # Corrects EPI ghosts, without phase encoding.
    "ACQ_IS_HPFEEDBACK_DATA",  # Controls the running scan.
    "ACQ_IS_DUMMYSCAN_DATA",  # Precedes the steady state.
    "ACQ_IS_RTFEEDBACK_DATA",  # Controls the running scan.
    "ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA",  # Brightness, from other coils.
    "ACQ_IS_PHASE_STABILIZATION_REFERENCE",  # Both of these correct phase
    "ACQ_IS_PHASE_STABILIZATION",  # drifts, without phase encoding.
)
# In some files, calibration that is part of the image has both flags.
BOTH = "ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING"
# Numbers of flags, from 1, that have no meaning in the standard.
UNKNOWN_FLAGS = range(32, 53)
# The largest number that the header's schema and the counters can hold.
LARGEST = 2**16 - 1
# Largest factor by which zero filling may make pixels smaller.
INTERPOLATION = 4


@dataclasses.dataclass
class Space:
    """One encoding space of a header.

    Attributes:
        matrix: Three integers, the encoded matrix: read-out and two phase
            encodings.
        view: Three numbers, the encoded field of view in mm; `None` if
            unknown.
        recon_matrix, recon_view: The reconstructed matrix and field of view.
        limits: Dictionary with the keys `"kspace_encode_step_1"`,
            `"kspace_encode_step_2"` and `"slice"`, and values
            `(minimum, maximum, centre)` or `None`.
    """

    matrix: tuple
    view: tuple
    recon_matrix: tuple
    recon_view: tuple
    limits: dict


def read_heads(path, encoding=0, select=None, cartesian=True):
    """Read the header of ISMRM raw data and the heads of its acquisitions.

    Args:
        path: Path of an HDF5 file with the group `dataset`.
        encoding: Integer, the number of the encoding space.
        select: (Optional) dictionary of integers by names of `COUNTERS`.
            Missing ones are 0.
        cartesian: `True` if counters give the positions of samples, `False`
            if each acquisition has a trajectory of its own, `None` for any.

    Returns:
        A tuple of four: the header, its `Space`, the heads of the acquisitions
        that are part of the image (an array of records), and their indices in
        the file.

    Raises:
        ImportError: If the package `ismrmrd` is missing.
        BadFileError: If the file is not ISMRMRD, is inconsistent, or is not
            Cartesian where it should be.
        ValueError: If the file has no such encoding space, or no acquisition
            that matches `select`.
    """
    ismrmrd = import_ismrmrd()
    with hdf5.open_hdf5(path) as file:
        xml, data = (
            hdf5.hdf5_dataset(file, f"dataset/{name}")
            for name in ("xml", "data")
        )
        if xml is None or data is None:
            raise BadFileError(
                path,
                "Expected a group `dataset` with `xml` and `data`. Received: "
                f"{hdf5.hdf5_names(file)}",
            )
        with reading.naming(path, "ISMRM raw data"):
            text = hdf5.read_hdf5(xml, 0)
            reading.check_memory(path, reading.XML * len(text))
            reading.parse_xml(text)
            with warnings.catch_warnings():
                # The values that are used are checked below.
                warnings.simplefilter("ignore")
                header = ismrmrd.xsd.CreateFromDocument(text)
            heads = np.atleast_1d(hdf5.read_hdf5(data, field="head"))
            refs = heads["encoding_space_ref"]
    if (
        not isinstance(encoding, int)
        or not 0 <= encoding < len(header.encoding)
        or not np.any(refs == encoding)
    ):
        raise invalid(
            "encoding",
            f"the number of an encoding space of {path}, which has "
            f"{len(header.encoding)} and acquisitions of "
            f"{np.unique(refs).tolist()}",
            encoding,
        )
    with reading.naming(path, "ISMRM raw data"):
        space = _space(path, header.encoding[encoding], cartesian)
        kept = (refs == encoding) & _is_image(path, ismrmrd, heads, refs)
        numbers = np.flatnonzero(kept)
        heads = heads[numbers]
        axes = np.unique(heads["trajectory_dimensions"]).tolist()
        if cartesian and axes != [0]:
            raise BadFileError(
                path,
                "Expected Cartesian samples, whose counters give their "
                "position. Received: acquisitions with a trajectory of their "
                "own, for `loupe_tf.formats.load_samples`",
            )
        if cartesian is False and axes not in ([2], [3]):
            raise BadFileError(
                path,
                "Expected acquisitions with a trajectory of 2 or 3 axes. "
                f"Received: trajectory_dimensions {axes}",
            )
    kept = _selected(path, heads, select)
    return header, space, heads[kept], numbers[kept]


def encoding_steps(path, space, heads):
    """Return the positions of acquisitions in the matrix.

    A scan is 3-D if the matrix in its header is, and if its limits or its
    steps agree.

    Args:
        path: Path of the file, for messages.
        space: `Space`.
        heads: Heads of its acquisitions.

    Returns:
        A pair: a tuple of index arrays, one for each phase-encoded axis, and
        the sizes of these axes. DC is at `N // 2`.

    Raises:
        BadFileError: If the steps contradict the limits or the matrix.
    """
    _, *counts = space.matrix
    steps = []
    for axis, count in enumerate(counts, start=1):
        name = f"kspace_encode_step_{axis}"
        found, limits = heads["idx"][name].astype(int), space.limits[name]
        low, high = found.min(), found.max()
        if limits and not limits[0] <= low <= high <= limits[1]:
            raise BadFileError(
                path,
                f"Expected {name} within its limits, {limits[0]} to "
                f"{limits[1]}. Received: {low} to {high}",
            )
        if axis == 2 and low == high:
            # Some 2-D scans have a matrix of more than one here.
            if count == 1 or limits is None or limits[0] == limits[1]:
                counts.pop()
                break
        centre = limits[2] if limits else count // 2
        # In partial acquisitions, the centre is not that of the matrix.
        step = found - centre + count // 2
        if not 0 <= step.min() <= step.max() < count:
            raise BadFileError(
                path,
                f"Expected {name} within the {count} of the encoded space. "
                f"Received: {low} to {high}, with the centre {centre} at "
                f"{count // 2}",
            )
        steps.append(step)
    return tuple(steps), tuple(counts)


def import_ismrmrd():
    """Import `ismrmrd`, or raise an error that says how to install it."""
    try:
        import ismrmrd
        import ismrmrd.xsd
    except ImportError as error:
        raise ImportError(
            "ISMRM raw data require the package ismrmrd. Install it with: "
            'pip install "loupe-tf[export]"'
        ) from error
    return ismrmrd


def has_flags(heads, numbers):
    """Return which heads have one of the flags, counted from 1."""
    bits = np.uint64(sum(1 << (number - 1) for number in numbers))
    return (heads["flags"].astype(np.uint64) & bits) != 0


def _is_image(path, ismrmrd, heads, refs):
    """Return which acquisitions are part of an image, by their flags."""
    if has_flags(heads, UNKNOWN_FLAGS).any():
        raise BadFileError(
            path,
            "Expected flags of the standard. Received: acquisitions with some "
            f"of the flags {UNKNOWN_FLAGS.start} to {UNKNOWN_FLAGS.stop - 1}, "
            "which do not say whether they are part of the image",
        )
    other = {name: getattr(ismrmrd, name) for name in OTHER_FLAGS}
    both = has_flags(heads, [getattr(ismrmrd, BOTH)])
    kept = np.ones(len(heads), bool)
    for name, number in other.items():
        flagged = has_flags(heads, [number])
        if name == "ACQ_IS_PARALLEL_CALIBRATION":
            flagged &= ~both
        kept &= ~flagged
    for encoding in np.unique(refs):
        if not kept[refs == encoding].any():
            found = [
                name
                for name, number in other.items()
                if has_flags(heads[refs == encoding], [number]).any()
            ]
            raise BadFileError(
                path,
                "Expected acquisitions of an image. Received: none of "
                f"encoding {encoding}; all are flagged: {', '.join(found)}",
            )
    return kept


def _selected(path, heads, select):
    """Return which acquisitions match the selected repetition, contrast, ..."""
    select = {} if select is None else select
    if not isinstance(select, dict) or set(select) - set(COUNTERS):
        raise invalid(
            "select", f"a dictionary of integers by {COUNTERS}", select
        )
    kept = np.ones(len(heads), bool)
    for name in COUNTERS:
        kept &= heads["idx"][name] == select.get(name, 0)
    if not kept.any():
        found = {n: np.unique(heads["idx"][n]).tolist() for n in COUNTERS}
        raise invalid(
            "select",
            f"some of the acquisitions of {path}, which has {found}",
            select,
        )
    return kept


def _space(path, encoding, cartesian):
    """Check an encoding space and return its `Space`."""
    if cartesian and encoding.trajectory.value != "cartesian":
        raise BadFileError(
            path,
            "Expected a Cartesian trajectory. Received: "
            f"{encoding.trajectory.value}",
        )
    limits = {}
    for name, key in (
        ("kspace_encoding_step_1", "kspace_encode_step_1"),
        ("kspace_encoding_step_2", "kspace_encode_step_2"),
        ("slice", "slice"),
    ):
        limit = getattr(encoding.encodingLimits, name)
        limits[key] = limit and _limits(path, name, limit)
    encoded, recon = encoding.encodedSpace, encoding.reconSpace
    return Space(
        matrix=_matrix(path, "encodedSpace", encoded),
        view=_view(encoded),
        recon_matrix=_matrix(path, "reconSpace", recon),
        recon_view=_view(recon),
        limits=limits,
    )


def _matrix(path, name, space):
    size = [getattr(space.matrixSize, axis) for axis in "xyz"]
    if not all(isinstance(n, int) and 1 <= n <= LARGEST for n in size):
        raise BadFileError(
            path,
            f"Expected integers from 1 to {LARGEST} as matrixSize of {name}. "
            f"Received: {size}",
        )
    return tuple(size)


def _view(space):
    """Return the field of view in mm, with `None` for values that are invalid.

    Some files have zeros there.
    """
    found = [getattr(space.fieldOfView_mm, axis) for axis in "xyz"]
    return tuple(
        float(mm) if isinstance(mm, int | float) and 0 < mm < math.inf else None
        for mm in found
    )


def _limits(path, name, limit):
    found = limit.minimum, limit.maximum, limit.center
    if not (
        all(isinstance(n, int) and 0 <= n <= LARGEST for n in found)
        and limit.minimum <= limit.center <= limit.maximum
    ):
        raise BadFileError(
            path,
            f"Expected minimum ≤ center ≤ maximum, up to {LARGEST}, as limits "
            f"of {name}. Received: {found}",
        )
    return found


def read_out(path, space, heads):
    """Return the length of the read-out, the length kept, and the latter in mm.

    Some converters remove oversampling without changing the header.
    """
    samples = space.matrix[0]
    encoded, wanted = space.view[0], space.recon_view[0]
    matrix = space.recon_matrix[0]
    number = heads["number_of_samples"].astype(int)
    centre = heads["center_sample"].astype(int)
    # The value is 0 if the writer did not set it.
    wrong = (centre >= number) | ((centre == 0) & (number > 1))
    if wrong.any():
        raise BadFileError(
            path,
            "Expected DC, center_sample, within the samples. Received: "
            f"{centre[wrong][0]} of {number[wrong][0]}",
        )
    first = samples // 2 - centre
    last = first + number
    # Asymmetric echoes still reach one end of k-space, for full resolution.
    near = max(1, samples // 64)
    short = (first > near) & (last < samples - near)
    if short.any():
        removed = (number == matrix) & (centre == matrix // 2)
        if not (removed.all() and _same(encoded, wanted, samples / matrix)):
            raise BadFileError(
                path,
                f"Expected read-outs of the {samples} samples of the encoded "
                "space, or from one end of them. Received: acquisitions of "
                f"{number[short].min()} samples in the middle",
            )
        return matrix, matrix, wanted
    width = samples
    if encoded and wanted and wanted < encoded:
        width = max(1, round(samples * wanted / encoded))
    # Zero filling would make the pixels of both axes smaller.
    fine = space.recon_view[1], space.view[1]
    ratio = space.recon_matrix[1] / space.matrix[1]
    if matrix > INTERPOLATION * width or (
        width < samples == matrix and _same(*fine, ratio)
    ):
        raise BadFileError(
            path,
            "Expected pixels of reconSpace along the read-out about as large "
            f"as those of encodedSpace. Received: {matrix} over {wanted} mm, "
            f"and {samples} over {encoded} mm: was oversampling removed "
            "already?",
        )
    return samples, width, encoded and encoded * width / samples


def _same(length, other, ratio):
    """Return whether two lengths are known and have this ratio."""
    return bool(length and other) and math.isclose(
        length / other, ratio, rel_tol=0.02
    )
