"""The layers: who may import whom, and that nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import PACKAGE, ROOT, executed_at_import, imported_by, is_type_checking, python_files, shown, tree_of

# A layer imports only from layers below it. Layers of one height do not import each other, save for types.
HEIGHT = {
    "errors": 0,
    "records": 0,
    "textfiles": 1,
    "events": 2,
    "settings": 2,
    "language": 3,
    "models": 4,
    "toolbox": 4,
    "engine": 5,
    "agent": 6,
    "view": 7,
    "cli": 8,
    "__main__": 9,
}

HEAVY = (
    "torch",
    "transformers",
    "bitsandbytes",
    "accelerate",
    "llguidance",
    "llama_cpp",
    "httpx",
    "httpcore",
    "bs4",
    "lxml",
    "ddgs",
    "pydantic",
    "rich",
    "mcp",
    "trafilatura",
    "pypdf",
)

MODULES = python_files("airoagent")
TOOLS = python_files("tools")


def layer_of(module: str) -> str:
    """``airoagent.engine.run`` is of the layer ``engine``."""
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


@pytest.mark.parametrize("file", MODULES, ids=shown)
def test_a_layer_imports_only_from_layers_below_it(file: Path) -> None:
    if file == PACKAGE / "__init__.py":
        names = [name for statement in executed_at_import(tree_of(file)) for name in imported_by(statement)]
        assert [name for name in names if name.startswith("airoagent")] == []
    else:
        assert layer_breaks(file) == []


@pytest.mark.parametrize("file", MODULES + TOOLS, ids=shown)
def test_nothing_heavy_is_imported_at_the_top_of_a_module(file: Path) -> None:
    names = [name for statement in executed_at_import(tree_of(file)) for name in imported_by(statement)]
    assert [name for name in names if name.split(".")[0] in HEAVY] == []


@pytest.mark.parametrize("file", TOOLS, ids=shown)
def test_a_tool_file_imports_only_the_public_names_of_airoagent(file: Path) -> None:
    import airoagent

    names = [name for statement in ast.walk(tree_of(file)) for name in imported_by(statement)]
    ours = [name for name in names if name.split(".")[0] == "airoagent" and name != "airoagent"]
    assert [name for name in ours if name.removeprefix("airoagent.") not in airoagent.__all__] == []


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
        ("language/x.py", "def f():\n    from airoagent.engine import run", 1),
        ("models/x.py", "from airoagent.toolbox.tool import Tool", 1),
        ("models/x.py", "if TYPE_CHECKING:\n    from airoagent.toolbox.tool import Tool", 0),
        ("models/x.py", "if TYPE_CHECKING:\n    from airoagent.engine.run import Run", 1),
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
