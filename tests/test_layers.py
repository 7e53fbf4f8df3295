"""Who may import whom, and that nothing heavy is imported before it is needed.

The order of the layers is a contract of import-linter in pyproject.toml (`lint-imports`); here is what it cannot say.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module

import grimp
import pytest
from importlinter.cli import lint_imports

import airoagent
from tests.source import ROOT, executed_at_import, imported_by, python_files, shown, tree_of

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

# What still breaks a rule below. Each entry is to go; none may be added.
KNOWN_CIRCLES: set[tuple[str, str]] = set()
KNOWN_PRIVATE_USES: set[str] = set()
KNOWN_TWINS: set[str] = set()
KNOWN_FRAGMENTS = {"airoagent.training.made_examples"}


@cache
def imports() -> dict[str, frozenset[str]]:
    """The modules of the package that each of them imports, in functions too; imports for types do not count."""
    graph = grimp.build_graph("airoagent", exclude_type_checking_imports=True, cache_dir=None)
    return {module: frozenset(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def importers() -> dict[str, set[str]]:
    """The modules that import each module."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, needed in imports().items():
        for name in needed:
            found[name].add(module)
    return found


def test_the_layers_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    broken = lint_imports(no_cache=True)
    assert not broken, capsys.readouterr().out


def test_no_module_imports_itself_through_others_even_lazily() -> None:
    graph = {
        module: {other for other in needed if (module, other) not in KNOWN_CIRCLES}
        for module, needed in imports().items()
    }
    assert set(TopologicalSorter(graph).static_order()) == set(graph)  # a circle is a CycleError that names it


def test_a_module_imports_no_public_name_from_the_root() -> None:
    """Each from where it is defined: the root's names are for users."""
    used = [
        f"{shown(file)}: {name}" for file in MODULES for part in ast.walk(tree_of(file)) for name in imported_by(part)
    ]
    own = {f"airoagent.{name}" for name in airoagent.__all__}
    assert [use for use in used if use.partition(": ")[2] in own] == []
    assert imports()["airoagent"] == set()


def test_a_folder_is_imported_only_through_the_modules_that_it_names() -> None:
    folders = {module.rpartition(".")[0] for module in imports()} - {"", "airoagent"}
    named = {folder: getattr(import_module(folder), "__all__", None) for folder in folders}
    assert [folder for folder, names in named.items() if names is None] == []
    assert [
        f"{module} imports {other}"
        for module, needed in sorted(imports().items())
        for other in sorted(needed)
        if (folder := other.rpartition(".")[0]) in folders
        and not f"{module}.".startswith(f"{folder}.")
        and other.rpartition(".")[2] not in (named[folder] or ())
    ] == []


def private_names(tree: ast.AST) -> Iterator[str]:
    """The names with a leading underscore that a file defines: functions, classes, variables and attributes."""
    for item in ast.walk(tree):
        match item:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def private_uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The private names that a file takes from something other than its own objects, each with its line."""
    for item in ast.walk(tree):
        if isinstance(item, ast.Attribute) and not (isinstance(item.value, ast.Name) and item.value.id == "self"):
            yield item.lineno, item.attr
        elif isinstance(item, ast.ImportFrom):
            yield from ((item.lineno, alias.name) for alias in item.names)


def test_no_module_uses_a_private_name_of_another() -> None:
    trees = {shown(file): tree_of(file) for file in (*MODULES, *TOOLS)}
    defined = {
        file: {name for name in private_names(tree) if name.startswith("_") and not name.startswith("__")}
        for file, tree in trees.items()
    }
    private = set().union(*defined.values())
    assert [
        f"{file}:{line}: {name}"
        for file, tree in trees.items()
        if file not in KNOWN_PRIVATE_USES
        for line, name in private_uses(tree)
        if name in private - defined[file]
    ] == []


def test_private_names_and_their_uses_are_found() -> None:
    made = "class A:\n    _b = 1\n    def _c(self):\n        self._d = 2"
    assert {"_b", "_c", "_d"} <= set(private_names(ast.parse(made)))
    used = list(private_uses(ast.parse("from airoagent.x import _a\nstore._db.close()\nself._own")))
    assert (1, "_a") in used and (2, "_db") in used and (3, "_own") not in used


def test_a_module_name_is_used_once() -> None:
    stems = Counter(file.stem for file in MODULES if not file.stem.startswith("__"))
    assert {stem for stem, times in stems.items() if times > 1} - KNOWN_TWINS == set()


def test_a_short_module_is_imported_by_several_others() -> None:
    """One that serves a single other is a part of that one."""
    lengths = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): len(file.read_text(encoding="utf-8").splitlines())
        for file in MODULES
    }
    found = {module for module, users in importers().items() if len(users) == 1 and lengths.get(module, 60) < 60}
    assert found - KNOWN_FRAGMENTS == set()


def test_nothing_heavy_is_imported_at_the_top_of_a_module() -> None:
    assert [
        f"{shown(file)}: {name}"
        for file in MODULES + TOOLS
        for statement in executed_at_import(tree_of(file))
        for name in imported_by(statement)
        if name.split(".")[0] in HEAVY
    ] == []


def test_a_tool_file_imports_only_the_public_names_of_airoagent() -> None:
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
