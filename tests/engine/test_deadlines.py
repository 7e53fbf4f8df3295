"""Deadlines of calls on an event loop whose clock the test holds: what counts is time in which the loop answers."""

from __future__ import annotations

import asyncio
import gc
import selectors
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from airoagent import Agent, Policy, ScriptedModel, parse_plan
from airoagent.records.run_record import Run


class Clock(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """A clock that goes on only where the loop would wait, or where a test says so."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr("airoagent.engine.tool_calls._now", lambda: clock.now)
    return clock


def ran(
    clock: Clock, call: Callable[..., Any], timeout: float, *others: Callable[[], Coroutine[Any, Any, None]]
) -> Run:
    """Run a plan of one call of this tool, with other work on the same loop."""
    agent = Agent(ScriptedModel({}), [call], store=False, policy=Policy(tool_timeout=timeout, retries=0))
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]

    async def main() -> Run:
        work = [asyncio.create_task(other()) for other in others]
        run = await agent.aexecute(
            parse_plan(f":evidence0: = {call.__name__}[x]\nAnswer: :evidence0:", [call.__name__])
        )
        for one in work:
            one.cancel()
        return run

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


async def naps(text: str) -> str:
    """Answers after a tenth of a second, in three pieces."""
    for _ in range(3):
        await asyncio.sleep(0.03)
    return "rested"


async def hangs(text: str) -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return text


@pytest.mark.parametrize("timeout", [0.5, 60.0])
def test_a_loop_that_was_blocked_for_longer_than_the_deadline_costs_no_answer(clock: Clock, timeout: float) -> None:
    async def blocks() -> None:
        await asyncio.sleep(0.01)
        clock.now += 100.0  # one turn of the loop takes this long

    assert ran(clock, naps, timeout, blocks).answer == "rested"


def test_a_loop_whose_every_turn_is_nearly_as_long_as_the_deadline_costs_no_answer(clock: Clock) -> None:
    async def crowds() -> None:
        while True:
            clock.now += 59.0
            await asyncio.sleep(0)

    assert ran(clock, naps, 60.0, crowds).answer == "rested"


@pytest.mark.parametrize("turn", [0.0, 0.05, 5.0])
def test_a_tool_that_hangs_is_ended_however_late_the_loop_always_is(clock: Clock, turn: float) -> None:
    async def crowds() -> None:
        while True:
            clock.now += turn
            await asyncio.sleep(0 if turn else 0.5)

    run = ran(clock, hangs, 3.0, crowds)
    assert run.failure is not None and "hangs did not answer within 3 s" in run.failure.message


def test_a_loop_that_answers_ends_a_call_at_its_deadline(clock: Clock) -> None:
    began = clock.now
    run = ran(clock, hangs, 7.5)
    assert run.status == "failed" and clock.now - began == pytest.approx(7.5, abs=0.1)


class Page(str):
    """A text that may be watched."""


def test_what_a_run_found_is_freed_with_the_run_though_its_loop_goes_on() -> None:
    given: list[weakref.ref[Page]] = []

    async def reads(text: str) -> str:
        """Finds a page."""
        page = Page("a page")
        given.append(weakref.ref(page))
        return page

    async def main() -> bool:
        agent = Agent(ScriptedModel({}), [reads], store=False)
        run = await agent.aexecute(parse_plan(":evidence0: = reads[x]\nAnswer: :evidence0:", ["reads"]))
        assert run.evidence["evidence0"].text is given[0]()
        del run
        return given[0]() is None

    gc.disable()  # a circle of references would keep it until the next round of the collector
    try:
        assert asyncio.run(main())
    finally:
        gc.enable()
