import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.trajectories import HARDWARE, Hardware, LimitPenalty, radial
from loupe_tf.trajectories.waveforms import control_points

SCAN = {"voxel_size": (2.0, 3.0), "dwell": 1e-5}


def by_hand(curves, strength, hardware):
    """From gradients in mT/m and slew rates in T/m/s."""
    voxel = np.array(SCAN["voxel_size"]) / 1000
    steps = np.diff(curves, axis=1) / voxel
    gradient = 1000 * steps / (hardware.gamma * SCAN["dwell"])
    slew = np.diff(gradient, axis=1) / (1000 * SCAN["dwell"])
    total = 0
    for values, most in (
        (gradient, hardware.max_gradient),
        (slew, hardware.max_slew),
    ):
        sizes = np.abs(values)
        if hardware.by == "magnitude":
            sizes = np.linalg.norm(values, axis=-1)
        total += np.maximum(sizes / most - 1, 0).sum()
    return strength * total


@pytest.mark.parametrize("by", ["magnitude", "axis"])
def test_value(rng, by):
    hardware = Hardware(40, 180, by=by)
    curves = rng.uniform(-0.4, 0.4, (3, 20, 2)).astype("float32")
    found = LimitPenalty(0.3, hardware, **SCAN)(curves)
    assert float(found) == pytest.approx(by_hand(curves, 0.3, hardware), 1e-4)
    # In another unit.
    found = LimitPenalty(0.3, hardware, unit=0.1, **SCAN)(10 * curves)
    assert float(found) == pytest.approx(by_hand(curves, 0.3, hardware), 1e-4)


def test_feasible_curves_cost_nothing():
    spokes = control_points(radial(4, 400).positions)
    assert HARDWARE["prisma"].limits((2, 2), 1e-5).speed > 1 / 400
    assert float(LimitPenalty(1, "prisma", (2, 2), 1e-5)(spokes)) == 0


def test_gradient_against_differences(rng, gradient):
    penalty = LimitPenalty(0.3, "sparkling", **SCAN)
    curves = rng.uniform(-0.4, 0.4, (2, 12, 2)).astype("float32")
    step = rng.normal(0, 1e-3, curves.shape).astype("float32")
    found = (gradient(penalty, curves) * step).sum()
    difference = float(penalty(curves + step)) - float(penalty(curves - step))
    assert found == pytest.approx(difference / 2, rel=1e-2)
    # Neither where nothing moves.
    assert np.isfinite(gradient(penalty, 0 * curves)).all()


def test_stored_and_made_again(rng):
    penalty = LimitPenalty(0.3, "sparkling", unit=0.1, **SCAN)
    stored = keras.saving.serialize_keras_object(penalty)
    again = keras.saving.deserialize_keras_object(stored)
    curves = ops.convert_to_tensor(rng.normal(size=(2, 9, 2)), "float32")
    assert float(again(curves)) == float(penalty(curves)) > 0


def test_arguments():
    with pytest.raises(ValueError, match="strength"):
        LimitPenalty(-1, "prisma", **SCAN)
    with pytest.raises(ValueError, match="hardware"):
        LimitPenalty(1, "x", **SCAN)
