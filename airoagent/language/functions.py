"""The functions a model may call: name, description, and parameters as a typed tree.

    >>> (count,) = load_functions("count:\\n  description: Counts words.\\n  params:\\n    text: What to count.\\n")
    >>> count.params[0].name, count.params[0].description
    ('text', 'What to count.')

They come from YAML in the airoboros style (`specs`) or from Python callables and tools (`signatures`), and go to the
prompt's YAML (`specs.functions_yaml`) and to JSON schema (here), which decoding can be held to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airoagent.errors import UsageError
from airoagent.textfiles import is_folder, read_text, shown_path

if TYPE_CHECKING:
    from airoagent.language.fitting import Accept

__all__ = ["Function", "Functions", "Json", "Kind", "Param", "Plain", "call_schema", "load_functions"]

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""

Kind = Literal["any", "string", "integer", "number", "boolean", "array", "object"]


class Plain(str):
    """A scalar that stood in YAML without quotes: text, until a schema says what it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter, or a part of one.

    ``members`` are what an object holds (none: whatever it likes, each of kind ``values`` if that is given); ``items``
    what an array holds. ``default`` is what it is without a value, where ``has_default``. ``beside``: in the YAML form
    the map stands beside ``params``, not in it.
    """

    name: str
    description: str = ""
    kind: Kind = "any"
    required: bool = True
    enum: tuple[Json, ...] = ()
    default: Json = None
    has_default: bool = False
    nullable: bool = False
    members: tuple[Param, ...] = ()
    items: Param | None = None
    values: Param | None = None
    beside: bool = False

    def schema(self) -> dict[str, Json]:
        """The JSON schema of a value."""
        schema: dict[str, Json] = {}
        if self.kind == "object" and self.members:
            schema = object_schema(self.members)
        elif self.kind != "any":
            schema["type"] = self.kind
        if self.items is not None:
            schema["items"] = self.items.schema()
        if self.values is not None:
            schema["additionalProperties"] = self.values.schema()
        if self.enum:
            schema["enum"] = list(self.enum)
        if self.nullable and self.kind != "any":
            schema = {"anyOf": [schema, {"type": "null"}]}
        if self.description:
            schema["description"] = self.description
        if self.has_default:
            schema["default"] = self.default
        return schema


def object_schema(members: Iterable[Param]) -> dict[str, Json]:
    """The JSON schema of an object with these members and no others."""
    members = tuple(members)
    return {
        "type": "object",
        "properties": {member.name: member.schema() for member in members},
        "required": [member.name for member in members if member.required],
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Function:
    """A function a model may call.

    ``params_word`` is the word its YAML uses (``params`` or ``parameters``). ``target`` is the callable or tool it was
    made from (None for a specification alone); it is not compared.
    """

    name: str
    description: str = ""
    params: tuple[Param, ...] = ()
    params_word: Literal["params", "parameters"] = "params"
    target: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    def schema(self) -> dict[str, Json]:
        """The JSON schema of its parameters, as a plain dict."""
        return object_schema(self.params)

    def with_defaults(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """The parameters with the specification's defaults for those that were left out."""
        defaults = {param.name: param.default for param in self.params if param.has_default}
        return {**defaults, **params}


class Functions(tuple[Function, ...]):
    """The functions on offer, in their order; no two have one name."""

    def __new__(cls, functions: Iterable[Function] = ()) -> Functions:
        """UsageError if two functions have one name."""
        self = super().__new__(cls, functions)
        names = [function.name for function in self]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise UsageError(f"two functions are called {double}", "rename one of them")
        return self

    @cached_property
    def names(self) -> dict[str, Function]:
        """The functions by name."""
        return {function.name: function for function in self}

    @cached_property
    def accepts(self) -> dict[str, Accept]:
        """By name, what takes parameters that fit as they are (see `fitting`)."""
        from airoagent.language.fitting import accept_object

        return {function.name: accept_object(function.params) for function in self}


def call_schema(functions: Iterable[Function]) -> dict[str, Json]:
    """The JSON schema of one call of any of the functions: ``{"function": NAME, "params": {...}}``."""
    calls = [
        {
            "type": "object",
            "properties": {"function": {"const": function.name}, "params": function.schema()},
            "required": ["function", "params"],
            "additionalProperties": False,
        }
        for function in functions
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


Source = Any  # str | Path | Callable | Tool | Function | Mapping[str, Tool] | Iterable of these


def load_functions(source: Source) -> Functions:
    """The functions of a source: YAML text in the airoboros style, the path of such a file or of a folder of them,
    Python callables, tools, a Toolbox, `Function` objects, or an iterable of any of these.

    UsageError says what is wrong with a specification (with its line), or that a path is missing.
    """
    return source if isinstance(source, Functions) else Functions(_load(source))


def _load(source: Source) -> tuple[Function, ...]:
    if isinstance(source, Function):
        return (source,)
    if isinstance(source, str):
        # A path has no line break and no colon followed by a space; a specification has both.
        if "\n" in source or ": " in source or not source.strip():
            return _from_text(source, "")
        return _from_path(Path(source))
    if isinstance(source, Path):
        return _from_path(source)
    if isinstance(source, Mapping):
        if all(isinstance(value, Mapping) for value in source.values()):
            from airoagent.language.specs import functions_of

            return functions_of(source)
        return tuple(function for value in source.values() for function in _load(value))
    if callable(source):
        from airoagent.language.signatures import function_of

        return (function_of(source),)
    if isinstance(source, Iterable):
        return tuple(function for item in source for function in _load(item))
    raise UsageError(
        f"functions cannot be read from a {type(source).__name__}",
        "give YAML text, a path, a Python function, or a list of these",
    )


def _from_text(text: str, place: str) -> tuple[Function, ...]:
    from airoagent.language.specs import read_functions

    return read_functions(text, place)


def _from_path(path: Path) -> tuple[Function, ...]:
    if is_folder(path):
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
        if not files:
            raise UsageError(f"the folder {path} holds no function specification", "they are .yaml files")
        return tuple(function for file in files for function in _from_path(file))
    return _from_text(read_text(path, f"the functions file {shown_path(path)}"), str(path))
