import importlib

import keras
import numpy as np
import pytest
from keras import ops
from scipy.spatial import Voronoi

from loupe_tf.operators import NonUniform, Toeplitz, density_compensation
from loupe_tf.operators.power_iteration import power_iteration

SIZE = (24, 25)


def spokes(count=36, samples=48, angle=None):
    angles = np.arange(count)[:, None] * (angle or np.pi / count)
    radii = (np.arange(samples) - samples // 2) / samples
    return np.stack([radii * np.sin(angles), radii * np.cos(angles)], -1)


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[-1:1:24j, -1:1:25j]
    image = (np.hypot(x / 0.7, y) < 0.8) * (1 + 0.5 * np.cos(6 * x))
    image = image * np.exp(1j * y)
    return np.stack([image.real, image.imag], -1)[None].astype("float32")


def psnr(found, image):
    """In dB, at the best scale."""
    found = ops.convert_to_numpy(found)
    found = found * (found * image).sum() / (found**2).sum()
    return 10 * np.log10((image**2).max() / ((found - image) ** 2).mean())


@pytest.mark.parametrize("method", ["pipe", "ramp"])
@pytest.mark.parametrize("angle", [None, np.pi * (np.sqrt(5) - 1) / 2])
def test_adjoint_is_close_to_the_image(image, method, angle):
    scan = NonUniform(spokes(angle=angle)[None], SIZE)
    density = density_compensation(scan, method)
    assert density.shape == (1, 1, 36, 48, 1)
    samples = scan.forward(image)
    compensated = psnr(scan.adjoint(density * samples), image)
    assert compensated > psnr(scan.adjoint(samples), image) + 8
    assert compensated > 22


def test_the_ramp_is_the_distance_and_a_quarter_of_a_step_at_dc():
    scan = NonUniform(spokes()[None], SIZE)
    density = ops.convert_to_numpy(density_compensation(scan, "ramp"))
    weights = density[0, 0, :, :, 0] / density[0, 0, :1, 25:26, 0]
    expected = np.abs(np.arange(48) - 24.0)
    expected[24] = 0.25
    np.testing.assert_allclose(weights, np.tile(expected, (36, 1)), rtol=1e-4)


@pytest.mark.parametrize("method", ["pipe", "ramp"])
def test_norm_is_one(method):
    """For each example, whatever its trajectory."""
    positions = np.stack([spokes(), 0.6 * spokes(angle=0.9)])
    scan = NonUniform(positions, SIZE)
    density = density_compensation(scan, method)
    assert ops.min(density) > 0
    norms = power_iteration(
        Toeplitz(scan, density).normal, (2, *SIZE, 2), iterations=40, seed=1
    )
    np.testing.assert_allclose(norms, 1, atol=0.02)


def test_pipe_agrees_with_the_areas_of_voronoi():
    """On spokes, away from DC and from the end, where cells have no bound."""
    positions = spokes()
    scan = NonUniform(positions[None], SIZE)
    found = ops.convert_to_numpy(density_compensation(scan, "pipe"))
    found = found[0, 0, :, :, 0]
    radii = np.linalg.norm(positions, axis=-1)
    inside = (radii > 0.1) & (radii < 0.4)
    apart = positions[radii > 0]
    cells = Voronoi(apart)
    areas = np.zeros(radii.shape)
    areas[radii > 0] = [
        area(cells.vertices[cells.regions[region]])
        for region in cells.point_region
    ]
    ratio = found[inside] / areas[inside]
    assert ratio.std() / ratio.mean() < 0.1


def area(corners):
    """The shoelace formula; corners are in order."""
    x, y = corners.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_equal_weights_of_a_cartesian_trajectory():
    axes = [(np.arange(n) - n // 2) / n for n in SIZE]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = density_compensation(NonUniform(positions[None], SIZE))
    np.testing.assert_allclose(density, 1, atol=0.02)


def test_no_gradient_reaches_the_positions(rng, gradient, monkeypatch):
    # The function hides its module.
    module = importlib.import_module(density_compensation.__module__)
    monkeypatch.setattr(module, "POWER_ITERATIONS", 2)
    positions = rng.uniform(-0.5, 0.5, (1, 20, 2)).astype("float32")

    def total(positions):
        scan = NonUniform(positions, (6, 7))
        # Not constant without the density.
        return ops.sum(density_compensation(scan, iterations=2)) + ops.sum(
            positions
        )

    np.testing.assert_allclose(gradient(total, positions), 1)


@pytest.mark.parametrize("method", ["pipe", "ramp", "uniform"])
def test_gradient_of_the_weights(rng, gradient, method, monkeypatch):
    """Against central differences, in a random direction."""
    # The derivative of the eigenvalue is that of one that is found exactly.
    module = importlib.import_module(density_compensation.__module__)
    monkeypatch.setattr(module, "POWER_ITERATIONS", 100)
    positions = rng.uniform(-0.5, 0.5, (1, 20, 2)).astype("float32")
    direction = rng.normal(size=positions.shape).astype("float32")
    factors = rng.normal(size=(1, 1, 20, 1)).astype("float32")

    def total(positions, differentiable=True):
        scan = NonUniform(positions, (6, 7))
        density = density_compensation(
            scan, method, iterations=3, differentiable=differentiable
        )
        return ops.sum(density * ops.convert_to_tensor(factors))

    def at(step):
        moved = ops.convert_to_tensor(positions + step * direction)
        return float(ops.convert_to_numpy(total(moved)))

    # The weights themselves are those of a constant.
    tensor = ops.convert_to_tensor(positions)
    constant = float(ops.convert_to_numpy(total(tensor, False)))
    assert at(0) == pytest.approx(constant, rel=0.01)
    found = float((gradient(total, positions) * direction).sum())
    step = 1e-3
    assert found == pytest.approx(
        (at(step) - at(-step)) / (2 * step), rel=0.02, abs=0.02
    )
    assert abs(found) > 0.1


def test_arguments(rng):
    scan = NonUniform(rng.uniform(-0.5, 0.5, (1, 9, 2)), (6, 7))
    with pytest.raises(ValueError, match="method.*pipe.*ramp"):
        density_compensation(scan, "jackson")
    with pytest.raises(ValueError, match="iterations"):
        density_compensation(scan, iterations=0)


def test_gradient_of_the_ramp_at_dc(gradient):
    """Spokes that begin at DC, where the root has no derivative."""
    positions = np.zeros((1, 6, 2), "float32")
    positions[0, :, 0] = np.arange(6) / 12

    def total(positions):
        scan = NonUniform(positions, (6, 7))
        return ops.sum(
            density_compensation(scan, "ramp", differentiable=True)
            * ops.arange(6, dtype="float32")[None, None, :, None]
        )

    assert np.isfinite(gradient(total, positions)).all()


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA")
def test_gradient_is_compiled(rng):
    """As by XLA on a GPU."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def slope(positions):
        with tf.GradientTape() as tape:
            tape.watch(positions)
            scan = NonUniform(positions, (6, 7))
            density = density_compensation(scan, differentiable=True)
            total = ops.sum(ops.square(density))
        return tape.gradient(total, positions)

    positions = rng.uniform(-0.5, 0.5, (1, 20, 2)).astype("float32")
    assert np.isfinite(slope(tf.constant(positions))).all()
