import json
import math
import os

import numpy as np
import pytest

from loupe_tf.masks import SamplingMask, random_lines, uniform_random


def checkerboard():
    """A 4 x 6 mask with R = 2 and a 2 x 2 calibration region."""
    array = np.indices((4, 6)).sum(axis=0) % 2 == 0
    array[1:3, 2:4] = True
    return array


def masks():
    return [
        SamplingMask(
            checkerboard(),
            acceleration=2,
            calibration=(2, 2),
            slope=np.float32(200),
            provenance={"pattern": "checkerboard", "seed": 0, "k": (1, 2)},
        ),
        SamplingMask(np.eye(3)),
        SamplingMask([[0, 1, 1, 0]], calibration=np.int64(1)),
        SamplingMask([[0], [1], [1], [0]], 2.5, 2, 0.1, {"a": {"b": None}}),
        SamplingMask(np.zeros((3, 3))),
        SamplingMask([[1, 0]], matrix=(3, 2), field_of_view=(240, 220.5)),
    ]


def test_attributes():
    mask = masks()[0]
    assert mask.shape == (4, 6)
    assert mask.lines is None
    assert mask.acquired == 14
    assert mask.acceleration == 2
    assert mask.achieved_acceleration == 24 / 14
    assert mask.acceleration_outside_calibration == 20 / 10
    assert mask.calibration == (2, 2)
    assert mask.slope == 200 and type(mask.slope) is float
    assert mask.provenance == {
        "pattern": "checkerboard",
        "seed": 0,
        "k": [1, 2],
    }


def test_defaults():
    mask = SamplingMask(np.eye(3))
    assert mask.acceleration == mask.achieved_acceleration == 3
    assert mask.acceleration_outside_calibration == 3
    assert mask.calibration is None
    assert mask.slope is None
    assert mask.provenance == {}


@pytest.mark.parametrize(
    "shape, lines",
    [
        ((1, 4), "columns"),
        ((4, 1), "rows"),
        ((4, 4), None),
        ((1, 1), "columns"),
    ],
)
def test_lines(shape, lines):
    assert SamplingMask(np.ones(shape)).lines == lines


def test_nothing_acquired_and_everything_in_the_centre():
    empty = SamplingMask(np.zeros((4, 4)), acceleration=4)
    assert empty.achieved_acceleration == math.inf
    assert empty.acceleration_outside_calibration == math.inf
    centre = SamplingMask([[0, 1, 1, 0]], calibration=2)
    assert centre.achieved_acceleration == 2
    assert centre.acceleration_outside_calibration == math.inf


def test_array_cannot_change():
    array = checkerboard()
    mask = SamplingMask(array)
    array[:] = False
    assert mask.acquired == 14
    with pytest.raises(ValueError, match="read-only"):
        mask.array[0, 0] = False
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(mask)[0, 0] = False


def test_provenance_is_a_copy():
    provenance = {"pattern": "x", "steps": [1]}
    mask = SamplingMask(checkerboard(), provenance=provenance)
    provenance["steps"].append(2)
    assert mask.provenance == {"pattern": "x", "steps": [1]}


def test_as_numpy_array():
    mask = SamplingMask(checkerboard())
    assert np.asarray(mask) is mask.array
    copy = np.array(mask)
    copy[0, 0] = False  # A copy may be written to.
    assert mask.array[0, 0]
    as_float = np.asarray(mask, dtype="float32")
    assert as_float.dtype == np.float32
    np.testing.assert_array_equal(as_float, checkerboard())
    np.testing.assert_array_equal(mask * np.ones((4, 6)), checkerboard())
    assert mask.__array__(copy=False) is mask.array
    with pytest.raises(ValueError, match="`copy`"):
        mask.__array__(dtype="float32", copy=False)


def test_equality():
    def make(**changes):
        arguments = {
            "array": checkerboard(),
            "acceleration": 2,
            "provenance": {"seed": 0},
        }
        return SamplingMask(**(arguments | changes))

    assert make() == make()
    assert make() != make(array=~checkerboard())
    assert make() != make(array=np.ones((1, 6)))
    assert make() != make(acceleration=3)
    assert make() != make(calibration=2)
    assert make() != make(slope=1)
    assert make() != make(provenance={"seed": 1})
    assert make() != make(field_of_view=(200, 200))
    line = SamplingMask([[0, 1]])
    assert line != line.replace(matrix=(5, 2))
    assert make() != "mask"


def test_repr():
    mask = uniform_random((32, 32), 4.01, calibration=8, seed=1)
    assert repr(mask) == (
        "<SamplingMask pattern=uniform_random, shape=(32, 32), lines=None, "
        "acquired=255, acceleration=4.01, achieved_acceleration=4.016, "
        "calibration=8, acceleration_outside_calibration=5.026, slope=None>"
    )
    assert "slope=200.0" in repr(masks()[0])
    assert "lines=columns" in repr(masks()[2])


@pytest.mark.parametrize("acceleration", [0.9, -4, math.nan, "4", True, [4]])
def test_refuses_acceleration(acceleration):
    with pytest.raises(ValueError, match="`acceleration`. Expected a finite"):
        SamplingMask(checkerboard(), acceleration)


@pytest.mark.parametrize("slope", [math.nan, math.inf, "4", True])
def test_refuses_slope(slope):
    with pytest.raises(ValueError, match="`slope`. Expected a finite"):
        SamplingMask(checkerboard(), slope=slope)


@pytest.mark.parametrize("calibration", [-1, 5, "2", (2,)])
def test_refuses_calibration(calibration):
    with pytest.raises(ValueError, match="`calibration`. Expected"):
        SamplingMask(checkerboard(), calibration=calibration)


def test_refuses_calibration_that_is_not_acquired():
    with pytest.raises(ValueError, match="acquires its whole calibration"):
        SamplingMask(checkerboard(), calibration=4)


def test_matrix_and_field_of_view():
    points = SamplingMask(np.eye(3), field_of_view=[240, np.float64(220)])
    assert points.matrix == (3, 3) and points.field_of_view == (240.0, 220.0)
    assert SamplingMask([[0, 1]]).matrix is None
    assert SamplingMask([[0, 1]], matrix=[7, 2]).matrix == (7, 2)
    assert SamplingMask([[0], [1]], matrix=(2, 7)).matrix == (2, 7)
    for shape, lines in (((7, 5), "columns"), ((5, 7), "rows")):
        mask = random_lines(shape, 2, 1, lines=lines)
        assert mask.matrix == shape


def test_replace():
    mask = masks()[0]
    other = mask.replace(slope=3, field_of_view=(1, 2))
    assert other.slope == 3 and other.field_of_view == (1, 2)
    assert other.replace(slope=mask.slope, field_of_view=None) == mask
    with pytest.raises(TypeError, match="colour"):
        mask.replace(colour="red")


@pytest.mark.parametrize("mask", masks(), ids=repr)
def test_metadata(mask):
    text = json.dumps(mask.metadata, allow_nan=False)
    assert SamplingMask.from_metadata(mask.array, json.loads(text)) == mask


@pytest.mark.parametrize(
    "change", [{"dc": 0}, {"shape": [6, 4]}, {"lines": "rows"}, {"acquired": 3}]
)
def test_refuses_metadata_that_contradict_the_array(change):
    mask = masks()[0]
    with pytest.raises(ValueError, match=f"Expected {list(change)[0]}="):
        SamplingMask.from_metadata(mask.array, mask.metadata | change)


@pytest.mark.parametrize("mask", masks(), ids=repr)
@pytest.mark.parametrize("name", ["mask.npz", "mask", "mask.v1"])
def test_round_trip(tmp_path, mask, name):
    path = tmp_path / name
    mask.save(path)
    assert os.listdir(tmp_path) == [name]  # The path itself, and nothing else.
    loaded = SamplingMask.load(path)
    assert loaded == mask
    assert loaded.array.dtype == bool
    assert not loaded.array.flags.writeable
    assert type(loaded.calibration) is type(mask.calibration)
    assert SamplingMask.load(str(path)) == mask


def test_save_overwrites(tmp_path):
    path = tmp_path / "mask.npz"
    masks()[0].save(path)
    masks()[1].save(path)
    assert SamplingMask.load(path) == masks()[1]


@pytest.mark.parametrize("function", ["savez_compressed", "replace"])
def test_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, function):
    path = tmp_path / "mask.npz"
    masks()[0].save(path)

    def interrupt(*args, **kwargs):
        if function == "savez_compressed":
            args[0].write(b"half a file")
        raise KeyboardInterrupt

    owner = np if function == "savez_compressed" else os
    monkeypatch.setattr(owner, function, interrupt)
    with pytest.raises(KeyboardInterrupt):
        masks()[1].save(path)
    assert os.listdir(tmp_path) == ["mask.npz"]
    assert SamplingMask.load(path) == masks()[0]


def test_load_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.npz"):
        SamplingMask.load(tmp_path / "nowhere.npz")


@pytest.fixture
def plt():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


def test_plot(plt):
    mask = masks()[0]
    ax = mask.plot()
    np.testing.assert_array_equal(ax.images[0].get_array(), mask.array)
    assert ax.get_title() == "checkerboard, R = 1.714"
    _, mine = plt.subplots()
    assert mask.plot(ax=mine) is mine


def test_plot_of_lines(plt):
    image = SamplingMask([[0, 1, 1, 0, 0]]).plot().images[0].get_array()
    assert image.shape == (5, 5)
    assert (image == [0, 1, 1, 0, 0]).all()
    image = SamplingMask([[0], [1], [1], [0]]).plot().images[0].get_array()
    assert image.shape == (4, 4)
    assert (image == [[0], [1], [1], [0]]).all()


@pytest.mark.parametrize(
    "mask, text",
    [
        (
            uniform_random((8, 10), 4, calibration=(2, 4)),
            "uniform_random for 8×10: 20 of 80 points acquired, R = 4, the "
            "central 2×4 always",
        ),
        (
            random_lines((8, 30), 4, 3, lines="columns"),
            "random_lines for 8×30: 8 of 30 columns acquired, R = 3.75 (4 was "
            "asked for), the central 3 always",
        ),
        (
            SamplingMask([[1], [0], [1], [0]], slope=200.0),
            "mask for 4×1: 2 of 4 rows acquired, R = 2; slope 200 in the end",
        ),
    ],
)
def test_in_words(mask, text):
    assert str(mask) == text
    assert repr(mask).startswith("<SamplingMask")


def test_the_suffix_decides(tmp_path):
    mask = random_lines((8, 32), 4, 3)
    for name in ("mask.csv", "mask.json", "mask.cfl", "mask.h5", "mask"):
        mask.save(tmp_path / name)
        assert SamplingMask.load(tmp_path / name) == mask
    assert (tmp_path / "mask.csv").read_text()
    assert (tmp_path / "mask").read_bytes()[:2] == b"PK"
    with pytest.raises(ValueError, match=r"ends in one of \.npz.*mask\.mat"):
        mask.save(tmp_path / "mask.mat")
    assert not (tmp_path / "mask.mat").exists()
