import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf import models, numpy_fourier
from loupe_tf.fixed_point import Anderson, Exact

SIZE = (7, 8)
SMOOTHING = 0.3


def energy(image, kspace, mask, weight):
    """E of one complex image."""
    data = np.where(mask, numpy_fourier.fft2c(image) - kspace, 0)
    down = np.zeros_like(image)
    right = np.zeros_like(image)
    down[:-1] = image[1:] - image[:-1]
    right[:, :-1] = image[:, 1:] - image[:, :-1]
    power = np.abs(down) ** 2 + np.abs(right) ** 2
    variation = np.sqrt(power + SMOOTHING**2).sum()
    return (np.abs(data) ** 2).sum() / 2 + weight * variation


def problem(rng):
    mask = rng.uniform(size=SIZE) < 0.6
    mask[3, 4] = True  # DC, which total variation does not see.
    kspace = rng.normal(size=(*SIZE, 2)) @ [1, 1j] * mask
    inputs = [
        np.stack([kspace.real, kspace.imag], -1)[None, None].astype("float32"),
        mask[None, ..., None].astype("float32"),
    ]
    return kspace, mask, inputs


def make(weight, **kwargs):
    return models.TotalVariationDescent(
        regularization=weight,
        smoothing=SMOOTHING,
        normalize=False,
        **kwargs,
    )


def test_step_is_along_the_gradient(rng):
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
            up, down = (energy(x, kspace, mask, weight) for x in moved)
            slope[place] += unit * (up - down) / (2 * step)
    expected = start - slope / (1 + 8 * weight / SMOOTHING)
    found = make(weight, iterations=1).predict_on_batch(inputs)[0] @ [1, 1j]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_energy_falls(rng):
    kspace, mask, inputs = problem(rng)
    for weight in (0.01, 3.0):
        energies = [
            energy(
                make(weight, iterations=n).predict_on_batch(inputs)[0]
                @ [1, 1j],
                kspace,
                mask,
                weight,
            )
            for n in (1, 2, 6)
        ]
        assert energies[0] > energies[1] > energies[2]


def test_bilevel_gradient_against_finite_differences(rng):
    """The gradient of an error in λ passes through the minimum of E."""
    _, _, inputs = problem(rng)
    target = rng.normal(size=(1, *SIZE, 2)).astype("float32")

    def equilibrium(log_weight):
        solver = Anderson(1e-6, iterations=200, memory=10)
        return models.DeepEquilibrium(
            make(np.exp(log_weight)), solver, Exact(solver)
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


def test_configuration():
    config = make(0.2, iterations=3).get_config()
    twin = models.TotalVariationDescent.from_config(config)
    assert twin.get_config() == config


@pytest.mark.parametrize("argument", ["regularization", "smoothing"])
def test_invalid(argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        models.TotalVariationDescent(**{argument: 0})
