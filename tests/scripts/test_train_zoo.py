import zipfile

import numpy as np
import pytest

from experiments.presets import zoo as presets
from loupe_tf import masks, zoo


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("train_zoo.py")


def test_compressed_files_hold_the_same(script, tmp_path):
    path = tmp_path / "a.keras"
    content = {"config.json": b"{}" * 500, "model.weights.h5": bytes(999)}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
    before = path.stat().st_size
    script.compress(path)
    again = path.read_bytes()
    assert len(again) < before / 2
    with zipfile.ZipFile(path) as file:
        assert {name: file.read(name) for name in file.namelist()} == content
    script.compress(path)
    assert path.read_bytes() == again


def test_the_package_has_all_models_of_the_preset():
    prefix = presets.PRESETS["cpu"]["prefix"]
    names = {f"{prefix}_{name}" for name in presets.MODELS}
    assert set(zoo.names()) == names
    for name, (acceleration, _) in presets.MODELS.items():
        card = zoo.card(f"{prefix}_{name}")
        assert card["mask"]["acceleration"] == acceleration
        settings = card["training"]["settings"]
        assert settings.items() <= presets.PRESETS["cpu"].items()


@pytest.mark.slow
def test_leaves_models_with_their_cards(script, folder):
    arguments = [
        *("--data", str(folder / "data"), "--out", str(folder / "out")),
        *("--prefix", "mine", "--models", "points_r4_unet"),
    ]
    assert script.main(arguments) == 0
    place = folder / "out" / "zoo"
    assert zoo.names(place) == ["mine_points_r4_unet"]
    model = zoo.load("mine_points_r4_unet", place)
    card = zoo.card("mine_points_r4_unet", place)
    assert masks.from_model(model).acquired == card["mask"]["acquired"] == 64
    found = model.predict(np.zeros((1, 16, 16, 1), "float32"), verbose=0)
    assert np.isfinite(found).all()


def test_refuses_wrong_options(capsys):
    with pytest.raises(SystemExit):
        presets.parse("Title.\n\nText.", ["--models", "magic"])
    assert "magic" in capsys.readouterr().err
