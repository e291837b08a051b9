import json

import keras
import numpy as np
import pytest

from loupe_tf.reading import BadFileError
from loupe_tf.records import (
    checksum,
    load_weights,
    read_json,
    read_record,
    save_weights,
    write_record,
)

RECORD = {"best": 0.1 + 0.2, "weights": None, "history": {"loss": [1e-9]}}
KEYS = {"best": float, "history": dict}


def test_a_record_is_found_again(tmp_path):
    path = tmp_path / "new" / "record.json"
    write_record(path, RECORD)
    assert read_record(path, KEYS, "Delete it") == RECORD
    # By others too.
    assert json.loads(path.read_text())["best"] == RECORD["best"]


def test_every_damaged_byte_of_a_record_is_found(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, RECORD)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + b"7" + content[at + 1 :])
        try:
            found = read_record(path, KEYS, "Delete it")
            # It was the name of the checksum itself, or a space.
            assert {key: found[key] for key in RECORD} == RECORD
        except BadFileError as error:
            assert str(error).endswith("Delete it")
            assert "record.json" in str(error)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"best": 1.0}', None],
)
def test_what_is_no_record_is_named(tmp_path, content):
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadFileError, match=r"record.json.*\. Delete it$"):
        read_record(path, KEYS, "Delete it")


def test_json_of_another_kind(tmp_path):
    path = tmp_path / "seconds.json"
    path.write_text("12")
    assert read_json(path, "Delete it", (int, float)) == 12
    with pytest.raises(BadFileError, match="seconds.json.*holds a int.*Delete"):
        read_json(path, "Delete it")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_weights_are_those_that_keras_saves(tmp_path, model):
    model.save_weights(tmp_path / "theirs.weights.h5")
    save_weights(model, tmp_path / "new" / "ours.weights.h5")
    saved = model.get_weights()
    for path in tmp_path.rglob("*.h5"):
        model.set_weights([0 * x for x in saved])
        load_weights(model, path, checksum(path), "Delete it")
        for a, b in zip(model.get_weights(), saved):
            np.testing.assert_array_equal(a, b)


def test_damaged_weights_are_named(tmp_path, model):
    path = tmp_path / "a.weights.h5"
    save_weights(model, path)
    crc, content = checksum(path), path.read_bytes()
    at = content.index(np.asarray(model.get_weights()[0]).tobytes()[:16])
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(BadFileError, match="a.weights.h5.*differs.*Delete it$"):
        load_weights(model, path, crc, "Delete it")
    path.write_bytes(content[:900])
    with pytest.raises(BadFileError, match="a.weights.h5.*Delete it$"):
        load_weights(model, path, None, "Delete it")
    path.unlink()
    with pytest.raises(BadFileError, match="a.weights.h5.*Delete it$"):
        load_weights(model, path, crc, "Delete it")


def test_a_full_disk_leaves_the_weights_that_were_there(
    tmp_path, model, full_disk
):
    path = tmp_path / "a.weights.h5"
    save_weights(model, path)
    content = path.read_bytes()
    full_disk(2000, at=0).on_epoch_end(0)
    with pytest.raises(OSError, match="File too large.*a.weights.h5"):
        save_weights(model, path)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]
