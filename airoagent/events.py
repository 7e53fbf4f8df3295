"""The one stream that everything else listens to: display, store, trace, page.

A run is its events in order. Each is a frozen record with a stable ``type`` word and a time ``at`` (seconds since
1970, UTC). `to_json` and `from_json` are exact inverses on every event; one JSON object a line is the trace format.

Events marked *live* (`PlanText`, `StepText`, `AnswerText`, `Progress`) are for whoever is watching; they are not
recorded, since a later event holds in full what they say.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from dataclasses import field
from types import UnionType
from typing import Any, ClassVar, Literal, cast, get_args, get_origin, get_type_hints

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

    def __init_subclass__(cls) -> None:
        cls.type = re.sub("(?<=.)(?=[A-Z])", "_", cls.__name__).lower()  # RunStarted: run_started


@frozen
class RunStarted(Event):
    """The run is accepted and on record: what was asked, of which model, with which tools."""

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

    run: str
    model: str
    afresh: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanText(Event):
    """A piece of the plan as the model writes it (live)."""

    live: ClassVar[bool] = True
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class ModelCalled(Event):
    """A model has answered: the exact prompt it read, what it wrote, why it stopped, what it cost.

    ``text`` is all of it, thoughts and end tokens too. ``step`` is ``""`` for the call that writes the plan. ``finish``
    is ``stop``, ``length``, or ``cancelled`` where the text is only the part that was written.
    """

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

    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanWritten(Event):
    """The raw plan text, whole."""

    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanParsed(Event):
    """The plan as it will run, in canonical text, with every finding and repair."""

    text: str
    diagnostics: tuple[Diagnostic, ...] = ()
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class PlanRefused(Event):
    """The text of a plan or call cannot be used; ``retry``: the model is asked again, with these findings.

    What steps find that were started for the text belongs to no step of the next one.
    """

    failure: Failure
    diagnostics: tuple[Diagnostic, ...] = ()
    retry: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class Replanned(Event):
    """The plan did not lead to an answer, and the model is asked for another, which may use the evidence there is."""

    attempt: int
    failure: Failure
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepStarted(Event):
    """An attempt at a step begins; ``input`` is what the tool is given, references filled in."""

    step: str
    tool: str
    input: str
    attempt: int = 1
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class InputEdited(Event):
    """The user let the step's tool be called, but with this input instead of the step's own."""

    step: str
    tool: str
    input: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepText(Event):
    """A piece of what a model writes for a step (live)."""

    live: ClassVar[bool] = True
    step: str
    text: str
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class AnswerText(Event):
    """A piece of the run's answer, as the model writes it (live); the pieces of a run add up to its answer.

    ``withdrawn``: those so far are not the answer, because a call failed half-way, say; the next piece is all of it.
    """

    live: ClassVar[bool] = True
    text: str
    withdrawn: bool = False
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class AttemptFailed(Event):
    """An attempt failed and another follows after ``retry_in`` seconds."""

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

    step: str
    tool: str
    attempt: int
    failure: Failure
    seconds: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepCancelled(Event):
    """An attempt was stopped half-way: the run was, or the rest of the plan turned out to be unusable."""

    step: str
    tool: str
    attempt: int
    seconds: float
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class StepSkipped(Event):
    """A step was not run because the steps in ``because`` have no evidence for it."""

    step: str
    tool: str
    because: tuple[str, ...]
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class Progress(Event):
    """Long work moves on (live): ``done`` of ``total`` (0: unknown) of ``what``; with neither, ``what`` is a result."""

    live: ClassVar[bool] = True
    what: str
    done: int
    total: int = 0
    at: float = field(default_factory=time.time, kw_only=True)


@frozen
class RunFinished(Event):
    """The run has ended; ``answer`` is None where there is none, ``failure`` says why."""

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
_LARGEST = 2**53  # a number that any part of the program takes is smaller


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


def from_json(value: Any) -> Event:
    """The event that `to_json` wrote, or that a trace of version 1 or 2 has.

    StoreError says what is wrong with any other value. Unknown fields are ignored, so that a trace of a later minor
    version can be read.
    """
    try:
        cls = _TYPES[value["type"]]
        if cls is StepFinished:  # before version 3 the fields of its evidence stood in the event itself
            found = value.get("evidence", value)
            found = {**found, "id": value["step"], "tool": value["tool"], "at": value["at"]}
            value = {**value, "evidence": found}
        return cast(Event, _record(cls, value))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f" ({error})" if isinstance(error, ValueError) else ""  # others speak of this code, not of the file
        raise StoreError(
            f"is not an event{reason}: {str(value)[:80]!r}", "was the file cut or edited by hand?"
        ) from error


def _record(cls: Any, value: dict[str, Any]) -> Any:
    kinds = _kinds(cls)
    return cls(**{name: _field(name, kinds[name], item) for name, item in value.items() if name in kinds})


@functools.cache
def _kinds(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {one.name: hints[one.name] for one in dataclasses.fields(cls)}


def _field(name: str, kind: Any, value: Any) -> Any:
    """The value of a field of this type; StoreError where it is of another."""
    if kind is str and type(value) is str:  # as most are
        return value
    origin, args = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _record(kind, value)
    if origin is UnionType:  # all of them are with None
        return None if value is None else _field(name, args[0], value)
    if origin is tuple and isinstance(value, list | tuple) and (args[-1] is ... or len(args) == len(value)):
        wanted = [args[0]] * len(value) if args[-1] is ... else args
        return tuple(_field(name, one, item) for one, item in zip(wanted, value, strict=True))
    if origin is Literal:
        fits = isinstance(value, str) and value in args
    elif kind in (int, float):
        fits = type(value) in (int, kind) and abs(value) < _LARGEST  # not true of NaN either
    else:
        fits = type(value) is kind
    if not fits:
        shown = str(kind).replace("typing.", "") if args else kind.__name__
        raise StoreError(f"holds {type(value).__name__} where {name} is {shown}")
    if name == "at" and not -6e10 < value < 2.5e11:
        raise StoreError("has a time outside the years 1 to 9999")
    return value
