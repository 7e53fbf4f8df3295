"""The one stream that everything else listens to: display, store, trace, page.

A run is its events in order. Each is a frozen record with a stable ``type`` word and a time ``at`` (seconds since
1970, UTC). `to_json` and `from_json` are exact inverses on every event; one JSON object a line is the trace format.

Events marked *live* (`PlanText`, `StepText`, `AnswerText`, `Progress`) are for whoever is watching; they are not
recorded, since a later event holds in full what they say.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import field
from typing import Any, ClassVar, Literal, cast

from airoagent.errors import Diagnostic, StoreError
from airoagent.frozen import frozen

Origin = Literal["call", "shared", "cache", "record"]
Status = Literal["running", "done", "failed", "interrupted"]


@frozen
class Source:
    """Where evidence, or a part of it, came from.

    ``url`` is an ``http(s)`` address or a ``docs://`` one (a file of a documents folder); ``quote`` the words that a
    cited answer is based on, or a search result's snippet; ``start`` and ``end`` the characters of the evidence's text
    that were taken from there (equal: the text cites the source and copies nothing).
    """

    url: str
    title: str = ""
    quote: str = ""
    start: int = 0
    end: int = 0


@frozen
class Evidence:
    """What a step found.

    ``id`` is the step's id, ``tool`` the tool that was called, ``text`` what it found, ``sources`` where that came
    from, in order; ``note`` what a reader should know about it (e.g. that it was cut). The marks (passed on to what is
    made of it, see `airoagent.engine.provenance`):

    - ``answered`` is False where the text only says that the question put to the tool cannot be answered;
    - ``untrusted``: someone outside influenced its wording;
    - ``written``: a model wrote it;
    - ``private``: it comes from the user's documents, or from a text given with the question.

    ``at`` is when it was found, in seconds since 1970.
    """

    id: str
    tool: str
    text: str
    sources: tuple[Source, ...] = ()
    note: str = ""
    answered: bool = True
    untrusted: bool = False
    written: bool = False
    private: bool = field(default=False, compare=False)
    at: float = field(default_factory=time.time, compare=False)

    def __str__(self) -> str:
        return self.text

    def blocks(self) -> tuple[tuple[str, tuple[Source, ...]], ...]:
        """The text cut by source: pairs of (text, its sources).

        Sources that cover characters of the text give one block each; evidence whose sources only cite (or that
        has none) is one block with all of them.
        """
        spans = [source for source in self.sources if source.end > source.start]
        if not spans:
            return ((self.text, self.sources),)
        return tuple((self.text[source.start : source.end], (source,)) for source in spans)


@frozen
class Usage:
    """Tokens read and written, and calls made, by models."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.calls + other.calls,
        )


@frozen
class Failure:
    """An error as a record: its kind (class name or diagnostic kind), sentence, hint and exit code."""

    kind: str
    message: str
    hint: str = ""
    exit_code: int = 1


class Event:
    """What all events have: the time, and a word that names the type in JSON.

    ``at`` is a field of each event and not of this class: an object whose fields all come from one class is made in
    half the time, and a run makes two a step.
    """

    __slots__ = ()
    type: ClassVar[str] = ""
    live: ClassVar[bool] = False
    at: float


@frozen
class RunStarted(Event):
    """The run is accepted and on record: what was asked, of which model, with which tools."""

    type: ClassVar[str] = "run_started"
    run: str
    question: str
    model: str
    tools: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class RunResumed(Event):
    """A run that was interrupted, or had failed, continues; ``model`` answers from here on.

    ``afresh``: its plan had not been written to the end, so the model is asked for it again.
    """

    type: ClassVar[str] = "run_resumed"
    run: str
    model: str
    afresh: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanText(Event):
    """A piece of the plan as the model writes it (live)."""

    type: ClassVar[str] = "plan_text"
    live: ClassVar[bool] = True
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class ModelCalled(Event):
    """A model has answered: the exact prompt it read, what it wrote, why it stopped, what it cost.

    ``text`` is all of it, thoughts and end tokens too. ``step`` is ``""`` for the call that writes the plan. ``finish``
    is ``stop``, ``length``, or ``cancelled`` where the text is only the part that was written.
    """

    type: ClassVar[str] = "model_called"
    step: str
    purpose: str
    model: str
    prompt: str
    text: str
    finish: str
    usage: Usage
    seconds: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanPart(Event):
    """What of the plan has been written since the last part, up to the steps that have just become certain.

    It goes on record before the first of these steps starts, where steps start while the plan is being written.
    """

    type: ClassVar[str] = "plan_part"
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanWritten(Event):
    """The raw plan text, whole."""

    type: ClassVar[str] = "plan_written"
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanParsed(Event):
    """The plan as it will run, in canonical text, with every finding and repair."""

    type: ClassVar[str] = "plan_parsed"
    text: str
    diagnostics: tuple[Diagnostic, ...] = ()
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanRefused(Event):
    """The text of a plan or call cannot be used; ``retry``: the model is asked again, with these findings.

    What steps find that were started for the text belongs to no step of the next one.
    """

    type: ClassVar[str] = "plan_refused"
    failure: Failure
    diagnostics: tuple[Diagnostic, ...] = ()
    retry: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class Replanned(Event):
    """The plan did not lead to an answer, and the model is asked for another, which may use the evidence there is."""

    type: ClassVar[str] = "replanned"
    attempt: int
    failure: Failure
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepStarted(Event):
    """An attempt at a step begins; ``input`` is what the tool is given, references filled in."""

    type: ClassVar[str] = "step_started"
    step: str
    tool: str
    input: str
    attempt: int = 1
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class InputEdited(Event):
    """The user let the step's tool be called, but with this input instead of the step's own."""

    type: ClassVar[str] = "input_edited"
    step: str
    tool: str
    input: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepText(Event):
    """A piece of what a model writes for a step (live)."""

    type: ClassVar[str] = "step_text"
    live: ClassVar[bool] = True
    step: str
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class AnswerText(Event):
    """A piece of the run's answer, as the model writes it (live); the pieces of a run add up to its answer.

    ``withdrawn``: those so far are not the answer, because a call failed half-way, say; the next piece is all of it.
    """

    type: ClassVar[str] = "answer_text"
    live: ClassVar[bool] = True
    text: str
    withdrawn: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class AttemptFailed(Event):
    """An attempt failed and another follows after ``retry_in`` seconds."""

    type: ClassVar[str] = "attempt_failed"
    step: str
    tool: str
    attempt: int
    failure: Failure
    seconds: float
    retry_in: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepFinished(Event):
    """A step has its evidence.

    ``origin`` is where it came from: a ``call`` of the tool, a ``shared`` call that another step of the run made, the
    ``cache``, or the ``record`` of an earlier run.
    """

    type: ClassVar[str] = "step_finished"
    evidence: Evidence
    attempt: int
    seconds: float
    origin: Origin = "call"

    @property
    def step(self) -> str:
        """The step's id."""
        return self.evidence.id

    @property
    def tool(self) -> str:
        """The tool that found it."""
        return self.evidence.tool

    @property
    def at(self) -> float:  # type: ignore[override]
        """When it was found."""
        return self.evidence.at


@frozen
class StepFailed(Event):
    """A step has failed for good."""

    type: ClassVar[str] = "step_failed"
    step: str
    tool: str
    attempt: int
    failure: Failure
    seconds: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepCancelled(Event):
    """An attempt was stopped half-way: the run was, or the rest of the plan turned out to be unusable."""

    type: ClassVar[str] = "step_cancelled"
    step: str
    tool: str
    attempt: int
    seconds: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepSkipped(Event):
    """A step was not run because the steps in ``because`` have no evidence for it."""

    type: ClassVar[str] = "step_skipped"
    step: str
    tool: str
    because: tuple[str, ...]
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class Progress(Event):
    """Long work moves on (live): ``done`` of ``total`` (0: unknown) of ``what``; with neither, ``what`` is a result."""

    type: ClassVar[str] = "progress"
    live: ClassVar[bool] = True
    what: str
    done: int
    total: int = 0
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class RunFinished(Event):
    """The run has ended; ``answer`` is None where there is none, ``failure`` says why."""

    type: ClassVar[str] = "run_finished"
    status: Status
    answer: str | None
    sources: tuple[Source, ...]
    usage: Usage
    seconds: float
    failure: Failure | None = None
    at: float = field(default_factory=time.time, kw_only=True)


_TYPES: dict[str, type[Event]] = {
    one.type: one for one in list(vars().values()) if isinstance(one, type) and issubclass(one, Event) and one.type
}
_NESTED: dict[str, Any] = {"usage": Usage, "failure": Failure}
_NESTED_MANY: dict[str, Any] = {"sources": Source, "diagnostics": Diagnostic}
_FOUND = tuple(one.name for one in dataclasses.fields(Evidence) if one.name not in ("id", "tool", "at"))


def to_json(event: Event) -> dict[str, Any]:
    """The event as plain JSON values; the ``type`` word comes first.

    Evidence is in it as ``evidence``, without the step, tool and time, which the event itself has.
    """
    value = _plain(event)
    if isinstance(event, StepFinished):
        found = value.pop("evidence")
        names = {"step": found.pop("id"), "tool": found.pop("tool"), "at": found.pop("at")}
        value = {**names, **value, "evidence": found}
    return {"type": event.type, **value}


def _plain(value: Any) -> Any:
    """Records as dicts, also within tuples; `dataclasses.asdict` would copy every text, and a run makes two a step."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    names = getattr(value, "__slots__", ())
    return {name: _plain(getattr(value, name)) for name in names} if names else value


def from_json(value: dict[str, Any]) -> Event:
    """The event that `to_json` wrote, or that a trace of version 1 or 2 has; StoreError if the value is not one.

    Unknown fields are ignored, so that a trace of a later minor version can be read.
    """
    try:
        cls = _TYPES[value["type"]]
        if cls is StepFinished:
            value = {**value, "evidence": _found(value)}
        known = {f.name for f in dataclasses.fields(cast(Any, cls))}
        return cls(**{k: _revived(k, v) for k, v in value.items() if k in known})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f" ({error})" if isinstance(error, ValueError) else ""  # others speak of this code, not of the file
        raise StoreError(
            f"{str(value)[:80]!r} is not an event{reason}", "was the file cut or edited by hand?"
        ) from error


def _found(value: dict[str, Any]) -> Evidence:
    """The evidence of a finished step; before version 3 its fields stood in the event itself."""
    found = value.get("evidence", value)
    marks = {name: _revived(name, found[name]) for name in _FOUND if name in found}
    return Evidence(id=value["step"], tool=value["tool"], at=value["at"], **marks)


def _revived(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _NESTED:
        return _NESTED[name](**value)
    if name in _NESTED_MANY:
        return tuple(_NESTED_MANY[name](**item) for item in value)
    if name == "settings":
        return tuple((str(key), str(item)) for key, item in value)
    return tuple(value) if isinstance(value, list) else value
