"""Total variation and wavelets: energy, its gradient, and λ."""

import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models, numpy_fourier
from loupe_tf.fixed_point import Anderson, Exact

SIZE = (4, 8)
SMOOTHING = 0.3
LEVELS = 2


def variation(image):
    """The smoothed lengths of the differences of a complex image."""
    down, right = np.zeros((2, *SIZE), complex)
    down[:-1] = image[1:] - image[:-1]
    right[:, :-1] = image[:, 1:] - image[:, :-1]
    return np.sqrt(np.abs(down) ** 2 + np.abs(right) ** 2 + SMOOTHING**2).sum()


def wavelets(image):
    """The smoothed magnitudes of the details of the Haar transform."""
    total = 0
    for _ in range(LEVELS):
        a, b, c, d = (image[i::2, j::2] for i in (0, 1) for j in (0, 1))
        image = (a + b + c + d) / 2
        for detail in (a - b + c - d, a + b - c - d, a - b - c + d):
            total += np.sqrt(np.abs(detail / 2) ** 2 + SMOOTHING**2).sum()
    return total


PENALTIES = {
    "total variation": (models.TotalVariationDescent, variation, {}),
    "wavelets": (models.WaveletDescent, wavelets, {"levels": LEVELS}),
}


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param]


def energy(image, kspace, mask, weight, penalty):
    """E of one complex image."""
    data = np.where(mask, numpy_fourier.fft2c(image) - kspace, 0)
    return (np.abs(data) ** 2).sum() / 2 + weight * penalty[1](image)


def problem(rng):
    mask = rng.uniform(size=SIZE) < 0.6
    mask[2, 4] = True  # DC, which no penalty sees.
    kspace = rng.normal(size=(*SIZE, 2)) @ [1, 1j] * mask
    inputs = [
        np.stack([kspace.real, kspace.imag], -1)[None, None].astype("float32"),
        mask[None, ..., None].astype("float32"),
    ]
    return kspace, mask, inputs


def make(penalty, weight, **kwargs):
    kind, _, options = penalty
    return kind(
        regularization=weight,
        smoothing=SMOOTHING,
        normalize=False,
        **options,
        **kwargs,
    )


def test_step_is_along_the_gradient(rng, penalty):
    """Which finite differences of E give."""
    kspace, mask, inputs = problem(rng)
    weight, step = 0.2, 1e-5
    start = numpy_fourier.ifft2c(kspace)
    slope = np.zeros(SIZE, complex)
    for place in np.ndindex(SIZE):
        for unit in (1, 1j):
            moved = [start.copy(), start.copy()]
            moved[0][place] += step * unit
            moved[1][place] -= step * unit
            up, down = (energy(x, kspace, mask, weight, penalty) for x in moved)
            slope[place] += unit * (up - down) / (2 * step)
    norm = penalty[0].square_norm
    expected = start - slope / (1 + norm * weight / SMOOTHING)
    model = make(penalty, weight, iterations=1)
    found = model.predict_on_batch(inputs)[0] @ [1, 1j]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_energy_falls(rng, penalty):
    kspace, mask, inputs = problem(rng)
    for weight in (0.01, 3.0):
        energies = [
            energy(
                make(penalty, weight, iterations=n).predict_on_batch(inputs)[0]
                @ [1, 1j],
                kspace,
                mask,
                weight,
                penalty,
            )
            for n in (1, 2, 6)
        ]
        assert energies[0] > energies[1] > energies[2]


def test_bilevel_gradient_against_finite_differences(rng, penalty):
    """The gradient of an error in λ passes through the minimum of E."""
    _, _, inputs = problem(rng)
    target = rng.normal(size=(1, *SIZE, 2)).astype("float32")

    def equilibrium(log_weight):
        solver = Anderson(1e-6, iterations=200, memory=10)
        return models.DeepEquilibrium(
            make(penalty, np.exp(log_weight)), solver, Exact(solver)
        )

    def error(log_weight):
        found = equilibrium(log_weight).search(inputs).value
        found = ops.convert_to_numpy(found).astype("float64")
        return np.mean((found - target) ** 2)

    start, step = np.log(0.2), 0.05
    expected = (error(start + step) - error(start - step)) / (2 * step)
    model = equilibrium(start)
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch(inputs, target)
    weight = ops.convert_to_numpy(model.unrolled.log_regularization)
    np.testing.assert_allclose(start - weight, expected, rtol=0.02)


def test_configuration(penalty):
    config = make(penalty, 0.2, iterations=3).get_config()
    twin = penalty[0].from_config(config)
    assert twin.get_config() == config


def test_slope_of_volumes(rng):
    """Is that of each slice."""
    images = rng.normal(size=(2, 3, *SIZE, 2)).astype("float32")
    for name in PENALTIES:
        model = make(PENALTIES[name], 0.2)
        found = model.penalty_slope(ops.convert_to_tensor(images))
        one = model.penalty_slope(ops.convert_to_tensor(images[:, 1]))
        found, one = map(ops.convert_to_numpy, (found, one))
        np.testing.assert_allclose(found[:, 1], one, atol=1e-6)


@pytest.mark.parametrize("kind", [each[0] for each in PENALTIES.values()])
@pytest.mark.parametrize("argument", ["regularization", "smoothing"])
def test_invalid(kind, argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        kind(**{argument: 0})


def test_levels_have_to_divide_the_size(rng):
    _, _, inputs = problem(rng)
    with pytest.raises(ValueError, match="`levels`.*levels=3 for size"):
        models.WaveletDescent(levels=3).predict_on_batch(inputs)
