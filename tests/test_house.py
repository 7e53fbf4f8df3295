"""The rules of the project that a program can check; AGENTS.md lists them for people."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.source import ROOT, project_files, python_files, shown, tree_of

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60

TOP_LEVEL = {
    ".ci",
    ".gitattributes",
    ".github",
    ".gitignore",
    "AGENTS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Containerfile",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "airoagent",
    "constraints.txt",
    "docs",
    "examples",
    "mkdocs.yml",
    "plans",
    "pyproject.toml",
    "tests",
    "tools",
}

# Words that say nothing, or that have another name here (docs/glossary.md has the vocabulary).
NOT_USED = {"worker", "node", "chain", "manager", "memory", "util", "helper"}
# Where a word means what it means elsewhere: memory is a machine's, in bytes; a node is one of a page's tree.
FREE = {
    "airoagent/cli/environment.py": "memory",
    "airoagent/models/": "memory",
    "airoagent/documents/read_page.py": "node",
    "airoagent/documents/main_text.py": "node",
    "airoagent/documents/html_tree.py": "node",
    "airoagent/documents/rendering.py": "node",
}

SOURCE = python_files("airoagent", "tools")
CODE = python_files("airoagent", "tools", "examples")

# Written in two halves, so that this file does not break its own rule.
PRIVATE_PATHS = re.compile("/wo" "rk/|/ro" r"ot\b|/ho" r"me/(?!you\b|user\b|me\b)\w|C:\\\\Us" "ers")
REGISTRY_HOSTS = re.compile("py" r"pi\.(org|python)|python" r"hosted\.|npm" r"js\.|crates" r"\.io|deb" r"ian\.org")


def test_a_file_is_short_enough_to_read() -> None:
    lengths = {shown(file): len(file.read_text(encoding="utf-8").splitlines()) for file in SOURCE}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_a_function_is_short_enough_to_read() -> None:
    long = {}
    for file in SOURCE:
        for item in ast.walk(tree_of(file)):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (item.end_lineno or item.lineno) - item.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[f"{shown(file)}:{item.lineno}: {item.name}"] = lines
    assert long == {}


def test_no_error_is_swallowed() -> None:
    """A handler of nothing but `pass`, whatever it catches; ruff finds the bare ones (E722)."""
    assert [
        f"{shown(file)}:{item.lineno}"
        for file in CODE
        for item in ast.walk(tree_of(file))
        if isinstance(item, ast.ExceptHandler) and all(isinstance(inner, ast.Pass) for inner in item.body)
    ] == []


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


def test_names_keep_to_the_vocabulary() -> None:
    found = []
    for file in CODE:
        banned = NOT_USED - {word for place, word in FREE.items() if shown(file).startswith(place)}
        names = [(file.stem, 1), *names_made(tree_of(file))]
        found += [f"{shown(file)}:{line}: {name}" for name, line in names if words_of(name) & banned]
    assert found == []


@pytest.mark.parametrize(
    ("name", "broken"),
    [("WorkerPool", True), ("run_nodes", True), ("HTTPManager", True), ("_utils", True), ("unchained", False)],
)
def test_a_word_is_found_in_an_identifier_whatever_its_style(name: str, broken: bool) -> None:
    assert bool(words_of(name) & NOT_USED) == broken


def test_only_the_agreed_entries_are_at_the_top_level() -> None:
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


def test_every_exception_in_a_file_has_a_code_and_a_reason() -> None:
    bare = re.compile(r"# noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* - \w)|# type: ignore(?!\[[\w, -]+\])")
    assert [
        f"{shown(file)}:{number}: {line.strip()}"
        for file in (*CODE, *python_files("tests"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line) and file != Path(__file__)
    ] == []


def test_the_guide_for_agents_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) < 60


def test_the_scripts_of_ci_can_be_executed() -> None:
    for script in (ROOT / ".ci").iterdir():
        assert script.stat().st_mode & 0o111, script
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env "), script


def test_the_templates_for_issues_are_forms_that_github_reads() -> None:
    forms = {file.name: yaml.safe_load(file.read_text("utf-8")) for file in (ROOT / ".github/ISSUE_TEMPLATE").iterdir()}
    assert forms.pop("config.yml") and len(forms) >= 3
    for form in forms.values():
        assert form["name"] and form["description"] and all(part["attributes"]["label"] for part in form["body"])


def test_the_constraints_pin_a_version_that_the_project_admits_of_all_that_its_tests_need() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.!]+)", line) for line in lines if not line.startswith("#")]
    assert None not in pins, "not a version, or one of a build that other machines do not have"
    pinned = {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [Requirement(line) for line in (*project["dependencies"], *extras["test"])]
    for requirement in needed:  # grows while it is read: by the extras that `test` asks for, and those they ask for
        if requirement.name == project["name"]:
            needed += [Requirement(line) for extra in requirement.extras for line in extras[extra]]
        else:
            version = pinned.get(canonicalize_name(requirement.name), "none")
            assert version in requirement.specifier, f"{requirement}, and constraints.txt has {version}: run .ci/freeze"


def test_a_failed_test_with_half_a_character_in_its_report_does_not_end_the_session(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_it.py").write_text(
        "def test_one():\n    assert '\\ud83d' == 'x'\n\ndef test_two():\n    assert True\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert "1 failed, 1 passed" in done.stdout and done.returncode == 1, done.stdout
