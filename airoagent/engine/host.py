"""What of an `Agent` other modules use: a store to find runs in, tools, its model, and the way to drive a run."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from airoagent.engine.record import Run
from airoagent.engine.recorder import Beginning, Recorder
from airoagent.engine.reuse import Reuse
from airoagent.engine.run import Execution
from airoagent.engine.store import Store
from airoagent.errors import UsageError
from airoagent.events import Event
from airoagent.language.grammar import Grammar
from airoagent.language.plan import Plan
from airoagent.models.base import Completion, Purpose
from airoagent.toolbox.tool import Toolbox

__all__ = ["Host", "MakePlan", "Watch", "check_tools", "load"]

Watch = Callable[[Event], None]
MakePlan = Callable[[Recorder], Awaitable[Plan]]


class Host(Protocol):
    """What of an `Agent` is needed here."""

    toolbox: Toolbox
    _all_tools: Toolbox

    @property
    def known_tools(self) -> Toolbox: ...

    def _open_store(self) -> Store | None: ...

    def _executing(
        self, question: str, recorder: Recorder, reuse: Reuse
    ) -> contextlib.AbstractAsyncContextManager[Execution]: ...

    def without_record(self) -> Host: ...

    async def _drive(
        self, question: str, plan: Plan | MakePlan | None, watch: Watch | None, beginning: Beginning | None = None
    ) -> Run: ...

    async def _ask(
        self,
        step: str,
        text: str,
        purpose: Purpose,
        recorder: Recorder,
        heard: Callable[[str], None],
        grammar: Grammar | str = "",
    ) -> Completion: ...


def load(agent: Host, run: str | Run) -> Run:
    """The recorded run that an id, the beginning of one, or ``@last`` means; a `Run` is itself."""
    if isinstance(run, Run):
        return run
    store = agent._open_store()
    if store is None:
        raise UsageError("this agent keeps no records, so it knows no run by its id", "make it with store=True")
    return Run.from_events(store.events(store.find(run)))


def check_tools(names: Iterable[str], tools: Toolbox) -> None:
    """UsageError for the first tool that is not there."""
    for name in names:
        if name not in tools:
            raise UsageError(
                f"the plan calls {name}, which is not among the tools", "name its file with --tools PATH (tool_paths=)"
            )
