"""The house rules of the project that a program can check; AGENTS.md tells them to people."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source import ROOT, project_files, python_files, shown, tree_of

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60

TOP_LEVEL = {
    ".ci",
    ".gitattributes",
    ".gitignore",
    "AGENTS.md",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "airoagent",
    "examples",
    "plans",
    "pyproject.toml",
    "tests",
    "tools",
}

# Words that say nothing, or that have another name here (AGENTS.md lists the vocabulary).
NOT_USED = {"worker", "node", "chain", "manager", "memory", "util", "helper"}
# Where a word means what it means elsewhere: memory is a machine's, in bytes; a node is one of a page's tree.
FREE = {
    "airoagent/cli/doctor.py": "memory",
    "airoagent/models/": "memory",
    "airoagent/toolbox/extract.py": "node",
    "airoagent/toolbox/maintext.py": "node",
    "airoagent/toolbox/markup.py": "node",
    "airoagent/toolbox/rendering.py": "node",
}

SOURCE = python_files("airoagent", "tools")
CODE = python_files("airoagent", "tools", "examples")

# Written in two halves, so that this file does not break its own rule.
PRIVATE_PATHS = re.compile("/wo" "rk/|/ro" r"ot\b|/ho" r"me/(?!you\b|user\b|me\b)\w|C:\\\\Us" "ers")
REGISTRY_HOSTS = re.compile("py" r"pi\.(org|python)|python" r"hosted\.|npm" r"js\.|crates" r"\.io|deb" r"ian\.org")


@pytest.mark.parametrize("file", SOURCE, ids=shown)
def test_a_file_is_short_enough_to_read(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("file", SOURCE, ids=shown)
def test_a_function_is_short_enough_to_read(file: Path) -> None:
    long = {}
    for item in ast.walk(tree_of(file)):
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (item.end_lineno or item.lineno) - item.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION:
                long[f"{item.name} in line {item.lineno}"] = lines
    assert long == {}


@pytest.mark.parametrize("file", CODE, ids=shown)
def test_no_error_is_swallowed(file: Path) -> None:
    handlers = [item for item in ast.walk(tree_of(file)) if isinstance(item, ast.ExceptHandler)]
    assert [handler.lineno for handler in handlers if all(isinstance(inner, ast.Pass) for inner in handler.body)] == []
    assert [handler.lineno for handler in handlers if handler.type is None] == [], "a bare except takes Ctrl-C too"


@pytest.mark.parametrize("file", CODE, ids=shown)
def test_every_module_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(tree_of(file))


def words_of(name: str) -> set[str]:
    """The words of an identifier in lower case and singular: ``HTTPWorkers_new`` -> http, worker, new."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return {word.lower().removesuffix("s") for word in spaced.split("_")}


def names_made(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a file makes itself; what it takes from other libraries may be called as it likes."""
    for item in ast.walk(tree):
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield item.name, item.lineno
        elif isinstance(item, ast.arg):
            yield item.arg, item.lineno
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            yield item.id, item.lineno
        elif isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store):
            yield item.attr, item.lineno


@pytest.mark.parametrize("file", CODE, ids=shown)
def test_names_keep_to_the_vocabulary(file: Path) -> None:
    banned = NOT_USED - {word for place, word in FREE.items() if shown(file).startswith(place)}
    assert words_of(file.stem).isdisjoint(banned)
    assert [f"{name} in line {line}" for name, line in names_made(tree_of(file)) if words_of(name) & banned] == []


@pytest.mark.parametrize(
    ("name", "broken"),
    [("WorkerPool", True), ("run_nodes", True), ("HTTPManager", True), ("_utils", True), ("unchained", False)],
)
def test_a_word_is_found_in_an_identifier_whatever_its_style(name: str, broken: bool) -> None:
    assert bool(words_of(name) & NOT_USED) == broken


def test_only_the_agreed_entries_stand_at_the_top() -> None:
    assert {Path(name).parts[0] for name in project_files()} - TOP_LEVEL == set()


def test_no_file_names_a_path_of_one_machine_or_the_host_of_a_package_registry() -> None:
    found = []
    for name in project_files():
        try:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture or a database holds no text to read
        for pattern in (PRIVATE_PATHS, REGISTRY_HOSTS):
            found += [f"{name}:{number}: {line[:80]}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    assert found == []


# In capitals here, so that this file does not break its own rule.
@pytest.mark.parametrize("text", ["/WORK/X", "CD /ROOT", "/HOME/ANN/X", "HTTPS://PYPI.ORG/SIMPLE"])
def test_the_patterns_find_such_paths_and_hosts(text: str) -> None:
    assert PRIVATE_PATHS.search(text.lower()) or REGISTRY_HOSTS.search(text.lower())


def test_every_exception_to_the_lint_rules_has_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start = text.index("[tool.ruff.lint]")
    section = text[start:].split("\n[", 1)
    ignored = set(tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"])
    explained = set(re.findall(r'^ +"(\w+)", +# \S.{10,}', section[0], re.MULTILINE))
    assert ignored - explained == set()
    per_file = re.findall(r'^"[^"]+" = \[.*\](.*)$', "\n[".join(section), re.MULTILINE)
    assert len(per_file) == len(tomllib.loads(text)["tool"]["ruff"]["lint"]["per-file-ignores"])
    assert [comment for comment in per_file if not re.fullmatch(r" +# \w.{10,}", comment)] == []


@pytest.mark.parametrize("file", python_files("airoagent", "tools", "examples", "tests"), ids=shown)
def test_every_exception_in_a_file_has_a_code_and_a_reason(file: Path) -> None:
    bare = re.compile(r"# noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* - \w)|# type: ignore(?!\[[\w, -]+\])")
    lines = file.read_text(encoding="utf-8").splitlines()
    comments = [(number, line[line.index("#") :]) for number, line in enumerate(lines, 1) if "#" in line]
    assert [f"line {number}: {text}" for number, text in comments if file != Path(__file__) and bare.search(text)] == []


def test_the_guide_for_agents_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) < 60


def test_the_ci_script_can_be_executed() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
