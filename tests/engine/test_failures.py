"""Tools that do the worst a Python function can: each fails its own step, and the run ends in the right state."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from airoagent import (
    Agent,
    AiroError,
    Interrupted,
    PlanError,
    Policy,
    Run,
    ScriptedModel,
    Source,
    Tool,
    ToolContext,
    ToolError,
    ToolOutput,
    UsageError,
    tool,
)
from airoagent.engine.tasks import Tasks
from airoagent.events import (
    AttemptFailed,
    Event,
    RunFinished,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from airoagent.records.store import Store
from tests.running import make_agent, run_plan

PLAN = ":evidence0: = odd[x]\n:evidence1: = fine[a]\n:evidence2: = fine[got :evidence0:]\nAnswer: :evidence2:"


@tool
async def fine(text: str) -> str:
    """Works."""
    await asyncio.sleep(0)
    return f"<{text}>"


def odd(act: Callable[[], Awaitable[Any]], **options: Any) -> Tool:
    """A tool that does this."""

    @tool("odd", **options)
    async def odd(text: str) -> Any:
        """Does something odd."""
        return await act()

    return odd


def came_to(act: Callable[[], Awaitable[Any]], path: Path, **options: Any) -> Run:
    """A run over such a tool, under ``on_error="skip"``: its sibling must have its result, its dependent is skipped."""
    run = run_plan(PLAN, odd(act), fine, store=path / "runs.sqlite3", on_error="skip", retries=0, **options)
    assert isinstance(run.events[-1], RunFinished)
    assert run.evidence["evidence1"].text == "<a>"
    store = Store(path / "runs.sqlite3")
    assert store.status(run.id) == run.status and store.events(run.id) == run.events
    store.close()
    return run


class OwnBaseError(BaseException):
    """Not even an Exception."""


class Unspeakable(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Bare(AiroError):
    """An error of ours, made in another way."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OwnBaseError("b"), "odd raised OwnBaseError: b"),
        (GeneratorExit(), "odd raised GeneratorExit"),
        (KeyboardInterrupt(), "odd raised KeyboardInterrupt"),
        (BaseExceptionGroup("g", [KeyboardInterrupt()]), "odd raised BaseExceptionGroup"),
        (StopAsyncIteration(), "odd raised StopAsyncIteration"),
        (asyncio.CancelledError(), "odd cancelled itself"),
        (Unspeakable(), "odd raised Unspeakable: (its message cannot be read: ValueError)"),
        (Bare(), "its message cannot be read"),
        (ToolError(b"bytes", 3), "ToolError"),  # type: ignore[arg-type]
        (ToolError("x" * 50_000_000), "xxx"),
        (PlanError("another plan"), "odd raised PlanError: another plan"),
        (Interrupted("another run"), "odd raised Interrupted: another run"),
        (ToolError("busy", retryable=True, retry_after="5"), "busy"),  # type: ignore[arg-type]
    ],
)
def test_whatever_a_tool_raises_fails_its_step_and_no_other(error: BaseException, told: str, tmp_path: Path) -> None:
    async def act() -> str:
        raise error

    run = came_to(act, tmp_path)
    assert run.status == "failed" and list(run.failed) == ["evidence0"] and list(run.skipped) == ["evidence2"]
    assert run.failure is not None and told in run.failure.message and len(run.failure.message) < 3_000
    assert isinstance(run.failure.message, str) and isinstance(run.failure.hint, str)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ToolOutput("x", note=object()), "whose note is object, not str"),  # type: ignore[arg-type]
        (ToolOutput("x", answered="yes"), "whose answered is str, not bool"),  # type: ignore[arg-type]
        (ToolOutput("x", sources=None), "whose sources is NoneType"),  # type: ignore[arg-type]
        (ToolOutput("x", sources=("http://a.example/",)), "a source that is str"),  # type: ignore[arg-type]
        (ToolOutput("x", sources=(Source(None, "t"),)), "a source with NoneType instead of text"),  # type: ignore[arg-type]
        (ToolOutput("x", note="n" * 50_000_000), "the limit is 16,777,216"),
        (asyncio.Queue(), "returned Queue; a tool returns text"),
    ],
)
def test_whatever_a_tool_returns_that_is_none_fails_its_step_and_no_other(
    result: object, told: str, tmp_path: Path
) -> None:
    async def act() -> object:
        return result

    run = came_to(act, tmp_path)
    assert run.failure is not None and told in run.failure.message and list(run.failed) == ["evidence0"]


@pytest.mark.parametrize("then", ["waits", "returns"])
def test_a_tool_that_cancels_its_own_task_fails_alone_and_the_task_goes_on_with_other_steps(
    then: str, tmp_path: Path
) -> None:
    async def act() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if then == "waits":
            await asyncio.sleep(0)
        return "found"

    run = came_to(act, tmp_path)
    if then == "waits":
        assert run.failure is not None and "odd cancelled itself" in run.failure.message
    else:
        assert run.answer == "<got found>"


def test_a_tool_that_keeps_its_deadline_to_itself_does_not_spoil_the_next_ones(tmp_path: Path) -> None:
    calls: list[str] = []

    async def act() -> str:
        calls.append("")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if len(calls) == 1:
                return "late"
            raise
        return "never"

    plan = ":evidence0: = odd[x]\n:evidence1: = odd[:evidence0: y]\n:evidence2: = fine[a]\nAnswer: :evidence1:"
    run = run_plan(plan, odd(act), fine, tool_timeout=0.05, retries=0, on_error="skip")
    assert run.failure is not None and "odd did not answer within 0.05 s" in run.failure.message
    assert run.evidence["evidence2"].text == "<a>"


def test_a_tool_that_cannot_be_stopped_is_given_up_and_nothing_it_does_later_reaches_the_run() -> None:
    release: list[bool] = []
    ended: list[str] = []

    async def act() -> str:
        while not release:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        ended.append("late")
        return "late"

    async def main() -> Run:
        agent = make_agent(PLAN, odd(act), fine, on_error="skip", retries=0, tool_timeout=0.02)
        run = await agent.arun("q")
        story = run.events
        release.append(True)
        while not ended:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert run.events == story and list(run.evidence) == ["evidence1"]
        return run

    run = asyncio.run(main())
    assert run.failure is not None and "did not stop when it was told to" in run.failure.message


def test_a_call_that_outlives_the_stopping_of_its_run_puts_nothing_behind_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tasks.__init__, "__defaults__", (0.02,))  # seconds of grace
    begun, release, ended = asyncio.Event(), list[bool](), list[bool]()

    @tool("odd")
    async def odd(text: str, context: ToolContext) -> str:
        """Cannot be stopped, and then asks the model."""
        begun.set()
        while not release:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        try:
            return (await context.ask("Still there?", "answer")).text
        finally:
            ended.append(True)

    async def main() -> None:
        events: list[Event] = []
        store = Store(tmp_path / "runs.sqlite3")
        task = asyncio.create_task(make_agent(PLAN, odd, fine, store=store).arun("q", watch=events.append))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.append(True)
        while not ended:
            await asyncio.sleep(0)
        assert isinstance(events[-1], RunFinished)
        assert isinstance(store.events(store.find("@last"))[-1], RunFinished)
        store.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", [StepFailed, StepSkipped])
def test_an_error_of_who_is_told_that_a_call_was_given_up_ends_the_run(kind: type[Event]) -> None:
    release: list[bool] = []

    async def act() -> str:
        while not release:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return "late"

    def watch(event: Event) -> None:
        if isinstance(event, kind):
            release.append(True)
            raise OSError("no space")

    async def main() -> None:
        # The second step shares the first one's call, and must not wait for it for ever.
        plan = ":evidence0: = odd[x]\n:evidence1: = odd[x]\n:evidence2: = fine[:evidence0:]\nAnswer: :evidence2:"
        agent = make_agent(plan, odd(act), fine, retries=0, tool_timeout=0.02)
        async with asyncio.timeout(60):
            await agent.arun("q", watch=watch)

    with pytest.raises(OSError, match="no space"):
        asyncio.run(main())


def test_limits_count_over_all_plans_of_a_run() -> None:
    async def act() -> str:
        raise ToolError("broken")

    first = ":evidence0: = fine[a]\n:evidence1: = odd[b]\nAnswer: :evidence1:"
    second = ":evidence0: = fine[c]\n:evidence1: = fine[d :evidence0:]\nAnswer: :evidence1:"
    for limits, told in (({"max_calls": 3}, "call 4 of the run"), ({"max_bytes": 8}, "has 13 characters")):
        model = ScriptedModel({"plan": [first, second]})
        run = Agent(model, [odd(act), fine], store=False, policy=Policy(replan=1, **limits)).run("q")
        assert run.failure is not None and run.failure.kind == "LimitReached" and told in run.failure.message


@pytest.mark.parametrize("answer", [None, 1, 0, "", b"yes", object()])
def test_only_a_yes_or_an_input_lets_a_call_be_made(answer: object) -> None:
    calls: list[str] = []

    @tool(side_effects=True)
    async def send(text: str) -> str:
        """Sends."""
        calls.append(text)
        return text

    async def ask(*asked: object) -> Any:
        return answer

    run = run_plan(":evidence0: = send[x]\nAnswer: :evidence0:", send, approve=ask)
    if answer == "":
        assert calls == [""]  # an input may be empty
    else:
        assert calls == [] and run.failure is not None and "was not approved" in run.failure.message


def test_what_an_edited_call_gave_is_not_kept_for_the_input_it_was_not_called_with(tmp_path: Path) -> None:
    calls: list[str] = []

    @tool(cacheable=True)
    async def look(text: str) -> str:
        """Looks."""
        calls.append(text)
        return f"<{text}>"

    async def edit(*asked: object) -> bool | str:
        return "b"

    plan, options = ":evidence0: = look[a]\nAnswer: :evidence0:", {"store": tmp_path / "s.sqlite3", "cache_seconds": 60}
    assert run_plan(plan, look, approve=edit, ask_before="all", **options).answer == "<b>"
    assert run_plan(plan, look, **options).answer == "<a>"
    assert run_plan(plan.replace("[a]", "[b]"), look, **options).answer == "<b>"
    assert calls == ["b", "a"]


@pytest.mark.parametrize("sources", [(), (Source("https://a.example/", "A"),), [Source("https://a.example/", "A")]])
def test_what_a_tool_says_serves_no_other_question_is_not_kept(sources: Any, tmp_path: Path) -> None:
    calls: list[str] = []

    @tool(cacheable=True)
    async def look(text: str) -> ToolOutput:
        """Looks."""
        calls.append(text)
        return ToolOutput(f"<{text}>", sources, reusable=False)

    for _ in range(2):
        run = run_plan(":evidence0: = look[a]\nAnswer: :evidence0:", look, store=tmp_path / "s", cache_seconds=60)
        assert run.answer == "<a>" and run.evidence["evidence0"].sources == tuple(sources)
    assert calls == ["a", "a"]


@pytest.mark.parametrize("waits", ["for a retry", "for another's call"])
def test_a_step_that_is_stopped_while_it_waits_has_its_end_on_record(waits: str) -> None:
    begun = asyncio.Event()

    async def act() -> str:
        if waits == "for a retry":
            begun.set()
            raise ToolError("later", retryable=True, retry_after=60)
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def main() -> list[Any]:
        events: list[Any] = []
        plan = ":evidence0: = odd[x]\n:evidence1: = odd[x]\nAnswer: :evidence1:"
        agent = make_agent(plan, odd(act))
        task = asyncio.create_task(agent.arun("q", watch=events.append))
        await begun.wait()
        while sum(isinstance(event, StepStarted) for event in events) < 2 and waits != "for a retry":
            await asyncio.sleep(0)
        while not any(isinstance(event, AttemptFailed) for event in events) and waits == "for a retry":
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return events

    events = asyncio.run(main())
    started = {event.step for event in events if isinstance(event, StepStarted)}
    assert {event.step for event in events if isinstance(event, StepCancelled)} == started
    assert not any(isinstance(event, StepFinished) for event in events)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"concurrency": -1}, "concurrency must be a whole number of at least 0, not -1"),
        ({"replan": "1"}, "replan must be a whole number"),
        ({"retries": 1.5}, "retries must be a whole number"),
        ({"max_calls": True}, "max_calls must be a whole number"),
        ({"tool_timeout": "5"}, "tool_timeout must be a number of at least 0, not '5'"),
        ({"limit_seconds": float("nan")}, "limit_seconds must be a number"),
        ({"longest_wait": float("inf")}, "longest_wait must be a number"),
        ({"on_error": "ignore"}, "on_error must be stop or skip or tell, not 'ignore'"),
        ({"ask_before": "never"}, "ask_before must be side-effects or all"),
    ],
)
def test_a_policy_that_makes_no_sense_is_told_before_anything_runs(values: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_agent(PLAN, fine, **values)
    assert told in caught.value.message
    assert Policy(**values) is not None


def test_a_stop_that_comes_while_a_tools_own_cancellation_is_forgotten_is_not_forgotten_with_it() -> None:
    ends: list[str] = []

    async def step(tasks: Tasks) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await tasks.clear_cancellation(task)  # nobody stops the run: it goes on
        ends.append("calm")
        task.cancel()
        asyncio.get_running_loop().call_soon(tasks.stop)
        await tasks.clear_cancellation(task)
        ends.append("went on")

    async def main() -> None:
        async with Tasks() as tasks:
            tasks.create_task(step(tasks))

    asyncio.run(main())
    assert ends == ["calm"]
