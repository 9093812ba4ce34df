"""The layout of the package: what may import what, what is called what, and how long files may be."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.command import ROOT

PACKAGE = ROOT / "nst_jax"
# Each imports from those before it, never from those after.
LAYERS = (
    *("errors", "files", "storage", "terminal", "devices", "networks", "images", "configs", "config"),
    *("weights", "variables", "losses", "nnst"),
    *(
        "optimizers",
        "runs",
        "transfer",
        "methods",
        "figures",
        "sweeps",
        "bench",
        "vision",
        "cli",
        "cluster",
        "preview",
        "film",
        "video",
        "api",
        "experiments",
        "run",
        "sweep",
        "__main__",
    ),
)
# Likewise within vision/.
VISION = ("maximizing", "searching", "concepts", "probing")
MODULES = sorted(PACKAGE.rglob("*.py"))
# One function of each reader has the same name: it is their common interface.
SHARED = {"read", "main"}
# Names of the Python API that the rooms behind it use for the same thing.
PUBLIC = {"Session", "paint"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer(dotted: str) -> str:
    """`losses` of `nst_jax.losses.gram`."""
    return dotted.split(".")[1]


def imported(path: Path) -> set[str]:
    """The rooms of the package that a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "nst_jax":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nst_jax."):
            found.add(layer(node.module))
    return found


def test_the_root_holds_only_what_every_room_needs():
    modules = {path.name for path in PACKAGE.glob("*.py")}
    commands = {"__main__.py", "run.py", "sweep.py", "film.py"}
    assert modules == {"__init__.py", "cli.py", "errors.py", "files.py"} | commands


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_run_downwards(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if here != "__init__":
        above = set(LAYERS[LAYERS.index(here) + 1 :])
        assert not imported(path) & above


@pytest.mark.parametrize("path", sorted((PACKAGE / "vision").rglob("*.py")), ids=relative)
def test_imports_run_downwards_within_vision(path):
    here = path.relative_to(PACKAGE / "vision").parts[0]
    above = VISION[VISION.index(here) + 1 :] if here in VISION else VISION
    assert not any(f"nst_jax.vision.{room}" in path.read_text() for room in above)


def test_no_two_things_share_a_name():
    defined = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in defined.items() if count > 1} <= SHARED | PUBLIC
    # An experiment is a command, which is called as the subject in vision/ that it shows.
    rooms = [path for path in MODULES if "experiments" not in path.parts and not path.stem.startswith("__")]
    modules = Counter(path.stem for path in rooms)
    assert max(modules.values()) == 1, modules.most_common(3)


def test_files_fit_one_sitting():
    files = [
        path
        for folder in ("nst_jax", "experiments", "scripts", "configs", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    long = {relative(path): count for path in files if (count := len(path.read_text().splitlines())) > 250}
    assert not long


TEXT = ("read_text", "write_text")


def test_text_has_a_stated_encoding():
    """On Windows, the default is that of the country."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) == "files.write_text":
                continue
            arguments = [ast.unparse(argument) for argument in node.args]
            opens_text = ast.unparse(node.func) == "open" or getattr(node.func, "attr", "") == "open"
            as_text = opens_text and {"'a'", "'w'", "'r'"} & {*arguments}
            if as_text or getattr(node.func, "attr", "") in TEXT:
                named = {keyword.arg for keyword in node.keywords}
                assert "encoding" in named, f"{relative(path)}:{node.lineno}: {ast.unparse(node)}"


def test_only_architectures_know_how_layers_are_called():
    """Nothing takes a layer's name apart: order, strides and blocks come from the architecture."""
    for path in MODULES:
        text = path.read_text()
        for habit in ('startswith("conv', 'startswith("pool', "layer[4]", "name[4]"):
            assert habit not in text, relative(path)
