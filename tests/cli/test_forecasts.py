"""What a plan will take: `airo plan --forecast`, ``--dry-run``, ``--ask-above``; and what a run has taken."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from airoagent import Agent, LimitReached, ScriptedModel, tool
from airoagent.cli.forecasts import asking_above
from airoagent.plan.parser import parse_plan
from tests.cli.conftest import Airo

DOCS = ("--docs", "examples/library")
QUESTION = "How deep is Lake Baikal?"


def test_a_plan_comes_with_its_forecast(airo: Airo) -> None:
    told = airo("plan", "--forecast", *DOCS, QUESTION)
    assert told.code == 0 and "forecast" not in told.out and "tool calls   4" in told.err
    assert "nothing is on record about DocumentSearch" in told.err
    airo(QUESTION, *DOCS)
    again = airo("plan", "--check", "plans/danube.plan", "--forecast", "--json")
    found = json.loads(again.out)["forecast"]
    assert found["learned_from"] == 1 and found["notes"] == [] and found["money"] is None
    assert found["critical_path"][0] == "evidence0" and found["usage"]["prompt_tokens"] > 100


def test_a_dry_run_runs_and_records_nothing(airo: Airo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRO_PRICES", "other=1,extractive=1000000/0")
    told = airo("--dry-run", *DOCS, QUESTION)
    assert told.code == 0 and ":evidence0:" in told.err and "decided by evidence0 -> evidence1" in told.out
    found = json.loads(airo("run", "danube", "--dry-run", "--json").out)["forecast"]
    assert found["tool_calls"] == 5 and found["money"] == found["usage"]["prompt_tokens"]
    assert airo("runs").out == ""
    for price in ("extractive:1", "extractive=x", "extractive=nan", "extractive=1/inf", "extractive=-1"):
        monkeypatch.setenv("AIRO_PRICES", price)
        wrong = airo("run", "danube", "--dry-run")
        assert wrong.code == 2 and "is not NAME=READ/WRITTEN" in wrong.err


def test_a_plan_above_the_limit_is_not_run_without_a_terminal(airo: Airo) -> None:
    refused = airo(QUESTION, *DOCS, "--ask-above", "10")
    assert refused.code == 7 and "more than 10" in refused.err and refused.out == ""
    assert "not run" in airo("runs", "show", "@last").out
    assert airo(QUESTION, *DOCS, "--ask-above", "1000000").code == 0


def test_a_command_learns_from_the_record_once_however_many_plans_it_looks_at(tmp_path: Path) -> None:
    """A batch looks at thousands of plans, and its own runs come on record meanwhile."""

    @tool
    def fetch(text: str) -> str:
        """Fetches."""
        return "word " * 4000

    agent = Agent(ScriptedModel({"answer": ["It."]}), [fetch], store=tmp_path / "runs.sqlite3")
    text = ":evidence0: = fetch[x]\n:evidence1: = KnowledgeModel[What does :evidence0: say?]\nAnswer: :evidence1:"
    plan = parse_plan(text, agent.toolbox)
    check = asking_above(agent, 1000)
    asyncio.run(check(plan))
    assert agent.execute(plan).status == "done"
    asyncio.run(check(plan))
    with pytest.raises(LimitReached, match="more than 1,000"):
        asyncio.run(asking_above(agent, 1000)(plan))
    agent.close()


def test_a_run_says_what_planner_and_reader_took(airo: Airo) -> None:
    airo(QUESTION, *DOCS)
    run = json.loads(airo("runs", "show", "@last", "--json").out)
    planner, reader = run["account"]["planner"], run["account"]["reader"]
    assert run["usage"]["prompt_tokens"] == planner["prompt_tokens"] + reader["prompt_tokens"]
    line = f"(planner {planner['prompt_tokens']:,} + {planner['completion_tokens']:,}, reader "
    for verb in (("runs", "show"), ("why",)):
        assert line in airo(*verb, "@last").out.splitlines()[-1]
    assert json.loads(airo("why", "@last", "--json").out)["account"] == run["account"]
