"""A run as a record: its events folded into what a user asks for, and its form as JSON and JSON Lines.

The trace format (``.jsonl``): the first line is a header ``{"format": "airoagent-trace", "version": 3, "run": id}``,
each further line one event as `airoagent.events.to_json` writes it. Before version 3 the fields of an evidence stood in
its ``step_finished`` itself; version 1 has no ``run_resumed``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

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
    AttemptFailed,
    Event,
    Evidence,
    Failure,
    InputEdited,
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
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references

TRACE_VERSION = 3

_LONGEST_LINE = 64 << 20  # bytes
_EDITED = "was the file cut or edited?"
_SHOWN = ("tool", "text", "note", "untrusted", "written", "private", "at")  # of an evidence


_FAMILIES: dict[int, type[AiroError]] = {
    family.default_exit_code: family
    for family in (UsageError, ModelError, CallError, ToolError, StoreError, LimitReached, Interrupted)
}


@dataclass(slots=True)
class Run:
    """One question and all that was done for it.

    ``status`` is ``running``, ``done``, ``failed`` or ``interrupted``; ``answer`` is None until there is one, and
    ``answered`` says whether it is more than a statement that the question cannot be answered;
    ``failure`` says why there is none; ``evidence`` maps step ids to what they found; ``events`` is all that happened,
    from which the other fields follow. ``repr`` is a line: question, status and answer.
    """

    id: str = ""
    question: str = ""
    model: str = ""
    parent: str = ""
    status: Status = "running"
    answer: str | None = None
    sources: tuple[Source, ...] = field(default=(), repr=False)
    plan: Plan | None = field(default=None, repr=False)
    plan_text: str = field(default="", repr=False)
    evidence: dict[str, Evidence] = field(default_factory=dict, repr=False)
    failed: dict[str, Failure] = field(default_factory=dict, repr=False)
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    usage: Usage = field(default_factory=Usage, repr=False)
    failure: Failure | None = None
    started: float = field(default=0.0, repr=False)
    seconds: float = 0.0
    events: tuple[Event, ...] = field(default=(), repr=False)
    tools: tuple[str, ...] = field(default=(), repr=False)
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

    def setting(self, name: str, default: str = "") -> str:
        """A setting that the run was started with, as recorded."""
        rows = (row for event in self.events if isinstance(event, RunStarted) for row in event.settings)
        return next((value for key, value in rows if key == name), default)

    def take_plan(self, plan: Plan, text: str) -> None:
        """Use this object as the plan of that text, instead of reading the text again."""
        self.plan, self._parsed = plan, text

    def take(self, event: Event) -> None:
        """Apply one event to all fields except ``events``."""
        match event:
            case StepStarted():
                if self.failed:
                    self.failed.pop(event.step, None)
            case StepFinished():
                self.evidence[event.evidence.id] = event.evidence
            case RunStarted():
                self.id, self.question, self.model, self.parent = event.run, event.question, event.model, event.parent
                self.started, self.tools = event.at, event.tools
            case RunResumed():
                self.status, self.answer, self.failure = "running", None, None
                self.failed.clear()
                self.skipped.clear()
                if event.afresh:  # what was found for the first words of the old plan may not belong to the new one
                    self.evidence.clear()
                    self.plan_text, self._again = "", False
            case PlanPart():
                self.plan_text += event.text
            case PlanWritten():
                self.plan_text = event.text
            case Replanned() | PlanRefused(retry=True):
                self.failed, self.skipped, self.plan_text, self.failure = {}, {}, "", None
                self._again = True
            case PlanParsed():
                if self._again:  # what it takes over from the plan before is told anew, of its own steps
                    self._again = False
                    self.evidence = {}
                if self.plan is None or self._parsed != event.text:
                    from airoagent.plan.parser import parse_plan  # lists of runs need no parser

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

    @property
    def account(self) -> dict[str, Usage]:
        """What models read and wrote, by purpose: ``planner``, ``reader`` (tools), ``call``, ``think``, ``code``."""
        found: dict[str, Usage] = {}
        for event in self.events:
            if isinstance(event, ModelCalled):
                name = "reader" if event.step else "planner" if event.purpose == "plan" else event.purpose
                found[name] = found.get(name, Usage()) + event.usage
        return found

    @property
    def answered(self) -> bool:
        """Whether the answer says what was asked.

        False if there is none, and if all the evidence it is based on only says that the question cannot be answered.
        """
        if self.status != "done":
            return False
        prose = any(isinstance(event, PlanRefused) and not event.retry for event in self.events)
        if self.plan is None and not prose:  # code, a chain of thought, a call that is only written
            return True
        return self.answers(self.answer or "")

    def answers(self, answer: str) -> bool:
        """Whether this answer of the run, in words, says what was asked."""
        ids = references(self.plan.final_template) if self.plan is not None else ()
        if not ids:
            from airoagent.prompts.context_prompts import read_cited_answer

            return read_cited_answer(answer).answered
        return any(id in self.evidence and self.evidence[id].answered for id in ids)

    @property
    def words(self) -> str:
        """The answer in words, also where it was put into JSON."""
        if self.plan is None or not self.setting("schema"):
            return self.answer or ""
        known = {id: self.evidence[id].text for id in references(self.plan.final_template) if id in self.evidence}
        parts = (part if isinstance(part, str) else known.get(part.id, "") for part in self.plan.final_template)
        return "".join(parts).strip()

    @property
    def error(self) -> AiroError | None:
        """Why the run has no answer, as an exception of the family its exit code names; None where it has one."""
        if self.failure is None:
            return None
        for event in reversed(self.events):
            if isinstance(event, RunResumed | PlanParsed):
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
        """How a notebook shows a run: question, answer, one line per step; no script, no network."""
        from airoagent.records.run_html import run_html

        return run_html(self)

    def to_json(self) -> dict[str, Any]:
        """The whole run as plain JSON values (evidence and prompts included, in ``events``)."""
        return {
            "id": self.id,
            "question": self.question,
            "status": self.status,
            "answer": self.answer,
            "answered": self.answered,
            "sources": [source_json(source) for source in self.sources],
            "failure": failure_json(self.failure),
            "model": self.model,
            "plan": None if self.plan is None else plan_json(self.plan, self.step_status),
            "evidence": {
                id: {name: getattr(found, name) for name in _SHOWN} | {"sources": list(map(source_json, found.sources))}
                for id, found in self.evidence.items()
            },
            "usage": _plain(self.usage),
            "account": {name: _plain(usage) for name, usage in self.account.items()},
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


def account_text(account: Mapping[str, Usage]) -> str:
    """The account of a run in one line: what was read and written in all, and for what."""
    whole = sum(account.values(), Usage())
    parts = [f"{name} {usage.prompt_tokens:,} + {usage.completion_tokens:,}" for name, usage in account.items()]
    details = f" ({', '.join(parts)})" if parts else ""
    return f"{whole.prompt_tokens:,} read, {whole.completion_tokens:,} written{details}"


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


def quotes_by_page(sources: Iterable[Source]) -> dict[tuple[str, str], list[str]]:
    """The passages quoted, each once and on one line, by the address and the title of their pages."""
    found: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for source in sources:
        titles[source.url] = titles.get(source.url) or source.title
        quotes, quote = found.setdefault(source.url, []), " ".join(source.quote.split())
        quotes += [quote] if quote and quote not in quotes else []
    return {(url, titles[url]): quotes for url, quotes in found.items()}


def write_trace(run_id: str, events: Iterable[Event]) -> Iterator[str]:
    """The lines of a trace, header first, each ending in a newline."""
    yield json.dumps({"format": "airoagent-trace", "version": TRACE_VERSION, "run": run_id}) + "\n"
    for event in events:
        yield json.dumps(to_json(event)) + "\n"


def trace_lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a trace file; StoreError names the first that is too long or is not text."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(_LONGEST_LINE + 1)
        except OSError as error:
            raise StoreError(f"line {number} of the trace cannot be read: {error.strerror}", "name a file") from error
        if not line:
            return
        if len(line) > _LONGEST_LINE:
            raise StoreError(f"line {number} of the trace is longer than {_LONGEST_LINE >> 20} MB", _EDITED)
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise StoreError(f"line {number} of the trace is not UTF-8 (byte {error.start + 1})", _EDITED) from None


def read_trace(lines: Iterable[str]) -> tuple[Event, ...]:
    """The events of a trace; StoreError names the first line that cannot be read."""
    reading = Reading(lambda number: f"line {number} of the trace")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.removeprefix("\ufeff"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"line {number} of the trace is not JSON ({error})", _EDITED) from None
        if number == 1:
            _check_header(value)
        else:
            reading.take(value, number)
    if not reading.events:
        raise StoreError("the trace contains no events", "was the file cut?")
    return tuple(reading.events)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def _check_header(value: Any) -> None:
    if not isinstance(value, dict) or value.get("format") != "airoagent-trace":
        raise StoreError("this is not an airoagent trace: line 1 is not its header", "see `airo runs export`")
    version = value.get("version", 0)
    if type(version) is not int or version > TRACE_VERSION:
        raise StoreError(
            f"the trace has version {version!s:.20}; this airoagent reads up to {TRACE_VERSION}", "update airoagent"
        )


class Reading:
    """Reads the events of a record one by one; StoreError for the first that cannot be one, or not stand there.

    ``place`` names the place of an event by its number; ``ordered``: the order of the events is checked, too.
    """

    def __init__(self, place: Callable[[int], str], hint: str = _EDITED, *, ordered: bool = True) -> None:
        self.events: list[Event] = []
        self._place, self._hint, self._ordered = place, hint, ordered
        self._run = Run()
        self._begun: set[str] = set()  # steps with an attempt that has no end yet

    def take(self, value: Any, number: int) -> None:
        """The next event, as `to_json` wrote it."""
        try:
            event = from_json(value)
            fault = self._misplaced(event) if self._ordered else ""
            if not fault:
                self._run.take(event)
        except StoreError as error:
            fault = error.message
        except AiroError as error:
            fault = f"cannot be read: {error.message}"
        except RecursionError:
            fault = "cannot be read: it is nested too deeply"
        if fault:
            raise StoreError(f"{self._place(number)} {fault}", self._hint)
        self.events.append(event)

    def _misplaced(self, event: Event) -> str:
        """Why the event cannot stand here; "" where it can."""
        ended = bool(self.events) and isinstance(self.events[-1], RunFinished)
        match event:
            case RunStarted():
                return "is not where it belongs: the run has already started" if self.events else ""
            case _ if not self.events:
                return "is not where it belongs: a record begins with the start of its run"
            case RunResumed():
                return "" if event.run == self._run.id else "is not where it belongs: it is from another run"
            case _ if ended:
                return "is not where it belongs: the run has already ended"
            case StepStarted():
                self._begun.add(event.step)
            case StepFinished() | StepFailed() | AttemptFailed() | InputEdited():
                if event.step not in self._begun:
                    return f"is not where it belongs: no call of {event.step[:40]} has started"
                if not isinstance(event, InputEdited):
                    self._begun.discard(event.step)
            case _:
                return ""
        return ""
