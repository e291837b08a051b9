import numpy as np
import pytest

from loupe_tf.trajectories.linear_constraint import Pins
from loupe_tf.trajectories.spans import spans, splines


@pytest.mark.parametrize("samples", [8, 21, 64])
@pytest.mark.parametrize("pinned", [False, True])
def test_projections(rng, samples, pinned):
    pins = Pins(samples, {samples // 2: (0, 0)}) if pinned else None
    every = spans(samples, 3, pins)
    assert every.shape == (3, samples, samples)
    for span in every:
        np.testing.assert_allclose(span @ span, span, atol=1e-10)
        np.testing.assert_allclose(span, span.T, atol=1e-12)
        if pinned:
            np.testing.assert_allclose(pins.matrix @ span, 0, atol=1e-12)
    ranks = [round(np.trace(span)) for span in every]
    assert ranks[0] == samples - pinned and ranks[0] > ranks[1] > ranks[2]
    if not pinned:
        np.testing.assert_array_equal(every[0], np.eye(samples))


@pytest.mark.parametrize("step", [2, 3, 4])
def test_splines_hold_parabolas(step):
    """So straight spokes, and those of constant slew rate, are in each span."""
    basis = splines(30, step)
    np.testing.assert_allclose(basis.sum(axis=1), 1)
    time = np.linspace(-1, 1, 30)
    for curve in (time, time**2):
        found = basis @ np.linalg.lstsq(basis, curve, rcond=None)[0]
        np.testing.assert_allclose(found, curve, atol=1e-10)
