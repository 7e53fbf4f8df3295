"""Replay: the record alone gives the same answer, and anything else is named."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airoagent import Run, StoreError, ToolError, tool
from airoagent.events import Event, ModelCalled, PlanParsed, StepFinished, StepStarted
from airoagent.recorded.replaying import replay
from airoagent.records.run_record import read_trace
from tests.recording import TEN_STEPS, counting, recording
from tests.running import make_agent

TRACES = sorted((Path(__file__).parents[1] / "data" / "traces").glob("*.jsonl"))


def changed(run: Run, kind: type[Event], **fields: Any) -> Run:
    """The run with the first event of a kind changed in its record."""
    events = list(run.events)
    at = next(number for number, event in enumerate(events) if isinstance(event, kind))
    events[at] = replace(events[at], **fields)
    return Run.from_events(events)


def test_replay_gives_the_same_answer_and_calls_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, calls = counting()
    agent = recording(TEN_STEPS, tmp_path / "runs.sqlite3", count)
    run = agent.run("q")
    made = len(calls)

    def refused(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    again = agent.replay(run.id)
    assert again.answer == run.answer and again.evidence == run.evidence and again.id == run.id
    assert len(calls) == made == 10
    assert {event.origin for event in again.events if isinstance(event, StepFinished)} == {"record"}
    assert not any(isinstance(event, ModelCalled) for event in again.events)


@pytest.mark.parametrize("on_error", ["stop", "skip", "tell"])
def test_a_failed_step_fails_again_with_the_same_words(on_error: str) -> None:
    @tool
    async def fails(text: str) -> str:
        """Never works."""
        raise ToolError("no luck", "try another day")

    count, _ = counting()
    plan = (
        ":evidence0: = fails[x]\n:evidence1: = count[:evidence0:]\n:evidence2: = count[y]\n"
        ":evidence3: = count[:evidence2: :evidence1:]\nAnswer: :evidence3: :evidence2:"
    )
    run = make_agent(plan, fails, count, on_error=on_error).run("q")
    again = replay(run)
    assert (again.status, again.answer, again.failure) == (run.status, run.answer, run.failure)
    assert again.skipped == run.skipped and again.failed == run.failed
    assert (run.status == "done") is (on_error == "tell")


def test_a_refused_plan_is_refused_again() -> None:
    run = make_agent(":evidence0: = nothing[x]").run("q")
    again = replay(run)
    assert run.status == again.status == "failed" and again.failure == run.failure


def test_what_would_be_done_otherwise_today_is_named() -> None:
    count, _ = counting()
    run = make_agent(TEN_STEPS, count).run("q")
    started = next(event for event in run.events if isinstance(event, StepStarted) and event.step == "evidence5")
    events = tuple(replace(event, input="other") if event is started else event for event in run.events)  # type: ignore[call-arg]
    with pytest.raises(StoreError, match=r"differs at evidence5 \(count\): its input would be") as caught:
        replay(Run.from_events(events))
    assert caught.value.exit_code == 6
    parsed = next(event for event in run.events if isinstance(event, PlanParsed))
    with pytest.raises(StoreError, match=r"differs at evidence2 \(count\): the plan's text is read differently"):
        replay(changed(run, PlanParsed, text=parsed.text.replace("count[2]", "count[22]")))
    without = [event for event in run.events if getattr(event, "step", "") != "evidence4"]
    with pytest.raises(StoreError, match="differs at evidence4"):
        replay(Run.from_events(without))
    with pytest.raises(StoreError, match="ends differently"):
        replay(changed(run, type(run.events[-1]), answer="else"))


def test_a_run_without_an_end_is_not_replayed() -> None:
    count, _ = counting()
    run = make_agent(TEN_STEPS, count).run("q")
    with pytest.raises(StoreError, match="was stopped before its end, so it cannot be replayed"):
        replay(Run.from_events(run.events[:-1]))


def test_what_thinking_and_code_came_to_is_read_again(tmp_path: Path) -> None:
    from airoagent import Agent, ScriptedModel

    model = ScriptedModel({"code": ["```python\nprint(1)\n```"]})
    agent = Agent(model, [], store=tmp_path / "runs.sqlite3")
    assert agent.code("print one") == "print(1)\n"
    assert agent.replay("@last").answer == "print(1)"


@pytest.mark.parametrize("file", TRACES, ids=lambda file: file.stem)
def test_a_trace_of_every_version_still_replays(file: Path) -> None:
    run = Run.from_events(read_trace(file.read_text(encoding="utf-8").splitlines()))
    again = replay(run)
    assert again.answer == run.answer and again.failure == run.failure


def test_there_are_traces_of_every_version() -> None:
    from airoagent.records.run_record import TRACE_VERSION

    assert {int(file.stem[7]) for file in TRACES} == set(range(1, TRACE_VERSION + 1))


def test_a_run_with_a_second_plan_replays() -> None:
    from airoagent import Agent, Policy, ScriptedModel

    @tool
    async def fails(text: str) -> str:
        """Never works."""
        raise ToolError("no luck")

    count, calls = counting()
    first = ":evidence0: = count[a]\n:evidence1: = fails[:evidence0:]\nAnswer: :evidence1:"
    second = ":evidence2: = count[:evidence0: b]\nAnswer: :evidence2:"
    agent = Agent(ScriptedModel({"plan": [first, second]}), [count, fails], policy=Policy(replan=1), store=False)
    run = agent.run("q")
    assert run.answer == "((a) b)" and calls == ["a", "(a) b"]
    assert replay(run).answer == run.answer


def test_steps_that_were_skipped_for_what_is_written_after_them_replay() -> None:
    @tool
    def fails(text: str) -> str:
        """Never works."""
        raise ToolError("no")

    plan = ":evidence0: = fails[a]\n:evidence2: = fails[:evidence1:]\n:evidence1: = fails[:evidence0:]\n"
    run = make_agent(plan + "Answer: :evidence2:", fails, eager=False).run("q")
    assert list(run.skipped) == ["evidence1", "evidence2"]
    again = replay(run)
    assert (again.failure, again.skipped) == (run.failure, run.skipped)
