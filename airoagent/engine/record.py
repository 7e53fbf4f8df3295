"""A run as a record: its events folded into what a user asks for, and its form as JSON and JSON Lines.

The trace format (``.jsonl``): the first line is a header ``{"format": "airoagent-trace", "version": 2, "run": id}``,
each further line one event as `airoagent.events.to_json` writes it. Version 1 is the same without ``run_resumed``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airoagent.errors import (
    AiroError,
    CallError,
    Interrupted,
    LimitReached,
    ModelError,
    PlanError,
    StoreError,
    ToolError,
    UsageError,
)
from airoagent.events import (
    Event,
    Failure,
    ModelCalled,
    PlanParsed,
    PlanPart,
    PlanRefused,
    PlanWritten,
    Replanned,
    RunFinished,
    RunResumed,
    RunStarted,
    Source,
    Status,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    Usage,
    from_json,
    to_json,
)
from airoagent.language.evidence import Evidence
from airoagent.language.parse import parse_plan
from airoagent.language.plan import Plan
from airoagent.records import maker

__all__ = ["TRACE_VERSION", "Run", "failure_json", "plan_json", "read_trace", "source_json", "write_trace"]

TRACE_VERSION = 2

_evidence = maker(Evidence)

_FAMILIES: dict[int, type[AiroError]] = {
    family.default_exit_code: family
    for family in (UsageError, ModelError, PlanError, ToolError, StoreError, LimitReached, Interrupted)
}


@dataclass(slots=True)
class Run:
    """One question and all that was done for it.

    ``status`` is ``running``, ``done``, ``failed`` or ``interrupted``; ``answer`` is None until there is one;
    ``failure`` says why there is none; ``evidence`` maps step ids to what they found; ``events`` is the whole story
    and everything else is read off it.
    """

    id: str = ""
    question: str = ""
    model: str = ""
    parent: str = ""
    status: Status = "running"
    answer: str | None = None
    sources: tuple[Source, ...] = ()
    plan: Plan | None = None
    plan_text: str = ""
    evidence: dict[str, Evidence] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    started: float = 0.0
    seconds: float = 0.0
    events: tuple[Event, ...] = ()
    tools: tuple[str, ...] = ()
    _again: bool = field(default=False, repr=False, compare=False)  # a new plan is being written
    _parsed: str = field(default="", repr=False, compare=False)  # the text that `plan` was set for

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Run:
        """Fold a recorded stream."""
        run = cls()
        collected = list(events)
        for event in collected:
            run.take(event)
        run.events = tuple(collected)
        return run

    def take_plan(self, plan: Plan, text: str) -> None:
        """Take this very object for the plan of that text, not what the text would read back as."""
        self.plan, self._parsed = plan, text

    def take(self, event: Event) -> None:
        """Book one event (all fields but ``events``)."""
        kind = event.__class__
        if kind is StepStarted or kind is StepFinished:  # nearly all of them: not to be looked for in a list
            return self._take_step(event)  # type: ignore[arg-type]
        match event:
            case RunStarted():
                self.id, self.question, self.model, self.parent = event.run, event.question, event.model, event.parent
                self.started, self.tools = event.at, event.tools
            case RunResumed():
                self.status, self.answer, self.failure = "running", None, None
                self.failed.clear()
                self.skipped.clear()
                if event.afresh:  # what was found for the first words of the old plan may not belong to the new one
                    self.evidence.clear()
                    self.plan_text = ""
            case PlanPart():
                self.plan_text += event.text
            case PlanWritten():
                self.plan_text = event.text
            case Replanned():
                self.failed, self.skipped, self.plan_text = {}, {}, ""
                self._again = True
            case PlanParsed():
                if self._again:  # what it takes over from the plan before is told anew, of its own steps
                    self._again = False
                    self.evidence = {}
                if self.plan is None or self._parsed != event.text:
                    self.take_plan(parse_plan(event.text, self.tools), event.text)
            case PlanRefused():
                self.failure = event.failure
            case StepFailed():
                self.failed[event.step] = event.failure
            case StepSkipped():
                self.skipped[event.step] = event.because
            case ModelCalled():
                self.usage += event.usage
            case RunFinished():
                self.status, self.answer, self.sources = event.status, event.answer, event.sources
                self.failure, self.seconds = event.failure, event.seconds
            case _:
                return None
        return None

    def _take_step(self, event: StepStarted | StepFinished) -> None:
        if isinstance(event, StepStarted):
            if self.failed:
                self.failed.pop(event.step, None)
        else:
            self.evidence[event.step] = _evidence(
                event.step,
                event.tool,
                event.text,
                event.sources,
                event.note,
                event.answered,
                event.untrusted,
                event.written,
                event.at,
            )

    @property
    def error(self) -> AiroError | None:
        """Why the run has no answer, as an exception of the family its exit code names; None where it has one."""
        if self.failure is None:
            return None
        for event in reversed(self.events):
            if isinstance(event, RunResumed):
                break
            if isinstance(event, PlanRefused):
                # A run whose model was asked for a call is refused for its call, any other for its plan.
                called = any(isinstance(one, ModelCalled) and one.purpose == "call" for one in self.events)
                return (CallError if called else PlanError)(
                    event.failure.message,
                    event.failure.hint,
                    kind=event.failure.kind,
                    diagnostics=event.diagnostics,
                    text=self.plan_text,
                )
        family = _FAMILIES.get(self.failure.exit_code, AiroError)
        return family(self.failure.message, self.failure.hint, self.failure.exit_code)

    def raise_for_status(self) -> Run:
        """The run itself if it is done; raises its error otherwise."""
        error = self.error
        if error is not None:
            raise error
        return self

    def __str__(self) -> str:
        return self.answer or ""

    def _repr_html_(self) -> str:
        """How a notebook shows a run: question, answer, a line a step; no script, no network."""
        from airoagent.engine.notebook import run_html

        return run_html(self)

    def to_json(self) -> dict[str, Any]:
        """The whole run as plain JSON values (evidence and prompts included, in ``events``)."""
        return {
            "id": self.id,
            "question": self.question,
            "status": self.status,
            "answer": self.answer,
            "sources": [source_json(source) for source in self.sources],
            "failure": failure_json(self.failure),
            "model": self.model,
            "plan": None if self.plan is None else plan_json(self.plan, self.step_status),
            "evidence": {
                id: {
                    "tool": found.tool,
                    "text": found.text,
                    "note": found.note,
                    "untrusted": found.untrusted,
                    "written": found.written,
                    "at": found.at,
                    "sources": [source_json(source) for source in found.sources],
                }
                for id, found in self.evidence.items()
            },
            "usage": _plain(self.usage),
            "started": self.started,
            "seconds": self.seconds,
            "events": [to_json(event) for event in self.events],
        }

    def step_status(self, id: str) -> str:
        """How far a step got: ``done``, ``failed``, ``skipped`` or ``not run``."""
        if id in self.failed:
            return "failed"
        if id in self.evidence:
            return "done"
        return "skipped" if id in self.skipped else "not run"


def plan_json(plan: Plan, status: Callable[[str], str] | None = None) -> dict[str, Any]:
    """A plan as plain JSON values; ``status`` tells how far each step got."""
    steps = []
    for step in plan.steps:
        row: dict[str, Any] = {
            "id": step.id,
            "thought": step.thought,
            "tool": step.tool,
            "input": step.input,
            "depends_on": list(step.depends_on),
        }
        if status is not None:
            row["status"] = status(step.id)
        steps.append(row)
    return {
        "text": plan.to_text(),
        "steps": steps,
        "answer": plan.answer,
        "diagnostics": [_plain(found) for found in plan.diagnostics],
    }


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def failure_json(failure: Failure | None) -> dict[str, Any] | None:
    """What a run failed of, as plain JSON values."""
    return None if failure is None else _plain(failure)


def source_json(source: Source) -> dict[str, str]:
    """A source as plain JSON values."""
    return {"url": source.url, "title": source.title, "quote": source.quote}


def write_trace(run_id: str, events: Iterable[Event]) -> Iterator[str]:
    """The lines of a trace, header first, each ending in a newline."""
    yield json.dumps({"format": "airoagent-trace", "version": TRACE_VERSION, "run": run_id}) + "\n"
    for event in events:
        yield json.dumps(to_json(event)) + "\n"


def read_trace(lines: Iterable[str]) -> tuple[Event, ...]:
    """The events of a trace; StoreError names the first line that cannot be read."""
    events: list[Event] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"line {number} of the trace is not JSON ({error})", "was the file cut or edited?"
            ) from None
        if number == 1:
            if not isinstance(value, dict) or value.get("format") != "airoagent-trace":
                raise StoreError(
                    "this is not an airoagent trace: its first line is no header", "see `airo runs export`"
                )
            version = value.get("version", 0)
            if not isinstance(version, int) or version > TRACE_VERSION:
                raise StoreError(
                    f"the trace has version {version}; this airoagent reads up to {TRACE_VERSION}", "update airoagent"
                )
            continue
        events.append(from_json(value))
        _check_fields(events[-1], number)
        if isinstance(events[-1], RunStarted) != (len(events) == 1):
            raise StoreError(
                f"line {number} of the trace is not where it belongs: a trace begins with the start of its run",
                "was the file cut or edited?",
            )
    if not events:
        raise StoreError("the trace holds no events", "was the file cut?")
    return tuple(events)


_FIELDS: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}


def _check_fields(value: Any, number: int) -> None:
    """StoreError if a plain field of an event, or of a record in it, is of another type than it is declared."""
    for name, declared in value.__dataclass_fields__.items():
        found = getattr(value, name)
        wanted = _FIELDS.get(declared.type)
        if wanted is not None and not isinstance(found, wanted):
            raise StoreError(
                f"line {number} of the trace holds {type(found).__name__} where {name} is {declared.type}",
                "was the file edited?",
            )
        for part in found if isinstance(found, tuple) else (found,):
            if hasattr(part, "__dataclass_fields__"):
                _check_fields(part, number)
