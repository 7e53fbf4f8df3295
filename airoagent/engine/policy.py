"""What a run may take, and what its steps may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol, get_args, get_origin, get_type_hints

from airoagent.documents.library import Documents
from airoagent.engine.limits import Budget
from airoagent.errors import UsageError
from airoagent.events import Event, Evidence, Origin
from airoagent.frozen import frozen
from airoagent.models.base import Completion, Purpose
from airoagent.plan.steps import Step
from airoagent.prompts.chat import Style
from airoagent.prompts.grammar import Grammar
from airoagent.toolbox.tool import Fitter, Tool, Toolbox, ToolOutput, whole
from airoagent.web.fetch import Fetcher

if TYPE_CHECKING:
    from airoagent.engine.tool_calls import BoundTool

OnError = Literal["stop", "skip", "tell"]


@frozen
class Policy:
    """What a run may take and what happens when a step fails.

    - ``tool_timeout``: seconds per call, for tools that set no limit (0: none); ``limit_seconds``: for the whole run.
    - ``retries``: how often a call is repeated after a failure that may be temporary; ``longest_wait``: the longest
      wait, in seconds, if the other side says when to come back (a call that is asked to wait longer, or beyond the
      run's end, fails at once).
    - ``model_retries``: how often the model is asked again, with the findings, for a plan or call that cannot be used.
    - ``concurrency``: how many tools may be called at the same time (0: no limit).
    - ``max_evidence``: characters one call may return; ``max_bytes``: characters of evidence in the whole run;
      ``max_calls``: calls of tools; ``max_tokens``: tokens read and written by models (0: no limit).
    - ``on_error``: ``stop`` starts nothing new after a failure, ``skip`` continues with what does not depend on it,
      ``tell`` lets the steps that depend on it know what went wrong.
    - ``eager``: a step starts while the rest of the plan is still being written (one with side effects never does).
    - ``replan``: how often the model may write a new plan after a failure; calls already made are not repeated.
    - ``cache_seconds``: results up to this age are reused from earlier runs, if the tool allows it (0: never).
    - ``ask_before``: whether the user is asked before calls with side effects, or before every call.
    - ``share_private``: text from the user's documents, or given with the question, may leave the machine without the
      user being asked.
    """

    tool_timeout: float = 60.0
    retries: int = 2
    model_retries: int = 1
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
    ask_before: Literal["side-effects", "all"] = "side-effects"
    longest_wait: float = 120.0
    share_private: bool = False


def checked_policy(policy: Policy) -> Policy:
    """The policy itself; UsageError for the first value of it that makes no sense."""
    usual = Policy()
    for name, kind in get_type_hints(Policy).items():
        value, default = getattr(policy, name), getattr(usual, name)
        if get_origin(kind) is Literal:
            good, wanted = value in get_args(kind), " or ".join(get_args(kind))
        elif isinstance(default, bool):
            continue
        else:
            kinds = (int,) if isinstance(default, int) else (int, float)
            good = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < float("inf")
            wanted = f"a {'whole ' if kinds == (int,) else ''}number of at least 0"
        if not good:
            raise UsageError(f"{name} must be {wanted}, not {value!r}", "see help(airoagent.Policy)")
    return policy


class Ask(Protocol):
    """Asks the model and puts the call on record, for a step or the run; ``heard`` gets the text as it comes, and
    each of ``stop`` ends it."""

    async def style(self) -> Style: ...

    async def call_form(self) -> str: ...

    async def __call__(
        self,
        prompt: str,
        purpose: Purpose,
        grammar: Grammar | str = "",
        *,
        step: str = "",
        heard: Callable[[str], None] | None = None,
        stop: tuple[str, ...] = (),
    ) -> Completion: ...


Approve = Callable[[Step, Tool, str], Awaitable[bool | str]]
"""Asked before a call: True makes it, False refuses it, a text makes it with that input instead of the step's own."""


Recall = Callable[[Step, Tool, str], tuple[Evidence, Origin] | None]
Keep = Callable[[Step, Tool, str, ToolOutput], None]


@frozen
class Services:
    """What the steps of a run may use, and its limits: ``emit`` records an event, ``ask`` asks the model, ``approve``
    the user.

    ``recall`` knows evidence that need not be called for (a cache, the record of an earlier run): it is asked with the
    step, its tool and its input, and returns the evidence and where it comes from, or None. ``keep`` is called with
    what a call gave. ``plan_trusted``: the plan was written before any tool had answered; ``plan_private``: after
    private text had been read. ``fit`` cuts evidence to the model's window. ``budget`` is what the run has used.
    ``fetcher`` returns the run's fetcher, made when it is first needed.
    ``bound``: the tools that have been called, as they are called (`BoundTool`), for all runs of a session.
    """

    question: str
    toolbox: Toolbox
    policy: Policy
    emit: Callable[[Event], None]
    ask: Ask
    approve: Approve
    fetcher: Callable[[], Fetcher]
    documents: Documents | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    recall: Recall | None = None
    keep: Keep | None = None
    plan_trusted: bool = True
    plan_private: bool = False
    fit: Fitter = whole
    budget: Budget | None = None
    bound: dict[str, BoundTool] = field(default_factory=dict)
