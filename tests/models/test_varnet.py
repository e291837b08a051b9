import keras
import numpy as np
import pytest

from loupe_tf import models, numpy_fourier

SIZE = (9, 8)


def zero():
    """A network whose output is 0."""
    return keras.Sequential(
        [
            keras.Input((None, None, 2)),
            keras.layers.Conv2D(2, 1, kernel_initializer="zeros"),
        ]
    )


def negative():
    """A network that returns minus its input."""
    return keras.Sequential(
        [keras.Input((None, None, 2)), keras.layers.Rescaling(-1.0)]
    )


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


def complexes(x):
    return x @ np.array([1, 1j])


def scan(rng):
    draw = lambda *shape: rng.normal(size=(*shape, 2)) @ [1, 1j]  # noqa: E731
    mask = (rng.uniform(size=(1, *SIZE)) < 0.5).astype("float32")
    maps = draw(1, 3, *SIZE)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(1, keepdims=True))
    kspace = mask * numpy_fourier.fft2c(maps * draw(1, 1, *SIZE))
    inputs = [channels(kspace), mask[..., None], channels(maps)]
    return inputs, kspace, mask, maps


def test_one_step_gives_the_data_back(rng):
    """With η = 1, k-space on the mask is the measurement after one step."""
    inputs, kspace, mask, _ = scan(rng)
    model = models.VarNet(zero(), iterations=1)
    model.build([x.shape for x in inputs])
    start = keras.ops.convert_to_tensor(inputs[0] * 3 + 1)
    operator = models.unrolled.Cartesian(*inputs[1:])
    (state,) = model.step(0, operator, inputs[0], start)
    state = complexes(keras.ops.convert_to_numpy(state))
    np.testing.assert_allclose(mask * state, kspace, atol=1e-5)
    away = complexes(inputs[0] * 3 + 1)
    np.testing.assert_allclose((1 - mask) * state, (1 - mask) * away, atol=1e-5)


def test_agrees_with_numpy(rng):
    """Two iterations of the equation, with N(x) = -x."""
    inputs, kspace, mask, maps = scan(rng)
    model = models.VarNet(negative(), iterations=2)
    found = complexes(model.predict_on_batch(inputs))
    state = kspace
    for _ in range(2):
        coils = numpy_fourier.ifft2c(state)
        image = (maps.conj() * coils).sum(1, keepdims=True)
        correction = numpy_fourier.fft2c(maps * -image)
        state = state - (mask * state - kspace) - correction
    expected = (maps.conj() * numpy_fourier.ifft2c(state)).sum(1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_root_of_sum_of_squares(rng):
    inputs, kspace, *_ = scan(rng)
    model = models.VarNet(zero(), iterations=1, combine="rss")
    found = model.predict_on_batch(inputs)
    expected = np.sqrt((np.abs(numpy_fourier.ifft2c(kspace)) ** 2).sum(1))
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-5)


def test_invalid():
    with pytest.raises(ValueError, match="`combine`"):
        models.VarNet(combine="sum")
