"""What must hold for every text: no crash, no dependence on cuts, and texts that read back."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airoagent.errors import Diagnostic, PlanError
from airoagent.plan.json_steps import json_line
from airoagent.plan.parser import PlanParser, parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from tests.plan.plan_texts import TOOLS, any_text, cuts, nearly_clean, plan_shaped, plans

ABOUT_THE_PLAN = {"unused_evidence", "no_evidence", "forward_reference", "no_answer", "answer_text"}
"""Findings that are true of a plan however it is written."""

Outcome = tuple[tuple[Step, ...], tuple[int, ...], Plan | None, tuple[Diagnostic, ...], str]


def outcome(chunks: list[str], truncated: bool = False) -> Outcome:
    """Everything a reading gives: steps fed out with their lines, the plan or the kind of error, the findings."""
    parser = PlanParser(TOOLS)
    fed = tuple(step for chunk in chunks for step in parser.feed(chunk))
    lines = tuple(step.line for step in fed)
    try:
        plan = parser.finish(truncated)
    except PlanError as error:
        return fed, lines, None, error.diagnostics, f"{error.kind} {error.text}"
    return fed, lines, plan, plan.diagnostics, ""


def check_never_crashes(text: str) -> None:
    fed, _, plan, diagnostics, error = outcome([text])
    if plan is None:
        assert any(not one.repair for one in diagnostics)
        assert error.endswith(text)
    else:
        assert plan.steps[: len(fed)] == fed
        assert all(one.repair for one in diagnostics)
        known = {step.id for step in plan.steps}
        assert all(needed in known for step in plan.steps for needed in step.depends_on)


def check_cuts_do_not_matter(text: str, chunks: list[str], truncated: bool) -> None:
    whole = outcome([text], truncated=truncated)
    assert outcome(chunks, truncated=truncated) == whole
    assert outcome(list(text), truncated=truncated) == whole


def check_reads_back(plan: Plan) -> None:
    text = plan.to_text()
    again = parse_plan(text, TOOLS)
    assert again == plan
    assert {one.kind for one in again.diagnostics} <= ABOUT_THE_PLAN
    assert again.to_text() == text


def check_round_trip(text: str) -> None:
    try:
        plan = parse_plan(text, TOOLS)
    except PlanError:
        return
    check_reads_back(plan)


@given(any_text())
def test_only_plan_errors_come_out(text: str) -> None:
    check_never_crashes(text)


@given(plan_shaped())
def test_only_plan_errors_come_out_of_plan_shaped_text(text: str) -> None:
    check_never_crashes(text)


@given(st.data())
def test_the_same_comes_out_however_the_text_is_cut(data: st.DataObject) -> None:
    text = data.draw(st.one_of(plan_shaped(), any_text(), nearly_clean()))
    check_cuts_do_not_matter(text, data.draw(cuts(text)), data.draw(st.booleans()))


@given(st.one_of(plan_shaped(), any_text()))
def test_what_was_read_is_written_so_that_it_reads_back(text: str) -> None:
    check_round_trip(text)


def as_objects(plan: Plan) -> str:
    lines = [json_line(id=step.id, thought=step.thought, tool=step.tool, input=step.input) for step in plan.steps]
    return "[" + ",\n".join(lines) + "]\n" + (f"Answer: {plan.answer}" if plan.answer else "")


@given(plans())
def test_a_plan_with_any_text_in_it_reads_back(plan: Plan) -> None:
    check_round_trip(as_objects(plan))


EXAMPLES = int(os.environ.get("AIRO_EXAMPLES", "20000"))
LONG = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@LONG
@given(st.data())
def test_a_long_search_finds_nothing(data: st.DataObject) -> None:
    text = data.draw(st.one_of(plan_shaped(60), any_text(), nearly_clean(), plans().map(as_objects)))
    check_never_crashes(text)
    check_cuts_do_not_matter(text, data.draw(cuts(text)), data.draw(st.booleans()))
    check_round_trip(text)
