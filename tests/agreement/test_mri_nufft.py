"""Agreement with mri-nufft: operator, patterns and files.

Axes, unit and sign are ours. The transform is smaller by √2 for each axis.
"""

import numpy as np
import pytest
from keras import ops

from loupe_tf.formats import load_trajectory, save_trajectory
from loupe_tf.operators import NonUniform
from loupe_tf.simulation import birdcage_maps
from loupe_tf.trajectories import radial, spiral

mrinufft = pytest.importorskip("mrinufft")
pytest.importorskip("finufft")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype("float32")


def complexes(x):
    return ops.convert_to_numpy(x) @ np.array([1, 1j])


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("size", [(16, 20), (15, 18), (6, 8, 7)])
def test_operator(rng, size):
    axes = len(size)
    positions = rng.uniform(-0.5, 0.5, (60, axes)).astype("float32")
    image = rng.normal(size=size) + 1j * rng.normal(size=size)
    image = image.astype("complex64")
    theirs = mrinufft.get_operator("finufft")(
        positions, size, n_coils=1, density=False
    )
    ours = NonUniform(positions[None], size)
    scale = 2 ** (axes / 2)
    samples = scale * theirs.op(image).ravel()
    found = complexes(ours.forward(channels(image)[None]))[0, 0]
    assert error(found, samples) < 1e-4
    back = scale * theirs.adj_op(samples.astype("complex64")).reshape(size)
    found = complexes(ours.adjoint(channels(samples)[None, None]))[0]
    assert error(found, back) < 1e-4


def test_several_coils(rng):
    size = 24, 20
    maps = birdcage_maps(size, 3)
    positions = radial(12, 32).positions.astype("float32")
    image = (rng.normal(size=size) + 1j).astype("complex64")
    theirs = mrinufft.get_operator("finufft")(
        positions.reshape(-1, 2), size, n_coils=3, smaps=maps, density=False
    )
    ours = NonUniform(positions[None], size, channels(maps)[None])
    found = complexes(ours.forward(channels(image)[None]))[0]
    assert error(found.reshape(3, -1), 2 * theirs.op(image)) < 1e-4


@pytest.mark.parametrize("tilt", ["uniform", "golden"])
def test_angles_of_spokes(tilt):
    """Theirs begin along their first axis; golden ones turn the other way."""
    theirs = mrinufft.initialize_2D_radial(7, 9, tilt=tilt, in_out=True)
    ours = radial(7, 9, golden=tilt == "golden").positions
    angles = [
        np.arctan2(shots[:, -1, 1 - first], shots[:, -1, first])
        for shots, first in ((theirs, 0), (ours, 1))
    ]
    turn = 1 if tilt == "uniform" else -1
    apart = (turn * angles[0] - angles[1]) / np.pi  # Half turns change nothing.
    np.testing.assert_allclose(apart, apart.round(), atol=1e-6)


def test_their_files(tmp_path):
    from mrinufft.io.nsp import write_trajectory

    expected = 0.9 * mrinufft.initialize_2D_spiral(4, 60, nb_revolutions=2)
    for version in (4.2, 5.0):
        path = tmp_path / f"v{version}"
        write_trajectory(
            expected,
            (0.24, 0.2),
            (48, 40),
            str(path),
            version=version,
            check_constraints=False,
        )
        found = load_trajectory(f"{path}.bin")
        np.testing.assert_allclose(found.positions, expected, atol=1e-5)
        assert (found.matrix, found.field_of_view) == ((48, 40), (240, 200))


def test_our_files(tmp_path):
    from mrinufft.io.nsp import read_trajectory

    sizes = {"matrix": (48, 40), "field_of_view": (240, 200)}
    ours = spiral(3, 50, turns=2, dwell=1e-5, **sizes)
    save_trajectory(ours, tmp_path / "a.bin")
    found, facts = read_trajectory(str(tmp_path / "a.bin"), read_shots=True)
    np.testing.assert_allclose(found, ours.positions, atol=1e-5)
    np.testing.assert_allclose(facts["FOV"], (0.24, 0.2), rtol=1e-6)
    assert facts["img_size"].tolist() == [48, 40]
