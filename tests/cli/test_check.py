"""`airo plan --check`: a linter for plans, and their pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Airo

LAKES = str(REPO / "plans" / "compare-two-lakes.plan")
SLOPPY = "Sure! Here is the plan:\n#E1 = echo['one']\n# E2 = Echo[#E1]\n"
BROKEN = "Plan: look\n:evidence0: = echo[:evidence3:]\n:evidence1: = nothing_like_it[x]\nAnswer: :evidence0:\n"


@pytest.fixture
def check(airo: Airo, tools: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    def call(text: str, *args: str):  # type: ignore[no-untyped-def]
        file = tmp_path / "x.plan"
        file.write_text(text, encoding="utf-8")
        return airo("plan", "--tools", tools, "--check", str(file), *args)

    return call


def test_a_clean_plan_has_nothing_to_repair(airo: Airo) -> None:
    result = airo("plan", "--check", LAKES)
    assert (result.code, result.err) == (0, "") and "4 steps, nothing to repair" in result.out


def test_repairs_are_told_with_line_column_and_caret_and_fix_prints_the_canonical_text(check) -> None:  # type: ignore[no-untyped-def]
    told = check(SLOPPY)
    assert told.code == 0 and "x.plan:2:" in told.out and "^" in told.out
    fixed = check(SLOPPY, "--fix")
    assert fixed.out == ":evidence1: = echo[one]\n:evidence2: = echo[:evidence1:]\n" and "x.plan:2:" in fixed.err
    assert check(fixed.out, "--fix").out == fixed.out


def test_every_error_of_a_plan_is_told_and_the_exit_code_is_4(check) -> None:  # type: ignore[no-untyped-def]
    result = check(BROKEN)
    assert result.code == 4 and "x.plan:2:" in result.out and "x.plan:3:" in result.out and "hint: " in result.err
    record = json.loads(check(BROKEN, "--json").out)
    assert record["usable"] is False and record["plan"] is None
    assert {found["kind"] for found in record["findings"]} >= {"undefined_reference", "unknown_tool"}


def test_a_plan_is_drawn_in_every_form(airo: Airo) -> None:
    assert "flowchart" in airo("plan", "--check", LAKES, "--format", "mermaid").out
    assert "digraph" in airo("plan", "--check", LAKES, "--format", "dot").out
    assert "evidence3" in airo("plan", "--check", LAKES, "--format", "text").out
    wrong = airo("plan", "--check", LAKES, "--format", "crayon")
    assert wrong.code == 2 and "crayon" in wrong.err


def test_the_plan_for_a_question_is_drawn_too(airo: Airo) -> None:
    result = airo(
        "plan", "--docs", str(REPO / "examples" / "library"), "--format", "mermaid", "How deep is Lake Baikal?"
    )
    assert result.code == 0 and result.out.startswith("flowchart")
