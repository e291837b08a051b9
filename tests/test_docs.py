"""The documentation site: its pages, its build, its tour."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

from loupe_tf.cli import COMMANDS
from loupe_tf.formats import load_mask
from loupe_tf.layers.estimators import ESTIMATORS

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation():
    pages = re.findall(r"^ +- .*?: (\S+\.md)$", read("mkdocs.yml"), re.M)
    assert len(pages) == len(set(pages))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert there <= set(pages)


def test_every_data_set_has_a_page():
    paths = ROOT.glob("datasets/*/*_dataset_builder.py")
    names = sorted(path.parent.name for path in paths)
    entry = r'^    "datasets/(\w+)/README\.md": "datasets/(\w+)\.md",$'
    pages = re.findall(entry, read("docs/hooks.py"), re.M)
    assert sorted(pages) == [(name, name) for name in names]
    entry = r"^ +- (\w+): datasets/(\w+)\.md$"
    pages = re.findall(entry, read("mkdocs.yml"), re.M)
    assert sorted(pages) == [(name, name) for name in names]
    assert all((ROOT / f"datasets/{name}/README.md").exists() for name in names)


def test_every_page_of_the_guide_is_in_its_overview():
    # Below the tables of routes and commands, which have some of them too.
    overview = read("docs/guide.md").partition("## Understand")[2]
    listed = re.findall(r"\]\(guide/(\w+)\.md\)", overview)
    assert sorted(listed) == sorted(p.stem for p in DOCS.glob("guide/*.md"))


def test_every_command_is_in_the_overview_of_the_guide():
    table = read("docs/guide.md").partition("## Commands")[2]
    rows = re.findall(r"^\| `loupe-tf (\w+)` \|", table, re.M)
    assert rows == [each.__name__.rpartition(".")[2] for each in COMMANDS]


def test_every_extra_is_explained():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    rows = re.findall(r"^\| `(\w+)` \|", read("docs/install.md"), re.M)
    assert sorted(rows) == sorted(setup["options.extras_require"])


def test_every_estimator_is_in_the_table_with_its_slope():
    table = read("docs/guide/how_it_works.md").partition("### Estimators")[2]
    rows = re.findall(r'^\| `"(\w+)"` \|.*\| ([\d.]+) \|$', table, re.M)
    assert {name: float(slope) for name, slope in rows} == {
        name: each.slope for name, each in ESTIMATORS.items()
    }


def test_gallery_has_the_figures_of_its_commands_and_no_other():
    page = read("docs/gallery.md")
    figures = re.findall(r"^!\[.+\]\((gallery/.+\.png)\)$", page, re.M)
    kept = [p.relative_to(DOCS) for p in (DOCS / "gallery").rglob("*.*")]
    assert sorted(figures) == sorted(path.as_posix() for path in kept)
    for figure in figures:
        assert (DOCS / figure).stat().st_size < 150_000, figure
        # The folder, or the file, that the command above it writes.
        commands = page[: page.index(f"({figure})")]
        folder = figure if figure.count("/") == 1 else figure.rpartition("/")[0]
        assert f"--out runs/{folder}\n" in commands, figure


@pytest.mark.slow
def test_site_builds_without_a_warning_and_needs_nothing_else(tmp_path):
    for module in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(module)
    site = tmp_path / "site"
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "WARNING" not in result.stderr

    # The tables of the overview lead to the docstrings.
    overview = (site / "api.html").read_text("utf-8")
    assert 'href="api/loupe_tf.models.html#loupe_tf.models.unet"' in overview
    # These lie at the top level of the checkout.
    reference = (site / "api/loupe_tf.callbacks.html").read_text("utf-8")
    assert "Raise the slope of a relaxed threshold" in reference
    assert (site / "search/search_index.js").stat().st_size > 100_000
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        fetched = re.findall(r"<(?:script|img|iframe)[^>]* src=\"(.*?)\"", text)
        fetched += re.findall(r"<link rel=\"stylesheet\" href=\"(.*?)\"", text)
        assert not [url for url in fetched if "//" in url], page
        # No docstring, or table, was left as Markdown.
        text = re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.S)
        assert "```" not in text and "&gt;&gt;&gt;" not in text, page


def tour():
    """The blocks of the tour as one shell script, in the order of the page.

    Python blocks that follow each other are one session.
    """
    blocks = re.findall(
        r"^```(bash|python)\n(.*?)^```$", read("docs/tour.md"), re.M | re.S
    )
    lines, before = [], None
    for language, code in blocks:
        if before == "python" != language:
            lines.append("END\n")
        if before != "python" == language:
            lines.append("python - <<'END'\n")
        lines.append(code)
        before = language
    if before == "python":
        lines.append("END\n")
    return "".join(lines)


@pytest.mark.slow
def test_tour_ends_with_a_picture_and_a_protocol(tmp_path):
    pytest.importorskip("nilearn")
    pytest.importorskip("pypulseq")
    pytest.importorskip("sigpy")
    checkout = tmp_path / "checkout"
    ignored = (".*", "runs", "build", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*ignored))
    # All that pip installs is the package; the others are of this environment.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("KERAS_BACKEND", "VIRTUAL_ENV")
    } | {
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # As in pip's own tests: none.
        "MPLBACKEND": "Agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    result = subprocess.run(
        ["bash", "-e", "-c", tour()],
        cwd=checkout,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    print(result.stdout)  # Seen if an assertion fails, or with -s.
    assert result.returncode == 0, result.stderr[-2000:]
    runs = checkout / "runs"
    for picture in ("tour/mask.png", "tour/overview.png", "both.png"):
        assert (runs / picture).read_bytes().startswith(b"\x89PNG")
    mask = load_mask(runs / "tour/mask.npz")
    assert (mask.lines, mask.acquired) == ("columns", 16)
    assert mask.field_of_view == (220, 220)
    np.testing.assert_array_equal(
        load_mask(runs / "scan.seq").array, mask.array
    )
    # What the page says of the result: the lines spread, and were worth it.
    assert np.diff(np.flatnonzero(mask.array)).max() > 1

    def psnr(row):
        return float(re.search(rf"^{row} +([\d.]+) ±", result.stdout, re.M)[1])

    for reconstruction in ("MoDL", "CG-SENSE"):
        learned, equispaced = (
            psnr(f"{lines}, {reconstruction}")
            for lines in ("learned", "equispaced lines")
        )
        assert learned > equispaced + 0.3
    assert psnr("learned, CG-SENSE") > psnr("central lines, CG-SENSE") + 0.3
    # The table of `evaluate`.
    learned, random = (
        psnr(rf"4 +runs/{file}\.npz +4\.000 +sense +[\d.]+")
        for file in ("tour/mask", "gaussian")
    )
    assert learned > random
    assert "better than the same number of equispaced lines" in result.stdout
