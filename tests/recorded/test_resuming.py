"""Resume: an interrupted run is finished, and what finished is not done again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airoagent import Run, StoreError, ToolError, tool
from airoagent.events import Event, PlanPart, RunResumed, StepFinished, StepStarted
from airoagent.records.store import Store
from tests.recording import TEN_STEPS, counting, recording
from tests.running import make_agent


def cut_record(path: Path, events: tuple[Event, ...]) -> str:
    """A store that holds only these events, as if the process had been killed after the last of them."""
    store = Store(path)
    run = Run.from_events(events).id
    for number, event in enumerate(events):
        store.append(run, number, event)
    store.close()
    return run


def test_a_run_cut_after_any_event_is_finished_and_repeats_nothing(tmp_path: Path) -> None:
    count, calls = counting()
    whole = recording(TEN_STEPS, tmp_path / "whole.sqlite3", count).run("q")
    for number in range(1, len(whole.events)):
        path = tmp_path / f"{number}.sqlite3"
        run = cut_record(path, whole.events[:number])
        finished = {event.step for event in whole.events[:number] if isinstance(event, StepFinished)}
        calls.clear()
        again = recording(TEN_STEPS, path, count).resume(run)
        assert (again.id, again.status, again.answer) == (run, "done", whole.answer), number
        assert len(calls) == 10 - len(finished), number
        assert again.evidence == whole.evidence
        assert any(isinstance(event, RunResumed) for event in again.events)
        store = Store(path)
        assert store.events(run) == again.events and store.status(run) == "done"
        store.close()


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_run_cut_twice_while_its_plan_is_written_repeats_nothing_either(tmp_path: Path, repeatable: bool) -> None:
    """What finished before the first cut is still known after the second, to the steps that need it, too."""
    plan = ":evidence0: = count[0]\n:evidence1: = count[1 :evidence0:]\nAnswer: :evidence1:\n"
    count, calls = counting(repeatable=repeatable)
    whole = recording(plan, tmp_path / "whole.sqlite3", count).run("q")
    steps = [event for event in whole.events if isinstance(event, StepStarted | StepFinished)]
    start, part = whole.events[0], PlanPart(text=plan)
    for number in range(0, len(steps) + 1, 1 if repeatable else 2):
        path = tmp_path / f"{number}.sqlite3"
        store = Store(path)
        resumed = RunResumed(run=whole.id, model="scripted", afresh=True)
        store.write_run(whole.id, (start, part, *steps[:number], resumed))
        store.close()
        calls.clear()
        assert recording(plan, path, count).resume(whole.id).answer == whole.answer
        assert len(calls) == 2 - number // 2, number


def test_a_call_that_may_not_be_repeated_waits_until_the_plan_stands(tmp_path: Path) -> None:
    """A plan that is refused is written again, in a new run: what the first one called would be called twice."""
    once, calls = counting(repeatable=False)
    refused = ":evidence0: = count[x]\n:evidence1: = nothing[y]\nAnswer: :evidence1:"
    run = recording(refused, tmp_path / "runs.sqlite3", once).run("q")
    assert run.status == "failed" and calls == []


def test_a_run_that_is_done_comes_back_as_it_is(tmp_path: Path) -> None:
    count, calls = counting()
    agent = recording(TEN_STEPS, tmp_path / "runs.sqlite3", count)
    run = agent.run("q")
    assert agent.resume(run.id[:-2]).events == run.events and len(calls) == 10


def test_a_failed_run_tries_the_failed_step_again(tmp_path: Path) -> None:
    count, calls = counting()
    luck = [False, True]

    @tool
    async def flaky(text: str) -> str:
        """Works the second time."""
        if not luck.pop(0):
            raise ValueError("no luck")
        return f"<{text}>"

    plan = (
        ":evidence0: = count[a]\n:evidence1: = flaky[:evidence0:]\n:evidence2: = count[:evidence1:]\n"
        "Answer: :evidence2:"
    )
    agent = recording(plan, tmp_path / "runs.sqlite3", count, flaky)
    run = agent.run("q")
    assert run.status == "failed" and run.skipped == {"evidence2": ("evidence1",)}
    again = agent.resume(run.id)
    assert again.status == "done" and again.answer == "(<(a)>)" and calls == ["a", "<(a)>"]
    assert again.failure is None and again.error is None and not again.failed and not again.skipped
    assert agent.replay(run.id).answer == again.answer


def test_a_call_of_unknown_end_is_made_again_only_if_it_may_be(tmp_path: Path) -> None:
    send, calls = counting("send", repeatable=False)
    plan = ":evidence0: = send[letter]\nAnswer: :evidence0:"
    whole = recording(plan, tmp_path / "whole.sqlite3", send).run("q")
    started = next(n for n, event in enumerate(whole.events) if isinstance(event, StepStarted))
    calls.clear()
    path = tmp_path / "cut.sqlite3"
    run = cut_record(path, whole.events[: started + 1])
    agent = recording(plan, path, send)
    with pytest.raises(StoreError, match=r"evidence0 \(send\) was in progress when the run stopped") as caught:
        agent.resume(run)
    assert "--set evidence0=" in caught.value.hint and not calls


def test_of_two_who_drive_a_run_one_is_refused(tmp_path: Path) -> None:
    count, _ = counting()
    path = tmp_path / "runs.sqlite3"
    whole = recording(TEN_STEPS, tmp_path / "whole.sqlite3", count).run("q")
    run = cut_record(path, whole.events[:9])
    first = Store(path)
    first.append(run, 9, RunResumed(run=run, model="m"))
    assert first.status(run) == "running"
    with pytest.raises(StoreError, match="in progress in another process"):
        recording(TEN_STEPS, path, count).resume(run)
    first.close()
    assert recording(TEN_STEPS, path, count).resume(run).answer == whole.answer


def test_a_record_that_moved_on_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    count, _ = counting()
    path = tmp_path / "runs.sqlite3"
    agent = recording(TEN_STEPS, path, count)
    run = agent.run("q")
    store = Store(path)
    with pytest.raises(StoreError):
        store.append(run.id, 5, RunResumed(run=run.id, model="m"))
    assert store.status(run.id) == "done" and store.events(run.id) == run.events
    store.close()


def test_a_missing_tool_is_told_before_anything_is_written(tmp_path: Path) -> None:
    count, _ = counting()
    whole = recording(TEN_STEPS, tmp_path / "whole.sqlite3", count).run("q")
    path = tmp_path / "runs.sqlite3"
    run = cut_record(path, whole.events[:-3])
    from airoagent import UsageError

    with pytest.raises(UsageError, match="count, which is not among the tools"):
        recording(TEN_STEPS, path).resume(run)
    store = Store(path)
    assert len(store.events(run)) == len(whole.events) - 3
    store.close()


def test_a_run_whose_end_could_not_be_recorded_is_driven_by_nobody(tmp_path: Path) -> None:
    """A store that lives on (a notebook, a server) lets go of a run that a full disk has stopped."""
    store = Store(tmp_path / "runs.sqlite3")

    @tool
    async def fills(text: str) -> str:
        """Makes the record impossible to write from now on."""
        store._db.execute("PRAGMA query_only = ON")
        return text

    agent = make_agent(":evidence0: = fills[x]\nAnswer: :evidence0:", fills, store=store, eager=False)
    with pytest.raises(StoreError, match="cannot be written"):
        agent.run("q")
    store._db.execute("PRAGMA query_only = OFF")
    run = store.find("@last")
    assert store.status(run) == "interrupted"
    count, _ = counting("fills")
    assert make_agent("", count, store=store).resume(run).answer == "(x)"
    store.close()


def test_of_several_who_resume_a_run_over_one_store_one_goes_on_and_nothing_is_called_twice(tmp_path: Path) -> None:
    """Who is refused must not let go of the lock of the one that drives."""
    store = Store(tmp_path / "runs.sqlite3")
    begun, gate = threading.Event(), threading.Event()
    calls: list[str] = []

    @tool
    def holds(text: str) -> str:
        """Fails the first time; then holds on until it is let."""
        calls.append(text)
        if len(calls) == 1:
            raise ToolError("not yet")
        begun.set()
        gate.wait()
        return "done"

    agent = make_agent(":evidence0: = holds[x]\nAnswer: :evidence0:", holds, store=store)
    run = agent.run("q").id
    answers: list[str | None] = []
    driver = threading.Thread(target=lambda: answers.append(agent.resume(run).answer))
    driver.start()
    begun.wait()
    for _ in range(3):
        with pytest.raises(StoreError, match="in progress in another process"):
            agent.resume(run)
    gate.set()
    driver.join()
    assert answers == ["done"] and len(calls) == 2
    store.close()


def test_a_step_that_shared_the_call_of_another_shares_it_after_a_resume_too(tmp_path: Path) -> None:
    count, calls = counting()
    plan = ":evidence0: = count[a]\n:evidence1: = count[a]\nAnswer: :evidence0: :evidence1:"
    whole = recording(plan, tmp_path / "whole.sqlite3", count).run("q")
    ends = [n for n, event in enumerate(whole.events) if isinstance(event, StepFinished)]
    run = cut_record(tmp_path / "runs.sqlite3", whole.events[: ends[0] + 1])
    calls.clear()
    assert recording(plan, tmp_path / "runs.sqlite3", count).resume(run).answer == "(a) (a)"
    assert calls == []
