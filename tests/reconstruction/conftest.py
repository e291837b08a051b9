"""A simulated slice, its coils and masks."""

import types

import numpy as np
import pytest

from loupe_tf.datasets.building.random_object import (
    random_maps,
    random_object,
)
from loupe_tf.numpy_fourier import fft2c


@pytest.fixture
def scan():
    """`scan(coils, size)`: image, maps and k-space of a noisy slice."""

    def simulate(coils=6, size=(48, 45), noise=0.01):
        rng = np.random.default_rng(1)
        image = random_object(rng, size)(0.1)
        image = image / np.abs(image).max()
        maps = random_maps(rng, coils, size)
        kspace = fft2c(maps * image)
        draws = rng.normal(scale=noise, size=(2, *kspace.shape))
        kspace = (kspace + draws[0] + 1j * draws[1]).astype(np.complex64)
        image = image.astype(np.complex64)
        return types.SimpleNamespace(image=image, maps=maps, kspace=kspace)

    return simulate


@pytest.fixture
def nmse():
    def measure(image, truth):
        return np.sum(np.abs(image - truth) ** 2) / np.sum(np.abs(truth) ** 2)

    return measure
