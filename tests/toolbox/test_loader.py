"""The loader: where tools are found, and that a broken file never takes the others with it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from airoagent.errors import UsageError
from airoagent.toolbox.loader import Found, bundle_folder, find_tools, load_tools

ONE = '''
from airoagent import tool

@tool
def {name}(text: str) -> str:
    """Says {name}."""
    return "{name} " + text
'''


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def user_tools(found: Found, folder: Path) -> list[str]:
    """The names of the tools that came from below the folder."""
    return [name for name, tool in found.toolbox.items() if Path(tool.origin).is_relative_to(folder)]


def test_a_file_gives_its_tools_in_order_with_the_file_as_origin(tmp_path: Path) -> None:
    file = write(tmp_path, "two.py", ONE.format(name="zebra") + ONE.format(name="ant"))
    tools = load_tools(file)
    assert [tool.name for tool in tools] == ["zebra", "ant"]
    assert {tool.origin for tool in tools} == {str(file.resolve())}
    assert tools[0]("hello") == "zebra hello"


def test_a_folder_gives_the_tools_of_its_files_but_not_of_hidden_ones_or_folders_in_it(tmp_path: Path) -> None:
    write(tmp_path, "b.py", ONE.format(name="bee"))
    write(tmp_path, "a.py", ONE.format(name="ant"))
    write(tmp_path, "_shared.py", "raise RuntimeError")
    write(tmp_path, ".hidden.py", "raise RuntimeError")
    write(tmp_path, "notes.txt", "no Python")
    write(tmp_path / "deeper", "c.py", "raise RuntimeError")
    (tmp_path / "folder.py").mkdir()
    assert [tool.name for tool in load_tools(tmp_path)] == ["ant", "bee"]


def test_loading_leaves_nothing_in_the_folder_of_the_user(tmp_path: Path) -> None:
    load_tools(write(tmp_path, "a.py", ONE.format(name="ant")))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.py"]


def test_two_files_of_one_stem_do_not_clash(tmp_path: Path) -> None:
    first = load_tools(write(tmp_path / "x", "same.py", ONE.format(name="ant")))
    second = load_tools(write(tmp_path / "y", "same.py", ONE.format(name="bee")))
    assert first[0].function.__module__ != second[0].function.__module__
    assert (first[0]("1"), second[0]("2")) == ("ant 1", "bee 2")


def test_dataclasses_and_pickling_work_inside_a_tool_file(tmp_path: Path) -> None:
    text = '''
from __future__ import annotations
import pickle
from dataclasses import dataclass, field
from airoagent import tool

@dataclass(frozen=True, slots=True)
class Point:
    x: int = 0
    tags: list[str] = field(default_factory=list)

@tool
def point(text: str) -> str:
    """Makes a point."""
    return repr(pickle.loads(pickle.dumps(Point(int(text)))))

def make() -> Point:
    return Point(1)
'''
    (tool,) = load_tools(write(tmp_path, "my point-1.5.py", text))
    assert tool("3") == "Point(x=3, tags=[])"
    made = sys.modules[tool.function.__module__].make()
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_file_loaded_twice_is_the_same_module_with_the_same_state(tmp_path: Path) -> None:
    text = '''
import math
from airoagent import tool
seen = []

@tool
def count(text: str) -> str:
    """Counts its calls."""
    seen.append(text)
    return str(len(seen))

Root = tool("Root", description="The square root.")(math.sqrt)
'''
    file = write(tmp_path, "count.py", text)
    first, second = load_tools(file), load_tools(file)
    assert [a is b for a, b in zip(first, second, strict=True)] == [True, True]
    assert (first[0]("a"), second[0]("b")) == ("1", "2")


def test_a_file_that_changed_is_loaded_anew(tmp_path: Path) -> None:
    file = write(tmp_path, "a.py", ONE.format(name="ant"))
    load_tools(file)
    write(tmp_path, "a.py", ONE.format(name="bee"))
    assert [tool.name for tool in load_tools(file)] == ["bee"]


def test_only_what_the_file_makes_counts_and_not_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "site", "other_package_tools.py", ONE.format(name="theirs"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    text = """
import math, functools
from airoagent import tool
from other_package_tools import theirs
from other_package_tools import theirs as renamed

Root = tool("Root", description="The square root.")(math.sqrt)
Also = Root
Power = tool("Power", description="Two to the power.")(functools.partial(pow, 2))
"""
    file = write(tmp_path, "a.py", text)
    tools = load_tools(file)
    assert [tool.name for tool in tools] == ["Root", "Power"]
    assert {tool.origin for tool in tools} == {str(file)}
    starred = write(tmp_path, "b.py", "from other_package_tools import *\n" + ONE.format(name="mine"))
    assert [tool.name for tool in load_tools(starred)] == ["mine"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\ndef (", "SyntaxError: invalid syntax (line 2)"),
        ("\n\n1 / 0", "ZeroDivisionError: division by zero (line 3)"),
        ("import no_such_package_at_all", "ModuleNotFoundError: No module named 'no_such_package_at_all' (line 1)"),
        ("from . import sibling", "ImportError: attempted relative import with no known parent package (line 1)"),
        ("raise SystemExit(3)", "SystemExit: 3 (line 1)"),
        ("raise KeyError", "KeyError (line 1)"),
        ("def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded (line 1)"),
        ("x = '\0'", "source code string cannot contain null bytes"),
        ("from airoagent import tool\n\n@tool\ndef mute(x): return x", "the tool mute has no description"),
        ("from airoagent import tool\n@tool('bad name')\ndef f(x):\n  'Does.'", "'bad name' cannot be a tool's name"),
        ("def plain(text): return text", "it contains no tool"),
        ("", "it contains no tool"),
    ],
)
def test_a_broken_file_is_told_and_passed_over(tmp_path: Path, text: str, reason: str) -> None:
    broken = write(tmp_path / "tools", "broken.py", text)
    write(tmp_path / "tools", "good.py", ONE.format(name="good"))
    before = set(sys.modules)
    found = find_tools(config_folder=tmp_path)
    assert user_tools(found, tmp_path) == ["good"]
    (told,) = found.broken
    assert told.origin == str(broken)
    assert reason in told.error
    assert "\n" not in told.error
    assert not any(name.endswith("_broken") for name in set(sys.modules) - before if reason != "it contains no tool")


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    write(tmp_path / "tools", "good.py", ONE.format(name="good"))
    (tmp_path / "tools" / "bytes.py").write_bytes(b"\xff\xfe\x00binary")
    (tmp_path / "tools" / "gone.py").symlink_to(tmp_path / "nowhere")
    found = find_tools(config_folder=tmp_path)
    assert [Path(told.origin).name for told in found.broken] == ["bytes.py", "gone.py"]
    assert "SyntaxError" in found.broken[0].error
    assert found.broken[1].error == "it cannot be read: No such file or directory"
    assert user_tools(found, tmp_path) == ["good"]


def test_ctrl_c_while_a_file_loads_is_not_a_broken_file(tmp_path: Path) -> None:
    write(tmp_path / "tools", "a.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        find_tools(config_folder=tmp_path)


def test_a_path_that_was_asked_for_and_is_broken_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path, "broken.py", "1 / 0")
    with pytest.raises(UsageError, match=r"broken.py cannot be used: ZeroDivisionError: division by zero \(line 1\)"):
        find_tools([file], config_folder=None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.py", "there is no tool file or folder"),
        ("missing", "there is no tool file or folder"),
        ("notes.txt", "notes.txt is not a tool file: its name does not end in .py"),
        ("empty", "no tool could be loaded from the folder"),
        ("bad", "no tool could be loaded from the folder .*bad: .*x.py: ZeroDivisionError"),
        ("x" * 300 + ".py", "cannot be read: File name too long"),
    ],
)
def test_a_path_that_was_asked_for_and_gives_nothing_is_an_error(tmp_path: Path, name: str, reason: str) -> None:
    write(tmp_path, "notes.txt", "")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "bad", "x.py", "1/0")
    with pytest.raises(UsageError, match=reason) as caught:
        find_tools([tmp_path / name], config_folder=None)
    assert caught.value.hint


def test_a_folder_that_was_asked_for_gives_its_good_files(tmp_path: Path) -> None:
    write(tmp_path, "bad.py", "1/0")
    write(tmp_path, "good.py", ONE.format(name="good"))
    found = find_tools([tmp_path], config_folder=None)
    assert user_tools(found, tmp_path) == ["good"]
    assert [Path(told.origin).name for told in found.broken] == ["bad.py"]


def test_sources_come_in_order_bundled_user_then_named(tmp_path: Path) -> None:
    write(tmp_path / "tools", "a.py", ONE.format(name="from_config"))
    named = write(tmp_path, "b.py", ONE.format(name="named"))
    names = list(find_tools([named], config_folder=tmp_path).toolbox)
    bundled = [tool.name for tool in load_tools(bundle_folder("tools"))]
    assert names[: len(bundled)] == bundled
    assert [name for name in names if name in ("from_config", "named")] == ["from_config", "named"]


def test_two_tools_of_one_name_are_an_error_that_names_both_files(tmp_path: Path) -> None:
    first = write(tmp_path / "tools", "a.py", ONE.format(name="same"))
    second = write(tmp_path, "b.py", ONE.format(name="same"))
    with pytest.raises(UsageError, match="two tools are called same") as caught:
        find_tools([second], config_folder=tmp_path)
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message


def test_a_path_named_twice_is_one(tmp_path: Path) -> None:
    file = write(tmp_path / "tools", "a.py", ONE.format(name="ant"))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "tools")
    found = find_tools([file, file, link], config_folder=tmp_path)
    assert user_tools(found, tmp_path) == ["ant"]


def test_nothing_is_loaded_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "tools", "a.py", ONE.format(name="ant"))
    write(tmp_path, "b.py", ONE.format(name="bee"))
    monkeypatch.chdir(tmp_path)
    assert user_tools(find_tools(config_folder=tmp_path / "elsewhere"), tmp_path) == []


def entry_point_package(site: Path, entries: str, module: str) -> None:
    """An installed package as pip leaves it: a module, and metadata that names its tools."""
    write(site, "offered_tools.py", module)
    write(site / "offered-1.0.dist-info", "METADATA", "Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    write(site / "offered-1.0.dist-info", "entry_points.txt", f"[airoagent.tools]\n{entries}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "offered_tools", raising=False)
    return tmp_path / "site"


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("a = offered_tools", ["ant", "bee"]),
        ("a = offered_tools:ant", ["ant"]),
        ("a = offered_tools:plain", ["plain"]),
        ("a = offered_tools:ant\nb = offered_tools", ["ant", "bee"]),
    ],
)
def test_an_entry_point_is_a_tool_a_function_or_a_module_of_tools(site: Path, entry: str, names: list[str]) -> None:
    plain = "\ndef plain(text: str) -> str:\n    'Says it plainly.'\n    return text\n"
    entry_point_package(site, entry, ONE.format(name="ant") + ONE.format(name="bee") + plain)
    found = find_tools(config_folder=None)
    assert found.broken == ()
    assert user_tools(found, site) == names


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("a = offered_tools:missing", "AttributeError: module 'offered_tools' has no attribute 'missing'"),
        ("a = no_such_module_offered", "ModuleNotFoundError: No module named 'no_such_module_offered'"),
        ("a = offered_tools:number", "7 is not a tool: a function is needed"),
        ("a = json", "the module json contains no tool of its own"),
    ],
)
def test_a_broken_entry_point_is_told_and_passed_over(site: Path, entry: str, reason: str) -> None:
    entry_point_package(site, entry, "number = 7\n")
    (told,) = find_tools(config_folder=None).broken
    assert told.origin == "entry point a of offered 1.0"
    assert told.error == reason


def test_the_bundled_folders_are_there() -> None:
    assert bundle_folder("tools").is_dir()
    assert bundle_folder("plans").is_dir()
    assert find_tools(config_folder=None).broken == ()
