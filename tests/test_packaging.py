"""What setup.cfg says is what the code needs, and what a wheel contains."""

import ast
import configparser
import email
import importlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata

import pytest
import setuptools
from packaging.requirements import Requirement

import loupe_tf

ROOT = pathlib.Path(__file__).parents[1]
# The folder of the checkout behind each package of the wheel.
FOLDERS = {
    "loupe_tf": "loupe_tf",
    "loupe_tf.callbacks": "callbacks",
    "loupe_tf.datasets": "datasets",
}
BUILD_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
OTHER_FILES = (
    "Makefile",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    ".gitignore",
    ".pre-commit-config.yaml",
)
OTHER_FOLDERS = ("tests", "scripts", "docs", ".github")
DATA = {"README.md", "CITATIONS.bib", "TAGS.txt"}


def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def requirements(text):
    return [Requirement(line) for line in text.split("\n") if line.strip()]


def install_requires():
    return requirements(setup_cfg()["options"]["install_requires"])


def extras_require():
    section = setup_cfg()["options.extras_require"]
    return {name: requirements(text) for name, text in section.items()}


def sources(*folders):
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imports(path, at_top):
    """Modules that a file imports when it is imported, or later."""
    tree = ast.parse(path.read_text("utf-8"))
    top = [
        child
        for node in tree.body
        for child in ([node] if not _is_definition(node) else [])
        for child in ast.walk(child)
    ]
    for node in top if at_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def _is_definition(node):
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def beside(path):
    """What a script imports by its bare name, as it lies in its folder."""
    return {other.stem for other in path.parent.glob("*.py")}


def undeclared(paths, declared, at_top):
    """Pairs of a file and a module that none of `declared` brings."""
    provided = metadata.packages_distributions()
    names = {re.sub(r"[-_.]+", "-", r.name).lower() for r in declared}
    # The builds of TensorFlow differ in name alone.
    names |= {"tensorflow-cpu"} if "tensorflow" in names else set()
    ours = {"loupe_tf", "experiments", *sys.stdlib_module_names}
    return {
        (str(path.relative_to(ROOT)), module)
        for path in paths
        for module in set(imports(path, at_top)) - ours - beside(path)
        if not names
        & {
            re.sub(r"[-_.]+", "-", d).lower()
            for d in provided.get(module, [module])
        }
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of a copy of the checkout."""
    pytest.importorskip("build")
    copy = tmp_path_factory.mktemp("checkout")
    for name in (*BUILD_FILES, *OTHER_FILES):
        shutil.copy(ROOT / name, copy / name)
    # Those that are to stay out of the wheel as well.
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in (*FOLDERS.values(), *OTHER_FOLDERS):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    result = subprocess.run(
        # Without isolation the setuptools that is installed is the one used.
        [*command, "--skip-dependency-check"],
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stdout[-2000:]
    assert "cannot be found" not in result.stdout, result.stdout[-2000:]
    (path,) = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def info(wheel):
    """The metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_every_package_is_listed():
    listed = setup_cfg()["options"]["packages"].split()
    found = ["loupe_tf"]
    for package, folder in FOLDERS.items():
        found += [package] if package not in found else []
        inside = setuptools.find_packages(str(ROOT / folder))
        found += [f"{package}.{name}" for name in inside]
    assert sorted(listed) == sorted(found)


def test_every_folder_with_code_is_a_package():
    for folder in FOLDERS.values():
        for path in sources(folder):
            assert (path.parent / "__init__.py").exists(), path


def test_package_data_exists():
    for package, patterns in setup_cfg()["options.package_data"].items():
        parent = max(
            (p for p in FOLDERS if f"{package}.".startswith(f"{p}.")), key=len
        )
        inside = package.removeprefix(parent).replace(".", "/")
        folder = ROOT / f"{FOLDERS[parent]}{inside}"
        for pattern in patterns.split():
            assert list(folder.glob(pattern)), (package, pattern)


def test_wheel_has_all_files(files):
    expected = set()
    for package, folder in FOLDERS.items():
        for path in sources(folder):
            inside = path.relative_to(ROOT / folder).as_posix()
            expected.add(f"{package.replace('.', '/')}/{inside}")
    for name in DATA:
        for path in (ROOT / "datasets").glob(f"*/{name}"):
            inside = path.relative_to(ROOT).as_posix()
            expected.add(f"loupe_tf/{inside}")
    weights = (ROOT / "loupe_tf/zoo/weights").iterdir()
    expected |= {path.relative_to(ROOT).as_posix() for path in weights}
    assert {f for f in files if ".dist-info/" not in f} == expected


def test_wheel_has_one_top_level_package(wheel, files):
    tops = {name.split("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "loupe_tf"
    }
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in files if n.endswith("/top_level.txt"))
        assert archive.read(name).split() == [b"loupe_tf"]


def test_wheel_metadata(info):
    assert info["Name"] == "loupe-tf"
    assert info["Version"] == loupe_tf.__version__
    assert (info["License-Expression"] or info["License"]) == "MIT"
    assert info["License-File"] == "LICENSE"
    assert info["Author"] == "loupe_tf developers"
    assert info["Requires-Python"] == ">=3.10"
    assert set(info.get_all("Provides-Extra")) == {
        "beam",
        "benchmark",
        "brain",
        "build",
        "docs",
        "export",
        "onnx",
        "reconstruction",
        "tensorboard",
        "test",
        "volumes",
    }
    assert info.get_payload().lstrip().startswith("# loupe_tf")


IMPORT = """
import importlib.util, json, pkgutil, sys

# The checkout may be installed in editable mode.
sys.meta_path = [f for f in sys.meta_path if "__editable__" not in str(f)]
sys.path.insert(0, sys.argv[1])
import loupe_tf, loupe_tf.callbacks, loupe_tf.datasets

for module in pkgutil.walk_packages(loupe_tf.__path__, "loupe_tf."):
    __import__(module.name)
names = [name for name in sys.modules if f"{name}.".startswith("loupe_tf.")]
ours = {name: sys.modules[name].__file__ for name in names}
bare = {}
for name in ("callbacks", "datasets", "tests", "scripts"):
    spec = importlib.util.find_spec(name)
    bare[name] = str(spec and (spec.origin or spec.submodule_search_locations))
sys.stdout.write(json.dumps([ours, bare, loupe_tf.__version__]))
"""


def test_wheel_can_be_imported(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    result = subprocess.run(
        # Isolated: neither the current folder nor PYTHONPATH counts.
        [sys.executable, "-I", "-c", IMPORT, str(site)],
        cwd=empty,
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr[-2000:]
    ours, bare, version = json.loads(result.stdout)
    assert {"loupe_tf.callbacks", "loupe_tf.datasets.mni_brain"} <= set(ours)
    outside = {n: f for n, f in ours.items() if not f.startswith(str(site))}
    assert not outside
    # Another package, such as Hugging Face's `datasets`, may have the name.
    for name, place in bare.items():
        assert str(site) not in place, name
        assert not re.search(rf"{re.escape(str(ROOT / name))}\b", place), name
    assert version == loupe_tf.__version__


def test_console_scripts_can_be_run():
    scripts = setup_cfg()["options.entry_points"]["console_scripts"]
    for line in scripts.split("\n")[1:]:
        name, _, target = line.partition(" = ")
        module, _, function = target.partition(":")
        assert name == "loupe-tf"
        assert callable(getattr(importlib.import_module(module), function))


def test_requirements_have_upper_bounds():
    every = [("install_requires", r) for r in install_requires()]
    for extra, listed in extras_require().items():
        every += [(extra, r) for r in listed if r.name != "loupe-tf"]
    without = [
        f"{section}: {requirement}"
        for section, requirement in every
        if not {"<", "<=", "==", "~="}
        & {s.operator for s in requirement.specifier}
    ]
    assert not without


def test_what_is_imported_is_required():
    base = install_requires()
    extras = extras_require()
    every = base + sum(extras.values(), [])
    package = list(sources(*FOLDERS.values()))
    scripts = list(sources("scripts"))
    # Benchopt finds out by importing a file whether it can be run.
    at_once = [p for p in scripts if "benchopt_mri" not in p.parts]
    assert not undeclared(package, base, at_top=True)
    assert not undeclared(at_once, base, at_top=True)
    # A benchmark tells itself how to install what it is compared with.
    peers = {
        (f"scripts/benchmarks/{script}.py", name)
        for script in ("read_dataset", "unrolled")
        for name in ("fastmri", "torch")
    }
    script = "scripts/benchmarks/nufft.py"
    others = ("finufft", "torch", "torchkbnufft", "mrinufft", "jax_finufft")
    peers |= {(script, name) for name in (*others, "jax")}
    peers |= {
        (f"scripts/benchmarks/{script}.py", name)
        for script in (
            "equilibrium_deepinv",
            "modl_deepinv",
            "posterior_samples",
        )
        for name in ("deepinv", "torch")
    }
    peers |= {("scripts/benchmarks/three_convolutions.py", "torch")}
    # Torch is optional: it is imported only to read a PyTorch file.
    peers |= {("loupe_tf/models/load_fastmri_weights.py", "torch")}
    # Benchopt's name for what its files share.
    peers |= {
        (str(path.relative_to(ROOT)), "benchmark_utils") for path in scripts
    }
    # Each backend is imported where it is the one that runs.
    peers |= {("loupe_tf/fixed_point/vjp.py", "torch")}
    peers |= {("loupe_tf/posterior/compiling.py", "torch")}
    # What an extra brings is imported where it is used.
    assert not undeclared(package + scripts, every, at_top=False) - peers


def texts():
    """Name and content of every text file of the checkout."""
    paths = [ROOT / name for name in (*BUILD_FILES, *OTHER_FILES)]
    for folder in (*FOLDERS.values(), *OTHER_FOLDERS):
        paths += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
    for path in paths:
        try:
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def test_no_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.~}])/(?:work|tmp|home|root|Users)/")
    found = {
        name: match[0]
        for name, text in texts()
        if (match := pattern.search(text))
    }
    assert not found


def test_nothing_is_unpickled():
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}
    for path in sources(*FOLDERS.values(), "scripts"):
        assert not modules & set(imports(path, at_top=False)), path
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if ast.unparse(node.func) in ("np.load", "numpy.load"):
                assert options.get("allow_pickle") == "False", path
            assert options.get("allow_pickle", "False") == "False", path


def test_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(.*?)\]", text, re.M)
    assert versions[0] in ("Unreleased", loupe_tf.__version__)
    assert loupe_tf.__version__ in versions


def test_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    version, date = (
        re.search(rf"^{key}: (.*)$", text, re.M)[1].strip('"')
        for key in ("version", "date-released")
    )
    assert version == loupe_tf.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{version}] - {date}\n" in changelog


def test_the_forge_tries_every_python_that_is_named():
    named = re.findall(
        r"Programming Language :: Python :: (3\.\d+)",
        setup_cfg()["metadata"]["classifiers"],
    )
    text = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
    (tried,) = re.findall(r"python: \[(.*)\]", text)
    assert re.findall(r'"(.*?)"', tried) == named
    (backends,) = re.findall(r"backend: \[(.*)\]", text)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for backend in backends.split(", "):
        assert re.search(rf"^test-{backend}:", makefile, re.M)


def test_the_forge_runs_all_tests_every_week():
    text = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
    assert re.search(
        r'^  schedule:\n    - cron: "\d+ \d+ \* \* \d"$', text, re.M
    )
    _, job = text.split("\n  test-all:\n")
    assert "if: github.event_name != 'push'" in job
    assert "- run: make test-all PYTHON=python\n" in job
    # A push does not cancel it.
    (group,) = re.findall(r"^  group: (.*)$", text, re.M)
    assert "github.event_name" in group


def test_what_the_makefile_runs_is_there():
    """A folder that was moved would end `make test` halfway."""
    text = (ROOT / "Makefile").read_text("utf-8")
    paths = re.findall(r"\btests/[\w/.]+", text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
