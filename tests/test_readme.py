"""What README.md and the pages of docs/ say can be done, is done here."""

import argparse
import configparser
import importlib
import os
import pathlib
import re
import runpy
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from code_blocks import blocks

import loupe_tf
import loupe_tf.cli
import loupe_tf.datasets

ROOT = pathlib.Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"] + [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "docs").rglob("*.md"))
]
# What a page must show when it has run; another order of sums is no failure.
CHECKS = {
    "README.md": """
slopes = history.history["slope"]
assert slopes[0] == 20 and max(slopes) >= 30, slopes
"""
}
ELSEWHERE = ("docs/tour.md", "docs/architecture.md")
# What is replaced on a page for it to run within seconds.
SMALLER = {
    "README.md": {'"epochs": 20': '"epochs": 1', '"depth": 2': '"depth": 1'}
}
# Pages that take long; `make test-all` runs them.
SLOW = {
    "docs/extend.md",
    *(
        f"docs/guide/{name}.md"
        for name in (
            "coils",
            "devices",
            "export",
            "fastmri",
            "from_the_scan",
            "implicit",
            "mask_shapes",
            "no_full_scans",
            "non_cartesian",
            "partial_scans",
            "reconstruction",
            "reconstructors",
            "report",
            "training",
            "trajectories",
            "uncertainty",
            "zoo",
        )
    ),
}
# Commands that are not ours to check.
OTHER_COMMANDS = {".", "cd", "git", "python3", "tensorboard"}


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def script(text):
    """The Python blocks of a page, each on the lines it has on the page."""
    lines = []
    for line, code in blocks(text, "python"):
        lines += [""] * (line - 1 - len(lines))
        lines += code.splitlines()
    return "\n".join(lines) + "\n"


def commands(text):
    """Words of each command in the shell blocks of a page."""
    for _, code in blocks(text, "bash", "sh", "console"):
        for command in code.replace("\\\n", " ").splitlines():
            words = shlex.split(command.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def all_commands():
    return [
        pytest.param(words, id=" ".join(words))
        for page in PAGES
        for words in commands(read(page))
    ]


# tests/test_docs.py takes the tour, tests/test_own_reconstructor.py runs the
# page on architecture on every backend.
PYTHON_PAGES = [
    page
    for page in PAGES
    if script(read(page)).strip() and page not in ELSEWHERE
]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "page", [page for page in PYTHON_PAGES if page not in SLOW]
)
def test_python_blocks_run_within_seconds(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = str(tmp_path / "data")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", folder)
    code = script(read(page))
    for words, smaller in SMALLER.get(page, {}).items():
        assert words in code
        code = code.replace(words, smaller)
    names = {}
    exec(compile(code, page, "exec"), names)
    if page == "README.md":
        assert np.isfinite(names["output"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PYTHON_PAGES if page in SLOW or page in SMALLER]
)
def test_python_blocks_run(page, tmp_path):
    code = script(read(page)) + CHECKS.get(page, "")
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir()
    runner = (
        "import sys; name = sys.argv[1]; "
        "exec(compile(sys.stdin.read(), name, 'exec'), {})"
    )
    result = subprocess.run(
        [sys.executable, "-c", runner, page],
        input=code,
        cwd=tmp_path / "work",
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "MPLBACKEND": "Agg",
            "PYTHONIOENCODING": "utf-8",
            "TFDS_DATA_DIR": str(tmp_path / "data"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        encoding="utf-8",
    )
    # The traceback gives the line of the page.
    assert result.returncode == 0, result.stderr[-2000:]
    if page == "README.md":
        found = re.findall(r"^(.*) ([\d.]+) dB$", result.stdout, re.M)
        scores = {name: float(score) for name, score in found}
        learned = scores.pop("learned points")
        assert len(scores) == 2 and learned > max(scores.values()) + 0.2, found


@pytest.mark.parametrize("words", all_commands())
def test_commands_exist(words, monkeypatch):
    command, *arguments = words
    if command == "make":
        for target in arguments:
            assert re.search(rf"^{target}:", read("Makefile"), re.M), target
    elif command == "pip":
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        for extras in re.findall(r"^\.\[(.*)\]$", arguments[-1]):
            known = setup["options.extras_require"]
            assert set(extras.split(",")) <= set(known), extras
    elif command == "python":
        parse(monkeypatch, arguments)
    elif command == "loupe-tf":
        try:
            options = loupe_tf.cli.parser().parse_args(arguments)
        except SystemExit as error:
            assert error.code == 0 and "--help" in arguments
        else:
            assert callable(options.run)
    else:
        assert command in OTHER_COMMANDS


class ParsedError(Exception):
    pass


def parse(monkeypatch, arguments):
    """Run a script up to where it has parsed its arguments."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse_and_stop(*args, **kwargs):
        parse_args(*args, **kwargs)
        raise ParsedError

    name = arguments[0]
    assert re.match(r"scripts/.*\.py$", name) and (ROOT / name).is_file()
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", arguments)
    # Scripts set environment variables; this puts them back.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    try:
        runpy.run_path(str(ROOT / name), run_name="__main__")
    except ParsedError:
        return
    except SystemExit as error:
        assert error.code == 0 and "--help" in arguments, f"{arguments} refused"
        return
    pytest.fail(f"{name} parses no arguments")


def test_the_first_commands_of_the_readme():
    text = read("README.md")
    assert ["loupe-tf", "train", "--demo"] in list(commands(text))[:6]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    for target in ("demo", "test"):
        assert f"`make {target}`" in text and target in targets


@pytest.mark.parametrize(
    "code",
    [
        code
        for page in PAGES
        for code in re.findall(r"\| `(loupe_model\([^.].*\))` \|", read(page))
    ],
)
def test_models_of_the_table_can_be_built(code):
    modules = loupe_tf.models, loupe_tf.samplers, loupe_tf.trajectories
    names = {k: v for module in modules for k, v in vars(module).items()}
    names["masks"] = loupe_tf.masks
    if "reconstructor" not in code:
        code = code[:-1] + ", filters=1, depth=1)"
    code = re.sub(r"iterations=\d+", "iterations=1", code)
    model = eval(code, names)
    assert model.output_shape[-3:-1] == (64, 64)


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / path) if path else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
            slugs = [
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                for heading in headings
            ]
            assert anchor in slugs, target


def test_api_lists_every_public_name_and_no_other():
    listed = {}
    for section in re.split(r"^## ", read("docs/api.md"), flags=re.M)[1:]:
        module = re.match(r"`(.*)`", section)[1]
        listed[module] = re.findall(r"^\| `(.*?)` \|", section, re.M)
    public = set(loupe_tf.__all__) - {"__version__"}
    functions = {n for n in public if callable(getattr(loupe_tf, n))}
    modules = {f"loupe_tf.{name}" for name in public - functions}
    assert set(listed) == modules | {"loupe_tf", "loupe_tf.datasets"}
    assert sorted(listed.pop("loupe_tf")) == sorted(functions)
    exported = {
        (module, name)
        for module in listed
        for name in importlib.import_module(module).__all__
    }
    rows = [(module, name) for module in listed for name in listed[module]]
    assert len(rows) == len(set(rows))
    missing, unknown = exported - set(rows), set(rows) - exported
    assert not missing and not unknown, f"{missing=}, {unknown=}"
