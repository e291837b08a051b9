import numpy as np
import pytest

from loupe_tf import models, numpy_fourier

SIZE = (7, 8)


def complexes(x):
    return x @ np.array([1, 1j])


def test_agrees_with_numpy(rng):
    """One iteration with linear networks of one pixel."""
    mask = (rng.uniform(size=(1, *SIZE)) < 0.5).astype("float32")
    maps = complexes(rng.normal(size=(1, 2, *SIZE, 2)))
    image = complexes(rng.normal(size=(1, 1, *SIZE, 2)))
    y = mask * numpy_fourier.fft2c(maps * image)
    model = models.PDNet(iterations=1, buffers=1, normalize=False)
    inputs = [
        np.stack([x.real, x.imag], -1).astype("float32") for x in (y, maps)
    ]
    inputs = [inputs[0], mask[..., None], inputs[1]]
    model.build([x.shape for x in inputs])
    # K returns its last image, the measurement; N the sum of both of its.
    weights = {"kspace": [0, 0, 1], "image": [1, 1]}
    for networks, factors in (
        (model.kspace_networks, weights["kspace"]),
        (model.networks, weights["image"]),
    ):
        pass_on(networks[0], factors)
    found = complexes(model.predict_on_batch(inputs))

    def adjoint(k):
        return (maps.conj() * numpy_fourier.ifft2c(mask * k)).sum(1)

    start = adjoint(y)
    expected = start + (start + adjoint(y + y))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def pass_on(network, factors):
    """Make a `cnn` return a weighted sum of its images.

    Positive and negative parts go through the ReLUs apart.
    """
    kernels = [w for w in network.weights if "kernel" in w.path]
    assert len(kernels) == 3
    for weight in network.weights:
        weight.assign(np.zeros(weight.shape, "float32"))
    first, second, last = (np.zeros(w.shape, "float32") for w in kernels)
    for part in (0, 1):
        for sign, channel in ((1, 2 * part), (-1, 2 * part + 1)):
            for image, factor in enumerate(factors):
                first[1, 1, 2 * image + part, channel] = sign * factor
            second[1, 1, channel, channel] = 1
            last[1, 1, channel, part] = sign
    for weight, value in zip(kernels, (first, second, last)):
        weight.assign(value)


def test_invalid():
    with pytest.raises(ValueError, match="`kspace_network`"):
        models.PDNet(kspace_network=1)
    with pytest.raises(ValueError, match="`buffers`"):
        models.PDNet(buffers=0)
