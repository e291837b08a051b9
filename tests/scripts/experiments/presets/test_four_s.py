import types

import pytest

from experiments.presets import four_s


def _settings_of(method, protocol="two_rounds", preset="cpu"):
    run = types.SimpleNamespace(method=method, protocol=protocol)
    settings = four_s.parse("Title.\n\nText.", ["--preset", preset])
    return settings, four_s.settings_of(run, settings)


def test_one_round_takes_as_many_epochs_as_two():
    settings, own = _settings_of("fixed", "one_round")
    assert settings["methods"] == ["fixed", "4s"]
    assert own["epochs"] == [0, 80]
    assert _settings_of("4s")[1]["epochs"] == [40, 40]


def test_what_a_variant_changes_wins():
    settings, own = _settings_of("4s_train_loss")
    assert own["epochs"] == [30, 20] and own["slope_monitor"] == "loss"
    assert own["factor"] == settings["factor"]
    # What may differ in a folder, and places, change no figure of a run.
    assert not {*four_s.GRID, "variants", "out", "preset"} & {*own}


def test_variants_are_of_one_preset(capsys):
    with pytest.raises(SystemExit):
        four_s.parse("Title.\n\nText.", ["--methods", "4s_short"])
    assert "the preset smoke has no 4s_short" in capsys.readouterr().err
