"""What the standard's flags and headers mean, in k-space and in masks."""

import numpy as np
import pytest

from loupe_tf.formats import BadFileError, load_kspace, load_mask

ismrmrd = pytest.importorskip("ismrmrd")

ORDER = [
    f"ACQ_{place}_IN_{what}"
    for place in ("FIRST", "LAST")
    for what in (
        "ENCODE_STEP1",
        "ENCODE_STEP2",
        "AVERAGE",
        "SLICE",
        "CONTRAST",
        "PHASE",
        "REPETITION",
        "SET",
        "SEGMENT",
    )
]
IMAGE = [
    *ORDER,
    "ACQ_LAST_IN_MEASUREMENT",
    "ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING",
    *(f"ACQ_USER{n}" for n in range(1, 9)),
]
OTHER = [
    "ACQ_IS_NOISE_MEASUREMENT",
    "ACQ_IS_PARALLEL_CALIBRATION",
    "ACQ_IS_NAVIGATION_DATA",
    "ACQ_IS_PHASECORR_DATA",
    "ACQ_IS_HPFEEDBACK_DATA",
    "ACQ_IS_DUMMYSCAN_DATA",
    "ACQ_IS_RTFEEDBACK_DATA",
    "ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA",
    "ACQ_IS_PHASE_STABILIZATION_REFERENCE",
    "ACQ_IS_PHASE_STABILIZATION",
]
CODED = ["ACQ_IS_REVERSE", *(f"ACQ_COMPRESSION{n}" for n in range(1, 5))]


def flagged(*flags):
    """Line 3 is acquired again and line 0 not at all but with a flag."""

    def change(acquisition):
        line = acquisition.idx.kspace_encode_step_1
        again = acquisition.idx.repetition
        if again:
            acquisition.idx.repetition = 0
            acquisition.data[:] *= 100
        if again or line == 0:
            for flag in flags:
                acquisition.setFlag(flag)
        return not again or line == 3

    return change


def test_every_flag_of_the_standard_is_one_of_ours():
    names = {n for n in vars(ismrmrd.constants) if n.startswith("ACQ_")}
    assert names == {*IMAGE, *OTHER, *CODED}


@pytest.mark.parametrize("flag", OTHER)
def test_flags_of_other_data(
    scan_path, kspace, write_ismrmrd, flag, read_kspace
):
    change = flagged(getattr(ismrmrd, flag))
    write_ismrmrd(scan_path, kspace, change=change, repetitions=2)
    kspace[..., 0] = 0
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    mask = load_mask(scan_path, shift=False)
    assert mask.array.tolist() == [[False] + [True] * 6]


@pytest.mark.parametrize("flag", IMAGE)
def test_flags_of_the_image(
    scan_path, kspace, write_ismrmrd, flag, read_kspace
):
    change = flagged(getattr(ismrmrd, flag))
    write_ismrmrd(scan_path, kspace, change=change, repetitions=2)
    kspace[..., 3] *= 201 / 2
    np.testing.assert_allclose(read_kspace(scan_path), kspace, rtol=1e-5)
    assert load_mask(scan_path, shift=False).array.all()


@pytest.mark.parametrize("flag", CODED)
def test_flags_of_samples_to_be_decoded(scan_path, kspace, write_ismrmrd, flag):
    write_ismrmrd(scan_path, kspace, change=flagged(getattr(ismrmrd, flag)))
    with pytest.raises(
        BadFileError, match=rf"scan\.mrd.*{flag.rstrip('1234')}"
    ):
        load_kspace(scan_path)
    # They do lie where the mask says.
    assert load_mask(scan_path, shift=False).array.all()


@pytest.mark.parametrize("flag", [32, 52])
def test_flags_without_a_meaning(scan_path, kspace, write_ismrmrd, flag):
    write_ismrmrd(scan_path, kspace, change=flagged(flag))
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match="flags 32 to 52"):
            load(scan_path)


def test_calibration_that_is_imaging_too(
    scan_path, kspace, write_ismrmrd, read_kspace
):
    flags = (
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,
        ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING,
    )
    write_ismrmrd(scan_path, kspace, change=flagged(*flags))
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)


def test_nothing_but_other_data(scan_path, kspace, write_ismrmrd):
    def change(acquisition):
        acquisition.setFlag(ismrmrd.ACQ_IS_NAVIGATION_DATA)

    write_ismrmrd(scan_path, kspace, change=change)
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match="all are flagged: ACQ_IS_NAVI"):
            load(scan_path)


def test_selected(scan_path, kspace, write_ismrmrd, read_kspace):
    """The mask is that of what `load_kspace` reads."""

    def change(acquisition):
        line = acquisition.idx.kspace_encode_step_1
        acquisition.idx.contrast = acquisition.idx.repetition
        acquisition.idx.repetition = 0
        return line % 2 == acquisition.idx.contrast

    write_ismrmrd(scan_path, kspace, change=change, repetitions=2)
    for contrast in (0, 1):
        select = {"contrast": contrast}
        mask = load_mask(scan_path, shift=False, select=select)
        expected = np.arange(7) % 2 == contrast
        np.testing.assert_array_equal(mask.array, expected[None])
        found = read_kspace(scan_path, select=select).any(axis=(0, 1, 2))
        np.testing.assert_array_equal(found, expected)
    assert load_mask(scan_path, shift=False).acquired == 4
    with pytest.raises(ValueError, match="`select`.*'contrast': .0, 1."):
        load_mask(scan_path, select={"contrast": 2})


def flat(header):
    """A 2-D scan, of which the matrix says otherwise."""
    (encoding,) = header.encoding
    encoding.encodedSpace.matrixSize.z = 2
    encoding.encodingLimits.kspace_encoding_step_2.maximum = 0
    encoding.encodingLimits.kspace_encoding_step_2.center = 0


def flat_without_limits(header):
    flat(header)
    header.encoding[0].encodingLimits.kspace_encoding_step_2 = None


@pytest.mark.parametrize("change", [flat, flat_without_limits])
def test_two_dimensions_of_a_matrix_of_three(
    scan_path, kspace, write_ismrmrd, change, read_kspace
):
    write_ismrmrd(scan_path, kspace, change_header=change)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    with load_kspace(scan_path) as volume:
        assert volume.field_of_view == (16, 21)
        assert volume.slice_spacing == 4
    mask = load_mask(scan_path, shift=False)
    assert mask.matrix == (8, 7) and mask.lines == "columns"


def setter(path, value):
    """Function that sets an attribute of the encoding."""
    *names, last = path.split(".")

    def change(header):
        found = header.encoding[0]
        for name in names:
            found = getattr(found, name)
        setattr(found, last, value)

    return change


STEP_1 = "encodingLimits.kspace_encoding_step_1"
SIZE, VIEW = "encodedSpace.matrixSize", "encodedSpace.fieldOfView_mm"


@pytest.mark.parametrize(
    "name, value, message",
    [
        (f"{SIZE}.y", 100_000_000, "1 to 65535 as matrixSize of encodedSpace"),
        (f"{SIZE}.y", 0, "as matrixSize of encodedSpace"),
        (f"{SIZE}.z", -1, "as matrixSize of encodedSpace"),
        ("reconSpace.matrixSize.x", 0, "as matrixSize of reconSpace"),
        (f"{SIZE}.y", 6, "kspace_encode_step_1 within the 6"),
        (f"{STEP_1}.maximum", 5, "kspace_encode_step_1 within its limits, 0"),
        (f"{STEP_1}.center", 6, "the 7 of the encoded space.*centre 6"),
        (f"{STEP_1}.center", 9, "minimum ≤ center ≤ maximum"),
        (f"{STEP_1}.minimum", -3, "minimum ≤ center ≤ maximum"),
    ],
)
def test_headers_that_contradict_the_data(
    scan_path, kspace, write_ismrmrd, name, value, message
):
    write_ismrmrd(scan_path, kspace, change_header=setter(name, value))
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match=rf"scan\.mrd.*{message}"):
            load(scan_path)


def test_second_steps_of_a_scan_of_two_dimensions(
    scan_path, kspace, write_ismrmrd
):
    def change(acquisition):
        acquisition.idx.kspace_encode_step_2 = acquisition.idx.slice
        acquisition.idx.slice = 0

    write_ismrmrd(scan_path, kspace, change=change)
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match="kspace_encode_step_2 within"):
            load(scan_path)

    no_limits = setter("encodingLimits.kspace_encoding_step_2", None)
    write_ismrmrd(scan_path, kspace, change=change, change_header=no_limits)
    with pytest.raises(BadFileError, match="step_2 within the 1 of"):
        load_kspace(scan_path)


def test_missing_limits(scan_path, kspace, write_ismrmrd, read_kspace):
    write_ismrmrd(scan_path, kspace, change_header=setter(STEP_1, None))
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)


def test_partial_fourier(scan_path, kspace, write_ismrmrd, read_kspace):
    """Lines 2 to 6 of 7 are acquired, and counted from 0."""

    def change(acquisition):
        line = acquisition.idx.kspace_encode_step_1
        acquisition.idx.kspace_encode_step_1 = max(line - 2, 0)
        return line >= 2

    def change_header(header):
        setter(f"{STEP_1}.center", 1)(header)
        setter(f"{STEP_1}.maximum", 4)(header)

    write_ismrmrd(scan_path, kspace, change=change, change_header=change_header)
    kspace[..., :2] = 0
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    mask = load_mask(scan_path, shift=False)
    assert mask.array.tolist() == [[False] * 2 + [True] * 5]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_field_of_view_that_is_none(
    scan_path, kspace, write_ismrmrd, value, read_kspace
):
    change = setter(f"{VIEW}.y", value)
    write_ismrmrd(scan_path, kspace, change_header=change)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    with load_kspace(scan_path) as volume:
        assert volume.field_of_view is None
    assert load_mask(scan_path, shift=False).field_of_view is None


def test_trajectories_of_their_own(scan_path, kspace, write_ismrmrd):
    def change(acquisition):
        data = acquisition.data.copy()
        acquisition.resize(8, 2, trajectory_dimensions=2)
        acquisition.data[:] = data

    write_ismrmrd(scan_path, kspace, change=change)
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match="trajectory of their own"):
            load(scan_path)


def test_several_encodings(scan_path, kspace, write_ismrmrd, read_kspace):
    """The second has a matrix of its own, and other lines."""
    import copy

    def change(acquisition):
        if acquisition.idx.repetition:
            acquisition.idx.repetition = 0
            acquisition.encoding_space_ref = 1
            return acquisition.idx.kspace_encode_step_1 < 6

    def change_header(header):
        header.encoding.append(copy.deepcopy(header.encoding[0]))
        header.encoding[1].encodedSpace.matrixSize.y = 6
        limits = header.encoding[1].encodingLimits.kspace_encoding_step_1
        limits.maximum, limits.center = 5, 3

    write_ismrmrd(scan_path, kspace, None, 1, change, 2, change_header)
    np.testing.assert_array_equal(read_kspace(scan_path), kspace)
    second = read_kspace(scan_path, encoding=1)
    np.testing.assert_array_equal(second, 2 * kspace[..., :6])
    assert load_mask(scan_path, shift=False, encoding=1).matrix == (8, 6)


def test_memory(scan_path, kspace, write_ismrmrd, monkeypatch):
    def change_header(header):
        for axis in "yz":
            setter(f"{SIZE}.{axis}", 65535)(header)
        for axis in (1, 2):
            limits = f"encodingLimits.kspace_encoding_step_{axis}"
            setter(f"{limits}.maximum", 65534)(header)
            setter(f"{limits}.center", 32767)(header)

    write_ismrmrd(scan_path, kspace[:1], change_header=change_header)
    for load in (load_kspace, load_mask):
        with pytest.raises(BadFileError, match=r"scan\.mrd.*of memory"):
            load(scan_path)
    write_ismrmrd(scan_path, kspace)
    # The heads, and then the header, ask for more.
    for limit in ("4K", "100K"):
        monkeypatch.setenv("LOUPE_TF_MEMORY_LIMIT", limit)
        with pytest.raises(BadFileError, match=r"scan\.mrd.*of memory"):
            load_mask(scan_path)
