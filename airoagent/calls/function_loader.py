"""Where functions come from: YAML or JSON text, files and folders, Python callables, tools, or several of these.

>>> (count,) = load_functions("count:\\n  description: Counts words.\\n  params:\\n    text: What to count.\\n")
>>> count.params[0].name, count.params[0].description
('text', 'What to count.')
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from airoagent.calls.functions import Function, Functions
from airoagent.calls.json_text import members_of
from airoagent.calls.signatures import function_of
from airoagent.calls.specs import FORM, functions_of
from airoagent.calls.yaml_text import Places, Unreadable, read_documents
from airoagent.errors import UsageError
from airoagent.textfiles import is_folder, read_text, shown_path

FunctionSource = Any  # str | Path | Callable | Tool | Function | Mapping[str, Tool] | Iterable of these
_SUFFIXES = (".yaml", ".yml", ".json", ".py")


def load_functions(source: FunctionSource) -> Functions:
    """The functions of a source: a specification in the airoboros style or as tools with JSON schemas (YAML or JSON
    text, or the lists and dicts themselves), the path of such a file, of a ``.py`` file with functions (which is run)
    or of a folder of them, Python callables, tools, a Toolbox, `Function` objects, or an iterable of any of these.

    UsageError says what is wrong with a specification (with its line), or that a path is missing.
    """
    return source if isinstance(source, Functions) else Functions(_load(source))


def _load(source: FunctionSource) -> tuple[Function, ...]:
    if isinstance(source, Function):
        return (source,)
    if isinstance(source, str):
        # A path has no line break, no colon followed by a space, and no bracket in front; a specification has.
        if "\n" in source or ": " in source or source.lstrip()[:1] in ("", "{", "["):
            return read_functions(source)
        return _from_path(Path(source))
    if isinstance(source, Path):
        return _from_path(source)
    if _is_specification(source) or (isinstance(source, list) and source and all(map(_is_specification, source))):
        return functions_of(source)
    if isinstance(source, Mapping):
        return tuple(function for value in source.values() for function in _load(value))
    if callable(source):
        return (function_of(source),)
    if isinstance(source, Iterable):
        return tuple(function for item in source for function in _load(item))
    raise UsageError(
        f"functions cannot be read from a value of type {type(source).__name__}",
        "give a specification, a path, a Python function, or a list of these",
    )


def _is_specification(source: FunctionSource) -> bool:
    plain = (Mapping, str, list, bool, type(None))
    return isinstance(source, Mapping) and all(isinstance(value, plain) for value in source.values())


def _from_path(path: Path) -> tuple[Function, ...]:
    if is_folder(path):
        files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
        if not files:
            raise UsageError(
                f"the folder {path} contains no function specification",
                f"specifications are {', '.join(_SUFFIXES)} files",
            )
        return tuple(function for file in files for function in _from_path(file))
    text = read_text(path, f"the functions file {shown_path(path)}")
    return _from_python(text, path) if path.suffix == ".py" else read_functions(text, str(path))


def _from_python(text: str, path: Path) -> tuple[Function, ...]:
    """The tools of a Python file, or else its public functions; the file is run."""
    name = f"functions of {path}"
    module = sys.modules[name] = ModuleType(name)  # dataclasses look their module up by its name
    module.__file__ = str(path)
    try:
        exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102 - a file that the user names, as tools are
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{shown_path(path)} cannot be run: {type(error).__name__}: {error}", "fix the file"
        ) from error
    public = [value for name, value in vars(module).items() if name[:1] != "_" and callable(value)]
    tools = [one for one in public if hasattr(one, "parameters") and hasattr(one, "side_effects")]
    own = [one for one in public if getattr(one, "__module__", "") == name and not isinstance(one, type)]
    if not tools and not own:
        raise UsageError(f"{shown_path(path)} contains no function", "define one with type hints and a docstring")
    return tuple(function_of(one) for one in tools or own)


def read_functions(text: str, place: str = "") -> tuple[Function, ...]:
    """The functions of a YAML or JSON text; ``place`` (a file's name) stands in errors. UsageError says what is wrong
    where.
    """
    places: list[Places] = []
    try:
        documents = [json.loads(text, object_pairs_hook=members_of)] if text.lstrip()[:1] in ("{", "[") else []
    except (ValueError, RecursionError):
        documents = []
    try:
        documents = documents or read_documents(text, places)
    except Unreadable as error:
        where = f"{place or 'the function specification'}, line {error.line + 1}, column {error.column + 1}"
        raise UsageError(
            f"{where}: {error.message}", "it is read as JSON, or as plain YAML: maps, lists and text"
        ) from None
    found = [
        function
        for number, value in enumerate(documents)
        for function in functions_of(value, place, places[number] if places else None)
    ]
    if not found:
        raise UsageError(f"{place or 'the function specification'} contains no function", FORM)
    return tuple(found)
