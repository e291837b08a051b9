import pytest

from experiments import options
from experiments.presets.comparing_masks import TRAINING

PRESETS = {
    "paper": {"data": "a", "accelerations": [4.0], "epochs": 100},
    "smoke": {"data": "b", "accelerations": [8.0], "epochs": 1},
}


def _parse(*arguments):
    parser = options.argument_parser(
        "Title.\n\nText.", "name", PRESETS, "paper: long; smoke: short"
    )
    parser.add_argument("--accelerations", type=float, nargs="+")
    parser.add_argument("--epochs", type=int)
    return options.parse(parser, arguments)


def test_given_options_win_over_the_preset(capsys):
    assert _parse() == {
        **PRESETS["smoke"],
        "preset": "smoke",
        "data_dir": None,
        "out": "runs/name_smoke",
    }
    found = _parse("--preset", "paper", "--epochs", "7", "--out", "o")
    assert found["data"] == "a" and found["out"] == "o"
    assert found["epochs"] == 7
    assert PRESETS["paper"]["epochs"] == 100
    with pytest.raises(SystemExit):
        _parse("--accelerations", "4", "1")
    assert "--accelerations: expected R > 1, not 1" in capsys.readouterr().err


def test_training_options_win_over_the_preset():
    parser = options.argument_parser("Text.", "name", TRAINING, "sizes")
    options.add_training_options(parser)
    words = "--preset cpu --epochs 4 2 --filters 3 --accelerations 5 6"
    found = options.parse(parser, words.split())
    expected = {"epochs": [4, 2], "filters": 3, "accelerations": [5.0, 6.0]}
    assert found == {
        **TRAINING["cpu"],
        **expected,
        "preset": "cpu",
        "data_dir": None,
        "out": "runs/name_cpu",
    }


def test_help_tells_the_sizes(capsys):
    with pytest.raises(SystemExit):
        _parse("--help")
    found = " ".join(capsys.readouterr().out.split())
    text = "paper: long; smoke: short (smoke). Other options override it"
    assert text in found
    assert "folder of the results (runs/name_PRESET)" in found


def test_options_have_the_type_of_the_preset(capsys):
    presets = {"smoke": {"depth": 2, "rate": 0.1, "slopes": [20.0]}}
    parser = options.argument_parser("Text.", "name", presets, "sizes")
    options.add_options(parser, "depth", "slopes", rate=("LR", "of Adam"))
    words = "--depth 3 --rate 1 --slopes 2 3"
    found = options.parse(parser, words.split())
    assert {k: found[k] for k in presets["smoke"]} == {
        "depth": 3,
        "rate": 1.0,
        "slopes": [2.0, 3.0],
    }
    for words, said in (
        (["--depth", "2.5"], "--depth"),
        (["--slopes", "0"], "--slopes: expected S > 0, not 0"),
    ):
        with pytest.raises(SystemExit):
            options.parse(parser, words)
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "2"], "--folds: expected 3 or more, not 2"),
        (["--only-folds", "1"], "--only-folds: expected some of --folds"),
        (["--folds", "3", "--only-folds", "3"], "--only-folds: expected"),
    ],
)
def test_folds(arguments, message, capsys):
    with pytest.raises(SystemExit):
        _parse(*arguments)
    assert message in capsys.readouterr().err
