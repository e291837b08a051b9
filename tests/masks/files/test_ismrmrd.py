import builtins

import h5py
import numpy as np
import pytest

from loupe_tf.formats import load_kspace, load_mask, save_mask
from loupe_tf.masks import SamplingMask, acquisition_order, random_lines

ismrmrd = pytest.importorskip("ismrmrd")
pytest.importorskip("ismrmrd.xsd")


def read(path):
    with ismrmrd.Dataset(str(path), mode="r") as file:
        header = ismrmrd.xsd.CreateFromDocument(file.read_xml_header())
        count = file.number_of_acquisitions()
        return header, [file.read_acquisition(i) for i in range(count)]


def change(path, **kwargs):
    """Write the header again, changed by `kwargs["header"]`."""
    with ismrmrd.File(str(path)) as file:
        header = file["dataset"].header
        kwargs["header"](header)
        file["dataset"].header = header


def strip(path):
    """Leave what a file of others has."""
    change(path, header=lambda header: setattr(header, "userParameters", None))


@pytest.mark.parametrize("lines", ["columns", "rows"])
def test_lines(tmp_path, lines):
    path = tmp_path / "mask.mrd"
    mask = random_lines((21, 32), 3, 5, lines=lines).replace(
        field_of_view=(240, 200)
    )
    mask = mask.replace(field_of_view=(210, 330))
    save_mask(mask, path, order="centre_out", slice_thickness=4)
    header, acquisitions = read(path)
    (encoding,) = header.encoding
    size, view = encoding.encodedSpace.matrixSize, (210, 330)
    shape = (21, 32)
    if lines == "rows":
        shape, view = shape[::-1], view[::-1]
    assert (size.x, size.y, size.z) == (*shape, 1)
    mm = encoding.encodedSpace.fieldOfView_mm
    assert (mm.x, mm.y, mm.z) == (*view, 4)
    limit = encoding.encodingLimits.kspace_encoding_step_1
    found = limit.minimum, limit.maximum, limit.center
    assert found == (0, shape[1] - 1, shape[1] // 2)
    steps = [a.idx.kspace_encode_step_1 for a in acquisitions]
    assert steps == acquisition_order(mask, "centre_out").tolist()
    assert not any(a.idx.kspace_encode_step_2 for a in acquisitions)
    assert all(a.data.shape == (1, shape[0]) for a in acquisitions)
    assert not any(a.data.any() for a in acquisitions)
    assert all(a.center_sample == shape[0] // 2 for a in acquisitions)
    flag = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    inside = {s for s, a in zip(steps, acquisitions) if a.isFlagSet(flag)}
    first = shape[1] // 2 - 2
    assert inside == set(range(first, first + 5))
    assert acquisitions[-1].isFlagSet(ismrmrd.ACQ_LAST_IN_MEASUREMENT)

    strip(path)
    found = load_mask(path, lines=lines)
    np.testing.assert_array_equal(found.array, mask.array)
    assert found.matrix == mask.matrix
    assert found.field_of_view == mask.field_of_view


def test_points(tmp_path):
    path = tmp_path / "mask.mrd"
    mask = SamplingMask([[0, 1, 0], [1, 1, 0]], field_of_view=(20, 30))
    save_mask(mask, path)
    header, acquisitions = read(path)
    size = header.encoding[0].encodedSpace.matrixSize
    assert (size.x, size.y, size.z) == (1, 2, 3)
    steps = [
        (a.idx.kspace_encode_step_1, a.idx.kspace_encode_step_2)
        for a in acquisitions
    ]
    assert steps == [(0, 1), (1, 0), (1, 1)]
    strip(path)
    assert load_mask(path) == mask
    with pytest.raises(ValueError, match="`lines`. Expected None for points"):
        load_mask(path, lines="rows")


def test_other_suffix(tmp_path):
    path = tmp_path / "mask.h5"
    mask = random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200))
    save_mask(mask, path, format="ismrmrd")
    assert load_mask(path) == mask  # By its content.


def test_measurement_with_its_centre_elsewhere(tmp_path):
    path = tmp_path / "mask.mrd"
    save_mask(
        SamplingMask(
            [[0, 0, 1, 1, 1, 1]], matrix=(4, 6), field_of_view=(240, 200)
        ),
        path,
    )
    strip(path)

    def move(header, centre):
        limits = header.encoding[0].encodingLimits
        limits.kspace_encoding_step_1.center = centre

    change(path, header=lambda header: move(header, 5))
    found = load_mask(path, shift=False)
    assert found.array.astype(int).tolist() == [[1, 1, 1, 1, 0, 0]]
    change(path, header=lambda header: move(header, 2))
    with pytest.raises(ValueError, match="kspace_encode_step_1 within the 6"):
        load_mask(path)


def test_noise_is_no_part_of_the_mask(tmp_path):
    path = tmp_path / "mask.mrd"
    save_mask(
        SamplingMask([[1, 0, 1, 1]], matrix=(4, 4), field_of_view=(240, 200)),
        path,
    )
    strip(path)
    with ismrmrd.File(str(path)) as file:
        first = file["dataset"].acquisitions[0]
        first.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        file["dataset"].acquisitions[0] = first
    assert load_mask(path).array.astype(int).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("encoding", [1, -1, "0"])
def test_encoding_that_is_not_there(tmp_path, encoding):
    path = tmp_path / "mask.mrd"
    save_mask(
        random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
    )
    assert load_mask(path, encoding=0).acquired == 4
    with pytest.raises(ValueError, match="`encoding`.*which has 1 and"):
        load_mask(path, encoding=encoding)


def test_other_trajectories(tmp_path):
    path = tmp_path / "mask.mrd"
    save_mask(
        random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
    )

    def make_radial(header):
        header.encoding[0].trajectory = ismrmrd.xsd.trajectoryType.RADIAL

    change(path, header=make_radial)
    with pytest.raises(ValueError, match="Cartesian trajectory.*radial"):
        load_mask(path)


def test_contradicting_lines(tmp_path):
    path = tmp_path / "mask.mrd"
    save_mask(
        random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
    )
    with pytest.raises(ValueError, match="`lines`. Expected the value in"):
        load_mask(path, lines="rows")
    with pytest.raises(ValueError, match="`lines`. Expected one of .None"):
        load_mask(path, lines="both")


def test_measurements_are_not_overwritten(tmp_path):
    path = tmp_path / "scan.mrd"
    with ismrmrd.File(str(path), "w") as file:
        file["dataset"].acquisitions = [
            ismrmrd.Acquisition.from_array(np.ones((1, 4), "c8"))
        ]
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds only a mask.*dataset"):
        save_mask(
            random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
        )
    assert path.read_bytes() == before


def test_nothing_to_acquire(tmp_path):
    with pytest.raises(ValueError, match="`mask`. Expected one that acquires"):
        save_mask(
            SamplingMask(np.zeros((3, 3)), field_of_view=(3, 3)),
            tmp_path / "mask.mrd",
        )


@pytest.mark.parametrize("name", ["dataset", "dataset/xml", "dataset/data"])
def test_reads_no_other_file(tmp_path, name):
    path, other = tmp_path / "mask.mrd", tmp_path / "other.mrd"
    save_mask(
        random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
    )
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(other, name)
    for load in (load_mask, load_kspace):
        with pytest.raises(ValueError, match=r"mask\.mrd.*in the file itself"):
            load(path)


def test_header_with_a_document_type(tmp_path):
    path = tmp_path / "mask.mrd"
    save_mask(
        random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
    )
    with h5py.File(path, "r+") as file:
        text = file["dataset/xml"][0].decode()
        end = text.index("?>") + 2
        bomb = '<!DOCTYPE a [<!ENTITY b "cccc">]>'
        file["dataset/xml"][0] = text[:end] + bomb + text[end:]
    with pytest.raises(ValueError, match=r"mask\.mrd.*document type"):
        load_mask(path)


@pytest.mark.parametrize("thickness", [0, -1, np.nan, "5", True])
def test_refuses_thickness(tmp_path, thickness):
    with pytest.raises(ValueError, match="`slice_thickness`. Expected a fini"):
        save_mask(
            random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)),
            tmp_path / "mask.mrd",
            slice_thickness=thickness,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "suffix, name", [("mrd", "ismrmrd"), ("seq", "pypuls")]
)
def test_missing_package(tmp_path, monkeypatch, suffix, name):
    original = builtins.__import__

    def fail(module, *args, **kwargs):
        if module.startswith(name):
            raise ImportError(module)
        return original(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    path = tmp_path / f"mask.{suffix}"
    with pytest.raises(ImportError, match=r"pip install \"loupe-tf\[export\]"):
        save_mask(
            random_lines((8, 12), 3, 2).replace(field_of_view=(240, 200)), path
        )
    with pytest.raises(ImportError, match=name):
        load_mask(path)
    assert not list(tmp_path.iterdir())
