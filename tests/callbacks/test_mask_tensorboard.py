import keras
import numpy as np
import pytest

from loupe_tf import plots
from loupe_tf.callbacks import MaskTensorBoard
from loupe_tf.models import loupe_model


def _read(folder):
    loader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_file_loader"
    )
    values = {}
    for file in folder.iterdir():
        for event in loader.EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                values.setdefault(value.tag, []).append((event.step, value))
    return values


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="writes with tf.summary"
)
def test_writes_mask_histogram_slope_and_reconstruction(tmp_path, images):
    model = loupe_model((16, 18, 1), 4, filters=2, depth=1, seed=0)
    model.compile("adam", loss="mse")
    callback = MaskTensorBoard(tmp_path, images[:2], update_freq=2)
    model.fit(images, images, epochs=3, callbacks=[callback], verbose=0)
    values = _read(tmp_path)
    assert set(values) == {
        "mask",
        "mask/probability",
        "mask/slope",
        "reconstruction",
    }
    for written in values.values():
        assert [step for step, _ in written] == [0, 2]
    slope = np.frombuffer(
        values["mask/slope"][0][1].tensor.tensor_content, "float32"
    )
    assert slope.tolist() in ([20.0], [])
    png = values["mask"][0][1].tensor.string_val[2]
    assert png.startswith(b"\x89PNG")


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="writes with tf.summary"
)
def test_each_of_several_masks(tmp_path, images):
    model = loupe_model((16, 18, 1), (4, 8), reconstructor="zero_filled")
    model.compile("adam", loss="mse")
    inputs = [images, np.arange(len(images)) % 2]
    callback = MaskTensorBoard(tmp_path, [x[:2] for x in inputs])
    model.fit(inputs, images, callbacks=[callback], verbose=0)
    values = _read(tmp_path)
    assert set(values) == {
        "mask_0",
        "mask_1",
        "mask/probability",
        "mask/slope",
        "reconstruction",
    }


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="writes with tf.summary"
)
def test_truth_of_several_coils(tmp_path, monkeypatch, rng):
    model = loupe_model((16, 18, 2), 4, coils=3, reconstructor="zero_filled")
    model.compile("adam", loss="mse")
    inputs = [rng.normal(size=(2, 3, 16, 18, 2)).astype("float32")] * 2
    truth = rng.uniform(size=(2, 16, 18, 1)).astype("float32")
    drawn = []
    draw = plots.reconstructions
    monkeypatch.setattr(
        plots,
        "reconstructions",
        lambda *arguments: drawn.append(arguments) or draw(*arguments),
    )
    callback = MaskTensorBoard(tmp_path, inputs, truth=truth)
    model.fit(inputs, truth, callbacks=[callback], verbose=0)
    assert "reconstruction" in _read(tmp_path)
    ((shown, outputs),) = drawn
    assert shown is truth
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs["reconstruction"], expected, atol=1e-6)


def test_no_such_layer(tmp_path):
    pytest.importorskip("tensorboard")
    model = loupe_model((16, 18, 1), mask=np.ones((16, 18)), filters=2, depth=1)
    callback = MaskTensorBoard(tmp_path, probability="prob_mask")
    callback.set_model(model)
    with pytest.raises(ValueError, match="sampled_mask.*'prob_mask'"):
        callback.on_train_begin()
