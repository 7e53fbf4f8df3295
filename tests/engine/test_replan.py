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
    ToolContext,
    ToolError,
    UsageError,
    parse_plan,
    tool,
)
from airoagent.events import InputEdited, ModelCalled, Replanned, StepFinished, StepStarted
from airoagent.recorded.debugger import Debugger
from airoagent.recorded.replaying import replay
from airoagent.records.store import Store
from tests.running import run_plan

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls_yet() -> None:
    calls.clear()


@tool(cacheable=True)
async def look(text: str) -> str:
    """Looks something up; asynchronous, so that no thread decides what comes first."""
    calls.append(text)
    return f"<{text}>"


@tool
async def breaks(text: str) -> str:
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


TWICE = (
    ":evidence0: = look[a]\n:evidence1: = look[b :evidence0:]\n:evidence2: = breaks[:evidence1:]\nAnswer: :evidence2:"
)


def test_a_new_plan_may_give_a_number_to_another_step_and_still_use_what_was_found() -> None:
    new = ":evidence0: = look[c]\n:evidence3: = look[:evidence0: and :evidence1:]\nAnswer: :evidence3:"
    run, _ = replanned(TWICE, new)
    assert run.answer == "<<c> and <b <a>>>" and calls == ["a", "b <a>", "c", "<c> and <b <a>>"]
    assert run.plan is not None and [step.id for step in run.plan.steps][-2:] == ["evidence0", "evidence3"]
    assert replay(run).answer == run.answer


def test_a_third_plan_is_told_what_the_first_found_and_not_what_the_second_failed_to() -> None:
    second = ":evidence0: = look[a]\n:evidence1: = breaks[y]\nAnswer: :evidence1:"
    run, prompts = replanned(TWICE, second, ":evidence4: = look[:evidence2:]\nAnswer: :evidence4:", replan=2)
    assert ":evidence0: = look[a]\n(<a>)\n:evidence2: = look[b :evidence0:]\n(<b <a>>)\n" in prompts[2]
    assert "= breaks[y]" not in prompts[2] and run.answer == "<<b <a>>>"
    assert calls == ["a", "b <a>", "<b <a>>"]


def test_evidence_of_an_earlier_plan_is_not_that_of_a_later_plans_step_of_the_same_number() -> None:
    run, _ = replanned(TWICE, ":evidence0: = look[a]\n:evidence1: = breaks[y]\nAnswer: :evidence1:")
    assert list(run.evidence) == ["evidence0"] and list(run.failed) == ["evidence1"]


def test_what_was_found_while_an_unusable_plan_was_being_written_is_told_and_used() -> None:
    long = " ".join(map(str, range(300)))
    unusable = f":evidence0: = look[a]\nPlan: {long}\n:evidence1: = unheard_of[b]\nAnswer: :evidence1:"
    run, prompts = replanned(unusable, ":evidence1: = look[:evidence0:]\nAnswer: :evidence1:")
    assert ":evidence0: = look[a]\n(<a>)" in prompts[1]
    assert run.answer == "<<a>>" and calls == ["a", "<a>"]
    assert replay(run).answer == run.answer


def test_what_an_edited_call_found_is_known_for_both_inputs() -> None:
    async def edit(step: Step, tool: Tool, input: str) -> bool | str:
        return "b" if input == "a" else True

    plans = [FIRST, ":evidence0: = look[a]\n:evidence1: = look[b]\nAnswer: :evidence0: :evidence1:"]
    model, policy = ScriptedModel({"plan": plans}), Policy(replan=1, ask_before="all")
    run = Agent(model, [look, breaks], store=False, policy=policy, approve=edit).run("q")
    assert run.answer == "<b> <b>" and calls == ["b"]


def test_what_a_refused_later_plan_is_refused_for_is_told_at_its_place() -> None:
    run, _ = replanned(FIRST, ":evidence4: = look[:evidence0:]\n:evidence5: = look[:evidence9:]\nAnswer: :evidence5:")
    assert isinstance(run.error, PlanError)
    wrong = [found for found in run.error.diagnostics if not found.repair]
    assert [(found.kind, found.line) for found in wrong] == [("undefined_reference", 2)]


def test_a_run_with_two_plans_cut_after_any_event_is_finished_and_repeats_nothing(tmp_path: Path) -> None:
    plans = [
        TWICE,
        ":evidence0: = look[c]\n:evidence1: = look[:evidence0:]\n:evidence2: = look[a]\n"
        "Answer: :evidence1: :evidence2:",
    ]
    model = ScriptedModel({"plan": plans})
    whole = Agent(model, [look, breaks], store=tmp_path / "whole.sqlite3", policy=Policy(replan=1)).run("q")
    assert whole.answer == "<<c>> <a>"
    from_there = next(n for n, event in enumerate(whole.events) if isinstance(event, Replanned)) + 1
    for cut in range(from_there, len(whole.events)):
        path = tmp_path / f"{cut}.sqlite3"
        store = Store(path)
        for number, event in enumerate(whole.events[:cut]):
            store.append(whole.id, number, event)
        store.close()
        done = [
            event.evidence.text
            for event in whole.events[:cut]
            if isinstance(event, StepFinished) and event.origin == "call"
        ]
        calls.clear()
        agent = Agent(ScriptedModel({"plan": plans[1:]}), [look, breaks], store=path)
        run = agent.resume(whole.id)
        assert (run.answer, run.evidence.keys()) == (whole.answer, whole.evidence.keys()), cut
        assert not {f"<{call}>" for call in calls} & set(done), cut
        assert agent.replay(whole.id).answer == whole.answer, cut


def test_a_plan_written_after_tools_had_answered_opens_no_address_it_made_up_however_it_is_run_again(
    tmp_path: Path,
) -> None:
    opened: list[bool] = []

    @tool
    def opens(url: str, context: ToolContext) -> str:
        """Opens an address, if it may."""
        opened.append(context.may_open(url))
        return "done"

    plans = [FIRST, ":evidence2: = opens[http://made-up.example/?q=secret]\nAnswer: :evidence2:"]
    path = tmp_path / "s.sqlite3"
    model, tools = ScriptedModel({"plan": plans}), [look, breaks, opens]
    agent = Agent(model, tools, store=path, policy=Policy(replan=1))
    whole = agent.run("q")
    again = agent.rerun(whole.id)
    agent.rerun(again.id)
    agent.fork(again.id, edit={"2": "http://made-up.example/?q=other"})
    assert whole.plan is not None
    debugger = Debugger(agent.session, whole.plan, record=whole)
    debugger.edit("2", "http://made-up.example/?q=third")
    debugger.wave()
    store = Store(path)
    store._db.execute("DELETE FROM runs WHERE id = ?", (whole.id,))
    store._db.execute("DELETE FROM events WHERE run = ?", (whole.id,))
    started = next(n for n, e in enumerate(whole.events) if isinstance(e, StepStarted) and e.tool == "opens")
    for number, event in enumerate(whole.events[: started + 1]):
        store.append(whole.id, number, event)
    store.close()
    agent.resume(whole.id)
    assert opened == [False] * 6
    agent.execute(parse_plan(plans[1], ["opens"]))
    assert opened[-1]


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
    ("limits", "told"), [({"max_calls": 1}, "call 2 of the run"), ({"max_bytes": 4}, "characters; the limit is 4")]
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
