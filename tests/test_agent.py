"""The agent from Python: the doors, the tools it offers, the two halves, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import airoagent
from airoagent import Agent, Chunk, ModelError, Plan, PlanError, Policy, Prompt, ScriptedModel, Step, UsageError, tool
from airoagent.engine.session import Watch
from airoagent.events import ModelCalled, PlanRefused, PlanText, PlanWritten, RunStarted
from airoagent.plan.steps import Ref
from airoagent.records.store import Store
from tests.running import make_agent, run_plan

LIBRARY = Path(__file__).parents[1] / "examples" / "library"
PLAN = "Plan: say it\n:evidence0: = echo[hello]\nAnswer: :evidence0:\n"


@tool
def echo(text: str) -> str:
    """Says what it is told."""
    return text


@pytest.mark.parametrize("folder", ["~no-such-user/notes", "no\0tes"])
def test_a_folder_of_documents_that_cannot_be_there_is_refused_whatever_its_name(folder: str) -> None:
    with pytest.raises(UsageError, match="there is no folder or file"):
        Agent(ScriptedModel([]), docs=[folder], store=False)


def test_a_method_runs_where_a_loop_is_running() -> None:
    async def main() -> str | None:
        return make_agent(PLAN, echo).run("q").answer

    assert asyncio.run(main()) == "hello"


def test_a_method_has_an_asynchronous_version() -> None:
    assert asyncio.run(make_agent(PLAN, echo).arun("q")).answer == "hello"


def test_a_method_calls_the_asynchronous_version_of_a_subclass() -> None:
    class Loud(Agent):
        async def acode(self, prompt: str, *, watch: Watch | None = None) -> str:
            return prompt.upper()

    assert Loud(ScriptedModel([]), store=False).code("print it") == "PRINT IT"


def test_the_stream_gives_every_event_and_the_plan_as_it_is_written() -> None:
    async def main() -> list[airoagent.Event]:
        return [event async for event in make_agent(PLAN, echo).stream("q")]

    events = asyncio.run(main())
    assert isinstance(events[0], RunStarted) and events[-1].type == "run_finished"
    pieces = [event.text for event in events if isinstance(event, PlanText)]
    assert "".join(pieces) == PLAN and len(pieces) > 5


def test_leaving_the_stream_early_stops_the_run() -> None:
    async def main() -> set[asyncio.Task[object]]:
        stream = make_agent(PLAN, echo).stream("q")
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    assert asyncio.run(main()) == set()


def test_the_prompt_names_the_tools_on_offer_and_the_question() -> None:
    model = ScriptedModel([PLAN])
    run = Agent(model, [echo], store=False).run("say hello")
    prompt = model.prompts[0].text
    assert "echo[input]: Says what it is told.\nKnowledgeModel[input]: Question answering" in prompt
    assert prompt.endswith("\n\nQuestion: say hello") and "DuckDuckGo" not in prompt
    called = next(event for event in run.events if isinstance(event, ModelCalled))
    assert called.prompt == prompt and called.text == PLAN and called.purpose == "plan"


@pytest.mark.parametrize(
    ("docs", "web", "offered"),
    [(False, False, ["DuckDuckGo"]), (True, False, ["DocumentSearch"]), (True, True, ["DuckDuckGo", "DocumentSearch"])],
)
def test_documents_are_offered_in_place_of_the_web(docs: bool, web: bool, offered: list[str]) -> None:
    agent = Agent(docs=[LIBRARY] if docs else [], web=web, store=False)
    usual = [*offered, "TextScraper", "HyperlinkExtractor", "KnowledgeModel"]
    assert list(agent.toolbox) == [*usual, "Calculator", "Today"], "they make the prompt of no real model longer"
    agent = Agent(ScriptedModel([]), docs=[LIBRARY] if docs else [], web=web, store=False)
    assert list(agent.toolbox) == usual


def test_named_tools_are_the_only_ones_beside_the_reader() -> None:
    agent = Agent(tools=["DuckDuckGo", echo], store=False)
    assert list(agent.toolbox) == ["DuckDuckGo", "echo", "KnowledgeModel"]
    assert list(agent.known_tools) == list(agent.toolbox)
    with pytest.raises(UsageError, match="no tool called 'DuckDukGo'") as caught:
        Agent(tools=["DuckDukGo"], store=False)
    assert "DuckDuckGo" in caught.value.hint


def test_a_plan_that_cannot_be_read_is_a_failed_run_with_the_text_on_record() -> None:
    run = run_plan("Plan: x\n:evidence0: = Nonsense[y]\nAnswer: :evidence0:", echo)
    assert run.status == "failed" and isinstance(run.error, PlanError)
    assert run.error.kind == "unknown_tool" and run.error.diagnostics[0].line == 2
    assert run.plan_text.startswith("Plan: x") and any(isinstance(event, PlanRefused) for event in run.events)
    with pytest.raises(PlanError):
        run.raise_for_status()


def test_a_plan_cut_at_the_token_limit_is_refused_as_truncated() -> None:
    run = run_plan("Plan: x\n:evidence0: = echo[and then it sto", echo)
    assert isinstance(run.error, PlanError) and run.error.kind == "truncated"


def test_a_model_that_fails_half_way_leaves_what_it_wrote_on_record() -> None:
    run = run_plan(":evidence0: = KnowledgeModel[why?]\nAnswer: :evidence0:")
    assert run.status == "failed" and isinstance(run.error, ModelError) and run.error.exit_code == 3
    calls = [event for event in run.events if isinstance(event, ModelCalled)]
    assert sorted((call.purpose, call.finish) for call in calls) == [("answer", "failed"), ("plan", "stop")]


def test_a_model_that_writes_without_end_is_stopped_and_its_text_is_taken_as_cut() -> None:
    class Endless(ScriptedModel):
        async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
            while True:
                yield Chunk("so on " * 10_000)

    run = Agent(Endless([]), [echo], store=False, policy=Policy(model_retries=0)).run("q")
    assert run.failure is not None and run.failure.kind in ("truncated", "too_large")
    (asked,) = [event for event in run.events if isinstance(event, ModelCalled)]
    assert asked.finish == "repetition" and len(asked.text) < 5_000_000


def test_a_bug_goes_up_as_it_is_and_the_record_is_closed(tmp_path: Path) -> None:
    class Broken(ScriptedModel):
        def stream(self, prompt):  # type: ignore[no-untyped-def, override]
            raise ZeroDivisionError("oops")

    path = tmp_path / "runs.sqlite3"
    with pytest.raises(ZeroDivisionError):
        Agent(Broken([PLAN]), [echo], store=path).run("q")
    store = Store(path)
    assert store.list()[0].status == "failed"
    store.close()


def test_plan_and_execute_are_the_two_halves_of_run() -> None:
    agent = make_agent(PLAN, echo)
    plan = agent.plan("q")
    assert isinstance(plan, Plan) and plan.steps[0].tool == "echo"
    assert agent.execute(plan).answer == "hello"


def test_plan_raises_for_a_plan_that_cannot_be_used() -> None:
    with pytest.raises(PlanError):
        make_agent("I would rather not.", echo).plan("q")


def test_a_plan_made_in_python_is_run_like_any_other() -> None:
    plan = Plan((Step("evidence0", "", "echo", ("hi",)),), ("<", Ref("evidence0"), ">"))
    run = make_agent("", echo).execute(plan, question="why")
    assert run.answer == "<hi>" and run.question == "why"
    assert any(isinstance(event, PlanWritten) for event in run.events)


def test_a_plan_without_an_answer_line_answers_with_its_last_step() -> None:
    run = run_plan(":evidence0: = echo[a]\n:evidence1: = echo[:evidence0:b]\n", echo)
    assert run.answer == "ab" and run.plan is not None and run.plan.answer is None


def test_an_empty_question_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question"):
        make_agent(PLAN, echo, store=tmp_path / "runs.sqlite3").run("  \n")


def test_runs_at_the_same_time_do_not_mix() -> None:
    agents = [make_agent(PLAN.replace("hello", f"hello {n}"), echo) for n in range(20)]

    async def main() -> list[str | None]:
        return [run.answer for run in await asyncio.gather(*(agent.arun("q") for agent in agents))]

    assert asyncio.run(main()) == [f"hello {n}" for n in range(20)]


def test_the_library_is_read_from_python_with_its_sources() -> None:
    run = Agent(docs=LIBRARY, store=False).run("Who won the Nobel Prize in Literature in 2020?")
    assert run.status == "done" and "Glück" in (run.answer or "")
    assert any(source.url.startswith("docs://library/") and source.quote for source in run.sources)
    assert run.usage.calls >= 2


def test_two_documents_folders_are_both_searched(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.txt").write_text("The lighthouse keeper of Skerryvore is called Morag Bain.\n")
    run = Agent(docs=[LIBRARY, tmp_path / "one"], store=False).run("Who is the lighthouse keeper of Skerryvore?")
    assert "Morag Bain" in (run.answer or "") and run.sources[0].url == "docs://one/a.txt"


def test_a_tool_named_with_a_plus_comes_besides_the_usual_ones() -> None:
    usual = list(Agent(ScriptedModel([]), store=False).toolbox)
    assert "Calculator" not in usual
    assert list(Agent(ScriptedModel([]), ["+Calculator"], store=False).toolbox) == [*usual, "Calculator"]
    assert list(Agent(ScriptedModel([]), ["Calculator"], store=False).toolbox) == ["Calculator", "KnowledgeModel"]
    with pytest.raises(UsageError, match="there is no tool called 'Calculater'"):
        Agent(ScriptedModel([]), ["+Calculater"], store=False)
