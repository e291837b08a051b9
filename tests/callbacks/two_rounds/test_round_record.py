import math

import keras
import numpy as np
import pytest

from loupe_tf.callbacks.two_rounds.round_record import (
    NOTHING,
    WEIGHTS,
    load_best,
    read_round,
    round_record,
    write_round,
)
from loupe_tf.records import save_weights
from loupe_tf.run_folder import RunFolder

ONE = {"epoch": [0, 1], "loss": [0.5, 0.25], "slope": [1.0, 2.0]}
TWO = {"epoch": [2], "loss": [0.125]}


def test_rounds_are_joined():
    first = round_record(1, NOTHING, ONE, 0.25)
    assert first["weights"] == WEIGHTS[1] and first["epochs"] == 2
    second = round_record(2, first, TWO, 0.125)
    assert second == {
        "history": {
            "epoch": [0, 1, 2],
            "loss": [0.5, 0.25, 0.125],
            "slope": [1.0, 2.0, None],
            "round": [1, 1, 2],
        },
        "epochs": 3,
        "best": 0.125,
        "weights": WEIGHTS[2],
    }


@pytest.mark.parametrize("best", [0.25, None, math.inf])
def test_without_a_better_value_the_weights_stay(best):
    first = round_record(1, NOTHING, ONE, 0.25)
    assert round_record(2, first, TWO, best)["weights"] == WEIGHTS[1]


def test_nothing_was_trained():
    record = round_record(1, NOTHING, {}, None)
    assert record == {**NOTHING, "history": {"round": []}}


def test_the_best_weights_are_found_again(tmp_path):
    folder = RunFolder(tmp_path)
    assert read_round(folder, 1) is None
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    best = model.get_weights()
    save_weights(model, folder / WEIGHTS[1])
    record = round_record(1, NOTHING, ONE, 0.25)
    written = write_round(folder, 1, record)
    assert read_round(folder, 1) == written
    assert set(written) - set(record) == {"weights_crc32c"}
    model.set_weights([0 * array for array in best])
    load_best(model, folder, NOTHING)
    assert not model.get_weights()[0].any()
    load_best(model, folder, written)
    np.testing.assert_array_equal(model.get_weights()[0], best[0])


def test_another_worker_writes_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run", writes=False)
    record = round_record(1, NOTHING, ONE, 0.25)
    assert write_round(folder, 1, record) == record
    assert not folder.path.exists()
