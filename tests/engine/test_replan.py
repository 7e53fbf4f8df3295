"""New plans after failures, results kept from run to run, limits, and what the user is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import (
    Agent,
    LimitReached,
    PlanError,
    Policy,
    Run,
    ScriptedModel,
    Step,
    Tool,
    ToolError,
    UsageError,
    tool,
)
from airoagent.engine.store import Store
from airoagent.events import InputEdited, ModelCalled, Replanned, StepFinished
from tests.running import run_plan

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls_yet() -> None:
    calls.clear()


@tool(cacheable=True)
def look(text: str) -> str:
    """Looks something up."""
    calls.append(text)
    return f"<{text}>"


@tool
def breaks(text: str) -> str:
    """Never works."""
    raise ToolError("it is broken")


FIRST = ":evidence0: = look[a]\n:evidence1: = breaks[:evidence0:]\nAnswer: :evidence1:"


def replanned(*plans: str, replan: int = 1) -> tuple[Run, list[str]]:
    model = ScriptedModel({"plan": list(plans)})
    run = Agent(model, [look, breaks], store=False, policy=Policy(replan=replan)).run("What is a?")
    return run, [prompt.text for prompt in model.prompts]


def test_a_new_plan_goes_on_from_the_evidence_there_is_and_nothing_is_called_twice() -> None:
    run, prompts = replanned(FIRST, ":evidence2: = look[:evidence0:]\nAnswer: :evidence2:")
    assert run.status == "done" and run.answer == "<<a>>" and calls == ["a", "<a>"]
    assert [event.attempt for event in run.events if isinstance(event, Replanned)] == [1]
    assert ":evidence0: = look[a]\n(<a>)" in prompts[1] and "breaks[<a>]\n(it is broken)" in prompts[1]
    assert prompts[1].endswith("number its steps from :evidence1: on.\n\nQuestion: What is a?")
    assert run.plan is not None and [step.id for step in run.plan.steps] == ["evidence0", "evidence2"]


def test_a_new_plan_may_also_begin_anew_and_the_same_call_is_not_made_again() -> None:
    run, _ = replanned(FIRST, ":evidence0: = look[a]\n:evidence1: = look[b :evidence0:]\nAnswer: :evidence1:")
    assert run.answer == "<b <a>>" and calls == ["a", "b <a>"]
    assert [e.origin for e in run.events if isinstance(e, StepFinished)] == ["call", "shared", "call"]


def test_a_plan_that_cannot_be_read_is_replaced_too() -> None:
    run, _ = replanned("I would rather not.", ":evidence0: = look[a]\nAnswer: :evidence0:")
    assert run.status == "done" and run.answer == "<a>"


def test_the_last_plan_that_may_be_written_decides() -> None:
    assert replanned(FIRST, FIRST)[0].status == "failed"
    assert isinstance(replanned("no", "no", "no", replan=2)[0].error, PlanError)
    assert len(replanned(FIRST, replan=0)[1]) == 1


def test_a_plan_given_by_the_user_is_not_replaced() -> None:
    agent = Agent(ScriptedModel([FIRST]), [look, breaks], store=False, policy=Policy(replan=3))
    run = agent.execute(agent.plan("q"))
    assert run.status == "failed" and not any(isinstance(event, Replanned | ModelCalled) for event in run.events)


def test_a_run_with_two_plans_reads_back_from_its_record_as_it_was() -> None:
    run, _ = replanned(FIRST, ":evidence2: = look[:evidence0:]\nAnswer: :evidence2:")
    again = Run.from_events(run.events)
    assert (again.plan, again.failed, again.answer) == (run.plan, {}, run.answer)


def test_results_are_reused_up_to_an_age_only_where_the_tool_allows_it(tmp_path: Path) -> None:
    made: list[str] = []

    @tool
    def fresh(text: str) -> str:
        """Is asked every time."""
        made.append(text)
        return text

    def run(seconds: float) -> Run:
        plan = ":evidence0: = look[a]\n:evidence1: = fresh[a]\nAnswer: :evidence0:"
        policy = Policy(cache_seconds=seconds)
        return Agent(ScriptedModel([plan]), [look, fresh], store=tmp_path / "s.sqlite3", policy=policy).run("q")

    assert [run(60).answer, run(60).answer, run(0).answer, run(1e-9).answer] == ["<a>"] * 4
    assert len(calls) == 3 and len(made) == 4
    origins = [event.origin for event in run(60).events if isinstance(event, StepFinished)]
    assert sorted(origins) == ["cache", "call"]


def test_a_result_is_not_reused_where_it_may_be_another(tmp_path: Path) -> None:
    """With other settings, of documents (another folder may have the same name), by a clock set back, or damaged."""
    path = tmp_path / "s.sqlite3"

    def run(input: str = "a", **settings: str) -> None:
        model = ScriptedModel([f":evidence0: = look[{input}]\nAnswer: :evidence0:"])
        policy = Policy(cache_seconds=60)
        assert Agent(model, [look], store=path, policy=policy, tool_settings=settings).run("q").answer == f"<{input}>"

    def tampered(sql: str) -> None:
        store = Store(path)
        store._db.execute(sql)
        store.close()

    run(search="duckduckgo")
    run(search="duckduckgo")
    assert calls == ["a"]
    run(search="searxng")
    assert calls == ["a"] * 2
    run("docs://notes/a.md")
    run("docs://notes/a.md")
    assert len(calls) == 4
    tampered("UPDATE cache SET at = at + 1e6")
    run(search="duckduckgo")
    assert len(calls) == 5
    tampered("UPDATE cache SET body = X'7b'")
    run(search="duckduckgo")
    run(search="duckduckgo")
    assert len(calls) == 6


@pytest.mark.parametrize(
    ("limits", "told"),
    [({"max_calls": 1}, "call 2 of the run"), ({"max_bytes": 4}, "characters; the limit is 4")],
)
def test_a_run_ends_at_its_limits(limits: dict[str, int], told: str) -> None:
    run = run_plan(":evidence0: = look[a]\n:evidence1: = look[:evidence0:]\nAnswer: :evidence1:", look, **limits)
    assert isinstance(run.error, LimitReached) and told in run.error.message and run.evidence["evidence0"].text == "<a>"


def test_a_model_is_not_asked_beyond_the_limit_of_tokens() -> None:
    plan = ":evidence0: = KnowledgeModel[why?]\nAnswer: :evidence0:"
    run = run_plan(plan, answers=["because"], max_tokens=1, eager=False)
    assert isinstance(run.error, LimitReached) and run.error.exit_code == 7


async def edit(step: Step, tool: Tool, input: str) -> bool | str:
    return input.upper()


def test_every_call_can_be_asked_about_and_its_input_edited_on_record() -> None:
    run = run_plan(":evidence0: = look[a]\nAnswer: :evidence0:", look, approve=edit, ask_before="all")
    assert run.answer == "<A>" and calls == ["A"]
    assert [event.input for event in run.events if isinstance(event, InputEdited)] == ["A"]
    refused = run_plan(":evidence0: = look[a]\nAnswer: :evidence0:", look, ask_before="all")
    assert isinstance(refused.error, UsageError) and "look, which needs your approval" in refused.error.message
