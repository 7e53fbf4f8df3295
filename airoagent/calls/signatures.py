"""Functions made from Python callables and tools: type hints through pydantic, descriptions from the docstring.

Docstring forms read: Google (``Args:``), Sphinx (``:param x:``), NumPy (``Parameters`` underlined), Epydoc. pydantic
is imported only for hints that are more than str, int, float, bool, list and dict.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airoagent.calls.functions import Function, Param
from airoagent.calls.scalars import Json
from airoagent.calls.specs import param_of_schema
from airoagent.errors import CallError, Diagnostic, UsageError

_SIMPLE: dict[Any, dict[str, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    dict: {"type": "object"},
    Any: {},
    inspect.Parameter.empty: {},
}


def function_of(source: Callable[..., Any]) -> Function:
    """The function a callable or a tool is; a parameter that is a ToolContext is left out.

    UsageError for one without a docstring, or with a type that has no JSON form.
    """
    specified: Function | None = getattr(source, "specification", None)
    if specified is not None:
        return replace(specified, target=source)
    tool = hasattr(source, "function") and hasattr(source, "parameters") and hasattr(source, "description")
    function: Callable[..., Any] = source.function if tool else source  # type: ignore[attr-defined]
    name = str(source.name if tool else getattr(source, "__name__", type(source).__name__))  # type: ignore[attr-defined]
    doc = inspect.getdoc(function) or ""
    described = str(source.description) if tool else " ".join(doc.split("\n\n", 1)[0].split())  # type: ignore[attr-defined]
    if not described:
        raise UsageError(
            f"the function {name} has no description, so no model could know when to call it",
            "give it a docstring; its first paragraph is what the model reads",
        )
    texts = _param_texts(doc)
    hints = _hints(function)
    params = []
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:  # of some that are written in C
        raise UsageError(f"{name} does not say which parameters it takes", "wrap it in a function") from error
    for parameter in parameters:
        hint = hints.get(parameter.name, parameter.annotation)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or _is_context(hint):
            continue
        params.append(_param(name, parameter, hint, texts.get(parameter.name, "")))
    return Function(name, described, tuple(params), "params", source)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}  # hints that cannot be resolved (names of another module): those parameters are of any type


def _is_context(hint: Any) -> bool:
    word = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
    return word.rpartition(".")[2] == "ToolContext"


def _schema_of(hint: Any) -> dict[str, Json]:
    if isinstance(hint, str):
        return {}
    try:
        return _SIMPLE[hint]
    except (KeyError, TypeError):  # TypeError: a hint that cannot be hashed
        import pydantic

        return pydantic.TypeAdapter(hint).json_schema()


def _param(function: str, parameter: inspect.Parameter, hint: Any, text: str) -> Param:
    try:
        schema = _schema_of(hint)
    except Exception as error:  # pydantic has many errors for what it cannot describe
        raise UsageError(
            f"the parameter {parameter.name} of {function} has a type no model can write: {hint!r}",
            "use str, int, float, bool, list, dict, Literal, dataclasses or pydantic models",
        ) from error
    found = param_of_schema(parameter.name, schema)
    required = parameter.default is parameter.empty
    default = parameter.default if not required and _is_json(parameter.default) else None
    return replace(
        found,
        description=text or found.description,
        required=required,
        default=default,
        has_default=default is not None,
    )


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, str) or (type(value) is float and abs(value) < float("inf"))


def _param_texts(doc: str) -> dict[str, str]:
    """What a docstring says about each parameter, on one line each."""
    if "\n" not in doc:
        return {}
    import docstring_parser

    try:
        params = docstring_parser.parse(doc).params
    except docstring_parser.ParseError:
        return {}
    return {one.arg_name.lstrip("*"): " ".join((one.description or "").split()) for one in params}


def python_arguments(function: Callable[..., Any], params: Mapping[str, Json], name: str = "") -> dict[str, Any]:
    """Checked JSON parameters as what the function's hints ask for: dates, models, enums, tuples, ... by pydantic.

    CallError says which parameter pydantic refuses, and why (a length, a range, a format).
    """
    hints = _hints(function)
    arguments: dict[str, Any] = {}
    for word, value in params.items():
        hint = hints.get(word, Any)
        if isinstance(hint, str) or (hint in _SIMPLE if hint.__hash__ else False):
            arguments[word] = value
            continue
        import pydantic

        try:
            arguments[word] = pydantic.TypeAdapter(hint).validate_python(value)
        except pydantic.ValidationError as error:
            why = "; ".join(str(item["msg"]) for item in error.errors()[:3])
            raise CallError(
                f"the parameter {word}{f' of {name}' if name else ''} is refused: {why}",
                f"it was {str(value)[:80]!r}",
                kind="bad_value",
                diagnostics=(Diagnostic("bad_value", f"{word}: {why}", 1, 1),),
            ) from None
    return arguments
