import math

import keras
import pytest

from loupe_tf.callbacks.two_rounds.best_weights import BestWeights


@pytest.mark.parametrize(
    "mode, best, values, saved",
    [
        ("min", None, [math.nan, 2.0, 3.0, math.nan, 1.0], [1, 4]),
        ("max", None, [math.inf, 2.0, 3.0, None], [1, 2]),
        ("min", 2.0, [2.5, 2.0, 1.5], [2]),
    ],
)
def test_only_better_epochs_are_saved(tmp_path, mode, best, values, saved):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "best.weights.h5"
    callback = BestWeights(path, "val_loss", mode, best)
    callback.set_model(model)
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(
            epoch, {} if value is None else {"val_loss": value}
        )
        if path.exists():
            found.append(epoch)
            path.unlink()
    assert found == saved
    assert callback.best == values[saved[-1]]
