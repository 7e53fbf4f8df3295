"""Runs as they happen: those that this process drives, and those that another one writes into the store."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from airoagent.agent import Agent
from airoagent.conversation import Conversation
from airoagent.errors import AiroError, StoreError
from airoagent.events import Event, PlanParsed, PlanPart, RunStarted, to_json
from airoagent.plan.steps import Step
from airoagent.records.run_record import Run
from airoagent.records.store import Store
from airoagent.toolbox.tool import Tool
from airoagent.view.page import lines_of, plan_data, plan_so_far

__all__ = ["Driven", "Driver", "messages", "recorded"]

_LOOK_AGAIN = 0.4  # seconds between looks at the record of a run that another process drives
_KEPT = 20  # runs of this process that stay in memory
_BEAT = 10.0  # seconds of silence after which a stream says that it is still there


Work = Callable[[Agent, Callable[[Event], None]], Awaitable[Run]]
"""What an agent is to do, reported to whoever watches."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run waits to hear from the user: whether a call may be made, or the answer to a question (`ASK_USER`)."""

    step: str
    tool: str
    input: str
    why: str
    reply: asyncio.Future[bool | str]


class Driven:
    """A run that this process drives: all its events so far, live ones too, for any number of readers."""

    def __init__(self) -> None:
        self.id = ""
        self.error: AiroError | None = None
        self.task: Future[Run] | None = None
        self.asked: dict[str, Asked] = {}  # by step
        self._events: list[Event] = []
        self.ended = False
        self._changed = threading.Condition()

    def take(self, event: Event) -> None:
        """One more event."""
        with self._changed:
            if isinstance(event, RunStarted):
                self.id = event.run
            self._events.append(event)
            self._changed.notify_all()

    def end(self, error: AiroError | None = None) -> None:
        """Nothing more comes; ``error`` where the run could not even begin."""
        with self._changed:
            self.ended, self.error = True, error
            self._changed.notify_all()

    def started(self) -> str:
        """Wait until the run is on record: its id. Raises what kept it from beginning."""
        with self._changed:
            self._changed.wait_for(lambda: self.id or self.ended)
        if not self.id:
            raise self.error or AiroError("the run ended before it started")
        return self.id

    def events(self, start: int = 0) -> tuple[Event, ...]:
        """The events from number ``start`` on."""
        with self._changed:
            return tuple(self._events[start:])

    def wait(self, start: int, timeout: float) -> tuple[tuple[Event, ...], bool]:
        """Events from ``start`` on, waiting for the first; and whether these are all there will be."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) > start or self.ended, timeout)
            return tuple(self._events[start:]), self.ended


_running: ContextVar[Driven] = ContextVar("_running")


class Driver:
    """Starts runs of one agent in a loop of its own and keeps hold of them until they end."""

    def __init__(self, make_agent: Callable[[], Agent]) -> None:
        self._make_agent = make_agent
        self._agent: Agent | None = None
        self._opening = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="airo-view-runs", daemon=True)
        self._thread.start()
        self.driven: dict[str, Driven] = {}

    def ask(self, question: str) -> str:
        """Start a run of a question; its id once it is on record. Raises AiroError where it cannot begin."""
        return self._start(lambda agent, watch: agent.arun(question, watch=watch))

    def follow(self, past: Run, text: str) -> str:
        """Start a run of a follow-up to a run; its id."""
        return self._start(lambda agent, watch: Conversation(agent, past).aask(text, watch=watch))

    def fork(self, parent: Run, edit: dict[str, str], given: dict[str, str]) -> str:
        """Start a fork with other inputs (``edit``) or other evidence (``given``) for some steps; its id."""
        return self._start(lambda agent, watch: agent.afork(parent, edit=edit, set=given, watch=watch))

    def _start(self, work: Work) -> str:
        with self._opening:  # the model is opened once, by the first question
            if self._agent is None:
                self._agent = self._make_agent()
                self._agent.session.approve = self._approve
        driven = Driven()
        driven.task = asyncio.run_coroutine_threadsafe(self._drive(self._agent, work, driven), self._loop)
        id = driven.started()
        self.driven[id] = driven
        for old in list(self.driven)[
            :-_KEPT
        ]:  # what has ended is on record; a page that still reads keeps its own hold
            if self.driven[old].ended:
                del self.driven[old]
        return id

    async def _drive(self, agent: Agent, work: Work, driven: Driven) -> Run:
        error: AiroError | None = None
        _running.set(driven)
        try:
            return await work(agent, driven.take)
        except AiroError as met:
            error = met
            raise
        finally:
            driven.end(error)

    async def _approve(self, step: Step, tool: Tool, input: str) -> bool | str:
        """Wait until the page of the run has the user's reply."""
        asked = _running.get().asked
        why = tool.warning or ("which has side effects" if tool.side_effects else "")
        one = Asked(step.id, tool.name, input, why, asyncio.get_running_loop().create_future())
        asked[step.id] = one
        try:
            return await one.reply
        finally:
            del asked[step.id]

    def asked(self, id: str) -> list[dict[str, str]]:
        """What a run waits to hear from the user."""
        driven = self.driven.get(id)
        waiting = [] if driven is None else list(driven.asked.values())
        return [{name: getattr(one, name) for name in ("step", "tool", "input", "why")} for one in waiting]

    def reply(self, id: str, step: str, said: bool | str) -> bool:
        """Give a run the user's reply; False if it does not wait for one."""
        driven = self.driven.get(id)
        one = None if driven is None else driven.asked.get(step)
        if one is None:
            return False

        def give() -> None:
            if not one.reply.done():
                one.reply.set_result(said)

        self._loop.call_soon_threadsafe(give)
        return True

    def stop(self, id: str) -> bool:
        """Stop a run; False if this process does not drive it, or it has ended."""
        driven = self.driven.get(id)
        return driven is not None and driven.task is not None and not driven.ended and driven.task.cancel()

    def close(self) -> None:
        """Stop every run and wait until each has its end on record."""
        asyncio.run_coroutine_threadsafe(self._stop_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._agent is not None:
            self._agent.close()

    async def _stop_all(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def recorded(store: Store, id: str, start: int, closing: threading.Event) -> Iterator[tuple[Event, ...]]:
    """The events from ``start`` on of a run that another process drives, as they come on record; ends with the run.

    An empty tuple means: nothing new, look whether anybody still listens.
    """
    while not closing.wait(_LOOK_AGAIN):
        running = store.status(id) == "running"  # asked before the events are read, so that the last are not missed
        fresh = store.events(id)[start:]
        start += len(fresh)
        yield fresh
        if not running:
            return


def driven(run: Driven, start: int, closing: threading.Event) -> Iterator[tuple[Event, ...]]:
    """The same for a run that this process drives."""
    ended = False
    while not ended and not closing.is_set():
        fresh, ended = run.wait(start, 0.5)
        start += len(fresh)
        yield fresh


def messages(past: tuple[Event, ...], fresh: Iterator[tuple[Event, ...]]) -> Iterator[dict[str, Any] | None]:
    """What a page is sent: each event, the plan where it has grown, the end; now and then None, to keep the line."""
    run = Run.from_events(past)
    heard = time.monotonic()
    for events in fresh:
        for event in events:
            try:
                run.take(event)
            except AiroError as error:
                raise StoreError(f"the record of {run.id} cannot be read: {error.message}") from error
            message: dict[str, Any] = {"event": to_json(event)}
            if isinstance(event, PlanPart | PlanParsed) and (plan := plan_so_far(run)) is not None:
                message["plan"] = plan_data(plan, lines_of(run))
            yield message
            heard = time.monotonic()
        if time.monotonic() - heard > _BEAT:
            yield None
            heard = time.monotonic()
    yield {"end": True, "answered": run.answered}
