"""Where a run's events go: first on record, then into the `Run`, then to whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Set

from airoagent.engine.policy import Recall
from airoagent.engine.provenance import plan_is_trusted, plan_settings
from airoagent.events import Event, Evidence, PlanParsed, RunFinished, RunResumed, RunStarted
from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.records.run_record import Run
from airoagent.records.store import Store, new_run_id


@frozen
class StartingPoint:
    """What a run has from an earlier one.

    ``past``: the events of the very run that goes on. ``parent``: the run that this one was made from. ``said``: what
    the user said, where the question was completed from it. ``known``: evidence whose steps are not run. ``recall`` is
    given the run as it stands and looks up evidence (`Services`). ``plan_trusted``: the plan is not one that was
    written after tools had answered; ``plan_private``: it was written after private text had been read (`provenance`).
    """

    past: tuple[Event, ...] = ()
    parent: str = ""
    said: str = ""
    known: Mapping[str, Evidence] | None = None
    recall: Callable[[Run], Recall] | None = None
    plan_trusted: bool = True
    plan_private: bool = False


_NOTHING = StartingPoint()


class Recorder:
    """Call it with each event. What it has returned from is committed (live events pass through unrecorded)."""

    def __init__(
        self,
        run_id: str = "",
        store: Store | None = None,
        watch: Callable[[Event], None] | None = None,
        start: StartingPoint | None = None,
        careful: Set[str] = frozenset(),
    ) -> None:
        """``careful``: tools whose calls must be known of even after a power cut."""
        start = start or _NOTHING
        self.run = Run.from_events(start.past) if start.past else Run(run_id or new_run_id())
        self.known = start.known
        self.recall = None if start.recall is None else start.recall(self.run)
        self.plan_trusted = start.plan_trusted and (not start.past or plan_is_trusted(self.run))
        self.plan_private = start.plan_private
        self._parent, self._said = start.parent, start.said
        self._store = store
        self.watch = watch
        self._careful = careful
        self.past = start.past
        self.events: list[Event] = [*start.past]
        self.began = time.monotonic()
        self._closed = False

    def begin(self, question: str, model: str, tools: tuple[str, ...], settings: tuple[tuple[str, str], ...]) -> None:
        """Put on record that the run begins, or goes on."""
        self._loop = asyncio.get_running_loop()
        if self.events:
            return self(RunResumed(run=self.run.id, model=model, afresh=self.recall is not None))
        settings += plan_settings(self.plan_trusted, self.plan_private)
        settings += (("said", self._said),) if self._said else ()
        return self(RunStarted(self.run.id, question, model, tools, settings, self._parent))

    def __call__(self, event: Event) -> None:
        if self._closed:  # from a call that could not be stopped
            return
        if event.__class__ is RunFinished:  # nothing comes after it, however the run ended
            self._closed = True
        if not event.live:
            if self._store is not None:
                lasting = bool(self._careful) and getattr(event, "tool", "") in self._careful
                self._store.append(self.run.id, len(self.events), event, lasting=lasting)
            self.events.append(event)
            self.run.take(event)
        if self.watch is not None:
            self.watch(event)

    def heard(self, event: Event) -> None:
        """Another thread reports this."""
        with contextlib.suppress(RuntimeError):  # the loop has closed: the run has ended meanwhile
            self._loop.call_soon_threadsafe(self, event)

    def parsed(self, plan: Plan, text: str = "") -> None:
        """Put the plan on record (``text``: its text, if it is there already)."""
        text = text or plan.to_text()
        self.run.take_plan(plan, text)
        self(PlanParsed(text, plan.diagnostics))

    def finished(self) -> Run:
        """The run with its events, complete."""
        self.run.events = tuple(self.events)
        return self.run
