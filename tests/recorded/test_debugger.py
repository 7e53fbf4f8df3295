"""The stepper: one step or wave at a time; breakpoints, edits, evidence by hand, undo."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import PlanError, UsageError, parse_plan, tool
from airoagent.recorded.debugger import Debugger
from airoagent.toolbox.tool import Tool
from tests.recording import counting, recording
from tests.running import make_agent

PLAN = (
    ":evidence0: = count[a]\n:evidence1: = count[b]\n:evidence2: = count[:evidence0: and :evidence1:]\n"
    ":evidence3: = KnowledgeModel[What, given :evidence2:?]\nAnswer: :evidence3:\n"
)


@pytest.fixture
def made() -> tuple[Debugger, list[str]]:
    count, calls = counting()
    agent = make_agent("", count, answers=["one", "two", "three"])
    return Debugger(agent.session, parse_plan(PLAN, agent.known_tools), "q"), calls


def test_a_step_and_a_wave_run_what_is_ready_and_no_more(made: tuple[Debugger, list[str]]) -> None:
    session, calls = made
    assert [step.id for step in session.ready()] == ["evidence0", "evidence1"]
    assert [found.text for found in session.step()] == ["(a)"] and calls == ["a"]
    assert [found.id for found in session.wave()] == ["evidence1"]
    assert session.answer() is None and not session.ended
    assert session.input_of("3") == "What, given :evidence2:?" and session.input_of("2") == "(a) and (b)"
    session.wave()
    session.wave()
    assert session.ended and session.answer() == "one" and session.step() == ()
    assert "(a) and (b)" in session.prompt("evidence3")
    with pytest.raises(UsageError, match="has not been asked for a plan"):
        session.prompt("plan")


@pytest.mark.parametrize("where", ["evidence3", "KnowledgeModel"])
def test_it_stops_before_a_breakpoint_and_goes_on_from_there(made: tuple[Debugger, list[str]], where: str) -> None:
    session, calls = made
    session.breakpoints.add(where)
    stopped = session.proceed()
    assert stopped is not None and stopped.id == "evidence3" and len(calls) == 3
    assert session.proceed() is None and session.answer() == "one"


def test_an_edit_forgets_what_depends_on_it_and_undo_brings_it_back(made: tuple[Debugger, list[str]]) -> None:
    session, calls = made
    session.proceed()
    session.edit("0", "z :evidence1:")
    assert set(session.found) == {"evidence1"}
    session.proceed()
    assert session.answer() == "two" and calls[-2:] == ["z (b)", "(z (b)) and (b)"]
    while session.plan.step("evidence0").input != "a":
        assert session.undo()
    assert session.answer() == "one" and session.ended
    with pytest.raises(PlanError):
        session.edit("0", ":evidence3:")
    assert session.plan.step("evidence0").input == "a"


def test_evidence_set_by_hand_is_used_and_not_called_for(made: tuple[Debugger, list[str]]) -> None:
    session, calls = made
    session.set("evidence0", "A")
    session.proceed()
    assert calls == ["b", "A and (b)"] and session.origin("evidence0") == "set by hand"
    session.restart()
    assert not session.found and session.undo() and session.answer() == "one"


def test_a_failed_step_is_raised_and_may_be_tried_again() -> None:
    luck = [False, True]

    @tool
    async def flaky(text: str) -> str:
        """Works the second time."""
        if not luck.pop(0):
            raise ValueError("no luck")
        return text

    agent = make_agent("", flaky)
    session = Debugger(agent.session, parse_plan(":evidence0: = flaky[x]\nAnswer: :evidence0:", agent.known_tools))
    with pytest.raises(Exception, match="no luck"):
        session.step()
    assert not session.undo()
    session.step()
    assert session.answer() == "x"


def test_in_a_recorded_run_only_what_is_changed_is_called(tmp_path: Path) -> None:
    count: Tool
    count, calls = counting()
    agent = recording(PLAN, tmp_path / "runs.sqlite3", count, answers=["one", "two"])
    run = agent.run("q")
    calls.clear()
    assert run.plan is not None
    session = Debugger(agent.session, run.plan, run.question, record=run)
    session.proceed()
    assert session.answer() == "one" and not calls and session.origin("evidence0") == "record"
    assert session.prompt("plan") and "(a) and (b)" in session.prompt("3")
    session.edit("1", "c")
    session.proceed()
    assert session.answer() == "two" and calls == ["c", "(a) and (c)"]
