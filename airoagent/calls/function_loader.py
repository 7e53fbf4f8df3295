"""Where functions come from: YAML text, files and folders, Python callables, tools, or several of these.

>>> (count,) = load_functions("count:\\n  description: Counts words.\\n  params:\\n    text: What to count.\\n")
>>> count.params[0].name, count.params[0].description
('text', 'What to count.')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airoagent.calls.functions import Function, Functions
from airoagent.calls.signatures import function_of
from airoagent.calls.specs import functions_of, read_functions
from airoagent.errors import UsageError
from airoagent.textfiles import is_folder, read_text, shown_path

__all__ = ["load_functions"]

FunctionSource = Any  # str | Path | Callable | Tool | Function | Mapping[str, Tool] | Iterable of these


def load_functions(source: FunctionSource) -> Functions:
    """The functions of a source: YAML text in the airoboros style, the path of such a file or of a folder of them,
    Python callables, tools, a Toolbox, `Function` objects, or an iterable of any of these.

    UsageError says what is wrong with a specification (with its line), or that a path is missing.
    """
    return source if isinstance(source, Functions) else Functions(_load(source))


def _load(source: FunctionSource) -> tuple[Function, ...]:
    if isinstance(source, Function):
        return (source,)
    if isinstance(source, str):
        # A path has no line break and no colon followed by a space; a specification has both.
        if "\n" in source or ": " in source or not source.strip():
            return read_functions(source)
        return _from_path(Path(source))
    if isinstance(source, Path):
        return _from_path(source)
    if isinstance(source, Mapping):
        if all(isinstance(value, Mapping) for value in source.values()):
            return functions_of(source)
        return tuple(function for value in source.values() for function in _load(value))
    if callable(source):
        return (function_of(source),)
    if isinstance(source, Iterable):
        return tuple(function for item in source for function in _load(item))
    raise UsageError(
        f"functions cannot be read from a {type(source).__name__}",
        "give YAML text, a path, a Python function, or a list of these",
    )


def _from_path(path: Path) -> tuple[Function, ...]:
    if is_folder(path):
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
        if not files:
            raise UsageError(f"the folder {path} holds no function specification", "they are .yaml files")
        return tuple(function for file in files for function in _from_path(file))
    return read_functions(read_text(path, f"the functions file {shown_path(path)}"), str(path))
