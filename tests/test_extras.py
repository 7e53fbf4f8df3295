"""Hints that name an install command: it is one that works from where the user stands."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from airoagent import MissingExtra, extras
from tests.source import ROOT, python_files, shown, tree_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = {*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)}
NAMES = {re.split(r"[\[><=~!]", line)[0] for line in REQUIREMENTS}


def install_commands(tree: ast.AST) -> Iterator[str]:
    """What follows `pip install` in the strings of a file, docstrings among them."""
    for item in ast.walk(tree):
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield from re.findall(r"pip install ([^\n]*)", item.value)


def test_a_hint_that_spells_out_an_install_command_names_a_requirement_as_the_project_has_it() -> None:
    wrong = []
    for file in python_files("airoagent", "tools"):
        for command in install_commands(tree_of(file)):
            if shown(file) == "airoagent/extras.py" and command == "":
                continue  # where the commands are made
            wanted = next(word for word in shlex.split(command) if not word.startswith("-"))
            if wanted not in REQUIREMENTS | NAMES:
                wrong.append(f"{shown(file)}: pip install {command}: use airoagent.extras.install")
    assert wrong == []


def test_every_extra_that_a_hint_may_name_is_one_of_the_project() -> None:
    named = {}
    for file in python_files("airoagent", "tools"):
        for item in ast.walk(tree_of(file)):
            if (
                isinstance(item, ast.Call)
                and isinstance(item.func, ast.Name)
                and item.func.id in ("install", "require")
            ):
                extra = item.args[0 if item.func.id == "install" else 1]
                if isinstance(extra, ast.Constant):
                    named[extra.value] = f"{shown(file)}:{item.lineno}"
    assert len(named) >= 6
    assert {extra: place for extra, place in named.items() if extra not in EXTRAS} == {}


@pytest.mark.parametrize(("text", "found"), [("f'{x}: pip install a[b]'", ["a[b]"]), ("'install pip'", [])])
def test_install_commands_are_found_in_any_string(text: str, found: list[str]) -> None:
    assert list(install_commands(ast.parse(text))) == found


def test_in_the_checkout_the_command_names_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert extras.install("pdf") == "pip install '.[pdf]'"


def test_elsewhere_it_names_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (_, _, wanted) = shlex.split(extras.install("pdf"))
    folder, _, extra = wanted.rpartition("[")
    assert Path(folder).samefile(ROOT) and extra == "pdf]"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if this package lay among installed ones; the folder that its metadata is to be written into."""
    site = tmp_path / "site"
    folder = site / "airoagent-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: airoagent\nVersion: 0.1.0\n")
    monkeypatch.setattr(extras, "__file__", str(site / "airoagent" / "extras.py"))
    monkeypatch.syspath_prepend(site)
    assert importlib.metadata.distribution("airoagent").read_text("direct_url.json") is None
    return folder


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'airoagent[mcp]'"),
        ({"url": ROOT.as_uri(), "dir_info": {}}, "pip install '.[mcp]'"),
        ({"url": "file:///gone/airoagent", "dir_info": {}}, "pip install '.[mcp]'"),
        (
            {"url": "https://git.example/airoagent.git", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}},
            "pip install 'airoagent[mcp] @ git+https://git.example/airoagent.git'",
        ),
        (
            {"url": "file:///tmp/airoagent-0.1.0-py3-none-any.whl", "archive_info": {}},
            "pip install 'airoagent[mcp] @ file:///tmp/airoagent-0.1.0-py3-none-any.whl'",
        ),
    ],
    ids=["index", "folder", "folder that has gone", "git", "wheel"],
)
def test_an_installed_package_is_installed_again_from_where_it_came(
    origin: dict[str, object] | None, command: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    if origin is not None:
        (installed / "direct_url.json").write_text(json.dumps(origin))
    assert extras.install("mcp") == command


def test_a_missing_module_is_told_with_what_needs_it_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    extras.require("this", "pdf", "json", "xml.dom")
    with pytest.raises(
        MissingExtra, match=r"^this needs no_such and no_such\.either, which are not installed$"
    ) as caught:
        extras.require("this", "pdf", "json", "no_such", "no_such.either")
    assert (caught.value.hint, caught.value.exit_code) == ("pip install '.[pdf]'", 3)


def test_pip_takes_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Up to the point where it would fetch what the extra asks for."""
    monkeypatch.chdir(tmp_path)
    _, *command = shlex.split(extras.install("pdf"))
    options = ["--dry-run", "--no-deps", "--no-build-isolation", "--no-index", "--force-reinstall", "--quiet"]
    pip = [sys.executable, "-m", "pip", *command, *options]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
