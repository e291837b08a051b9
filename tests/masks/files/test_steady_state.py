import math

import pytest

from loupe_tf.masks.files.steady_state import (
    excess_signal,
    repetitions_within,
    usual_dummy_scans,
)


def magnetization(n, tr, flip_angle, t1):
    """Before each of n pulses, one after another."""
    found, m = [], 1.0
    for _ in range(n):
        found.append(m)
        m *= math.cos(math.radians(flip_angle))
        m = 1 + (m - 1) * math.exp(-tr / t1)
    return found


@pytest.mark.parametrize("tr", [0.008, 0.02, 0.5])
@pytest.mark.parametrize("flip_angle", [5, 15, 90, 120])
@pytest.mark.parametrize("t1", [1.0, 4.0])
def test_beside_a_simulation(tr, flip_angle, t1):
    signals = magnetization(20000, tr, flip_angle, t1)
    last = signals[-1]
    excess = [signal / last - 1 for signal in signals]
    for n in (0, 1, 16, 100):
        got = excess_signal(n, tr, flip_angle, t1)
        assert got == pytest.approx(excess[n], rel=1e-6, abs=1e-9)
    enough = repetitions_within(0.02, tr, flip_angle, t1)
    assert abs(excess[enough]) <= 0.02
    assert not enough or abs(excess[enough - 1]) > 0.02


def test_known_values():
    # E = 0.9802 and cos(15°) = 0.9659, so S = 0.0198 / 0.0532 = 0.372.
    assert excess_signal(16, 20, 15, 1000) == pytest.approx(0.703, abs=1e-3)
    assert repetitions_within(0.02, 20, 15, 1000) == 82
    assert usual_dummy_scans(0.02, 15) == 82
    # Whatever relaxes fully is in the steady state at once.
    assert repetitions_within(0.02, 1e6, 15, 1) == 0
