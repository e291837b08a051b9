import keras
import numpy as np
import pytest

from loupe_tf import numpy_operators
from loupe_tf.models import AdjointNetwork, unet

SMALL = {"filters": 2, "depth": 1, "output_initializer": "glorot_uniform"}
SIZE = (15, 16)


def channels(x):
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def complexes(x):
    x = keras.ops.convert_to_numpy(x)
    return x[..., 0] if x.shape[-1] == 1 else x @ np.array([1, 1j])


@pytest.fixture
def scan(rng):
    """K-space of two examples and three coils, mask and maps, in NumPy."""
    kspace, maps = (
        rng.normal(size=(2, 3, *SIZE)) + 1j * rng.normal(size=(2, 3, *SIZE))
        for _ in range(2)
    )
    maps /= np.sqrt((np.abs(maps) ** 2).sum(axis=1, keepdims=True))
    mask = rng.uniform(size=SIZE) < 0.4
    return np.where(mask, kspace, 0), mask, maps


def call(model, kspace, mask, maps=None):
    inputs = [channels(kspace), mask[None, ..., None].astype(np.float32)]
    if maps is not None:
        inputs.append(channels(maps))
    return complexes(model(inputs, training=False))


@pytest.mark.parametrize("kind", ["magnitude", "complex", "direct"])
@pytest.mark.parametrize("consistent", [False, True])
def test_equations(scan, kind, consistent):
    """Adjoint, network and data consistency, from their definitions."""
    kspace, mask, maps = scan
    outputs = 1 if kind == "magnitude" else 2
    network = unet((*SIZE, 2), output_channels=outputs, **SMALL)
    model = AdjointNetwork(network, kind, data_consistency=consistent)
    found = call(model, kspace, mask, maps)
    for i in range(2):
        adjoint = numpy_operators.adjoint(kspace[i], mask, maps[i])
        correction = complexes(network(channels(adjoint)[None]))[0]
        expected = {
            "magnitude": np.abs(adjoint) + correction,
            "complex": adjoint + correction,
            "direct": correction,
        }[kind]
        if consistent:
            measured = numpy_operators.forward(expected, mask, maps[i])
            step = numpy_operators.adjoint(
                measured - kspace[i].astype(np.complex64), mask, maps[i]
            )
            expected = expected - step
        np.testing.assert_allclose(found[i], expected, atol=1e-4)


@pytest.mark.parametrize("consistent", [False, True])
def test_one_coil_is_a_map_of_ones(scan, consistent):
    kspace, mask, _ = scan
    network = unet((*SIZE, 2), output_channels=2, **SMALL)
    model = AdjointNetwork(network, "complex", data_consistency=consistent)
    single = kspace[:, :1]
    np.testing.assert_allclose(
        call(model, single, mask),
        call(model, single, mask, np.ones_like(single)),
        atol=1e-5,
    )


def test_adjoint_alone(scan):
    kspace, mask, maps = scan
    found = call(AdjointNetwork(), kspace, mask, maps)
    expected = [
        np.abs(numpy_operators.adjoint(k, mask, s))
        for k, s in zip(kspace, maps)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_saved_with_its_network(scan, tmp_path):
    kspace, mask, _ = scan
    network = unet((*SIZE, 2), output_channels=2, **SMALL)
    model = AdjointNetwork(
        network,
        "complex",
        data_consistency=True,
        half_plane=True,
        magnitude=True,
        name="mine",
    )
    expected = call(model, kspace[:, :1], mask)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in (
        "reconstruction",
        "data_consistency",
        "half_plane",
        "magnitude",
    ):
        assert loaded.get_config()[name] == model.get_config()[name]
    found = call(loaded, kspace[:, :1], mask)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_does_not_fit_is_refused(scan):
    kspace, mask, maps = scan
    with pytest.raises(ValueError, match="`reconstruction`.*'phase'"):
        AdjointNetwork(reconstruction="phase")
    with pytest.raises(ValueError, match="`network`"):
        AdjointNetwork(reconstruction="direct")
    with pytest.raises(ValueError, match="`kspace`.*one coil.*3 coils"):
        call(AdjointNetwork(half_plane=True), kspace, mask, maps)
    with pytest.raises(ValueError, match=r"`kspace`.*matrix size \(16, 16\)"):
        call(AdjointNetwork(unet((16, 16, 2), **SMALL)), kspace, mask, maps)
