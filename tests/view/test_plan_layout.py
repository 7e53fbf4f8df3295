"""The picture of a plan: where its boxes and lines stand."""

from __future__ import annotations

import itertools
import re

import pytest

from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.view.plan_layout import HIGH, Drawing, lay_out


def plan_of(needs: dict[str, list[str]], answer: list[str]) -> Plan:
    steps = tuple(Step(id, "", "tool", tuple(Ref(other) for other in others)) for id, others in needs.items())
    return Plan(steps, answer_template=tuple(Ref(id) for id in answer))


def drawn(needs: dict[str, list[str]], answer: list[str]) -> Drawing:
    drawing = lay_out(plan_of(needs, answer), 306, 156)
    assert drawing is not None
    return drawing


FAN = {**{f"e{n}": [] for n in range(9)}, "all": [f"e{n}" for n in range(9)]}
SHAPES = [
    ({"a": []}, ["a"]),
    ({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c", "a"]}, ["d", "a"]),
    (FAN, ["all", "e0"]),
    ({f"s{n}": [f"s{n - 1}"] if n else [] for n in range(40)}, ["s39", "s0"]),
]


@pytest.mark.parametrize(("needs", "answer"), SHAPES)
def test_every_step_stands_below_what_it_needs_and_boxes_keep_apart(
    needs: dict[str, list[str]], answer: list[str]
) -> None:
    drawing = drawn(needs, answer)
    at = {box.id: box for box in drawing.boxes}
    assert set(at) == {*needs, ""}
    edges = {(line.start, line.end) for line in drawing.lines}
    assert edges == {(other, id) for id, others in {**needs, "": answer}.items() for other in others}
    assert all(at[start].y + HIGH < at[end].y for start, end in edges)
    for a, b in itertools.combinations(drawing.boxes, 2):
        assert a.y != b.y or abs(a.x - b.x) >= a.wide + 10
    assert all(
        box.x >= 0 and box.x + box.wide <= drawing.width and box.y + HIGH <= drawing.height for box in at.values()
    )


def test_a_line_passes_beside_the_boxes_between_its_ends() -> None:
    drawing = drawn({"a": [], "b": ["a"], "c": ["b"]}, ["c", "a"])
    (long,) = [line for line in drawing.lines if (line.start, line.end) == ("a", "")]
    downwards = [float(x) for x in re.findall(r"([\d.]+) [\d.]+v", long.path)]
    boxes = [box for box in drawing.boxes if box.id in ("b", "c")]
    assert len(downwards) == len(boxes)
    assert all(not box.x <= x <= box.x + box.wide for x, box in zip(downwards, boxes, strict=True))


def test_a_plan_that_is_still_being_written_is_drawn_as_far_as_it_goes() -> None:
    drawing = drawn({"a": [], "b": ["a", "later"]}, ["later"])
    assert [box.id for box in drawing.boxes] == ["a", "b"] and len(drawing.lines) == 1


@pytest.mark.parametrize(
    "needs", [{}, {"a": ["b"], "b": ["a"]}, {"a": ["a"]}, {f"s{n}": [] for n in range(501)}], ids=len
)
def test_what_cannot_be_drawn_or_is_too_much_has_no_picture(needs: dict[str, list[str]]) -> None:
    assert lay_out(plan_of(needs, []), 306, 156) is None


def test_boxes_are_as_wide_as_the_room_allows_within_bounds() -> None:
    assert [drawn({f"e{n}": [] for n in range(many)}, []).boxes[0].wide for many in (1, 2, 9)] == [156, 146, 120]
