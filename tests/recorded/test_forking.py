"""Rerun and fork: a new run with its parent recorded, in which only what the change reaches is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import Agent, PlanError, ScriptedModel, UsageError
from airoagent.events import ModelCalled, RunStarted, StepFinished
from tests.recording import counting, recording

PLAN = (
    ":evidence0: = count[a]\n:evidence1: = count[b]\n:evidence2: = count[:evidence0: and :evidence1:]\n"
    ":evidence3: = count[c :evidence1:]\nAnswer: :evidence2: :evidence3:\n"
)


@pytest.fixture
def made(tmp_path: Path):  # type: ignore[no-untyped-def]
    count, calls = counting()
    agent = recording(PLAN, tmp_path / "runs.sqlite3", count)
    run = agent.run("q")
    calls.clear()
    return agent, run, calls


def origins(run) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {event.step: event.origin for event in run.events if isinstance(event, StepFinished)}


def test_an_edit_calls_only_what_depends_on_it(made) -> None:  # type: ignore[no-untyped-def]
    agent, run, calls = made
    fork = agent.fork(run.id, edit={"0": "z"})
    assert fork.answer == "((z) and (b)) (c (b))" and calls == ["z", "(z) and (b)"]
    assert fork.id != run.id and fork.parent == run.id
    assert origins(fork) == {"evidence0": "call", "evidence1": "record", "evidence2": "call", "evidence3": "record"}
    assert not any(isinstance(event, ModelCalled) for event in fork.events)
    assert agent.replay(fork.id).answer == fork.answer


def test_an_edit_may_refer_to_other_steps_and_may_not_make_a_circle(made) -> None:  # type: ignore[no-untyped-def]
    agent, run, calls = made
    assert agent.fork(run.id, edit={"evidence3": "now :evidence2:"}).evidence["evidence3"].text == "(now ((a) and (b)))"
    assert calls == ["now (a) and (b)"] or calls == ["now ((a) and (b))"]
    with pytest.raises(PlanError):
        agent.fork(run.id, edit={"evidence0": ":evidence2:"})
    with pytest.raises(PlanError):
        agent.fork(run.id, edit={"evidence0": ":evidence9:"})


def test_evidence_may_be_set_by_hand(made) -> None:  # type: ignore[no-untyped-def]
    agent, run, calls = made
    fork = agent.fork(run.id, set={"#E1": "B"})
    assert fork.answer == "((a) and B) (c B)" and sorted(calls) == ["(a) and B", "c B"]
    assert fork.evidence["evidence1"].note == "set by hand"
    assert agent.replay(fork.id).answer == fork.answer


def test_set_evidence_is_not_shared_with_a_step_that_makes_the_same_call(tmp_path: Path) -> None:
    count, _ = counting()
    plan = ":evidence0: = count[a]\n:evidence1: = count[a]\nAnswer: :evidence0: :evidence1:"
    agent = recording(plan, tmp_path / "runs.sqlite3", count)
    assert agent.fork(agent.run("q").id, set={"0": "A"}).answer == "A (a)"


def test_another_plan_keeps_what_it_has_in_common(made) -> None:  # type: ignore[no-untyped-def]
    agent, run, calls = made
    fork = agent.fork(run.id, plan=":evidence0: = count[a]\n:evidence4: = count[new :evidence0:]\nAnswer: :evidence4:")
    assert fork.answer == "(new (a))" and calls == ["new (a)"]


def test_rerun_calls_all_or_from_a_step(made) -> None:  # type: ignore[no-untyped-def]
    agent, run, calls = made
    assert agent.rerun(run.id).answer == run.answer and len(calls) == 4
    calls.clear()
    again = agent.rerun(run, from_step="evidence0")
    assert again.parent == run.id and sorted(calls) == ["(a) and (b)", "a"]


def test_another_model_answers_the_model_steps_only(tmp_path: Path) -> None:
    count, calls = counting()
    plan = ":evidence0: = count[a]\n:evidence1: = KnowledgeModel[What, given :evidence0:?]\nAnswer: :evidence1:"
    agent = recording(plan, tmp_path / "runs.sqlite3", count, answers=["one"])
    run = agent.run("q")
    other = agent.fork(run.id, model=ScriptedModel({"answer": ["two"]}, name="other"))
    assert (run.answer, other.answer, len(calls)) == ("one", "two", 1)
    assert isinstance(other.events[0], RunStarted) and other.model == "other" and agent.model.info.name == "scripted"
    third = agent.fork(other.id, model=ScriptedModel({"answer": ["three"]}))
    assert third.answer == "three" and third.parent == other.id and len(calls) == 1


def test_what_cannot_be_forked_is_told(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    agent, run, _ = made
    with pytest.raises(UsageError, match="a fork must change something, but no change was given"):
        agent.fork(run.id)
    with pytest.raises(UsageError, match="no step 'evidence7'"):
        agent.fork(run.id, edit={"evidence7": "x"})
    with pytest.raises(UsageError, match="keeps no records"):
        Agent(ScriptedModel([]), [], store=False).rerun("@last")
    with pytest.raises(UsageError, match="not among the tools"):
        recording(PLAN, tmp_path / "runs.sqlite3").rerun(run.id)
