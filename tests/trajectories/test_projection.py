import numpy as np
import pytest
from keras import ops
from scipy.optimize import minimize

from loupe_tf.trajectories.hardware import Hardware, Limits
from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.projection import EXTENT, project

LIMITS = Limits(speed=0.03, acceleration=0.0014, scale=(1.0, 1.0))


def spokes(shots, samples, noise, rng, reach=0.4):
    radius = np.linspace(-reach, reach, samples)
    angle = np.pi * np.arange(shots)[:, None] / shots
    curves = radius * np.exp(1j * angle)
    curves = np.stack([curves.imag, curves.real], -1)
    return curves + noise * rng.normal(size=curves.shape)


def excess(curves, limits):
    """How far each limit is exceeded, in float64, relative to it."""
    curves = np.asarray(ops.convert_to_numpy(curves), "float64")
    first = np.diff(curves, axis=1) * limits.scale
    second = np.diff(first, axis=1)
    if limits.by == "axis":
        sizes = [np.abs(d).max() for d in (first, second)]
    else:
        sizes = [np.linalg.norm(d, axis=-1).max() for d in (first, second)]
    return max(
        sizes[0] / limits.speed - 1,
        sizes[1] / limits.acceleration - 1,
        np.abs(curves).max() / 0.5 - 1,
    )


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("by", ["magnitude", "axis"])
def test_equals_a_small_quadratic_program(rng, by, pinned):
    """Eight samples, by another method: SLSQP on the primal problem."""
    limits = Limits(0.08, 0.05, (1.0, 0.7), by)
    curves = rng.uniform(-0.6, 0.6, (1, 8, 2))
    pins = Pins(8, {3: (0.1, -0.2)}) if pinned else None

    def room(flat):
        c = flat.reshape(8, 2)
        first = np.diff(c, axis=0) * limits.scale
        sizes = []
        for d, most in ((first, 0.08), (np.diff(first, axis=0), 0.05)):
            square = d**2 if by == "axis" else (d**2).sum(-1)
            sizes.append((most**2 - square).ravel())
        return np.concatenate([*sizes, 0.5 - c.ravel(), c.ravel() + 0.5])

    conditions = [{"type": "ineq", "fun": room}]
    if pinned:

        def unmet(flat):
            c = flat.reshape(8, 2)
            return (c[2] + 6 * c[3] + c[4]) / 8 - (0.1, -0.2)

        conditions.append({"type": "eq", "fun": unmet})
    found = minimize(
        lambda flat: ((flat - curves.ravel()) ** 2).sum(),
        np.zeros(16),
        jac=lambda flat: 2 * (flat - curves.ravel()),
        constraints=conditions,
        options={"maxiter": 500, "ftol": 1e-14},
    )
    ours, _ = project(curves, limits, pins, iterations=3000)
    np.testing.assert_allclose(ours.ravel(), found.x, atol=2e-5)


@pytest.mark.parametrize("noise", [0, 1e-3, 1e-2, 0.3])
def test_no_limit_is_ever_broken(rng, noise):
    """Whatever the number of iterations."""
    curves = spokes(3, 33, noise, rng)
    for iterations in (1, 7, 60):
        found, _ = project(curves, LIMITS, iterations=iterations)
        assert excess(found, LIMITS) <= 1e-6


def test_feasible_curves_stay(rng):
    curves = spokes(4, 64, 0, rng)
    assert excess(curves, LIMITS) < 0
    found, _ = project(curves, LIMITS)
    np.testing.assert_allclose(found, curves, atol=1e-12)


def test_idempotent_and_not_expansive(rng):
    one, other = (spokes(4, 64, 0.01, rng) for _ in range(2))
    first, second = (
        project(c, LIMITS, iterations=1500)[0] for c in (one, other)
    )
    again, _ = project(first, LIMITS, iterations=1500)
    np.testing.assert_allclose(again, first, atol=1e-3 * np.abs(first).max())
    before = np.linalg.norm(one - other, axis=(1, 2))
    after = np.linalg.norm(first - second, axis=(1, 2))
    assert (after <= 1.001 * before).all()
    # It is no point of them all.
    assert np.linalg.norm(first - one) < 0.3 * np.linalg.norm(one)


def test_shots_do_not_depend_on_each_other(rng):
    curves = spokes(3, 40, 0.01, rng)
    together, _ = project(curves, LIMITS, iterations=100)
    alone = [project(c[None], LIMITS, iterations=100)[0][0] for c in curves]
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_warm_start(rng):
    """Duals of the same problem are as good as the iterations they took."""
    curves = spokes(2, 64, 0.01, rng)
    exact, _ = project(curves, LIMITS, iterations=4000)
    far, duals = project(curves, LIMITS, iterations=300)
    near, _ = project(curves, LIMITS, iterations=300, duals=duals)
    cold, _ = project(curves, LIMITS, iterations=30)
    warm, _ = project(curves, LIMITS, iterations=30, duals=duals)
    errors = [np.linalg.norm(c - exact) for c in (near, far, warm, cold)]
    assert errors[0] < errors[1] and errors[2] < 0.1 * errors[3]


def test_pins_hold_and_limits_too(rng):
    """In float64 and in float32, which agree."""
    curves = spokes(3, 50, 0.003, rng) + 0.05
    pins = Pins(50, {25: (0, 0)})
    tensor = ops.convert_to_tensor(curves.astype("float32"))
    both = [
        project(given, LIMITS, pins, iterations=100)[0]
        for given in (curves, tensor)
    ]
    for found in both:
        assert excess(found, LIMITS) <= 1e-6
        found = ops.convert_to_numpy(found)
        at = (found[:, 24] + 6 * found[:, 25] + found[:, 26]) / 8
        np.testing.assert_allclose(at, 0, atol=1e-7)
    np.testing.assert_allclose(
        ops.convert_to_numpy(both[1]), both[0], atol=1e-3
    )


def test_three_axes(rng):
    limits = Limits(0.03, 0.0014, (1.0, 0.5, 1.0))
    curves = rng.uniform(-0.1, 0.1, (2, 30, 3))
    found, _ = project(curves, limits, iterations=100)
    assert excess(found, limits) <= 1e-6


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_few_samples(rng, samples):
    curves = rng.uniform(-0.6, 0.6, (2, samples, 2))
    found, _ = project(curves, LIMITS, iterations=50)
    assert found.shape == curves.shape and np.abs(found).max() <= EXTENT


@pytest.mark.parametrize(
    "pins, message",
    [
        ({50: (0, 0)}, "indices below 50"),
        ({-1: (0, 0)}, "at least 0"),
        ({10: (0, 0), 20: (0.1, 0)}, "pins at one point"),
    ],
)
def test_pins_that_cannot_be(rng, pins, message):
    with pytest.raises(ValueError, match=message):
        project(spokes(1, 50, 0.1, rng), LIMITS, Pins(50, pins))


def test_a_dwell_time_too_short_for_float32(rng):
    limits = Hardware(40, 180, raster=1e-7).limits((1.0, 1.0), 1e-7)
    curves = ops.convert_to_tensor(spokes(1, 9, 0, rng).astype("float32"))
    with pytest.raises(ValueError, match="longer dwell"):
        project(curves, limits)


def test_a_pin_on_the_border(rng):
    """A curve that cannot leave it rests there."""
    curves = spokes(2, 33, 0.1, rng)
    found, _ = project(curves, LIMITS, Pins(33, {0: (-0.5, 0)}), 50)
    assert excess(found, LIMITS) < 1e-6
    np.testing.assert_allclose(found[:, 0], [[-0.5, 0]] * 2, atol=1e-5)
