import keras
import numpy as np
import pytest

from loupe_tf import models, numpy_fourier

SIZE = (9, 10)


def channels(x):
    return np.stack([x.real, x.imag], -1).astype("float32")


@pytest.mark.parametrize("residual", [True, False])
def test_against_numpy(rng, residual):
    """With a network that multiplies by a number, for several coils."""
    draw = lambda *shape: rng.normal(size=(*shape, 2)) @ [1, 1j]  # noqa: E731
    maps = draw(3, *SIZE)
    maps /= np.sqrt((np.abs(maps) ** 2).sum(0))
    mask = rng.uniform(size=SIZE) < 0.5
    kspace = np.where(mask, numpy_fourier.fft2c(maps * draw(*SIZE)), 0)

    def adjoint(y):
        return (maps.conj() * numpy_fourier.ifft2c(np.where(mask, y, 0))).sum(0)

    image = adjoint(kspace)
    for _ in range(2):
        change = numpy_fourier.fft2c(maps * image) - kspace
        image = image - 0.7 * adjoint(change)
        image = image + 0.3 * image if residual else 0.3 * image
    network = keras.Sequential(
        [keras.Input((None, None, 2)), keras.layers.Rescaling(0.3)]
    )
    model = models.ProximalGradient(
        network, iterations=2, residual=residual, step_size=0.7
    )
    found = model.predict_on_batch(
        [
            channels(kspace)[None],
            mask[None, :, :, None].astype("float32"),
            channels(maps)[None],
        ]
    )
    np.testing.assert_allclose(found[0], channels(image), atol=1e-5)


def test_weights_and_configuration():
    shapes = [(None, 1, *SIZE, 2), (None, *SIZE, 1)]
    model = models.ProximalGradient(shared=False, iterations=2, residual=False)
    model.build(shapes)
    assert model.log_steps.shape == (2,)
    config = model.get_config()
    assert models.ProximalGradient.from_config(config).get_config() == config
    with pytest.raises(ValueError, match="`step_size`"):
        models.ProximalGradient(step_size=0)
