"""The layers: who may import whom, and that nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from tests.source import PACKAGE, ROOT, executed_at_import, imported_by, is_type_checking, python_files, shown, tree_of

# A layer imports only from layers below it. Layers of one height do not import each other, save for types.
HEIGHT = {
    "text": 0,
    "errors": 0,
    "child_processes": 1,
    "extras": 1,
    "textfiles": 1,
    "events": 2,
    "settings": 2,
    "findings": 2,
    "background": 2,
    "prompts": 3,
    "calls": 4,
    "plan": 5,
    "models": 6,
    "toolbox": 6,
    "extractive": 7,
    "documents": 7,
    "web": 8,
    "records": 8,
    "engine": 9,
    "recorded": 10,
    "agent": 11,
    "conversation": 12,
    "evaluation": 12,
    "serving": 12,
    "training": 12,
    "view": 12,
    "cli": 13,
    "__main__": 14,
}

# Folders whose `__all__` names the modules that others may import.
ROOMS = ("prompts", "calls", "plan")

HEAVY = (
    "torch",
    "transformers",
    "bitsandbytes",
    "accelerate",
    "llguidance",
    "xllamacpp",
    "httpx",
    "httpcore",
    "bs4",
    "lxml",
    "ddgs",
    "pydantic",
    "rich",
    "mcp",
    "protego",
    "trafilatura",
    "pypdf",
)

MODULES = python_files("airoagent")
TOOLS = python_files("tools")


def layer_of(module: str) -> str:
    """``airoagent.engine.scheduler`` is of the layer ``engine``."""
    return module.split(".")[1]


def layer_breaks(file: Path) -> list[str]:
    """What a file of the package imports from a layer that is not below its own."""
    own = file.relative_to(PACKAGE).with_suffix("").parts[0]
    tree = tree_of(file)
    for_types = {id(inner) for outer in ast.walk(tree) if is_type_checking(outer) for inner in ast.walk(outer)}
    breaks = []
    for statement in ast.walk(tree):
        for name in imported_by(statement):
            where = f"{shown(file)}:{getattr(statement, 'lineno', 0)}"
            if not name.startswith("airoagent.") or name == "airoagent.__version__":
                continue
            other = layer_of(name)
            if other not in HEIGHT:
                breaks.append(f"{where}: {name}: import it from the module that defines it")
            elif other != own and HEIGHT[other] >= HEIGHT[own] + (id(statement) in for_types):
                breaks.append(f"{where}: {own} imports {name}")
    return breaks


def test_a_layer_imports_only_from_layers_below_it() -> None:
    package = PACKAGE / "__init__.py"
    names = [name for statement in executed_at_import(tree_of(package)) for name in imported_by(statement)]
    assert [name for name in names if name.startswith("airoagent")] == []
    assert [broken for file in MODULES if file != package for broken in layer_breaks(file)] == []


def package_imports() -> dict[str, set[str]]:
    """The modules of the package that each of them imports, at the top or within a function; not those for types."""
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in MODULES}
    found: dict[str, set[str]] = {}
    for module, file in names.items():
        tree = tree_of(file)
        for_types = {id(inner) for outer in ast.walk(tree) if is_type_checking(outer) for inner in ast.walk(outer)}
        found[module] = {
            home
            for statement in ast.walk(tree)
            if id(statement) not in for_types
            for name in imported_by(statement)
            for home in (name, name.rpartition(".")[0])
            if home in names and home != module
        }
    return found


def test_no_module_of_the_language_imports_itself_by_a_detour() -> None:
    imports = {module: needed for module, needed in package_imports().items() if module.split(".")[1] in ROOMS}
    assert {module for module in TopologicalSorter(imports).static_order() if module in imports} == set(imports)


@pytest.mark.parametrize("room", ROOMS)
def test_only_the_modules_that_a_folder_names_are_imported_from_other_folders(room: str) -> None:
    public = {f"airoagent.{room}.{name}" for name in import_module(f"airoagent.{room}").__all__}
    inside = f"airoagent.{room}."
    used = {
        name
        for module, needed in package_imports().items()
        if not module.startswith(inside)
        for name in needed
        if name.startswith(inside)
    }
    assert used - public == set()


def test_nothing_heavy_is_imported_at_the_top_of_a_module() -> None:
    assert [
        f"{shown(file)}: {name}"
        for file in MODULES + TOOLS
        for statement in executed_at_import(tree_of(file))
        for name in imported_by(statement)
        if name.split(".")[0] in HEAVY
    ] == []


def test_a_tool_file_imports_only_the_public_names_of_airoagent() -> None:
    import airoagent

    public = {"airoagent", *(f"airoagent.{name}" for name in airoagent.__all__)}
    assert [
        f"{shown(file)}: {name}"
        for file in TOOLS
        for statement in ast.walk(tree_of(file))
        for name in imported_by(statement)
        if name.split(".")[0] == "airoagent" and name not in public
    ] == []


@pytest.mark.parametrize(
    "code",
    [
        "import airoagent",
        "import airoagent; airoagent.Plan, airoagent.tool, airoagent.Toolbox, airoagent.AiroError",
        "from airoagent.cli import main\ntry: main(['--help'])\nexcept SystemExit as end: assert not end.code",
        "from airoagent.cli import main\ntry: main(['--version'])\nexcept SystemExit as end: assert not end.code",
    ],
    ids=["import", "names", "help", "version"],
)
def test_starting_up_leaves_nothing_heavy_in_memory(code: str) -> None:
    report = f"{code}\nimport sys; print(*sorted(set({HEAVY}) & set(sys.modules)), 'airoagent', file=sys.stderr)"
    command = [sys.executable, "-W", "error", "-c", report]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "airoagent\n"), done.stdout


def test_every_file_of_the_package_is_in_a_known_layer() -> None:
    layers = {file.relative_to(PACKAGE).with_suffix("").parts[0] for file in MODULES}
    assert layers - set(HEIGHT) == {"__init__"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", ["torch"]),
        ("def f():\n    import torch", []),
        ("class A:\n    import torch.nn", ["torch.nn"]),
        ("try:\n    from rich import print\nexcept ImportError:\n    pass", ["rich.print"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import bs4", ["bs4"]),
        ("f = lambda: __import__('x')\nif True:\n    import lxml", ["lxml"]),
    ],
)
def test_the_reader_of_imports_sees_what_importing_executes(source: str, found: list[str]) -> None:
    names = [name for statement in executed_at_import(ast.parse(source)) for name in imported_by(statement)]
    assert [name for name in names if not name.startswith("typing")] == found


@pytest.mark.parametrize(
    ("file", "source", "breaks"),
    [
        ("engine/x.py", "from airoagent.models.base import Model", 0),
        ("plan/x.py", "def f():\n    from airoagent.engine import run", 1),
        ("models/x.py", "from airoagent.toolbox.tool import Tool", 1),
        ("models/x.py", "if TYPE_CHECKING:\n    from airoagent.toolbox.tool import Tool", 0),
        ("models/x.py", "if TYPE_CHECKING:\n    from airoagent.engine.scheduler import Run", 1),
        ("settings.py", "from airoagent.events import Event", 1),
        ("view/x.py", "from airoagent.cli.app import main", 1),
        ("engine/x.py", "from airoagent import Agent", 1),
    ],
)
def test_the_layer_rule_finds_what_breaks_it(
    file: str, source: str, breaks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PACKAGE", "tests.source.ROOT"):
        monkeypatch.setattr(f"tests.test_layers.{name}" if name == "PACKAGE" else name, tmp_path)
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    assert len(layer_breaks(path)) == breaks
