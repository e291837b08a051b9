import math

import numpy as np
import pytest

from loupe_tf.formats import load_trajectory, save_trajectory
from loupe_tf.trajectories import Trajectory


@pytest.fixture
def trajectory():
    positions = [[[0, 0.25], [-0.5, 0.125]]]
    return Trajectory(positions, matrix=(8, 16), field_of_view=(160, 200))


def test_columns(tmp_path, trajectory):
    path = tmp_path / "a.csv"
    save_trajectory(trajectory, path)
    text = path.read_text().splitlines()
    assert '# unit: "cycles/pixel"' in text and "# matrix: [8, 16]" in text
    table = [line for line in text if line[0] != "#"]
    assert table == ["shot,sample,kh,kw", "0,0,0,0.25", "0,1,-0.5,0.125"]
    volume = Trajectory([[[0.5 - 1 / 8, 0.25, 0]]])
    save_trajectory(volume, path)
    assert path.read_text().endswith("shot,sample,kh,kw,kd\n0,0,0.25,0,0.375\n")


@pytest.mark.parametrize(
    "unit, first",
    [
        ("cycles/fov", 4),
        ("radians/pixel", math.pi / 2),
        ("1/m", 20),
    ],
)
def test_units(tmp_path, trajectory, unit, first):
    path = tmp_path / "a.csv"
    save_trajectory(trajectory, path, unit=unit)
    (line,) = (x for x in path.read_text().splitlines() if x[:3] == "0,0")
    assert float(line.split(",")[3]) == pytest.approx(first)
    found = load_trajectory(path)
    np.testing.assert_allclose(found.positions, trajectory.positions)
    text = path.read_text().splitlines()
    path.write_text("\n".join(x for x in text if x[0] != "#"))
    sizes = {"matrix": (8, 16), "field_of_view": (160, 200)}
    found = load_trajectory(path, unit=unit, dwell=1e-5, **sizes)
    np.testing.assert_allclose(found.positions, trajectory.positions)
    assert found.dwell == 1e-5
    needed = {"1/m": "field_of_view", "cycles/fov": "matrix"}.get(unit)
    if needed:
        sizes.pop(needed)
        with pytest.raises(ValueError, match=f"`{needed}`.*{unit}"):
            load_trajectory(path, unit=unit, **sizes)
        with pytest.raises(ValueError, match=f"`{needed}`.*each of 2 axes"):
            load_trajectory(path, unit=unit, **sizes, **{needed: 8})
    with pytest.raises(ValueError, match="`unit`.*cycles/pixel"):
        load_trajectory(path, unit="mm")


def test_any_order(tmp_path):
    path = tmp_path / "a.csv"
    lines = "kw,kd,shot,kh,sample", ".3,.1,1,.2,0", "0,0,0,-.1,0"
    path.write_text("\n".join(lines))
    found = load_trajectory(path)
    expected = [[[0, -0.1, 0]], [[0.1, 0.2, 0.3]]]
    np.testing.assert_array_equal(found.positions, expected)


@pytest.mark.parametrize(
    "old, new, match",
    [
        ("0,1,-0.5,0.125\n", "1,0,0,0\n1,1,0,0\n", "1 in shot 0, 2 in shot 1"),
        ("0,1,-0.5,0.125\n", "0,0,0,0\n", "each once.*shot 0, sample 0 in"),
        ("0,1,-0.5,0.125\n", "0,2,0,0\n", "sample 2 in the place of"),
        ("0,1,-0.5,0.125\n", "0,1,x,0\n", "'x'"),
        ("0,1,-0.5,0.125\n", "0,1,0\n", "columns"),
        ("0,1,-0.5,0.125\n", "0,1,nan,0\n", "finite"),
        ("0,0,0,0.25\n0,1,-0.5,0.125\n", "", "at least one sample"),
        ("shot,sample,kh,kw\n", "", "the columns shot,sample,kh,kw"),
        ("sample,kh", "sample,kx", "the columns.*not shot,sample,kx"),
        ("# version: 1", "# version: 7", "version"),
        ("# dwell: null", "# dwell: NaN", "NaN is not a JSON value"),
        ("# dwell: null", "# dwell: -1", "`dwell`"),
        ("# dwell: null", "# dwell: 1\n# dwell: 2", "dwell once"),
        ("# matrix: [8, 16]", "# matrix: [8]", "`matrix`"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_files(tmp_path, trajectory, old, new, match):
    path = tmp_path / "a.csv"
    save_trajectory(trajectory, path)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"a.csv.*{match}"):
        load_trajectory(path)
