"""One self-contained HTML page with the result of a run.

The page has no scripts and loads nothing: figures are inside it. It can be
mailed, archived and opened years later.

```python
report.write_report(
    "result.html",
    "LOUPE at R = 4",
    {
        "Result": [
            "PSNR on the test set, mean over 186 slices.",
            report.table(["slope", "PSNR [dB]"], [[200, 31.2], ["4S", 32.0]]),
            report.figure(plots.mask(mask), "The learned mask."),
        ],
        "How it was obtained": [report.facts({"seed": 0, "epochs": 100})],
    },
)
```
"""

import base64
import html
import io
import numbers
import pathlib
import re

import numpy as np

from loupe_tf.atomic import written_aside
from loupe_tf.checks import invalid

__all__ = [
    "facts",
    "figure",
    "markdown_table",
    "paragraph",
    "save_figure",
    "spread",
    "table",
    "text_table",
    "write_report",
]

STYLE = """
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  color: #1f2328; background: #fff; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1.5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem;
  border-bottom: 1px solid #d0d7de; }
p { max-width: 42rem; }
.box { max-width: 42rem; padding: .1rem 1rem; background: #f6f8fa;
  border-left: .3rem solid #0969da; }
.box p:first-child { font-weight: 600; }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { margin: .4rem 0; max-width: 42rem; font-size: .9rem;
  color: #57606a; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid #d0d7de; }
th { border-bottom: 2px solid #57606a; }
.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: fit-content(40%) 1fr;
  gap: .3rem 1.2rem; }
dt { color: #57606a; }
code { display: inline-block; max-width: 100%; }
.badge span { padding: .1rem .5rem; border-radius: 1rem; font-size: .85rem;
  background: #eaeef2; }
.badge .open { background: #fff1c2; }
.badge .ok { background: #d3f2da; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  table, tbody { display: block; }
  tr { display: grid; grid-template-columns: 4fr 3fr 3fr;
    gap: .5rem .75rem; margin: .75rem 0; padding: .75rem;
    border: 1px solid #d0d7de; border-radius: .4rem; }
  tr.header, td:empty, td.none { display: none; }
  td { grid-column: 1 / -1; padding: 0; border: 0; }
  td.number { grid-column: auto; text-align: left; white-space: normal; }
  td:first-child { font-weight: 600; }
  td.badge { order: -1; }
  td[data-label]::before { content: attr(data-label); display: block;
    font-size: .8rem; color: #57606a; }
  dl { grid-template-columns: fit-content(30%) 1fr; }
  .scroll img.wide { max-width: none; width: 40rem; } }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


class Part(str):
    """HTML that can be put into a page unchanged."""


def paragraph(text, box=False):
    """Return a paragraph of plain text, a part of a page.

    Args:
        text: String. Blank lines separate paragraphs; `backticks` hold code.
        box: Boolean, whether to put it into a box, with the first paragraph in
            bold, as for the answer of a page.
    """
    blocks = map(_with_code, re.split(r"\n\s*\n", str(text).strip()))
    content = "\n".join(f"<p>{block}</p>" for block in blocks)
    return Part(f'<div class="box">\n{content}\n</div>' if box else content)


def figure(figure, caption, alt=None):
    """Return a Matplotlib figure as a part of a page, with a PNG inside.

    Args:
        figure: `matplotlib.figure.Figure`.
        caption: String, printed below the figure.
        alt: (Optional) string, description of the figure for readers who
            cannot see it. Defaults to the caption.
    """
    image = base64.b64encode(_png(figure)).decode("ascii")
    # The width on the page is that of the figure in inches, at any resolution.
    width = round(96 * figure.get_figwidth())
    # Those of several panels scroll on a phone.
    kind = ' class="wide"' if width > 700 else ""
    return Part(
        f'<figure>\n<div class="scroll"><img{kind} width="{width}" '
        f'alt="{_escape(alt or caption)}" '
        f'src="data:image/png;base64,{image}"></div>\n'
        f"<figcaption>{_escape(caption)}</figcaption>\n</figure>"
    )


def table(header, rows, caption=None, badges=None):
    """Return a table as a part of a page.

    Numbers are aligned right, and floats have four digits. On a phone, each
    row is a card: the first cell is its title, and the names of the columns
    stand above the other cells.

    Args:
        header: Names of the columns.
        rows: Rows of cells. A cell is a number, a string, or `None` if empty.
            Strings are not changed but for `backticks`, which hold code; so
            format floats yourself for another number of digits.
        caption: (Optional) string, printed below the table.
        badges: (Optional) string, the name of a column of single words, which
            are drawn as badges: `"open"` in yellow, `"ok"` in green, others in
            grey. The badge is at the top of the card.
    """
    if badges is not None and badges not in header:
        raise invalid(
            "badges", f"one of the columns, {list(header)}", found=badges
        )
    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(header):
            raise invalid(
                "rows",
                f"rows of {len(header)} cells, like the header",
                found=f"row={row}",
            )
    # The name of a column of numbers is also aligned right.
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    lines = [_header(header, [any(map(_is_number, c)) for c in columns])]
    lines += [_row(header, row, badges) for row in rows]
    if caption is not None:
        caption = f"\n<figcaption>{_escape(caption)}</figcaption>"
    return Part(
        '<figure>\n<div class="scroll"><table>\n'
        + "\n".join(lines)
        + f"\n</table></div>{caption or ''}\n</figure>"
    )


def text_table(header, rows):
    """Return a table as plain text, to print.

    Args:
        header: Names of the columns.
        rows: Rows of cells, as in `table`.

    Returns:
        A string of several lines, with the first column aligned left and the
        others right.
    """
    lines = [[_format(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def markdown_table(header, rows):
    """Return a table in Markdown, to print and to paste into a page.

    Args:
        header: Names of the columns.
        rows: Rows of cells, as in `table`.

    Returns:
        A string of several lines.
    """
    lines = [
        [_format(cell).replace("|", r"\|") for cell in line]
        for line in (header, *rows)
    ]
    first, *others = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([first, "|---" * len(header) + "|", *others])


def spread(values, digits=2, sign=""):
    """Return a mean and a standard deviation as text, for a cell of a table.

    Args:
        values: Iterable of floats. `None` and values that are not finite are
            left out.
        digits: Integer, number of decimal places.
        sign: `"+"` always shows the sign, as for differences.

    Returns:
        A string such as `"31.20 ± 0.15"`, the deviation with the divisor n;
        only the mean for a single value; `"-"` if there is none.
    """
    values = np.array([v for v in values if v is not None], "float64")
    values = values[np.isfinite(values)]
    if not len(values):
        return "-"
    text = f"{values.mean():{sign}.{digits}f}"
    return text + (f" ± {values.std():.{digits}f}" if len(values) > 1 else "")


def facts(facts):
    """Return a list of names and values as a part of a page.

    Args:
        facts: Dictionary of values by name.
    """
    items = "\n".join(
        f"<dt>{_escape(name)}</dt><dd>{_escape(_format(value))}</dd>"
        for name, value in facts.items()
    )
    return Part(f"<dl>\n{items}\n</dl>")


def write_report(path, title, sections):
    """Write the page atomically.

    Args:
        path: Path of the HTML file. Its folder is made if missing.
        title: String, title of the page.
        sections: Dictionary from heading to a list of parts. Parts are the
            results of `figure`, `table`, `facts` and `paragraph`, or plain
            strings, which become paragraphs. The heading `""` is not printed.
    """
    body = []
    for heading, parts in sections.items():
        if isinstance(parts, str):
            raise invalid(
                "sections",
                "a list of parts under each heading",
                found=f"{heading!r}: {parts[:80]}",
            )
        if heading:
            body.append(f"<h2>{_escape(heading)}</h2>")
        for part in parts:
            if not isinstance(part, str):
                raise invalid(
                    "sections",
                    "strings and parts of this module",
                    found=repr(part),
                )
            body.append(part if isinstance(part, Part) else paragraph(part))
    page = PAGE.format(title=_escape(title), style=STYLE, body="\n".join(body))
    _write(path, page.encode("utf-8"))


def save_figure(figure, path):
    """Write a Matplotlib figure as a PNG file, atomically.

    The same figure gives the same bytes.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: Path of the PNG file. Its folder is made if missing.

    Raises:
        ValueError: If the path has the suffix of another format.
    """
    if pathlib.Path(path).suffix.lower() not in ("", ".png"):
        raise invalid(
            "path",
            "a path that ends in .png; `figure.savefig` knows other formats",
            found=f"path={path}",
        )
    _write(path, _png(figure))


def _png(figure):
    buffer = io.BytesIO()
    # Leave out the name and version of the software.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _write(path, content):
    """Write beside the file, then rename, so that nobody reads half of it."""
    with written_aside(path) as partial:
        partial.write_bytes(content)


def _with_code(value):
    """Escape a text, with what stands in `backticks` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _escape(value))


def _escape(value):
    return html.escape(str(value), quote=True)


def _format(value):
    if value is None:
        return ""
    if isinstance(value, numbers.Real) and not isinstance(
        value, numbers.Integral
    ):
        return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _is_number(cell):
    """Return whether a cell is a number or a string like "31.2 ± 0.4 dB"."""
    if isinstance(cell, str):
        return re.fullmatch(r"[-+−]?\d[\d.,]*([ ±%(e].*)?", cell) is not None
    return isinstance(cell, numbers.Number) and not isinstance(cell, bool)


def _header(names, right):
    cells = "".join(
        f'<th class="number">{_with_code(_format(name))}</th>'
        if is_right
        else f"<th>{_with_code(_format(name))}</th>"
        for name, is_right in zip(names, right, strict=True)
    )
    return f'<tr class="header">{cells}</tr>'


def _row(header, row, badges):
    """Make a row; its cells carry the names of their columns for cards."""
    cells = []
    for i, (name, cell) in enumerate(zip(header, row, strict=True)):
        content = _with_code(_format(cell))
        if name == badges:
            state = _escape(_format(cell)).replace("`", "")
            word = f'<span class="{state}">{content}</span>'
            cells.append(f'<td class="badge">{word if content else ""}</td>')
            continue
        is_number = _is_number(cell) or cell == "-"
        attributes = ' class="number"' if is_number else ""
        if cell == "-":
            attributes = ' class="number none"'
        # A text in the first column is the title of its card.
        if i or is_number:
            label = _escape(_format(name)).replace("`", "")
            attributes += f' data-label="{label}"'
        cells.append(f"<td{attributes}>{content}</td>")
    return f"<tr>{''.join(cells)}</tr>"
