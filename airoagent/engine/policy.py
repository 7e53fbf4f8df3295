"""What a run may take, and what its steps may use."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from airoagent.errors import UsageError
from airoagent.events import Origin
from airoagent.language.grammar import Grammar
from airoagent.language.plan import Step
from airoagent.models.base import Completion, Purpose
from airoagent.records import record
from airoagent.toolbox.documents import Documents
from airoagent.toolbox.fetch import Fetcher
from airoagent.toolbox.tool import Fitter, Tool, ToolOutput, whole

__all__ = ["Approve", "Ask", "Keep", "OnError", "Policy", "Recall", "Services"]

OnError = Literal["stop", "skip", "tell"]
AskBefore = Literal["side-effects", "all"]

_CHOICES: dict[str, tuple[str, ...]] = {"on_error": get_args(OnError), "ask_before": get_args(AskBefore)}
_NO_LIMIT = ("tool_timeout", "limit_seconds", "concurrency", "max_calls", "max_tokens", "max_bytes")


def _hint(name: str) -> str:
    return "0 is no limit" if name in _NO_LIMIT else ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may take and what happens when a step fails.

    - ``tool_timeout``: seconds per call, for tools that name none (0: no limit); ``limit_seconds``: for the whole run.
    - ``retries``: how often a failure that may pass is tried again; ``longest_wait``: seconds to wait at most where the
      other side says when to come back (a call that is asked to wait longer, or beyond the run's end, fails at once).
    - ``concurrency``: how many tools may be called at the same time (0: no limit).
    - ``max_evidence``: characters one call may give; ``max_bytes``: characters of evidence in the whole run;
      ``max_calls``: calls of tools; ``max_tokens``: tokens read and written by models (0: no limit).
    - ``on_error``: ``stop`` starts nothing new after a failure, ``skip`` goes on with what does not depend on it,
      ``tell`` lets the steps that depend on it know what went wrong.
    - ``eager``: a step starts while the rest of the plan is still being written (one with side effects never does).
    - ``replan``: how often the model may write a new plan after a failure; what has been found is not called for again.
    - ``cache_seconds``: results of tools that allow it are taken from earlier runs up to this age (0: never).
    - ``ask_before``: whether tools with side effects are asked about, or every call.

    UsageError names a value that is none of these.
    """

    tool_timeout: float = 60.0
    retries: int = 2
    limit_seconds: float = 0.0
    concurrency: int = 8
    max_evidence: int = 16 * 1024 * 1024
    on_error: OnError = "stop"
    eager: bool = True
    replan: int = 0
    cache_seconds: float = 0.0
    max_calls: int = 0
    max_tokens: int = 0
    max_bytes: int = 0
    ask_before: AskBefore = "side-effects"
    longest_wait: float = 120.0

    def __post_init__(self) -> None:
        for name, value, kind in ((one.name, getattr(self, one.name), one.type) for one in fields(self)):
            if kind in ("int", "float"):
                wanted = int if kind == "int" else int | float
                if not isinstance(value, wanted) or isinstance(value, bool) or not 0 <= value < math.inf:
                    number = "a whole number" if kind == "int" else "a number"
                    raise UsageError(f"{name} must be {number} of at least 0, not {value!r}", _hint(name))
            elif kind == "bool":
                if not isinstance(value, bool):
                    raise UsageError(f"{name} must be True or False, not {value!r}")
            elif value not in _CHOICES[name]:
                raise UsageError(f"{name} must be {' or '.join(_CHOICES[name])}, not {value!r}")


Ask = Callable[[str, str, Purpose, Grammar | str], Awaitable[Completion]]
Approve = Callable[[Step, Tool, str], Awaitable[bool | str]]
"""Asked before a call: True makes it, False refuses it, a text makes it with that input in place of the step's own."""


Recall = Callable[[Step, Tool, str], tuple[ToolOutput, Origin] | None]
Keep = Callable[[Step, Tool, str, ToolOutput], None]


@record
class Services:
    """What steps may use: ``ask(step, prompt, purpose, grammar)`` asks the model, ``approve`` asks the user.

    ``recall`` knows evidence that need not be called for (a cache, the record of an earlier run): it is asked with the
    step, its tool and its input, and answers with the output and where it comes from, or None. ``keep`` is told what a
    call gave. ``plan_trusted``: the plan was written before any tool had answered. ``fit`` cuts evidence to the
    model's window. ``ends``: the time (of `time.monotonic`) that the whole run must end by.
    """

    question: str
    ask: Ask
    approve: Approve
    fetch: Fetcher
    documents: Documents | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    recall: Recall | None = None
    keep: Keep | None = None
    plan_trusted: bool = True
    fit: Fitter = whole
    ends: float = math.inf
