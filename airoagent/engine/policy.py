"""What a run may take, and what its steps may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Literal

from airoagent.language.grammar import Grammar
from airoagent.language.plan import Step
from airoagent.models.base import Completion, Purpose
from airoagent.records import record
from airoagent.toolbox.documents import Documents
from airoagent.toolbox.fetch import Fetcher
from airoagent.toolbox.tool import Tool

__all__ = ["Approve", "Ask", "OnError", "Policy", "Services"]

OnError = Literal["stop", "skip", "tell"]


@record
class Policy:
    """What a run may take and what happens when a step fails.

    ``tool_timeout`` is in seconds per call, for tools that name none (0: no limit). ``retries`` is how often a failure
    that may pass is tried again. ``limit_seconds`` bounds the whole run (0: no limit). ``max_evidence`` is in
    characters. ``concurrency`` is how many tools may be called at the same time (0: no limit). ``on_error``: ``stop``
    starts nothing new after a failure, ``skip`` goes on with what does not depend on it, ``tell`` lets the steps that
    depend on it know what went wrong. ``eager``: a step starts while the rest of the plan is still being written (one
    with side effects never does).
    """

    tool_timeout: float = 60.0
    retries: int = 2
    limit_seconds: float = 0.0
    concurrency: int = 8
    max_evidence: int = 16 * 1024 * 1024
    on_error: OnError = "stop"
    eager: bool = True


Ask = Callable[[str, str, Purpose, Grammar | str], Awaitable[Completion]]
Approve = Callable[[Step, Tool, str], Awaitable[bool]]


@record
class Services:
    """What steps may use: ``ask(step, prompt, purpose, grammar)`` asks the model, ``approve`` asks the user."""

    question: str
    ask: Ask
    approve: Approve
    fetch: Fetcher
    documents: Documents | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
