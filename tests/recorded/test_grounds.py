"""What an answer stands on, and what becomes of it without."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airoagent import (
    Agent,
    Chunk,
    Policy,
    Prompt,
    Run,
    ScriptedModel,
    StoreError,
    ToolError,
    ToolOutput,
    parse_plan,
    tool,
)
from airoagent.engine.sync import run_in_thread
from airoagent.events import Source
from airoagent.recorded.grounds import bisect, first_flip, why
from airoagent.records.difference import diff, difference_lines
from airoagent.records.store import Store
from tests.recording import counting, recording

PLAN = (
    ":evidence0: = look[a]\n:evidence1: = look[unused]\n:evidence2: = count[:evidence0:]\n"
    ":evidence3: = count[:evidence2: :evidence0:]\nAnswer: it is :evidence3:\n"
)


@tool
async def look(text: str) -> ToolOutput:
    """Looks something up."""
    return ToolOutput(f"about {text}", (Source("docs://page", "Page", "a passage"),))


def test_the_walk_goes_back_from_the_answer_and_leaves_out_what_it_does_not_stand_on(tmp_path: Path) -> None:
    count, _ = counting()
    run = recording(PLAN, tmp_path / "runs.sqlite3", look, count).run("q")
    grounds = why(run)
    assert [(one.step, one.depth, one.used_by) for one in grounds] == [
        ("evidence3", 1, ("answer",)),
        ("evidence2", 2, ("evidence3",)),
        ("evidence0", 2, ("evidence2", "evidence3")),
    ]
    assert grounds[-1].sources[0].url == "docs://page" and grounds[1].input == "about a"


def test_a_run_without_an_answer_has_no_why(tmp_path: Path) -> None:
    run = recording(":evidence0: = nothing[x]", tmp_path / "runs.sqlite3").run("q")
    with pytest.raises(StoreError, match="no answer from a plan"):
        why(run)


class Reader(ScriptedModel):
    """Reads an answer off its prompt: the length that stands in it."""

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        found = re.search(r"[0-9,]+ km", prompt.text)
        yield Chunk(found[0] if found else "The given sources do not say.", "stop")


def test_bisect_names_the_evidence_that_the_answer_hangs_on_and_calls_no_tool(tmp_path: Path) -> None:
    texts = {"coffee": "Coffee is a drink.", "danube": "The Danube is 2,850 km long.", "volga": "It is 3,530 km long."}
    calls: list[str] = []

    @tool
    async def page(text: str) -> str:
        """Reads a page."""
        calls.append(text)
        return texts[text]

    plan = (
        ":evidence0: = page[coffee]\n:evidence1: = page[danube]\n:evidence2: = page[volga]\n"
        ":evidence3: = KnowledgeModel[How long is the Danube, given :evidence0: and :evidence1:?]\nAnswer: :evidence3:"
    )
    agent = Agent(Reader([]), [page], store=tmp_path / "runs.sqlite3")
    run = agent.execute(parse_plan(plan, agent.known_tools), question="How long is the Danube?")
    assert run.answer == "2,850 km" and len(calls) == 3
    trials = run_in_thread(lambda: bisect(agent.session, run.id))
    assert [(trial.step, trial.flips) for trial in trials] == [
        ("evidence0", False),
        ("evidence1", True),
        ("evidence3", True),
    ]
    first = first_flip(trials)
    assert first is not None and first.step == "evidence1" and first.answer == "The given sources do not say."
    swapped = run_in_thread(lambda: bisect(agent.session, run.id, change="swap"))
    assert [(trial.step, trial.swapped_with, trial.flips) for trial in swapped] == [
        ("evidence0", "evidence1", False),
        ("evidence1", "evidence0", True),
    ]
    assert len(calls) == 3
    store = Store(tmp_path / "runs.sqlite3")
    assert [row.id for row in store.list()] == [run.id]
    store.close()


def test_bisect_does_not_call_a_tool_again_that_failed_in_the_run(tmp_path: Path) -> None:
    calls: list[str] = []

    @tool
    async def broken(text: str) -> str:
        """Fails."""
        calls.append(text)
        raise ToolError("it is down")

    plan = ":evidence0: = look[a]\n:evidence1: = broken[b]\n:evidence2: = look[:evidence1:]\nAnswer: :evidence0:\n"
    agent = Agent(
        ScriptedModel([]), [look, broken], store=tmp_path / "runs.sqlite3", policy=Policy(on_error="skip", retries=0)
    )
    run = agent.execute(parse_plan(plan, agent.known_tools), question="q")
    assert run.status == "done" and calls == ["b"]
    (trial,) = run_in_thread(lambda: bisect(agent.session, run.id))
    assert trial.flips and calls == ["b"]


def test_very_long_texts_are_compared_from_where_they_differ() -> None:
    same = [f"line {number}" for number in range(6_000)]
    one, other = Run(answer="\n".join([*same, "x"] * 9)), Run(answer="\n".join([*same, "y"] * 9))
    lines = list(difference_lines(diff(one, other)))
    assert lines[2] == "--- a answer (from line 6,001, 5,000 lines)"
    assert lines[4:7] == ["@@ -1,2 +1,2 @@", "-x", "+y"] and len(lines) == 8


def test_a_difference_names_the_steps_and_what_of_them_differs(tmp_path: Path) -> None:
    count, _ = counting()
    agent = recording(PLAN, tmp_path / "runs.sqlite3", look, count)
    run = agent.run("q")
    assert diff(run, agent.rerun(run)).same
    found = diff(run, agent.fork(run, edit={"0": "b"}))
    assert [(step.id, step.kind, step.what) for step in found.steps] == [
        ("evidence0", "changed", ("plan", "input", "evidence")),
        ("evidence1", "same", ()),
        ("evidence2", "changed", ("input", "evidence")),
        ("evidence3", "changed", ("input", "evidence")),
    ]
    assert not found.same and found.answer == (run.answer, "it is ((about b) about b)")
    other = diff(run, agent.fork(run, plan=":evidence0: = look[a]\n:evidence9: = count[x]\nAnswer: :evidence9:"))
    kinds = {step.id: step.kind for step in other.steps}
    assert kinds == {
        "evidence0": "same",
        "evidence1": "only_a",
        "evidence2": "only_a",
        "evidence3": "only_a",
        "evidence9": "only_b",
    }
