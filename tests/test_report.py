import html.parser
import os
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from loupe_tf import report

PNG = b"\x89PNG\r\n\x1a\n"
EVIL = "<script>alert(1)</script> & \"quoted\" 'too'"


def drawing():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    return figure


class Checker(html.parser.HTMLParser):
    """Collects the tags, and fails where they are not properly nested."""

    VOID = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def write(tmp_path, sections, title="Title"):
    path = tmp_path / "report.html"
    report.write_report(path, title, sections)
    return path.read_text(encoding="utf-8")


def test_report_is_one_self_contained_page(tmp_path):
    text = write(
        tmp_path,
        {
            "Result": [
                "See https://example.org for more.",
                report.figure(drawing(), "A line."),
                report.table(["a", "b"], [[1, 2.5]], "Numbers."),
            ],
            "How it was obtained": [report.facts({"seed": 0})],
        },
    )
    page = Checker(text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h2") == 2
    assert not {"script", "link", "iframe", "object"} & set(tags)
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert image["src"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert image["alt"] == "A line."
    assert image["width"] == "192"
    for _, attrs in page.tags:
        assert "href" not in attrs
        assert not attrs.get("src", "data:").startswith(("http:", "https:"))
    assert not re.search(r"@import|url\(", text)
    assert ("meta", {"charset": "utf-8"}) in page.tags


def test_all_text_is_escaped(tmp_path):
    text = write(
        tmp_path,
        {
            EVIL: [
                EVIL,
                report.paragraph(EVIL),
                report.figure(drawing(), EVIL, alt=EVIL),
                report.table([EVIL], [[EVIL]], EVIL),
                report.facts({EVIL: EVIL}),
            ]
        },
        title=EVIL,
    )
    page = Checker(text)
    assert "script" not in [tag for tag, _ in page.tags]
    assert text.count("&lt;script&gt;") == 12
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert image["alt"] == EVIL


def test_table_aligns_and_formats_numbers():
    text = report.table(
        ["method", "PSNR"],
        [["4S", 32.34567], [200, "31.2 ± 0.4"], [18800.0, None], ["3D", "-"]],
    )
    cells = re.findall(
        r"<(t[hd])( class=\"number(?: none)?\")?[^>]*>(.*?)</t[hd]>", text
    )
    assert [(bool(right), content) for _, right, content in cells] == [
        (True, "method"),
        (True, "PSNR"),
        (False, "4S"),
        (True, "32.35"),
        (True, "200"),
        (True, "31.2 ± 0.4"),
        (True, "18800"),
        (False, ""),
        (False, "3D"),
        (True, "-"),
    ]
    assert "figcaption" not in text
    assert '<div class="scroll"><table>' in text


def test_rows_are_cards_on_a_phone(tmp_path):
    """Each cell says its column, and no rule needs the header."""
    table = report.table(
        ["item", "state", "`R`", "seconds"],
        [["first", "open", 4.0, "-"], ["second", "note", 'a"b', None]],
        badges="state",
    )
    first, second = re.findall(r"<tr>(.*?)</tr>", table)
    assert first == (
        '<td>first</td><td class="badge"><span class="open">open</span></td>'
        '<td class="number" data-label="R">4</td>'
        '<td class="number none" data-label="seconds">-</td>'
    )
    assert second.endswith(
        '<td data-label="R">a&quot;b</td><td data-label="seconds"></td>'
    )
    # Nothing of the first column says what a number in it counts.
    assert '<td class="number" data-label="a">1</td>' in report.table(
        ["a"], [[1]]
    )
    page = write(tmp_path, {"A": [table]})
    narrow = page[page.index("@media (max-width") : page.index("</style>")]
    assert "tr.header, td:empty, td.none { display: none; }" in narrow
    assert "content: attr(data-label)" in narrow
    assert "td.badge { order: -1; }" in narrow
    with pytest.raises(ValueError, match=r"`badges`.*'item'.*stat"):
        report.table(["item", "state"], [], badges="stat")


def test_table_takes_numpy_numbers_and_no_rows():
    text = report.table(["a", "b"], [[np.float32(0.25), np.int64(7)]])
    assert text.count('<td class="number"') == 2
    assert "<th>a</th>" in report.table(["a"], [])
    assert "<td>True</td>" in report.table(["a"], [[True]])


def test_table_with_ragged_rows():
    with pytest.raises(ValueError, match=r"`rows`.*2 cells.*row=\[1\]"):
        report.table(["a", "b"], [[1, 2], [1]])


def test_paragraphs_and_facts():
    boxed = report.paragraph("one\n\n`two`", box=True)
    assert boxed == (
        '<div class="box">\n<p>one</p>\n<p><code>two</code></p>\n</div>'
    )
    text = report.paragraph("one\nline\n\ntwo")
    assert text == "<p>one\nline</p>\n<p>two</p>"
    text = report.paragraph("run `build <x>`")
    assert text == "<p>run <code>build &lt;x&gt;</code></p>"
    assert "<dt>rate</dt><dd>0.01</dd>" in report.facts({"rate": 0.01})


def test_invalid_sections(tmp_path):
    with pytest.raises(ValueError, match="`sections`.*list of parts"):
        write(tmp_path, {"Result": "a text, not a list"})
    with pytest.raises(ValueError, match="`sections`.*Figure"):
        write(tmp_path, {"Result": [drawing()]})


def test_heading_may_be_empty(tmp_path):
    assert "<h2>" not in write(tmp_path, {"": ["Text."]})


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    before = write(tmp_path, {"A": ["first"]})

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, {"A": ["second"]})
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before


def test_save_figure_makes_folders_and_the_same_bytes(tmp_path):
    path = tmp_path / "new" / "figure.png"
    report.save_figure(drawing(), path)
    content = path.read_bytes()
    assert content.startswith(PNG)
    assert b"Software" not in content
    report.save_figure(drawing(), path)
    assert path.read_bytes() == content


def test_text_table():
    text = report.text_table(["mask", "PSNR"], [["a", 31.25], ["longer", None]])
    assert text.splitlines() == ["mask     PSNR", "a       31.25", "longer"]


def test_markdown_table():
    text = report.markdown_table(["a|b", "PSNR"], [["c", 31.25], ["d", None]])
    assert text.splitlines() == [
        r"| a\|b | PSNR |",
        "|---|---|",
        "| c | 31.25 |",
        "| d |  |",
    ]


def test_spread():
    assert report.spread([1.0, 3.0]) == "2.00 ± 1.00"
    assert report.spread([1.0, None, float("nan")], 1) == "1.0"
    assert report.spread([]) == "-"
    assert report.spread([1.0, 3.0], 1, sign="+") == "+2.0 ± 1.0"


def test_a_figure_is_png_whatever_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"`path`.*\.png.*a\.pdf"):
        report.save_figure(Figure(figsize=(1, 1)), tmp_path / "a.pdf")
    assert not any(tmp_path.iterdir())
