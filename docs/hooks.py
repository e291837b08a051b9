"""How the documentation site is put together; mkdocs.yml names this file.

The README, the changelog, the scripts and the pages of the data sets lie
outside docs/: the site takes them as they are, with their links mended. The
reference has a page for each module in docs/api.md, whose tables get links to
it.
"""

import ast
import pathlib
import posixpath
import re

import griffe
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[1]
# Files outside docs/, and the pages they become.
SCRIPTS = {
    path.relative_to(ROOT).as_posix(): f"scripts/{path.stem}.md"
    for path in sorted((ROOT / "scripts").glob("*.py"))
}
PAGES = {
    **SCRIPTS,
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "license.md",
    "datasets/fastmri_slices/README.md": "datasets/fastmri_slices.md",
    "datasets/mni_brain/README.md": "datasets/mni_brain.md",
    "datasets/mri_volumes/README.md": "datasets/mri_volumes.md",
}
# A page of the reference.
REFERENCE = """\
# {module}

::: {module}
    options:
      members: {names}
"""

OVERVIEW = """\
The scripts are in `scripts/` of the repository, not in the wheel. Each says
more with `--help`. [All results](../results/all.md) has what they found."""


def sections(markdown):
    """The text before the sections of docs/api.md, and those by module."""
    head, *found = re.split(r"^## `(.*)`$", markdown, flags=re.M)
    return head, dict(zip(found[::2], found[1::2], strict=True))


def reference():
    """Pages of the reference, by the names in the tables of docs/api.md."""
    _, tables = sections((ROOT / "docs/api.md").read_text("utf-8"))
    return {
        f"api/{module}.md": REFERENCE.format(
            module=module, names=re.findall(r"^\| `(.*?)` \|", table, re.M)
        )
        for module, table in tables.items()
    }


def overview_of_scripts():
    """A page that links the scripts, each with the first line of its text."""
    lines = ["# Scripts", "", OVERVIEW, "", "| script | |", "|---|---|"]
    for path, page in SCRIPTS.items():
        first = ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8")))
        name = posixpath.basename(page)
        title = first.splitlines()[0].rstrip(".")
        lines.append(f"| [{name.removesuffix('.md')}]({name}) | {title} |")
    return "\n".join(lines) + "\n"


def on_config(config):
    """Put the pages of the reference and the scripts into the navigation."""
    for title, pages in ("API", reference()), ("Scripts", SCRIPTS.values()):
        (part,) = (entry[title] for entry in config.nav if title in entry)
        part.extend({pathlib.PurePath(p).stem: p} for p in pages)
    return config


def on_files(files, config):
    """Add the pages that are not in docs/."""
    contents = reference() | {"scripts/index.md": overview_of_scripts()}
    for path, page in PAGES.items():
        text = (ROOT / path).read_text("utf-8")
        if path in SCRIPTS:
            contents[page] = f"# {path}\n\n````python\n{text}````\n"
        else:
            contents[page] = mend_links(text, path)
    for page, content in contents.items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown, page, **kwargs):
    """Link the tables of the overview, and what lies outside docs/."""
    source = page.file.src_uri
    if source == "api.md":
        head, tables = sections(markdown)
        return head + "".join(map(linked, tables, tables.values()))
    if source in PAGES.values() or source.startswith("api/"):
        return markdown
    return mend_links(markdown, f"docs/{source}")


def on_page_content(html, **kwargs):
    """Set headings alike, and drop the dash before a result without a name."""
    html = re.sub(r"<p>(Examples?:)</p>", r"<p><strong>\1</strong></p>", html)
    dash = r'(<li class="doc-section-item field-body">\s*)–\s'
    return re.sub(dash, r"\1", html)


def linked(module, table):
    """A section of docs/api.md with its names linked to their docstrings."""
    link = rf"| [`\1`](api/{module}.md#{module}.\1) |"
    table = re.sub(r"^\| `(.*?)` \|", link, table, flags=re.M)
    return f"## [`{module}`](api/{module}.md)\n{table}"


def mend_links(markdown, path):
    """Make relative links of a file in the repository those of its page."""
    page = PAGES.get(path, path.removeprefix("docs/"))

    def mend(match):
        text, target, anchor = match.groups(default="")
        folder = posixpath.dirname(path)
        target = posixpath.normpath(posixpath.join(folder, target))
        if (ROOT / target).is_dir():  # There is no page of it.
            return text
        target = PAGES.get(target, target.removeprefix("docs/"))
        target = posixpath.relpath(target, posixpath.dirname(page) or ".")
        return f"[{text}]({target}{anchor})"

    # Links to somewhere, and neither to a site nor within the page.
    link = r"\[([^\]]*)\]\((?!\w+:)([^)\s#]+)(#[^)\s]*)?\)"
    # The odd ones of these parts are code.
    parts = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.M | re.S)
    parts[::2] = (re.sub(link, mend, part) for part in parts[::2])
    return "".join(parts)


class AsImported(griffe.Extension):
    """Shows griffe, which reads the files only, what `import` would find."""

    def on_instance(self, *, obj, **kwargs):
        """Fence examples that begin with `>>>`."""
        if obj.docstring:
            example = r"(?<=\n\n)(>>> .*(?:\n.+)*)"
            fenced = re.sub(example, r"```pycon\n\1\n```", obj.docstring.value)
            obj.docstring.value = fenced

    def on_package(self, *, pkg, loader, **kwargs):
        """Put objects where they are imported from."""
        if pkg.path != "loupe_tf":
            return
        # They lie at the top level of the checkout; setup.cfg maps them.
        for name in ("callbacks", "datasets"):
            pkg.set_member(name, loader.load(name))
        for package in (pkg, *pkg.modules.values()):
            for name, module in dict(package.modules).items():
                # A function of the same name hides its module.
                if package.imports.get(name) == f"{module.path}.{name}":
                    package.set_member(name, module[name])
