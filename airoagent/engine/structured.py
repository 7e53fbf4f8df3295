"""Structured answers: an answer in words as JSON that is valid against a schema.

When a run has its answer in words, the model writes the JSON as the call of one function whose parameters the schema
describes: held to a grammar where it can be, checked in any case, and asked again with the exact complaint where it is
wrong. The schema is among the settings on record, so that replay checks the JSON, too, and resume asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from airoagent.calls.call_grammar import call_grammar
from airoagent.calls.call_parser import call_prompt, parse_calls
from airoagent.calls.functions import Function, Functions, call_schema
from airoagent.calls.specs import param_of_schema
from airoagent.engine.policy import Ask
from airoagent.errors import CallError, Diagnostic, UsageError
from airoagent.prompts.retries import retry_prompt
from airoagent.textfiles import read_text

AnswerSchema = Any
"""A JSON schema as a mapping, as text or as the path of a file; or a type that pydantic can validate."""

_NAME: Final = "JsonAnswer"
_VALUE: Final = "value"  # the parameter for a schema that is not of an object
_RETRIES: Final = 2
_HINT: Final = "ask a more capable model (-m), or allow more in the schema"
_MOST_COMPLAINTS: Final = 8


class AnswerForm:
    """A schema, how the model is asked for its JSON, and how that is checked. ``text`` is the schema as JSON."""

    def __init__(self, schema: Mapping[str, Any], adapter: Any = None) -> None:
        from jsonschema import SchemaError
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        try:
            if not isinstance(dialect := schema.get("$schema", ""), str):
                raise ValueError(f"$schema is {dialect!r:.100}")
            kind = validator_for(schema, default=Draft202012Validator)
            kind.check_schema(schema)
        except SchemaError as error:
            where = "/".join(map(str, error.path))
            raise UsageError(
                f"the schema is not a JSON schema: {error.message[:200]}", f"at {where or 'its root'}"
            ) from error
        except ValueError as error:  # of what $schema says
            raise UsageError(f"the schema is not a JSON schema: {error}") from error
        except RecursionError as error:
            raise UsageError("the schema is nested too deep") from error
        # An empty registry: nothing that a schema refers to is fetched.
        self._validator = kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
        self._adapter = adapter
        self.text = json.dumps(schema)
        param = param_of_schema(_VALUE, schema)
        self._wrapped = not (param.kind == "object" and param.members)
        params = (param,) if self._wrapped else param.members
        self._function = Function(_NAME, str(schema.get("description") or "The answer in its parts."), params)

    async def filled(self, question: str, answer: str, ask: Ask) -> str:
        """The answer to a question as JSON that the schema allows; CallError where the model cannot write that."""
        functions = Functions([self._function])
        grammar = call_grammar(call_schema(functions), "json")
        prompt = asked = call_prompt(f"{question}\n{answer}", functions, "json", await ask.style())
        for left in reversed(range(_RETRIES + 1)):
            written = await ask(asked, "call", grammar)
            try:
                return self.read(written.text, written.finish != "stop")
            except CallError as error:
                if not left:
                    raise
                asked = retry_prompt(prompt, error)
        raise AssertionError("the last attempt returns or raises")

    def read(self, text: str, truncated: bool) -> str:
        """The JSON in what the model wrote; CallError where it is not there, or does not fit."""
        try:
            call = parse_calls(text, Functions([self._function]), truncated=truncated)[0]
            params = self._function.with_defaults(call.params)
            value = params[_VALUE] if self._wrapped else params
            if wrong := self._complaints(value):
                found = tuple(Diagnostic("schema", one, 1, 1) for one in wrong)
                raise CallError(wrong[0], kind="schema", diagnostics=found, text=text)
        except CallError as error:
            why = next((found.message for found in error.diagnostics if not found.repair), error.message)
            message = f"the model did not write an answer that fits the schema: {why}"
            raise CallError(message, _HINT, kind=error.kind, diagnostics=error.diagnostics, text=text) from error
        return json.dumps(value, ensure_ascii=False)

    def _complaints(self, value: Any) -> list[str]:
        """What keeps a value from being valid, one sentence each."""
        from referencing.exceptions import Unresolvable

        try:
            errors = sorted(self._validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        except Unresolvable as error:
            raise UsageError(f"the schema refers to {error.ref!r}, which is not in it", "put it under $defs") from error
        except RecursionError as error:
            raise UsageError("the schema refers to itself without end", "let it refer to a part of itself") from error
        found = [f"{'/'.join(map(str, error.path)) or 'the answer'}: {error.message[:300]}" for error in errors]
        if not found and self._adapter is not None:
            try:
                self._adapter.validate_json(json.dumps(value))
            except ValueError as error:  # pydantic's own is one
                found = [" ".join(str(error).split())[:300]]
        return found[:_MOST_COMPLAINTS]


def answer_schema(schema: AnswerSchema) -> AnswerForm:
    """The schema, checked; UsageError says what is wrong with it."""
    if isinstance(schema, AnswerForm):
        return schema
    if (isinstance(schema, str) and schema.lstrip()[:1] != "{") or isinstance(schema, Path):
        schema = read_text(schema, f"the schema {schema}")
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"the schema is not JSON: {error}", 'for example {"type": "object", "properties": {}}'
            ) from error
        if not isinstance(schema, Mapping):
            raise UsageError(
                "the schema is not a JSON object", 'for example {"type": "array", "items": {"type": "string"}}'
            )
    if isinstance(schema, Mapping):
        return AnswerForm(schema)
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        adapter = TypeAdapter(schema)
        return AnswerForm(adapter.json_schema(), adapter)
    except PydanticUserError as error:
        raise UsageError(f"{schema!r:.100} is not a schema", "give a JSON schema or a pydantic model") from error
