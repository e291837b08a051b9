import dataclasses

import numpy as np
import pytest

pytest.importorskip("sigpy")

from loupe_tf import masks, simulation
from loupe_tf.layers import CombineCoils, DataConsistency, ExpandCoils
from loupe_tf.numpy_operators import to_channels
from loupe_tf.reconstruction import (
    Grappa,
    Sense,
    TotalVariation,
    WaveletL1,
    ZeroFilled,
    forward,
)
from loupe_tf.reconstruction.sigpy_problem import largest_pixel, seen

SIZE = (48, 44)


@pytest.fixture(scope="module")
def scan():
    """An object of few edges, maps of all and of the object, and a mask."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    inside = (y / 0.7) ** 2 + (x / 0.55) ** 2 < 1
    image = inside * np.where((y - 0.2) ** 2 + x**2 < 0.04, 0.6, 1.0)
    image = image * np.exp(0.5j * x)
    maps = simulation.birdcage_maps(SIZE, 8)
    mask = masks.random_lines(SIZE, 3, calibration=10, seed=0)
    return image, inside, maps, mask


def decibels(difference):
    return -10 * np.log10(np.mean(np.abs(difference) ** 2))


@pytest.mark.parametrize(
    "method",
    [
        TotalVariation(0.001),
        WaveletL1(0.001),
        Sense(1e-3),
        Sense(),
        Grappa(),
        ZeroFilled(),
    ],
    ids=lambda method: type(method).__name__,
)
def test_nothing_where_no_coil_sees_anything(scan, method):
    """And inside no loss against maps that know nothing of the object."""
    image, inside, full, mask = scan
    maps = full * inside
    kspace = forward(image, mask, full)
    found = method(kspace, mask, maps)
    assert not found[~inside].any()
    expected = method(kspace, mask, full)
    inner = decibels((found - image)[inside])
    assert inner > decibels((expected - image)[inside]) - 0.5
    if isinstance(method, TotalVariation):
        assert inner > 35
        # To be chosen by what is inside alone.
        weaker = dataclasses.replace(method, regularization=1e-6)
        assert not weaker(kspace, mask, maps)[~inside].any()


def test_layers_of_several_coils(scan):
    image, inside, full, mask = scan
    maps = to_channels(full * inside)
    kspace = to_channels(forward(image, mask, full))
    array = np.asarray(mask, "float32")[None, ..., None]
    guess = np.ones((1, *SIZE, 2), "float32")
    coils = DataConsistency()([ExpandCoils()([guess, maps]), kspace, array])
    found = np.asarray(CombineCoils()([coils, maps]))[0]
    assert not found[~inside].any() and found[inside].any()


def test_seen(scan):
    image, inside, full, mask = scan
    assert seen(full).all()
    np.testing.assert_array_equal(seen(full * inside), inside)
    nothing = np.zeros_like(full)
    kspace = forward(image, mask, full)
    assert largest_pixel(kspace, mask, nothing) == 0
    assert not TotalVariation(0.1)(kspace, mask, nothing).any()
