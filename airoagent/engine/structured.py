"""Structured answers: an answer in words as JSON that is valid against a schema.

The model writes the JSON as the call of one function whose parameters the schema describes: held to a grammar where it
can be, checked in any case, and asked again with the exact complaint where it is wrong. That is a run of its own, with
the run that found the answer as its parent; its answer is the JSON text, its sources are those of the parent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from airoagent.calls.call_parser import Call, parse_calls
from airoagent.calls.functions import Function, Functions
from airoagent.calls.specs import param_of_schema
from airoagent.engine.function_call import choose_calls, plan_of_calls
from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder, StartingPoint
from airoagent.engine.scheduler import Execution
from airoagent.engine.session import Session, Watch
from airoagent.errors import CallError, Diagnostic, UsageError
from airoagent.events import PlanParsed
from airoagent.plan.plans import Plan
from airoagent.records.run_record import Run
from airoagent.textfiles import read_text
from airoagent.toolbox.tool import ToolContext, ToolOutput, specified_tool

__all__ = ["AnswerSchema", "answer_schema", "is_structured", "structured"]

AnswerSchema = Any
"""A JSON schema as a mapping, as text or as the path of a file; or a type that pydantic can validate."""

_NAME: Final = "JsonAnswer"
_VALUE: Final = "value"  # the parameter for a schema that is not of an object
_RETRIES: Final = 2
_HINT: Final = "ask a more capable model (-m), or allow more in the schema"
_MOST_COMPLAINTS: Final = 8


class _Schema:
    """A schema, and how a value is checked against it."""

    def __init__(self, schema: Mapping[str, Any], adapter: Any = None) -> None:
        from jsonschema import SchemaError
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        kind = validator_for(schema, default=Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            where = "/".join(map(str, error.path))
            raise UsageError(
                f"the schema is not a JSON schema: {error.message[:200]}", f"at {where or 'its root'}"
            ) from error
        # An empty registry: nothing that a schema refers to is fetched.
        self._validator = kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)
        self._adapter = adapter
        param = param_of_schema(_VALUE, schema)
        self.wrapped = not (param.kind == "object" and param.members)
        params = (param,) if self.wrapped else param.members
        self.function = Function(_NAME, str(schema.get("description") or "The answer in its parts."), params)

    def complaints(self, value: Any) -> list[str]:
        """What keeps a value from being valid, one sentence each."""
        from referencing.exceptions import Unresolvable

        try:
            errors = sorted(self._validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        except Unresolvable as error:
            raise UsageError(f"the schema refers to {error.ref!r}, which is not in it", "put it under $defs") from error
        found = [f"{'/'.join(map(str, error.path)) or 'the answer'}: {error.message[:300]}" for error in errors]
        if not found and self._adapter is not None:
            try:
                self._adapter.validate_json(json.dumps(value))
            except ValueError as error:  # pydantic's own is one
                found = [" ".join(str(error).split())[:300]]
        return found[:_MOST_COMPLAINTS]


def is_structured(run: Run) -> bool:
    """Whether a run wrote the answer of its parent as JSON."""
    return run.plan is not None and any(step.tool == _NAME for step in run.plan.steps)


def answer_schema(schema: AnswerSchema) -> _Schema:
    """The schema, checked; UsageError says what is wrong with it."""
    if isinstance(schema, _Schema):
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
        return _Schema(schema)
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        adapter = TypeAdapter(schema)
        return _Schema(adapter.json_schema(), adapter)
    except PydanticUserError as error:
        raise UsageError(f"{schema!r:.100} is not a schema", "give a JSON schema or a pydantic model") from error


async def structured(session: Session, run: Run, schema: _Schema, *, watch: Watch | None = None) -> Run:
    """The answer of a run as JSON that the schema allows; the run fails with a CallError where the model cannot."""
    functions = Functions([schema.function])
    private = any(found.private for found in run.evidence.values())

    async def answer(context: ToolContext, /, **params: Any) -> ToolOutput:
        value = params[_VALUE] if schema.wrapped else params
        return ToolOutput(json.dumps(value, ensure_ascii=False), run.sources, private=private)

    tool = specified_tool(
        schema.function, answer, side_effects=False, timeout=None, origin="", network=False, private=private
    )
    session = session.needing(()).with_tools(tool)

    def read(text: str, truncated: bool) -> tuple[Call, ...]:
        try:
            calls = parse_calls(text, functions, truncated=truncated)[:1]
            params = schema.function.with_defaults(calls[0].params)
            if wrong := schema.complaints(params[_VALUE] if schema.wrapped else params):
                found = tuple(Diagnostic("schema", one, 1, 1) for one in wrong)
                raise CallError(wrong[0], kind="schema", diagnostics=found, text=text)
        except CallError as error:
            why = next((found.message for found in error.diagnostics if not found.repair), error.message)
            message = f"the model did not write an answer that fits the schema: {why}"
            raise CallError(message, _HINT, kind=error.kind, diagnostics=error.diagnostics, text=text) from error
        return calls

    async def make(recorder: Recorder, ask: Ask, _: Execution) -> Plan:
        said = f"{run.question}\n{run.answer}"
        calls = await choose_calls(ask, said, functions, "json", _RETRIES, recorder, read)
        plan = plan_of_calls(calls, functions, session.known_tools)
        recorder(PlanParsed(text=plan.to_text(), diagnostics=plan.diagnostics))
        return plan

    start = StartingPoint(parent=run.id, plan_trusted=False, plan_private=private)
    return await session.run(run.question, make, watch, start)
