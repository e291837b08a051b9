import json
import os
import shutil
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import loupe_tf
from loupe_tf import evaluation, masks, zoo
from loupe_tf.zoo.models import FOLDER, sha256

BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture
def folder(tmp_path):
    """A copy of the package's folder."""
    return shutil.copytree(FOLDER, tmp_path / "weights")


@pytest.fixture
def phantom():
    """Two images like those of the training, `(2, 64, 64, 1)`."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    return np.stack(
        [
            (np.hypot(x / a, y / 0.9) < 0.8) * (0.6 + 0.4 * np.cos(9 * a * x))
            for a in (0.7, 0.8)
        ]
    )[..., None].astype("float32")


def test_every_file_has_a_card_and_is_small():
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {f"{n}.{s}" for n in zoo.names() for s in ("json", "keras")}
    assert len(zoo.names()) >= 3
    sizes = [(FOLDER / name).stat().st_size for name in files]
    assert max(sizes) < 500_000 and sum(sizes) < 1_000_000


@pytest.mark.parametrize("name", zoo.names())
def test_a_card_says_what_a_user_must_know(name):
    card = zoo.card(name)
    for key in ("name", "citation", "licence", "splits"):
        assert card["data"][key]
    assert card["training"]["command"].startswith("python scripts/train_zoo.py")
    assert isinstance(card["training"]["seed"], int)
    assert card["licence"] and card["preprocessing"] and card["title"]
    path = FOLDER / card["file"]
    assert card["sha256"] == sha256(path)
    assert card["bytes"] == path.stat().st_size
    metrics = card["metrics"]
    for volume, found in metrics["model"].items():
        assert found["psnr"] > metrics["zero_filled"][volume]["psnr"] + 1
        assert found["ssim"] > metrics["zero_filled"][volume]["ssim"]


@pytest.mark.parametrize("name", zoo.names())
def test_the_model_is_that_of_its_card(name, phantom, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    model, card = zoo.load(name), zoo.card(name)
    mask = masks.from_model(model)
    facts = card["mask"]
    assert list(mask.shape) == facts["shape"]
    for key in ("acceleration", "acquired", "calibration", "lines"):
        assert getattr(mask, key) == facts[key]
    count = sum(np.prod(w.shape) for w in model.reconstructor.trainable_weights)
    assert count == card["parameters"]
    # It has learned something: an image it has never seen.
    found = {
        kind: evaluation.judge(method, mask, phantom, ["a", "b"])["unit_range"]
        for kind, method in (
            ("model", model),
            ("zero_filled", evaluation.CLASSICAL["zero_filled"]),
        )
    }
    means = {
        kind: evaluation.mean_and_deviation(volumes, "psnr")[0]
        for kind, volumes in found.items()
    }
    assert means["model"] > means["zero_filled"] + 1


def test_it_can_be_trained_on(phantom):
    model = zoo.load("flair64_points_r4_unet")
    model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    history = model.fit(phantom, phantom, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


OUTPUT = """
import sys
import numpy as np
import loupe_tf
images = np.load(sys.argv[1])
for name in loupe_tf.zoo.names():
    found = loupe_tf.zoo.load(name).predict(images, verbose=0)
    np.save(f"{sys.argv[2]}_{name}.npy", found)
"""


@pytest.mark.slow
def test_the_same_on_every_backend(phantom, tmp_path):
    np.save(tmp_path / "images.npy", phantom)
    outputs = {}
    for backend in BACKENDS:
        pytest.importorskip(backend)
        subprocess.run(
            [sys.executable, "-c", OUTPUT, "images.npy", backend],
            env={**os.environ, "KERAS_BACKEND": backend},
            cwd=tmp_path,
            check=True,
        )
        outputs[backend] = [
            np.load(tmp_path / f"{backend}_{name}.npy") for name in zoo.names()
        ]
    for backend in BACKENDS[1:]:
        for ours, other in zip(outputs["tensorflow"], outputs[backend]):
            np.testing.assert_allclose(ours, other, atol=1e-5)


def test_a_name_that_is_none():
    for function in (zoo.card, zoo.load):
        with pytest.raises(ValueError, match="`name`.*flair64_points_r4_unet"):
            function("../other")


def test_another_file_than_the_card_says(folder):
    name = zoo.names(folder)[0]
    path = folder / f"{name}.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.keras.*SHA-256"):
        zoo.load(name, folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}.keras"):
        zoo.load(name, folder)


def test_a_card_leads_to_no_other_folder(folder, tmp_path):
    name = zoo.names(folder)[0]
    path = folder / f"{name}.json"
    card = json.loads(path.read_text("utf-8"))
    outside = tmp_path / "outside.keras"
    (folder / f"{name}.keras").rename(outside)
    path.write_text(json.dumps({**card, "file": "../outside.keras"}))
    with pytest.raises(FileNotFoundError):
        zoo.load(name, folder)


@pytest.mark.parametrize("text", ["{", '{"file": "a"}', "[]", '{"a": NaN}'])
def test_damaged_cards(folder, text):
    name = zoo.names(folder)[0]
    (folder / f"{name}.json").write_text(text)
    with pytest.raises(ValueError, match=f"{name}.json.*a card of the zoo"):
        zoo.card(name, folder)


def test_reconstructs_a_scan(phantom):
    model = zoo.load("flair64_points_r4_varnet")
    mask = masks.from_model(model)
    scan = 300 * loupe_tf.reconstruction.forward(phantom[0, ..., 0], mask)
    image = loupe_tf.reconstruct(model, scan, mask)
    error = np.sqrt(np.mean((np.abs(image) / 300 - phantom[0, ..., 0]) ** 2))
    assert error < 0.1
