"""Where a run's events go: first on record, then into the `Run`, then to whoever watches."""

from __future__ import annotations

from collections.abc import Callable

from airoagent.engine.record import Run
from airoagent.engine.store import Store
from airoagent.events import Event, PlanParsed
from airoagent.language.plan import Plan

__all__ = ["Recorder"]


class Recorder:
    """Call it with each event. What it has returned from is committed (live events pass through unrecorded)."""

    def __init__(self, run_id: str, store: Store | None = None, watch: Callable[[Event], None] | None = None) -> None:
        self.run = Run(id=run_id)
        self._store = store
        self._watch = watch
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        if not event.live:
            if self._store is not None:
                self._store.append(self.run.id, len(self.events), event)
            self.events.append(event)
            self.run.take(event)
        if self._watch is not None:
            self._watch(event)

    def parsed(self, plan: Plan) -> None:
        """Put the plan on record; the `Run` takes this very object, not what its text would read back as."""
        self.run.plan = plan
        self(PlanParsed(text=plan.to_text(), diagnostics=plan.diagnostics))

    def finished(self) -> Run:
        """The run with its events, complete."""
        self.run.events = tuple(self.events)
        return self.run
