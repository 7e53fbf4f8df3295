"""Pictures of plans."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from airoagent.errors import PlanError, UsageError
from airoagent.plan.drawing import FORMS, draw_plan
from airoagent.plan.parser import parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from tests.plan.plan_texts import plans

PLAN = parse_plan(
    "#E1 = Search[otters]\n#E2 = Search[beavers]\n#E3 = QA[compare #E1 and #E2]\n#E4 = QA[shorten #E3, #E1]\n"
    "Answer: #E4",
    ["Search", "QA"],
)
NASTY = Plan((Step("evidence0", "", "T", ('a"b]<script>&amp; --> | \\n %% end\x1b[31m\u202e{}`$',)),))


def test_mermaid() -> None:
    assert draw_plan(PLAN, "mermaid") == (
        "flowchart TD\n"
        '    evidence1["evidence1  Search<br>otters"]\n'
        '    evidence2["evidence2  Search<br>beavers"]\n'
        '    evidence3["evidence3  QA<br>compare #58;evidence1#58; and #58;evidence2#58;"]\n'
        '    evidence4["evidence4  QA<br>shorten #58;evidence3#58;, #58;evidence1#58;"]\n'
        "    evidence1 --> evidence3\n    evidence2 --> evidence3\n"
        "    evidence3 --> evidence4\n    evidence1 --> evidence4\n"
        '    answer(["Answer"])\n    evidence4 --> answer\n'
    )


def test_dot() -> None:
    picture = draw_plan(PLAN, "dot")
    assert 'evidence1 [label="evidence1  Search\\notters"];' in picture
    assert "evidence3 -> evidence4;" in picture
    assert picture.startswith("digraph plan {") and picture.endswith("}\n")


def test_text() -> None:
    assert draw_plan(PLAN, "text").splitlines() == [
        "evidence1  Search  otters",
        "evidence2  Search  beavers",
        "evidence3  QA      compare :evidence1: and :evidence2:  <- evidence1, evidence2",
        "evidence4  QA      shorten :evidence3:, :evidence1:     <- evidence3, evidence1",
        "answer     <- evidence4",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_model_text_is_only_text_in_a_picture(form: str) -> None:
    picture = draw_plan(NASTY, form)  # type: ignore[arg-type]
    assert "\x1b" not in picture and "\u202e" not in picture
    assert "<script" not in picture or form in ("text", "dot")
    if form == "mermaid":
        assert picture.count('"') == 4  # those of the box and of the answer
        assert "-->" not in picture.split("\n")[1]
    if form == "dot":
        assert re.search(r'label="(?:[^"\\]|\\.)*"\];', picture)


@given(plans())
def test_every_plan_can_be_drawn(plan: Plan) -> None:
    for form in FORMS:
        assert draw_plan(plan, form)


def test_a_plan_shows_itself_in_a_notebook() -> None:
    shown = PLAN._repr_mimebundle_()
    assert shown["text/plain"] == PLAN.to_text()
    assert shown["text/html"].startswith("<pre>") and "otters" in shown["text/html"]
    assert "<script" not in NASTY._repr_mimebundle_()["text/html"]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError):
        draw_plan(PLAN, "png")  # type: ignore[arg-type]
    with pytest.raises(PlanError):
        draw_plan(Plan((Step("evidence0", "", "T", (Ref("evidence0"),)),)), "mermaid")


def test_a_huge_plan_is_drawn_in_proportion() -> None:
    def size(count: int) -> int:
        steps = [Step("evidence0", "", "T", ())]
        steps += [
            Step(f"evidence{at}", "", "T", (Ref("evidence0"), Ref(f"evidence{at - 1}"))) for at in range(1, count)
        ]
        return len(draw_plan(Plan(tuple(steps)), "mermaid"))

    assert size(1_600) < 6 * size(400)
