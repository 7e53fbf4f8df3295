"""Finds tools: the bundled ones, the user's folder, installed packages, and the paths that were named, in that order.

    found = find_tools([Path("my_tools")], config_folder=config_folder())
    found.toolbox["word_count"], found.broken

A tool file is a plain Python file with @tool functions. It is loaded by its path: it is part of no package and can
import what is installed, but not the files next to it. Or it is YAML (`declared`): functions with the command or the
address that carries them out; one that only specifies functions is passed over in a folder. So are files whose names
begin with ``_`` or ``.``. The bundled folder is loaded like any other; nothing is read from the current directory
unasked.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import re
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

from airoagent.errors import AiroError, UsageError
from airoagent.frozen import frozen
from airoagent.textfiles import read_bytes
from airoagent.toolbox.tool import Tool, Toolbox, as_tool

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_loading = threading.RLock()  # a second thread must not see a module that is only half executed


@frozen
class Broken:
    """A file, an entry point or an MCP server whose tools, or some of them, cannot be used; one sentence says why."""

    origin: str
    error: str
    part: Literal["all", "some", "one"] = "all"

    def __str__(self) -> str:
        subject = {"all": "the tools of {} are", "some": "tools of {} are", "one": "a tool of {} is"}[self.part]
        return f"{subject.format(self.origin)} left out: {self.error}"


@frozen
class Found:
    """The tools there are, and what could not be loaded."""

    toolbox: Toolbox
    broken: tuple[Broken, ...]


def bundle_folder(kind: Literal["tools", "plans"]) -> Path:
    """The folder that came with the package: packed inside it, or next to it in a checkout.

    UsageError if there is neither, which means that the installation is not whole.
    """
    package = Path(__file__).resolve().parent.parent
    packed, nearby = package / "_bundle" / kind, package.parent / kind
    if packed.is_dir():
        return packed
    if (package.parent / "pyproject.toml").is_file() and nearby.is_dir():
        return nearby
    raise UsageError(f"the {kind} that come with airoagent are missing from {packed.parent}", "install airoagent again")


def load_tools(path: Path) -> tuple[Tool, ...]:
    """The tools of a file, or of all the tool files of a folder, in order of file name and place in the file.

    UsageError for a path that is missing or no tool file, and for the first file that cannot be loaded.
    """
    tools: list[Tool] = []
    for file in _tool_files(path):
        try:
            tools += _load(file)
        except _NoToolError as error:
            if file.suffix == ".py" or file == path:
                raise UsageError(f"the tool file {file} cannot be used: {error}", error.hint) from error
        except _UnusableError as error:
            raise UsageError(f"the tool file {file} cannot be used: {error}", error.hint) from error
    return tuple(tools)


def find_tools(paths: Sequence[Path] = (), *, config_folder: Path | None) -> Found:
    """All tools that files hold: bundled, of ``config_folder/tools`` (None: none), of entry points, of ``paths``.

    What is broken is passed over and listed in the result. UsageError where a path that was asked for is missing, is a
    broken file, or is a folder that gives no tool at all; and where two tools have one name, which names both files.
    """
    folders = [bundle_folder("tools")]
    if config_folder is not None and (config_folder / "tools").is_dir():
        folders.append(config_folder / "tools")
    tools: list[Tool] = []
    broken: list[Broken] = []
    for folder in folders:
        _take(_tool_files(folder), tools, broken)
    for origin, load in _entry_points(tuple(sys.path)):
        try:
            tools += load()
        except (Exception, SystemExit) as error:
            broken.append(Broken(origin, _sentence(error)))
    for path in paths:
        files = _tool_files(path)
        if files == (path,):
            tools += load_tools(path)
        elif not _take(files, tools, broken):
            reason = f": {broken[-1].origin}: {broken[-1].error}" if broken else ""
            raise UsageError(f"no tool could be loaded from the folder {path}{reason}", _EXAMPLE)
    return Found(Toolbox(tools), tuple(broken))


_EXAMPLE = "a tool file is Python with functions under @airoagent.tool, or YAML; airo tools new NAME writes one"
_KINDS = (".py", ".yaml", ".yml")
_TOOLS = "__airo_tools__"  # where a loaded module keeps its tools: loaded again, they are the same objects


class _UnusableError(Exception):
    """Why a tool file gives no tools, without its name."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class _NoToolError(_UnusableError):
    """The file is whole, and has no tool in it."""


class _FreshLoader(SourceFileLoader):
    """Compiles the file as it is now and leaves no ``__pycache__`` in the user's folder."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _tool_files(path: Path) -> tuple[Path, ...]:
    try:
        if path.is_dir():
            files = (file for file in path.iterdir() if file.suffix in _KINDS and file.name[0] not in "_.")
            return tuple(
                sorted(file for file in files if file.is_file() or not file.exists())
            )  # a dead link is reported
        if path.suffix in _KINDS and path.is_file():
            return (path,)
        exists = path.exists()
    except OSError as error:
        raise UsageError(f"the tools at {path} cannot be read: {error.strerror}", "check the path") from error
    if exists:
        raise UsageError(f"{path} is not a tool file: its name does not end in .py or .yaml", _EXAMPLE)
    raise UsageError(f"there is no tool file or folder {path}", "check the path")


def _take(files: Sequence[Path], tools: list[Tool], broken: list[Broken]) -> bool:
    """Add the tools of the files, and what is broken; whether there was any tool."""
    before = len(tools)
    for file in files:
        try:
            tools += _load(file)
        except _NoToolError as error:
            if file.suffix == ".py":
                broken.append(Broken(str(file), str(error)))
        except _UnusableError as error:
            broken.append(Broken(str(file), str(error)))
    return len(tools) > before


def _load(file: Path) -> tuple[Tool, ...]:
    """The tools of one file; _UnusableError says why there are none.

    The module's name is made of the path and the content: two files of one stem do not clash, a file that has changed
    is loaded again, and one that has not is the same module for the whole process, with whatever state it keeps (a
    limit of one request a second, say). It stands in ``sys.modules``, where dataclasses and pickle look for it.
    """
    try:
        source = read_bytes(file, "it", "check its permissions")
    except UsageError as error:
        raise _UnusableError(error.message, error.hint) from error
    if file.suffix != ".py":
        return _declared(file, source)
    path = str(file.resolve())
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape") + b"\0" + source).hexdigest()[:16]
    name = f"airo_tools_{digest}_{re.sub(r'[^0-9A-Za-z]', '_', file.stem)}"
    try:
        with _loading:
            module = sys.modules.get(name) or _execute(name, path)
            tools: tuple[Tool, ...] = vars(module).setdefault(_TOOLS, _own_tools(module, source))
    except (Exception, SystemExit) as error:
        raise _UnusableError(_sentence(error, path), getattr(error, "hint", "")) from error
    if not tools:
        raise _NoToolError("it contains no tool", _EXAMPLE)
    return tools


def _declared(file: Path, source: bytes) -> tuple[Tool, ...]:
    try:
        tools: tuple[Tool, ...] = ()
        if b"command" in source or b"http" in source:  # others only specify functions, and reading YAML takes long
            from airoagent.toolbox.declared import declared_tools

            tools = declared_tools(source.decode("utf-8-sig"), file.resolve())
    except UnicodeDecodeError as error:
        raise _UnusableError(f"it is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    except AiroError as error:
        raise _UnusableError(error.message, error.hint) from error
    if not tools:
        raise _NoToolError(
            "it contains no tool: its functions have neither command nor http", "add one to each that should be a tool"
        )
    return tools


def _execute(name: str, path: str) -> ModuleType:
    loader = _FreshLoader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _own_tools(module: ModuleType, source: bytes) -> tuple[Tool, ...]:
    """The tools that the file makes: those that it merely imports belong to another file."""
    tools = {name: value for name, value in vars(module).items() if isinstance(value, Tool)}
    strange = {name for name, tool in tools.items() if tool.function.__module__ != module.__name__}
    if strange:  # imported, or made here of a function from elsewhere: the import statements show which
        imports = [item for item in ast.walk(ast.parse(source)) if isinstance(item, ast.Import | ast.ImportFrom)]
        imported = {alias.asname or alias.name for statement in imports for alias in statement.names}
        strange &= strange if "*" in imported else imported
    own = {id(tool): tool for name, tool in tools.items() if name not in strange}  # one tool may have two names
    file = str(module.__file__)
    return tuple(tool if tool.origin == file else replace(tool, origin=file) for tool in own.values())


@lru_cache(maxsize=1)  # the scan reads the folder of every installed package
def _entry_points(path: tuple[str, ...]) -> tuple[tuple[str, Callable[[], tuple[Tool, ...]]], ...]:
    """What the packages on ``path`` (`sys.path`) offer: where each comes from, and how to load it.

    Any exception may come out of the loading.
    """
    if not any(_offers_tools(Path(folder)) for folder in path):  # much quicker than importlib.metadata
        return ()
    from importlib.metadata import entry_points

    found = []
    for entry in sorted(entry_points(group="airoagent.tools"), key=lambda entry: (entry.name, entry.value)):
        package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
        found.append((f"entry point {entry.name}{package}", partial(_load_entry, entry)))
    return tuple(found)


def _offers_tools(folder: Path) -> bool:
    """Whether a package in a folder of `sys.path` may have tools; True for what is not a folder (a zip file)."""
    if not folder.is_dir():
        return folder.exists()
    with contextlib.suppress(OSError):
        for file in (*folder.glob("*.dist-info/entry_points.txt"), *folder.glob("*.egg-info/entry_points.txt")):
            if b"airoagent.tools" in file.read_bytes():
                return True
    return False


def _load_entry(entry: EntryPoint) -> tuple[Tool, ...]:
    """The tools of an entry point, which names a tool, a function, or a module whose package makes tools."""
    value: Any = entry.load()
    if not isinstance(value, ModuleType):
        return (as_tool(value),)
    package = f"{value.__name__}."
    tools = [tool for tool in vars(value).values() if isinstance(tool, Tool)]
    own = {id(tool): tool for tool in tools if f"{tool.function.__module__}.".startswith(package)}
    if not own:
        raise UsageError(f"the module {value.__name__} contains no tool of its own")
    return tuple(own.values())


def _sentence(error: BaseException, path: str = "") -> str:
    """What went wrong in one line, with the line of the file where it did."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, AiroError):
        sentence = text
    elif isinstance(error, SyntaxError):
        sentence = f"{type(error).__name__}: {error.msg}"
    else:
        sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if path and frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == path else (lines or [None])[-1]
    return f"{sentence} (line {line})" if line else sentence
