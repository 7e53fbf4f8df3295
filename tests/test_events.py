"""Every event survives the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airoagent
from airoagent import Diagnostic, Source, StoreError, Usage
from airoagent import events as module
from airoagent.events import Event, Failure, from_json, to_json

TYPES = sorted((cls for cls in vars(module).values() if isinstance(cls, type) and issubclass(cls, Event)), key=str)
TYPES.remove(Event)

_text = st.text(max_size=20)
_count = st.integers(0, 2**52)
_number = st.floats(-(2.0**52), 2.0**52)
_BY_NAME = {
    "usage": st.builds(Usage, _count, _count, _count),
    "failure": st.builds(Failure, _text, _text, _text, st.integers(0, 200)),
    "diagnostics": st.lists(st.builds(Diagnostic, _text, _text, _count, _count, _text)).map(tuple),
    "sources": st.lists(st.builds(Source, _text, _text, _text, _count, _count)).map(tuple),
    "settings": st.lists(st.tuples(_text, _text)).map(tuple),
    "tools": st.lists(_text).map(tuple),
    "because": st.lists(_text).map(tuple),
    "origin": st.sampled_from(["call", "shared", "cache", "record"]),
    "status": st.sampled_from(["done", "failed", "interrupted"]),
    "answer": st.none() | _text,
    "at": st.floats(0, 1e10),
}
_marks = {name: st.booleans() for name in ("answered", "untrusted", "written", "private")}
_BY_NAME["evidence"] = st.builds(
    module.Evidence, _text, _text, _text, _BY_NAME["sources"], _text, **_marks, at=st.floats(0, 1e10)
)
_BY_TYPE = {"bool": st.booleans(), "str": _text, "int": st.integers(-(2**52), 2**52), "float": _number}


def _events(cls: type[Event]) -> st.SearchStrategy[Event]:
    fields = {
        f.name: _BY_NAME[f.name] if f.name in _BY_NAME else _BY_TYPE[str(f.type)] for f in dataclasses.fields(cls)
    }
    return st.builds(cls, **fields)


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.__name__)
def test_json_and_back_is_the_same_event(cls: type[Event]) -> None:
    @given(_events(cls))
    def check(event: Event) -> None:
        again = from_json(json.loads(json.dumps(to_json(event))))
        assert again == event
        assert repr(again) == repr(event)  # also what does not count when two evidences are compared

    check()


def test_a_finished_step_of_an_older_trace_has_its_evidence() -> None:
    old = {
        "type": "step_finished",
        "step": "evidence1",
        "tool": "T",
        "attempt": 2,
        "text": "x",
        "note": "cut",
        "at": 5.0,
    }
    old |= {
        "sources": [{"url": "u", "title": "t"}],
        "seconds": 1.5,
        "origin": "cache",
        "private": True,
        "untrusted": True,
    }
    event = from_json(old)
    assert isinstance(event, module.StepFinished)
    found = event.evidence
    assert (event.step, event.tool, event.at) == (found.id, found.tool, found.at) == ("evidence1", "T", 5.0)
    assert (found.text, found.note, found.sources) == ("x", "cut", (Source("u", "t"),))
    assert (found.answered, found.untrusted, found.written, found.private) == (True, True, False, True)
    assert (event.attempt, event.seconds, event.origin) == (2, 1.5, "cache")


def test_a_tool_output_has_the_fields_of_evidence_and_each_of_them_becomes_it() -> None:
    given_by_tool = {f.name for f in dataclasses.fields(airoagent.ToolOutput)} - {"reusable"}
    assert given_by_tool == {f.name for f in dataclasses.fields(airoagent.Evidence)} - {"id", "tool", "at"}
    output = airoagent.ToolOutput("x", (Source("u"),), "n", False, True, True, True)
    found = output.evidence("evidence0", "T")
    assert all(getattr(found, name) == getattr(output, name) for name in given_by_tool)


def test_type_words_are_unique() -> None:
    assert len({cls.type for cls in TYPES}) == len(TYPES)


@pytest.mark.parametrize("value", [{}, {"type": "what"}, {"type": "run_started"}, {"type": "step_text", "step": 1}])
def test_what_is_no_event_is_a_store_error(value: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        from_json(value)


def test_fields_of_a_later_version_are_passed_over() -> None:
    event = module.StepText(step="evidence0", text="x")
    assert from_json({**to_json(event), "later": 1}) == event
