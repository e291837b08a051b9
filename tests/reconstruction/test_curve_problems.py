"""Compressed sensing of non-Cartesian scans."""

import numpy as np
import pytest

from loupe_tf.numpy_fourier import nudft
from loupe_tf.operators import NonUniform
from loupe_tf.reconstruction import (
    CompensatedAdjoint,
    CurveTotalVariation,
    CurveWaveletL1,
    TotalVariation,
    forward,
)
from loupe_tf.reconstruction.sigpy_problem import curve_problems
from loupe_tf.trajectories import cones, epi, radial

METHODS = [CurveTotalVariation(0.003, 60), CurveWaveletL1(0.003, 30)]


@pytest.mark.parametrize("method", METHODS)
def test_better_than_the_adjoint(scan, nmse, method):
    """A few spokes, for several coils and for one."""
    s = scan(size=(32, 31))
    spokes = radial(shots=16, samples=64, matrix=(32, 31))
    samples = nudft(s.maps * s.image, spokes.positions)
    adjoint = CompensatedAdjoint()(samples, spokes, s.maps)
    found = method(samples, spokes, s.maps)
    assert nmse(found, s.image) < 0.3 * nmse(adjoint, s.image)
    one = nudft(s.image, spokes.positions)
    adjoint = CompensatedAdjoint()(one, spokes)
    assert nmse(method(one, spokes), s.image) < 0.7 * nmse(adjoint, s.image)
    # The unit does not matter, and an empty scan is an empty image.
    np.testing.assert_allclose(
        method(1000 * one, spokes), 1000 * method(one, spokes), atol=3
    )
    assert not method(0 * one, spokes).any()


def test_operator(rng):
    """sigpy's operator is `√D F S`, and its adjoint exact."""
    size, shots = (8, 9), (3, 20)

    def draw(*shape):
        return (rng.normal(size=(*shape, 2)) @ [1, 1j]).astype("complex64")

    positions = rng.uniform(-0.5, 0.5, (1, *shots, 2))
    maps = draw(1, 2, *size)
    scan = NonUniform(positions, size, np.stack([maps.real, maps.imag], -1))
    density = rng.uniform(1, 2, (1, 1, *shots, 1)).astype("float32")
    samples = draw(1, 2, *shots)
    given = np.stack([samples.real, samples.imag], -1)
    ((operator, measured, *_),) = curve_problems(scan, density, given)
    image, roots = draw(*size), np.sqrt(density[0, 0, ..., 0])
    np.testing.assert_allclose(measured, roots * samples[0], rtol=1e-5)
    expected = roots * nudft(maps[0] * image, positions[0])
    np.testing.assert_allclose(operator(image), expected, atol=1e-4)
    left = np.vdot(operator.H(measured), image)
    np.testing.assert_allclose(
        left, np.vdot(measured, operator(image)), rtol=1e-4
    )


def test_on_a_grid_it_is_the_cartesian_method(scan):
    """Up to the weights of the samples, which are estimates."""
    s = scan(coils=2, size=(16, 18))
    rows = [0, 3, 5, 6, 7, 8, 9, 10, 12, 15]
    mask = np.zeros((16, 1), bool)
    mask[rows] = True
    grid = epi((16, 18), shots=16)
    lines = grid.replace(positions=grid.positions[rows], matrix=(16, 18))
    expected = TotalVariation(0.01)(
        forward(s.image, mask, s.maps), mask, s.maps
    )
    samples = nudft(s.maps * s.image, lines.positions)
    found = CurveTotalVariation(0.01)(samples, lines, s.maps)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_volumes(nmse, method):
    size = (10, 11, 12)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij")
    image = (np.hypot(*axes[:2]) < 0.7) * (0.6 + 0.4 * (axes[2] > 0.1)) + 0j
    curves = cones(40, 30, turns=2, matrix=size)
    samples = nudft(image, curves.positions)
    adjoint = CompensatedAdjoint()(samples, curves)
    found = method(samples, curves)
    assert found.shape == size
    assert nmse(found, image) < 0.7 * nmse(adjoint, image)


@pytest.mark.parametrize("kind", [CurveTotalVariation, CurveWaveletL1])
def test_invalid(kind):
    with pytest.raises(ValueError, match="`regularization`"):
        kind(-1.0)
    with pytest.raises(ValueError, match="`iterations`"):
        kind(0.1, 0)
