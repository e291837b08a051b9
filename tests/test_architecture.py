"""Which part of the library knows which: imports run down, in no circle.

A room is a folder of the library, or a module that lies beside the folders. All
imports count, those inside of functions and those for type checkers too.
"""

import ast
import graphlib
import importlib.util
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = {
    "loupe_tf": "loupe_tf",
    "loupe_tf.callbacks": "callbacks",
    "loupe_tf.datasets": "datasets",
}
# From the ground up: a room imports from lower floors alone. The front door,
# `loupe_tf/__init__.py`, has no name.
FLOORS = (
    {"version", "checks", "on_import", "backward", "recomputed"},
    {"fourier", "numpy_fourier", "reading", "file_formats"},
    {"atomic", "hdf5", "simulation"},
    {"cfl", "ismrmrd_file"},
    {"ismrmrd_writer"},
    {"records"},
    {"run_folder", "kept_images"},
    {"metrics", "operators", "fixed_point", "compile_like"},
    {"losses", "masks"},
    {"trajectories"},
    {"layers", "numpy_operators"},
    {"samplers"},
    {"models"},
    {"regimes"},
    {"formats"},
    {"reconstruction"},
    {"evaluation", "posterior", "zoo"},
    {"plots", "report"},
    {"export", "publishing"},
    {"distribution"},
    {"callbacks"},
    {"datasets"},
    {"provenance"},
    {"command_line"},
    {"cli"},
    {""},
)


def files():
    """The path of each module of the library, by its name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            found[".".join((package, *parts))] = path
    return found


FILES = files()


def is_package(module):
    return FILES[module].name == "__init__.py"


def imported(module):
    """Pairs of a module and a name, or `None`, that a module imports."""
    package = module if is_package(module) else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(FILES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                name = "." * node.level + source
                source = importlib.util.resolve_name(name, package)
            yield from ((source, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and (
            ast.unparse(node.func).rpartition(".")[2] == "import_module"
        ):
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value, None


def source_of(module, name):
    """The module that holds a name; a package hands on what others hold."""
    if is_package(module):
        if f"{module}.{name}" in FILES and module == "loupe_tf":
            return f"{module}.{name}"
        for source, handed_on in imported(module):
            if handed_on == name and source in FILES and source != module:
                return source_of(source, name)
    full = f"{module}.{name}"
    return full if full in FILES else module


def graph():
    """The modules of the library that each of its modules imports."""
    edges = {module: set() for module in FILES}
    for module in FILES:
        for source, name in imported(module):
            if source in FILES:
                target = source if name is None else source_of(source, name)
                edges[module].add(target)
    return edges


GRAPH = graph()


def room(module):
    return (module.split(".") + [""])[1]


def between_rooms():
    """The rooms that each room imports from, itself left out."""
    edges = {}
    for module, targets in GRAPH.items():
        edges.setdefault(room(module), set()).update(map(room, targets))
    return {name: targets - {name} for name, targets in edges.items()}


def circle(edges):
    """The nodes of a circle in a graph, first and last the same, or `None`."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        return error.args[1][::-1]
    return None


def test_the_graph_is_read_as_python_reads_it():
    """Names through a package's face, imports in functions, for typing."""
    assert "loupe_tf.layers.prob_mask" in GRAPH["loupe_tf.layers"]
    assert source_of("loupe_tf.masks", "dc_position") == "loupe_tf.masks.centre"
    assert source_of("loupe_tf", "masks") == "loupe_tf.masks"
    assert source_of("loupe_tf", "__version__") == "loupe_tf.version"
    assert "loupe_tf.export" in GRAPH["loupe_tf"]  # For type checkers.
    assert "loupe_tf.cli" not in GRAPH["loupe_tf"]


def test_no_circle_between_files():
    assert circle(GRAPH) is None


def test_no_circle_between_rooms():
    assert circle(between_rooms()) is None


def test_every_room_has_one_floor():
    listed = [name for floor in FLOORS for name in floor]
    assert sorted(listed) == sorted({room(module) for module in FILES})


def test_the_page_has_every_floor_in_its_order():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    figure = page[page.index(" commands    │") :].split("```")[0]
    lines = re.findall("│ (.*)$", figure, re.M)
    assert [set(line.split()) for line in lines] == list(FLOORS[-2::-1])


def test_no_import_goes_up():
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    upward = [
        (name, target)
        for name, targets in between_rooms().items()
        for target in targets
        if floor[target] >= floor[name]
    ]
    assert not upward, "imports from a floor that is not below"


def test_the_library_imports_no_script():
    paths = (ROOT / "scripts").iterdir()
    scripts = {"scripts", *(path.stem for path in paths)}
    for module in FILES:
        names = {source.partition(".")[0] for source, _ in imported(module)}
        assert not names & scripts, module


def test_callbacks_know_no_model():
    assert "models" not in between_rooms()["callbacks"]
