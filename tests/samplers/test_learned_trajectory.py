import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf.callbacks import CoarseToFine
from loupe_tf.samplers import LearnedTrajectory
from loupe_tf.trajectories import HARDWARE, from_model, radial

SIZES = {"matrix": (16, 18), "field_of_view": (220, 240), "dwell": 2e-5}
SPOKES = radial(3, 24, **SIZES)


def test_stored_and_made_again(stored_again):
    sampler = LearnedTrajectory(SPOKES, "prisma", echo=12, levels=2)
    again = stored_again(sampler)
    assert again.get_config() == sampler.get_config()
    assert again.curves and again.field_of_view == (220, 240)


class Watch(keras.callbacks.Callback):
    """The limits, after every update."""

    def __init__(self):
        super().__init__()
        self.excess = []

    def on_train_batch_end(self, batch, logs=None):
        found = from_model(self.model)
        self.excess.append(HARDWARE["sparkling"].check(found).excess)


def test_learns_within_limits_from_coarse_to_fine(images, tmp_path):
    """With the compensated adjoint; the trajectory is saved with the model."""
    sampler = LearnedTrajectory(SPOKES, "sparkling", echo=12, levels=2)
    model = loupe_tf.models.loupe_model(
        (16, 18, 1), sampler=sampler, reconstructor="zero_filled", seed=0
    )
    model.compile(keras.optimizers.Adam(4e-3), loss="mse")
    before = from_model(model)
    watch = Watch()
    history = model.fit(
        images,
        images,
        batch_size=4,
        epochs=4,
        callbacks=[CoarseToFine(2), watch],
        verbose=0,
    ).history
    assert history["level"] == [1, 1, 0, 0]
    assert history["loss"][-1] < history["loss"][0]
    assert len(watch.excess) == 8 and max(watch.excess) <= 1e-6
    learned = from_model(model)
    assert np.abs(learned.positions - before.positions).max() > 1e-3
    np.testing.assert_allclose(learned.positions[:, 12], 0, atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = from_model(keras.models.load_model(tmp_path / "model.keras"))
    np.testing.assert_array_equal(loaded.positions, learned.positions)
    digest = learned.provenance["weights_sha256"]
    assert loaded.provenance["weights_sha256"] == digest


def test_models_without_what_is_asked_for(images):
    model = loupe_tf.models.loupe_model(
        (16, 18, 1), 4, reconstructor="zero_filled"
    )
    with pytest.raises(ValueError, match="'sampled_trajectory'"):
        from_model(model)
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="variable named `level`"):
        model.fit(images, images, callbacks=[CoarseToFine(1)], verbose=0)
