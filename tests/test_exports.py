"""The public surface: what `airoagent` names is there, documented, and listed once."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import airoagent
from tests.source import PACKAGE, ROOT, imported_by, is_type_checking, tree_of


def type_checking_names() -> dict[str, str]:
    """The names that type checkers see, each with its module."""
    (block,) = [statement for statement in tree_of(PACKAGE / "__init__.py").body if is_type_checking(statement)]
    names = [name for part in block.body for statement in ast.walk(part) for name in imported_by(statement)]
    return {name.rpartition(".")[2]: name.rpartition(".")[0] for name in names}


def test_the_public_names_are_sorted_and_listed_once() -> None:
    assert list(airoagent.__all__) == sorted(set(airoagent.__all__))


def test_the_public_names_are_those_that_type_checkers_see() -> None:
    assert set(airoagent.__all__) == set(type_checking_names()) == set(airoagent._HOME)


def test_a_public_name_is_there_and_public_where_it_is_defined() -> None:
    for name, module in type_checking_names().items():
        home = import_module(module)
        assert getattr(airoagent, name) is getattr(home, name), name


def test_a_public_name_has_a_docstring_of_its_own() -> None:
    for name in airoagent.__all__:
        value = getattr(airoagent, name)
        text = inspect.cleandoc(vars(value).get("__doc__") or "" if isinstance(value, type) else value.__doc__ or "")
        assert text, name
        assert not text.startswith(f"{name}("), f"dataclass made this docstring of {name}, nobody wrote it"


def test_all_names_are_offered_to_a_console_that_completes() -> None:
    assert set(airoagent.__all__) <= set(dir(airoagent))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'airoagent' has no attribute 'Agents'"):
        _ = airoagent.Agents


def test_the_version_is_the_one_of_the_project() -> None:
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    assert airoagent.__version__ == found[1]


TYPED = '''
import airoagent
from airoagent.events import RunFinished

@airoagent.tool
def count(text: str) -> int:
    """Counts."""
    return len(text)

@airoagent.tool("Send", side_effects=True)
async def send(text: str, *, copies: int = 1) -> str:
    """Sends."""
    return text

number: int = count("a")
wrong_type: str = count("a")
count(3)
sent = send("a", copy=2)
airoagent.Agnet()
tools: list[airoagent.Tool] = [count, send]
airoagent.Agent(tools=[count, send])
'''


@pytest.mark.slow
def test_a_type_checker_sees_misspelt_names_and_the_signatures_of_tools(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(TYPED, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout
    lines = TYPED.splitlines()
    wrong = [lines[int(line.split(":")[1]) - 1] for line in found.splitlines() if ": error:" in line]
    assert wrong == lines[15:19], found
