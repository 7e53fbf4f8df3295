"""Forecasts: learned from runs on record, checked against what the runs took."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airoagent import Agent, ScriptedModel, parse_plan
from airoagent.models.catalog import open_model
from airoagent.recorded.forecast import Habits, forecast, learned
from airoagent.records.run_record import Run, read_trace
from tests.benchmarks.bench_forecast import compare
from tests.source import ROOT

TRACES = [Run.from_events(read_trace(file.read_text().splitlines())) for file in sorted(ROOT.glob("plans/*.jsonl"))]
MODEL = open_model("extractive")
TOOLS = ["DocumentSearch", "KnowledgeModel", "Mystery"]


@pytest.mark.parametrize("run", TRACES, ids=lambda run: run.question[:30])
def test_a_plan_of_the_repository_takes_what_its_own_record_foretells(run: Run) -> None:
    assert run.plan is not None
    found = forecast(run.plan, MODEL, learned([run], run.model))
    reader = run.account["reader"]
    assert len(found.steps) == len(run.evidence) and found.usage.calls == reader.calls
    taken = reader.prompt_tokens + reader.completion_tokens
    assert found.usage.prompt_tokens + found.usage.completion_tokens == pytest.approx(taken, rel=0.5)
    assert found.notes == ()


def test_the_documentation_has_the_errors_that_the_benchmark_prints(capsys: pytest.CaptureFixture[str]) -> None:
    compare(TRACES, MODEL)
    printed = re.findall(r"off by (\d+) %", capsys.readouterr().out)
    page = (ROOT / "docs/explanation/limits.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| the six plans of the repository |"))
    assert re.findall(r"(\d+) %", row) == printed


def test_the_slow_chain_decides_the_time() -> None:
    plan = parse_plan(
        ":evidence0: = DocumentSearch[a]\n:evidence1: = DocumentSearch[b]\n"
        ":evidence2: = KnowledgeModel[x, given :evidence1:]\nAnswer: :evidence2: :evidence0:",
        TOOLS,
    )
    found = forecast(plan, MODEL, learned(TRACES, "extractive"))
    assert found.critical_path == ("evidence1", "evidence2")
    seconds = {step.id: step.seconds for step in found.steps}
    assert found.seconds == pytest.approx(seconds["evidence1"] + seconds["evidence2"])
    assert found.money((1e6, 0)) == found.usage.prompt_tokens


def test_what_nothing_is_known_about_is_said() -> None:
    plan = parse_plan(":evidence0: = Mystery[a]\n:evidence1: = KnowledgeModel[x, given :evidence0:]", TOOLS)
    found = forecast(plan, ScriptedModel([]), Habits())
    assert found.model_calls == 1 and found.usage.prompt_tokens > 0
    told = " ".join(found.notes)
    assert "Mystery, KnowledgeModel" in told and "has not been asked" in told


def test_evidence_is_not_counted_beyond_the_window() -> None:
    plan = parse_plan(":evidence0: = DocumentSearch[a]\n:evidence1: = KnowledgeModel[x, given :evidence0:]", TOOLS)
    habits = learned(TRACES, "extractive")
    assert forecast(plan, ScriptedModel([], context_length=100), habits).usage.prompt_tokens <= 75
    assert forecast(plan, MODEL, habits).usage.prompt_tokens > 75


def test_a_plan_above_a_limit_is_not_run_where_nobody_can_be_asked(tmp_path: Path) -> None:
    from airoagent.cli.forecasts import asking_above

    agent = Agent(docs=[ROOT / "examples" / "library"], store=tmp_path / "runs.sqlite3")
    agent.session.check_plan = asking_above(agent, 10)
    run = agent.run("How deep is Lake Baikal?")
    assert run.failure is not None and run.failure.kind == "LimitReached" and not run.evidence
    agent.session.check_plan = asking_above(agent, 1_000_000)
    assert agent.run("How deep is Lake Baikal?").status == "done"
