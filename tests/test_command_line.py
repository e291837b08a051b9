import sys
import warnings

import pytest

from loupe_tf.command_line import (
    add_data_options,
    argument_parser,
    exit_code,
    meaning,
    stands_for,
)
from loupe_tf.distribution import ReplicaError


def test_argument_parser(capsys):
    parser = argument_parser("What it is.\n\nHow:\n\n    python a.py  # 5 %")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = capsys.readouterr().out
    assert "What it is." in text and "    python a.py  # 5 %" in text
    assert "%%" not in text


@pytest.mark.parametrize("default", [None, "mni_brain/64"])
def test_data_options(default, capsys):
    parser = argument_parser("What it is.")
    add_data_options(parser, default)
    given = vars(parser.parse_args([]))
    assert given == {"data": default, "data_dir": None}
    given = vars(parser.parse_args(["--data", "a/b", "--data-dir", "c"]))
    assert given == {"data": "a/b", "data_dir": "c"}
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"avoids{f' (default: {default})' if default else ''} --data" in text


@pytest.mark.parametrize(
    "error, code, printed",
    [
        (None, 0, ""),
        (ValueError("Expected R"), 2, "error: Expected R\n"),
        (FileNotFoundError("gone"), 2, "error: gone\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.npz"),
            2,
            "error: No such file or directory: a.npz\n",
        ),
        (ReplicaError("lost"), 1, "error: lost\n"),
        (KeyboardInterrupt(), 130, "\nStopped. "),
    ],
)
def test_exit_code(error, code, printed, capsys):
    given = []

    def function(*arguments):
        given.extend(arguments)
        if error is not None:
            raise error

    assert exit_code(function, 1, 2) == code
    assert given == [1, 2]
    assert capsys.readouterr().err.startswith(printed)


def test_messages_name_flags(capsys):
    parser = argument_parser("What it is.")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--leading")
    parser.add_argument("--accelerations")
    parser.add_argument("--fov", dest="field_of_view")
    shift = {"action": "store_const", "dest": "shift"}
    parser.add_argument("--shift", const=True, **shift)
    parser.add_argument("--as-is", const=False, **shift)
    parser.parse_args(["a.npy"])

    def function():
        raise ValueError(
            "Invalid value for argument `leading`. Expected 'coils'. "
            "Received: leading=None, shape=(2, 3). With shift=True (--shift) "
            "or shift=False, "
            "leading='slices', field_of_view=(3, 4.5); `files`, "
            "`acceleration`, a.npy leading=coils (--leading coils)."
        )

    assert exit_code(function) == 2
    assert capsys.readouterr().err == (
        "error: Invalid value for argument --leading. Expected 'coils'. "
        "Received: no --leading, shape=(2, 3). With --shift or --as-is, "
        "--leading slices, --fov 3 4.5; FILES, --accelerations, a.npy "
        "--leading coils.\n"
    )
    argument_parser("Another.").parse_args([])
    assert exit_code(function) == 2
    assert "`leading`" in capsys.readouterr().err


def test_messages_name_flags_by_other_names(capsys):
    parser = argument_parser("What it is.")
    stands_for(parser.add_argument("masks", nargs=2), "other")
    stands_for(parser.add_argument("--data"), "folder", "size")
    parser.add_argument("--split")
    parser.add_argument("--size")
    parser.add_argument("--crop")
    parser.parse_args(["a.npz", "b.npz"])

    def function():
        raise ValueError(
            "`other`, `folder`, folder='a b', size=(8, 9), crop=True or "
            "crop=False, split={'train': ['p1', 'p2'], 'test': 3}, split={a}"
        )

    assert exit_code(function) == 2
    assert capsys.readouterr().err == (
        "error: MASKS, --data, --data 'a b', --size 8 9, --crop or no "
        "--crop, --split train=p1,p2 test=3, --split {a}\n"
    )


def test_messages_name_arguments_without_an_option(capsys):
    """As the usage shows them; a value that was received stands alone."""
    parser = argument_parser("What it is.")
    stands_for(parser.add_argument("out", metavar="FILE"), "path")
    parser.parse_args(["a.npz"])

    def function():
        raise ValueError("`path`, `out`. Received: path=/data/my-masks/a.mat.")

    assert exit_code(function) == 2
    assert capsys.readouterr().err == (
        "error: FILE, FILE. Received: /data/my-masks/a.mat.\n"
    )


def test_one_argument_of_several_options(capsys):
    """`path` is what is read in one place, what is written in another."""
    parser = argument_parser("What it is.")
    parser.add_argument("mask", metavar="MASK")
    stands_for(parser.add_argument("--out"), "path")
    parser.add_argument("--format")
    parser.add_argument("--from-format")
    parser.parse_args(["a.npz"])
    message = "`path`, or a `format`. Received: path=../a.mat"

    def function(options):
        with meaning(**options):
            raise ValueError(message)

    for options, expected in (
        ({}, "--out, or a --format. Received: --out ../a.mat"),
        (
            {"path": "mask", "format": "from_format"},
            "MASK, or a --from-format. Received: ../a.mat",
        ),
        # No option says which format a file has.
        ({"path": "mask", "format": None}, "MASK. Received: ../a.mat"),
    ):
        assert exit_code(function, options) == 2
        assert capsys.readouterr().err == f"error: {expected}\n"


def test_messages_name_flags_of_commands(capsys):
    parser = argument_parser("What it is.")
    command = parser.add_subparsers().add_parser("show")
    command.add_argument("--lines")
    parser.parse_args(["show"])

    def function():
        raise ValueError("Expected `lines`")

    assert exit_code(function) == 2
    assert capsys.readouterr().err == "error: Expected --lines\n"


@pytest.mark.parametrize(
    "words, expected",
    [
        ("run --epoch 3", "unrecognized arguments: --epoch 3. Did you mean --"),
        ("run --zzz", "unrecognized arguments: --zzz\n"),
        (
            "run --epoch 3 --zzz --line rows",
            "unrecognized arguments: --epoch 3 --zzz --line rows. Did you mean "
            "--epochs, --lines?",
        ),
        ("run --epochs x", "argument --epochs: invalid int value: 'x'\n"),
        ("run --epochs", "argument --epochs: expected one argument: EPOCHS\n"),
        (
            "run --pair 3",
            "argument --pair: expected 2 arguments: FIRST SECOND\n",
        ),
        ("run --size 3", "argument --size: expected 2 arguments: N N\n"),
        ("run --lines colums", "argument --lines: invalid choice: 'colums' "),
    ],
)
def test_errors_are_one_sentence(words, expected, capsys):
    """And name the command whose help tells more."""
    parser = argument_parser("A tool.")
    command = parser.add_subparsers().add_parser("run")
    command.add_argument("--epochs", type=int)
    command.add_argument("--lines", choices=("columns", "rows"))
    command.add_argument("--pair", nargs=2, metavar=("FIRST", "SECOND"))
    command.add_argument("--size", nargs=2, metavar="N")
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(words.split())
    assert stopped.value.code == 2
    sentence, hint = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{command.prog}: error: {expected.strip()}")
    assert hint == f"See {command.prog} --help"


@pytest.mark.parametrize(
    "words, expected",
    [
        ("rnu", "Did you mean run?"),
        ("run --lines colums", "Did you mean columns?"),
        ("zzz", "'run')"),
    ],
)
def test_wrong_words_get_a_similar_one(words, expected, capsys):
    parser = argument_parser("A tool.")
    command = parser.add_subparsers(metavar="COMMAND").add_parser("run")
    command.add_argument("--lines", choices=("columns", "rows"))
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(words.split())
    assert stopped.value.code == 2
    sentence, _ = capsys.readouterr().err.splitlines()
    assert "invalid choice" in sentence and sentence.endswith(expected)


def test_warnings_are_messages_too(capsys):
    parser = argument_parser("What it is.")
    parser.add_argument("--lines")
    parser.parse_args([])
    before = warnings.formatwarning

    def function():
        # In place of pytest's, which keeps warnings to itself.
        text = warnings.formatwarning("Use `lines`.", UserWarning, "a.py", 1)
        print(text, end="", file=sys.stderr)
        text = warnings.formatwarning("old", FutureWarning, "a.py", 1)
        print(text, end="", file=sys.stderr)

    assert exit_code(function) == 0
    assert warnings.formatwarning is before
    assert capsys.readouterr().err == (
        "warning: Use --lines.\na.py:1: FutureWarning: old\n"
    )


def test_exit_code_of_a_mistake_of_ours():
    def function():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        exit_code(function)
