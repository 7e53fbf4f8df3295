"""Pictures of plans."""

from __future__ import annotations

import re
from xml.dom import minidom  # the pictures parsed here are our own

import pytest
from hypothesis import given

from airoagent.errors import PlanError, UsageError
from airoagent.language.draw import FORMS, draw_graph, draw_plan
from airoagent.language.graph import build_graph
from airoagent.language.parse import parse_plan
from airoagent.language.plan import Plan, Ref, Step
from tests.language.plan_texts import plans

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


def rectangles(picture: str) -> list[tuple[float, float, float, float]]:
    found = minidom.parseString(picture).getElementsByTagName("rect")
    return [tuple(float(one.getAttribute(name)) for name in ("x", "y", "width", "height")) for one in found]  # type: ignore[misc]


def test_svg_is_whole_and_no_boxes_touch() -> None:
    picture = draw_plan(PLAN, "svg")
    boxes = rectangles(picture)
    assert len(boxes) == 5
    for at, (x, y, width, height) in enumerate(boxes):
        for left, top, across, down in boxes[at + 1 :]:
            assert x + width < left or left + across < x or y + height < top or top + down < y


def test_a_long_arrow_crosses_no_box() -> None:
    chain = "#E1 = S[a]\n#E2 = S[#E1]\n#E3 = S[#E2]\n#E4 = S[#E3 #E1]\nAnswer: #E4"
    picture = draw_plan(parse_plan(chain, ["S"]), "svg")
    boxes = rectangles(picture)
    for path in re.findall(r'<path d="(M[^"]+)" fill="none"', picture):
        for x, top, bottom in re.findall(r" ([\d.]+) ([\d.]+)V([\d.]+)", path):
            assert not any(
                left <= float(x) <= left + width and y < float(bottom) and float(top) < y + height
                for left, y, width, height in boxes
            )


def test_nothing_is_fetched_by_a_picture() -> None:
    picture = draw_plan(PLAN, "svg")
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|url\((?!#)|@import|<script", picture)


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
    minidom.parseString(draw_plan(plan, "svg"))


def test_a_graph_draws_itself_and_a_plan_shows_itself_in_a_notebook() -> None:
    assert draw_graph(build_graph(PLAN), "text").startswith(
        "evidence1\nevidence2\nevidence3  <- evidence1, evidence2\n"
    )
    assert build_graph(PLAN)._repr_mimebundle_()["image/svg+xml"].startswith("<svg")
    shown = PLAN._repr_mimebundle_()
    assert shown["text/plain"] == PLAN.to_text()
    assert "<svg" in shown["text/html"]
    assert "<script" not in NASTY._repr_mimebundle_()["text/html"]
    assert set(Plan((Step("evidence0", "", "T", (Ref("evidence0"),)),))._repr_mimebundle_()) == {"text/plain"}


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError):
        draw_plan(PLAN, "png")  # type: ignore[arg-type]
    with pytest.raises(PlanError):
        draw_plan(Plan((Step("evidence0", "", "T", (Ref("evidence0"),)),)), "svg")


def test_a_huge_plan_is_drawn_in_proportion() -> None:
    def size(count: int) -> int:
        steps = [Step("evidence0", "", "T", ())]
        steps += [
            Step(f"evidence{at}", "", "T", (Ref("evidence0"), Ref(f"evidence{at - 1}"))) for at in range(1, count)
        ]
        return len(draw_plan(Plan(tuple(steps)), "svg"))

    assert size(1_600) < 6 * size(400)
