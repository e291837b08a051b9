"""Reconstructors of non-Cartesian scans, and what reads files for them."""

import keras
import numpy as np
import pytest
from keras import ops

import loupe_tf
from loupe_tf import simulation
from loupe_tf.numpy_fourier import nudft
from loupe_tf.reconstruction import (
    CgSense,
    CompensatedAdjoint,
    CurveNetwork,
    CurveReconstructor,
    curve_maps,
)
from loupe_tf.trajectories import cones, radial

SIZE = (26, 24)
SPOKES = radial(40, 52, matrix=SIZE, field_of_view=(130, 120))
MAPS = simulation.birdcage_maps(SIZE, 4)


def make_image():
    """An image without sharp edges, which spokes can measure whole."""
    v, u = (np.linspace(-1, 1, n) for n in SIZE)
    image = np.exp(-6 * (v[:, None] ** 2 + (u - 0.1) ** 2)) + 0.1
    image *= np.exp(-(((v[:, None] ** 2 + u**2) / 0.9) ** 4))
    return image * np.exp(0.4j * v[:, None])


IMAGE = make_image()
SAMPLES = nudft(MAPS * IMAGE, SPOKES.positions).astype("complex64")


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    "method, most", [(CompensatedAdjoint(), 0.06), (CgSense(1e-4, 10), 0.01)]
)
def test_images(method, most):
    """In the unit of the samples, with maps and without."""
    found = method(1000 * SAMPLES, SPOKES, MAPS)
    assert found.dtype == np.complex64 and found.shape == SIZE
    assert error(found, 1000 * IMAGE) < most
    found = method(SAMPLES, SPOKES)
    assert found.dtype == np.float32
    assert error(found, np.abs(IMAGE)) < 2 * most
    one = method(SAMPLES[0], SPOKES)
    assert one.dtype == np.complex64
    assert error(one, MAPS[0] * IMAGE) < 2 * most


def test_regularization_shrinks_the_image():
    small, large = (
        np.linalg.norm(CgSense(r, 10)(SAMPLES, SPOKES, MAPS))
        for r in (1e-4, 1.0)
    )
    assert large < 0.7 * small


def test_curve_maps():
    found = curve_maps(SAMPLES, SPOKES, calibration=14)
    # Phases are relative to the first coil.
    expected = MAPS * np.exp(-1j * np.angle(MAPS[:1]))
    seen = np.abs(IMAGE) > 0.1
    assert (np.abs(found).sum(0) > 0)[seen].all()
    assert np.abs(found - expected)[:, seen].max() < 0.05
    few = SPOKES.replace(positions=SPOKES.positions[:3])
    with pytest.raises(ValueError, match="`trajectory`.*in the central 26×24"):
        curve_maps(SAMPLES[:, :3], few)


def test_volumes():
    """Three axes: the trajectory needs no other code."""
    size = (8, 10, 9)
    volume = cones(120, 16, turns=1, matrix=size)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij")
    image = np.exp(-4 * sum(x**2 for x in grid))
    samples = nudft(image, volume.positions).astype("complex64")
    found = CgSense(1e-4, 10)(samples, volume)
    assert found.shape == size
    assert error(found, image) < 0.1


@keras.saving.register_keras_serializable(package="test")
class Adjoint(keras.layers.Layer):
    """A reconstructor at the boundary of curves; it knows its unit."""

    def call(self, inputs):
        samples, positions, *maps = inputs
        scan = loupe_tf.operators.NonUniform(positions, SIZE, *maps)
        density = loupe_tf.operators.density_compensation(scan)
        image = scan.adjoint(density * samples)
        return ops.where(ops.abs(image) > 0.01, image, 0.0)


def test_networks(tmp_path):
    """They get samples in the unit of images of maximum 1."""
    network = CurveNetwork(Adjoint())
    small = loupe_tf.reconstruct(network, SAMPLES, SPOKES, MAPS, "coils")
    large = loupe_tf.reconstruct(
        Adjoint(), 1e4 * SAMPLES, SPOKES, MAPS, "coils"
    )
    assert 0 < np.mean(small == 0) < 0.5
    np.testing.assert_allclose(large, 1e4 * small, rtol=1e-3, atol=1)
    given = loupe_tf.reconstruct(
        network, SAMPLES, SPOKES, MAPS, "coils", scale=100
    )
    assert not given.any()
    with pytest.raises(ValueError, match="`maps`.*CurveNetwork.*curve_maps"):
        network(SAMPLES, SPOKES)


@pytest.mark.slow
def test_ncpdnet(tmp_path):
    """From the file of a model that was trained on images."""
    network = loupe_tf.models.NCPDNet(SIZE, iterations=1, trajectory=SPOKES)
    sampler = loupe_tf.samplers.GivenTrajectory(SPOKES)
    model = loupe_tf.models.loupe_model(
        (*SIZE, 2), sampler=sampler, reconstructor=network
    )
    model.save(tmp_path / "model.keras")
    largest = np.abs(CompensatedAdjoint()(SAMPLES[0], SPOKES)).max()
    inputs = SAMPLES[:1] / largest, SPOKES.positions
    pair = np.stack([inputs[0].real, inputs[0].imag], -1)[None]
    expected = network([pair, inputs[1][None].astype("float32")])
    expected = ops.convert_to_numpy(expected)[0] @ np.array([1, 1j]) * largest
    found = loupe_tf.reconstruct(tmp_path / "model.keras", SAMPLES[0], SPOKES)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    masked = loupe_tf.models.loupe_model(
        (*SIZE, 1), acceleration=4, filters=1, depth=1
    )
    with pytest.raises(ValueError, match="`model`.*Loupe, which has a mask"):
        CurveNetwork(masked)


def test_reconstruct_files(scan_path, write_samples):
    """Slice by slice, with maps of an array, ESPIRiT or none."""
    slices = np.stack([SAMPLES, 2 * SAMPLES])
    write_samples(scan_path, slices, SPOKES)
    method = CgSense(1e-4, 10)
    expected = method(SAMPLES, SPOKES, MAPS)
    found = loupe_tf.reconstruct(method, scan_path, SPOKES, MAPS)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    np.testing.assert_allclose(found[1], 2 * expected, atol=2e-4)
    with loupe_tf.formats.load_samples(scan_path) as volume:
        found = loupe_tf.reconstruct(
            method, volume, volume.trajectory, "espirit"
        )
    # The maps are 0 where the image nearly is.
    assert error(np.abs(found[1]), 2 * np.abs(IMAGE)) < 0.1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"samples": SAMPLES[:, :3]}, r"samples.*shape \(40, 52\)"),
        ({"samples": SAMPLES.real}, "samples.*complex"),
        ({"samples": SAMPLES * np.nan}, "samples.*finite"),
        ({"maps": MAPS[:2]}, "maps.*shape"),
        ({"trajectory": radial(40, 52)}, "trajectory.*with a matrix"),
        ({"trajectory": SPOKES.positions}, "trajectory.*with a matrix"),
    ],
)
def test_arguments(change, message):
    class Nothing(CurveReconstructor):
        def solve(self, scan, density, samples):
            raise AssertionError

    arguments = {"samples": SAMPLES, "trajectory": SPOKES, "maps": MAPS}
    with pytest.raises(ValueError, match=f"`{message}"):
        Nothing()(**arguments | change)
    for arguments in ({"regularization": -1}, {"iterations": 0}):
        with pytest.raises(ValueError, match=f"`{list(arguments)[0]}`"):
            CgSense(**arguments)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"maps": "esprit"}, "maps.*'espirit'"),
        ({"maps": MAPS[:, 1:]}, "maps.*shape"),
        (
            {"kspace": SAMPLES[0], "maps": "espirit", "leading": None},
            "one coil",
        ),
        ({"leading": None}, "leading"),
        ({"scale": 0}, "scale.*above 0"),
    ],
)
def test_arguments_of_reconstruct(change, message):
    arguments = {"kspace": SAMPLES, "mask": SPOKES, "maps": MAPS}
    arguments |= {"leading": "coils"} | change
    with pytest.raises(ValueError, match=message):
        loupe_tf.reconstruct(CgSense(), **arguments)
