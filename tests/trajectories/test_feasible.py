import keras
import numpy as np
import pytest
from keras import ops

from loupe_tf.trajectories import HARDWARE, FeasibleCurves, Hardware, Trajectory
from loupe_tf.trajectories.waveforms import curve_positions

SIZES = {"matrix": (64, 64), "field_of_view": (160, 160), "dwell": 1e-5}
FEASIBLE = FeasibleCurves("sparkling", (2.5, 2.5), 1e-5, pins={16: (0, 0)})


class Curves(keras.layers.Layer):
    """Adds the mean distance from a far target."""

    def build(self, shape):
        self.curves = self.add_weight(
            shape=(3, 32, 2), constraint=FEASIBLE, name="curves"
        )

    def call(self, target):
        return target - self.curves


class Watch(keras.callbacks.Callback):
    """Checks the weight after every update, as a scanner would."""

    def __init__(self):
        super().__init__()
        self.excess = []
        self.start = None

    def on_train_batch_end(self, batch, logs=None):
        curves = ops.convert_to_numpy(self.model.layers[-1].curves)
        curves = curves.astype("float64")
        positions = curve_positions(curves)
        self.excess.append(
            HARDWARE["sparkling"].check(Trajectory(positions, **SIZES)).excess
        )
        self.start = np.abs(positions[:, 16]).max()


def test_feasible_after_every_update(rng, rate=0.03):
    keras.utils.set_random_seed(0)
    target = rng.uniform(-0.5, 0.5, (8, 3, 32, 2)).astype("float32")
    layer = Curves()
    model = keras.Sequential([keras.Input((3, 32, 2)), layer])
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    before = ops.convert_to_numpy(layer.curves)
    watch = Watch()
    model.fit(
        target, 0 * target, batch_size=1, epochs=1, callbacks=[watch], verbose=0
    )
    assert len(watch.excess) == 8
    assert max(watch.excess) <= 1e-6
    assert watch.start < 1e-6
    assert np.abs(ops.convert_to_numpy(layer.curves) - before).max() > rate / 10


def test_configuration():
    twin = FeasibleCurves.from_config(FEASIBLE.get_config())
    assert twin.get_config() == FEASIBLE.get_config()
    stored = keras.saving.serialize_keras_object(
        FeasibleCurves(Hardware(20, 99, by="axis"), (1, 2), 4e-5)
    )
    loaded = keras.saving.deserialize_keras_object(stored)
    assert loaded.hardware == Hardware(20, 99, by="axis")
    assert loaded.limits.scale == (1.0, 0.5)


def test_arguments():
    with pytest.raises(ValueError, match="dwell.*multiple"):
        FeasibleCurves("prisma", (1, 1), 1.3e-5)
    with pytest.raises(ValueError, match="hardware"):
        FeasibleCurves("x", (1, 1), 1e-5)
