"""Texts that break the plan executors we know of, each with what it means here."""

from __future__ import annotations

import pytest

from airoagent.errors import PlanError
from airoagent.events import Evidence
from airoagent.plan.evidence import fill_text
from airoagent.plan.parser import parse_plan

TOOLS = ("Search", "LLM", "Wiki", "math", "Web-Search")

# (text, inputs by step, the answer's or last step's id)
READ = {
    "a step of two digits is run": ("#E10 = Search[q]\nFinal answer: #E10", {"evidence10": "q"}),
    "an input of two lines is kept": ("#E1 = Search[one\ntwo]", {"evidence1": "one\ntwo"}),
    "a full stop after the bracket": ("#E1 = Search[x].", {"evidence1": "x"}),
    "a blank before the bracket": ("#E1 = Search [x]", {"evidence1": "x"}),
    "a tool in lower case": ("#E1 = search[x]", {"evidence1": "x"}),
    "a colon for the sign": ("#E1: Search[x]", {"evidence1": "x"}),
    "a lone # line": ("#E1 = Search[x]\n#E\nFinal answer: #E1", {"evidence1": "x"}),
    "the other dialect": (":evidence0: = Search[x]", {"evidence0": "x"}),
    "an indented step": ("  #E1 = Search[x]", {"evidence1": "x"}),
    "plan and step on one line": ("Plan: a #E1 = Search[x]", {"evidence1": "x"}),
    "two steps under one plan": (
        "Plan: a\n#E1 = Search[x]\n#E2 = Search[y]\nPlan: b\n#E3 = LLM[#E1 #E2]",
        {"evidence1": "x", "evidence2": "y", "evidence3": ":evidence1: :evidence2:"},
    ),
    "a call over two lines": (
        '1. Search("line one\nline two")\n2. LLM("given $1")\n3. join()',
        {"evidence1": "line one\nline two", "evidence2": "given :evidence1:"},
    ),
    "a gap in the numbers": (
        '1. Search("a")\n4. LLM("given $1")\njoin()',
        {"evidence1": "a", "evidence4": "given :evidence1:"},
    ),
    "two calls on one line": ('1. Search("a") and 2. Search("b")', {"evidence1": "a", "evidence2": "b"}),
    "money is no reference": (
        '1. Search("a")\n2. Search("it costs $1 million")\njoin()',
        {"evidence1": "a", "evidence2": "it costs $1 million"},
    ),
    "ten is not one": (
        "".join(f'{n}. Search("a")\n' for n in range(1, 11)) + '11. math("total $10 vs $1")',
        {**{f"evidence{n}": "a" for n in range(1, 11)}, "evidence11": "total :evidence10: vs :evidence1:"},
    ),
    "numbers from zero": ('0. Search("a")\n1. LLM("given $0")', {"evidence0": "a", "evidence1": "given :evidence0:"}),
    "a bracket in an input": (
        "#E1 = Search[a]\n#E2 = LLM[list a[0] of #E1]",
        {"evidence1": "a", "evidence2": "list a[0] of :evidence1:"},
    ),
    "a plan of two lines": ("Plan: first\nsecond\n#E1 = Search[x]", {"evidence1": "x"}),
    "a fence": ("```\nPlan: a\n#E1 = Search[x]\n```", {"evidence1": "x"}),
    "an empty input": ("#E1 = Search[]", {"evidence1": ""}),
    "plan in lower case": ("plan: a\n#E1 = Search[x]", {"evidence1": "x"}),
    "a hyphen in a tool's name": ("#E1 = Web-Search[x]", {"evidence1": "x"}),
    "everything on one line": (
        "Plan: a #E1 = Search[x] Plan: b #E2 = LLM[given #E1]",
        {"evidence1": "x", "evidence2": "given :evidence1:"},
    ),
    "#E1: before #Plan1:": ("#E1: Search[x]\n#Plan1: a\n#E2: LLM[#E1]", {"evidence1": "x", "evidence2": ":evidence1:"}),
    "#Plan1 without a colon": ("#Plan1 look it up\n#E1: Search[x]", {"evidence1": "x"}),
    "a call with a keyword": ('1. math(problem="solve context=3")', {"evidence1": "solve context=3"}),
    "JSON in a fence": (
        'Sure:\n```json\n[{"plan": "p", "evidence": {"placeholder": "#E1", "tool": "Search", "tool_input": "x"}}]\n```',
        {"evidence1": "x"},
    ),
    "JSON with a sloppy placeholder": (
        '[{"placeholder": "E1", "tool": "Search", "input": "x"}, {"placeholder": "E2", "tool": "LLM", "input": "#E1"}]',
        {"evidence1": "x", "evidence2": ":evidence1:"},
    ),
}

REFUSED = {
    "a bare #E1": ("#E1\n", "empty_plan"),
    "its own evidence": ("#E1 = Search[#E1]", "self_reference"),
    "evidence of no step": ("#E1 = Search[#E2]", "undefined_reference"),
    "a number twice": ("#E1 = Search[x]\n#E1 = Search[y]", "duplicate_id"),
    "a tool that is not there": ("#E1 = Nope[x]", "unknown_tool"),
    "no steps": ("I don't know.", "empty_plan"),
    "a plan that was cut": ("#E1 = Search[x]\n#E2 = LLM[giv", "truncated"),
    "JSON that was cut": ('[{"tool": "Search", "input": "x"}, {"tool": "LLM", "inp', "truncated"),
    "steps in a circle": ("#E1 = Search[#E2]\n#E2 = LLM[#E1]", "cycle"),
}


@pytest.mark.parametrize("name", READ)
def test_a_text_that_breaks_others_is_read(name: str) -> None:
    text, inputs = READ[name]
    assert {step.id: step.input for step in parse_plan(text, TOOLS).steps} == inputs


@pytest.mark.parametrize("name", REFUSED)
def test_a_text_that_hangs_or_misleads_others_is_refused(name: str) -> None:
    text, kind = REFUSED[name]
    with pytest.raises(PlanError) as caught:
        parse_plan(text, TOOLS)
    assert caught.value.kind == kind


def test_what_a_tool_found_cannot_bring_in_other_evidence() -> None:
    plan = parse_plan('1. Search("a")\n2. Search("b")\n3. LLM("given $1")\njoin()', TOOLS)
    evidence = {
        "evidence1": Evidence("evidence1", "Search", "see ${2} #E2 :evidence2:"),
        "evidence2": Evidence("evidence2", "Search", "!"),
    }
    assert fill_text(plan.steps[2].template, evidence) == "given see ${2} #E2 :evidence2:"
