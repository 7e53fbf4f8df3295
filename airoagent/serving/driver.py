"""Live runs: those that this process drives, and those that another process writes into the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from airoagent.agent import Agent
from airoagent.documents.library import Documents
from airoagent.engine.approval import ASK_USER
from airoagent.errors import AiroError, StoreError, UsageError
from airoagent.events import Event, PlanParsed, PlanPart, RunResumed, RunStarted, to_json
from airoagent.frozen import frozen
from airoagent.plan.steps import Step
from airoagent.records.run_record import Run
from airoagent.records.store import Store
from airoagent.toolbox.tool import Tool
from airoagent.view.page import lines_of, plan_data, plan_so_far

_LOOK_AGAIN = 0.4  # seconds between looks at the record of a run that another process drives
_KEPT = 20  # runs of this process that stay in memory
_BEAT = 10.0  # seconds of silence after which a stream says that it is still there

Choice = tuple[str, str]
"""A model, and the folder to answer from ("": all of them)."""

Work = Callable[[Agent, Callable[[Event], None]], Awaitable[Run]]
"""What an agent is to do, reporting its events to the watcher."""


@frozen
class Offer:
    """What a question asked on the page may choose from; the first model and all folders are the default.

    ``make`` returns the agent for a model and a folder, the same one each time; the first time may take long.
    """

    make: Callable[[str, str], Agent]
    models: tuple[str, ...]
    folders: tuple[str, ...] = ()
    documents: Documents | None = None

    def choice(self, model: str, folder: str) -> Choice:
        """The choice; UsageError for what is not on offer."""
        for given, offered in ((model, self.models), (folder, self.folders)):
            if given and given not in offered:
                hint = f"it has {', '.join(offered)}" if offered else ""
                raise UsageError(f"this server was not started with {given[:200]!r}", hint)
        return model or self.models[0], folder


@frozen
class Asked:
    """What a run waits to hear from the user: whether a call may be made, or the answer to a question (`ASK_USER`)."""

    step: str
    tool: str
    input: str
    why: str
    reply: asyncio.Future[bool | str]


class Driven:
    """A run that this process drives: all its events so far, live ones too, for any number of readers."""

    def __init__(self, choice: Choice, past: tuple[Event, ...] = (), answers: Mapping[str, str] | None = None) -> None:
        self.choice = choice
        self.answers = dict(answers or {})  # by step: what the user has said before the run asks
        self.id = ""
        self.error: AiroError | None = None
        self.task: asyncio.Task[None] | None = None
        self.asked: dict[str, Asked] = {}  # by step
        self.events: list[Event] = list(past)
        self.ended = False
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    async def approve(self, step: Step, tool: Tool, input: str) -> bool | str:
        """Wait for the user's reply on the page."""
        if tool.name == ASK_USER and step.id in self.answers:
            return self.answers.pop(step.id)
        why = tool.warning or ("which has side effects" if tool.side_effects else "")
        self.asked[step.id] = Asked(step.id, tool.name, input, why, self._loop.create_future())
        try:
            return await self.asked[step.id].reply
        finally:
            del self.asked[step.id]

    def take(self, event: Event) -> None:
        """One more event; it may come from the thread that loads a model."""
        self.events.append(event)
        if isinstance(event, RunStarted | RunResumed):
            self.id = event.run
        self._loop.call_soon_threadsafe(self._wake)

    def end(self, error: AiroError | None) -> None:
        """Nothing more comes; ``error`` is why the run could not start."""
        self.ended, self.error = True, error
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def started(self) -> str:
        """Wait until the run is on record: its id. Raises the error that kept it from starting."""
        while not (self.id or self.ended):
            await self._changed.wait()
        if not self.id:
            raise self.error or AiroError("the run ended before it started")
        return self.id

    async def follow(self, start: int) -> AsyncIterator[tuple[Event, ...]]:
        """The events from number ``start`` on, as they happen; an empty tuple now and then where there is none."""
        ended = False
        while not ended:
            # Taken before the events are read: what comes while a reader is slow to take them wakes it, too.
            changed, ended, fresh = self._changed, self.ended, tuple(self.events[start:])
            start += len(fresh)
            yield fresh
            if not fresh and not ended:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _BEAT)


class Driver:
    """Starts runs in the loop of the server and keeps hold of them until they end; ``places`` limits those at once."""

    def __init__(self, offer: Offer, store: Store, places: asyncio.Semaphore) -> None:
        self.offer, self.store, self._places = offer, store, places
        self._tasks: set[asyncio.Task[None]] = set()
        self.driven: dict[str, Driven] = {}
        self.closing = asyncio.Event()

    async def resume(self, past: Run, answers: Mapping[str, str] | None = None) -> str:
        """Finish a run that was interrupted, perhaps with an earlier server; what it asked the user is asked again,
        except for what ``answers`` has by step."""
        if (driven := self.driven.get(past.id)) is not None and not driven.ended:
            raise UsageError(f"the run {past.id} is in progress")
        if past.status == "done":
            raise UsageError(f"the run {past.id} is done", "to run it again: airo rerun")
        return await self.start(
            lambda agent, watch: agent.aresume(past, watch=watch), self.choice_of(past), past.events, answers
        )

    def choice_of(self, run: Run) -> Choice:
        """What a run was started with here; for others the default."""
        driven = self.driven.get(run.id)
        return self.offer.choice("", "") if driven is None else driven.choice

    async def start(
        self, work: Work, choice: Choice, past: tuple[Event, ...] = (), answers: Mapping[str, str] | None = None
    ) -> str:
        """Start a run; its id once it is on record. Raises AiroError if it cannot start."""
        agent = copy(await asyncio.to_thread(self.offer.make, *choice))
        driven = Driven(choice, past, answers)
        agent.session = replace(agent.session, approve=driven.approve)
        driven.task = asyncio.create_task(self._drive(agent, work, driven))
        self._tasks.add(driven.task)
        driven.task.add_done_callback(self._tasks.discard)
        id = await driven.started()
        self.driven[id] = driven
        for old in list(self.driven)[:-_KEPT]:  # what has ended is on record; a reader keeps its own hold
            if self.driven[old].ended:
                del self.driven[old]
        return id

    async def _drive(self, agent: Agent, work: Work, driven: Driven) -> None:
        error: AiroError | None = None
        try:
            async with self._places:
                await work(agent, driven.take)
        except AiroError as met:
            error = met
        finally:
            driven.end(error)

    def asked(self, id: str) -> list[dict[str, str]]:
        """What a run waits to hear from the user."""
        driven = self.driven.get(id)
        waiting = [] if driven is None else list(driven.asked.values())
        return [{name: getattr(one, name) for name in ("step", "tool", "input", "why")} for one in waiting]

    def reply(self, id: str, step: str, said: bool | str) -> bool:
        """Give a run the user's reply; False if it does not wait for one."""
        driven = self.driven.get(id)
        one = None if driven is None else driven.asked.get(step)
        if one is None or one.reply.done():
            return False
        one.reply.set_result(said)
        return True

    def stop(self, id: str) -> bool:
        """Stop a run; False if this process does not drive it, or it has ended."""
        driven = self.driven.get(id)
        return driven is not None and driven.task is not None and not driven.ended and driven.task.cancel()

    async def close(self) -> None:
        """Stop every run, wait until each has its end on record, and end the streams."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.closing.set()

    async def recorded(self, id: str, start: int) -> AsyncIterator[tuple[Event, ...]]:
        """The events from ``start`` on of a run that another process drives, as they come on record."""
        running = True
        while running and not self.closing.is_set():
            # The status is read before the events, so that the last are not missed.
            running = await asyncio.to_thread(self.store.status, id) == "running"
            events = await asyncio.to_thread(self.store.events, id)
            yield events[start:]
            start = max(start, len(events))
            if running:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.closing.wait(), _LOOK_AGAIN)


async def stream_of(driver: Driver, id: str, start: int) -> AsyncIterator[str]:
    """What a page is sent, as server-sent events: each event, the plan where it has grown, the end.

    Raises StoreError, before the first, if there is no such run.
    """
    own = driver.driven.get(id)
    past = tuple(own.events) if own is not None else await asyncio.to_thread(driver.store.events, id)
    run, number = Run.from_events(past[:start]), start
    now = asyncio.get_running_loop().time
    heard = now()
    yield ""
    async for events in own.follow(start) if own is not None else driver.recorded(id, start):
        for event in events:
            try:
                run.take(event)
            except AiroError as error:
                raise StoreError(f"the record of {run.id} cannot be read: {error.message}") from error
            message: dict[str, Any] = {"event": to_json(event)}
            if isinstance(event, PlanPart | PlanParsed) and (plan := plan_so_far(run)) is not None:
                message["plan"] = plan_data(plan, lines_of(run))
            number += 1
            heard = now()
            yield f"id: {number}\ndata: {json.dumps(message)}\n\n"
        if now() - heard >= _BEAT:
            heard = now()
            yield ": still here\n\n"
    yield f"data: {json.dumps({'end': True, 'answered': run.answered})}\n\n"
