import numpy as np
import pytest

from experiments.bart import difference


def test_difference_is_up_to_a_constant_phase(rng):
    image = rng.normal(size=(4, 5)) + 1j * rng.normal(size=(4, 5))
    turned = np.exp(0.7j) * image
    assert difference(turned, image) == pytest.approx(0, abs=1e-12)
    assert difference(1.1 * turned, image) == pytest.approx(0.1)
