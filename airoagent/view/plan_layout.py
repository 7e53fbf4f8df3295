"""Where the boxes and lines of a plan's picture stand: layers by longest path, boxes ordered by where their neighbours
are, long lines led around the boxes between. The page and the report draw what is laid out here."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references

HIGH = 46  # of a box, in pixels
_NARROW = 120.0  # a box has at least this width
_GAP, _LANE = 14, 8  # between two boxes; the width that a line takes among them
_MOST, _MOST_PLACES = 500, 20_000  # steps that are drawn; places of boxes and of lines among boxes


@frozen
class Box:
    """A step, or the answer (id ""), by its upper left corner."""

    id: str
    x: float
    y: float
    wide: float


@frozen
class Line:
    """What one box needs of another: an SVG path, and that of its tip."""

    start: str
    end: str
    path: str
    tip: str


@frozen
class Drawing:
    """A picture, in pixels."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


@dataclass(slots=True, eq=False)
class _Place:
    """A box, or (id None) where a line passes between boxes."""

    id: str | None
    row: int
    wide: float
    x: float = 0.0  # of the middle
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)


def lay_out(plan: Plan, room: float, widest: float) -> Drawing | None:
    """The picture of a plan, also of one that is still being written, with boxes that fit the room if they can.

    None where there is nothing to draw, or too much.
    """
    known = {step.id for step in plan.steps}
    needs = {step.id: [id for id in references(step.template) if id in known] for step in plan.steps}
    if last := [id for id in references(plan.final_template) if id in known]:
        needs[""] = last
    row: dict[str, int] = {}
    try:
        for id in TopologicalSorter(needs).static_order():
            row[id] = 1 + max((row[other] for other in needs[id]), default=-1)
    except CycleError:  # a plan put together by hand may have one
        return None
    spans = sum(row[id] - row[other] for id, others in needs.items() for other in others)
    if not 0 < len(needs) <= _MOST or spans > _MOST_PLACES:
        return None
    rows: list[list[_Place]] = [[] for _ in range(1 + max(row.values()))]
    most = max(list(row.values()).count(at) for at in range(len(rows)))
    wide = max(_NARROW, min(widest, (room - (most - 1) * _GAP) / most))

    def place(id: str | None, at: int, wide: float) -> _Place:
        rows[at].append(made := _Place(id, at, wide))
        return made

    boxes = {id: place(id, row[id], wide) for id in needs}
    edges = []
    for id, others in needs.items():
        for other in others:
            between = [place(None, at, _LANE) for at in range(row[other] + 1, row[id])]
            points = [boxes[other], *between, boxes[id]]
            for one, next_one in itertools.pairwise(points):
                one.below.append(next_one)
                next_one.above.append(one)
            edges.append((other, id, points))
    _settle(rows)
    return _drawing(rows, edges)


def _settle(rows: list[list[_Place]]) -> None:
    """Order each row by where its neighbours are, down and up again, and keep its places apart."""
    for row in rows:
        x = -sum(one.wide + _GAP for one in row) / 2
        for one in row:
            one.x = x + one.wide / 2
            x += one.wide + _GAP
    for turn in range(8):
        for row in reversed(rows) if turn % 2 else rows:
            wishes = {}
            for one in row:
                near = one.below if turn % 2 else one.above
                wishes[one] = sum(other.x for other in near) / len(near) if near else one.x
            if turn < 6:
                row.sort(key=wishes.__getitem__)
            for before, one in zip([None, *row], row, strict=False):
                least = wishes[one] if before is None else before.x + (one.wide + before.wide) / 2 + _GAP
                one.x = max(wishes[one], least)
            shift = sum(wishes[one] - one.x for one in row) / len(row)
            for one in row:
                one.x += shift


def _drawing(rows: list[list[_Place]], edges: list[tuple[str, str, list[_Place]]]) -> Drawing:
    places = [one for row in rows for one in row]
    left = min(one.x - one.wide / 2 for one in places) - 4
    pitch = HIGH + (22 if len(rows) > 9 else 30)
    lines = []
    for start, end, points in edges:
        path = f"M{points[0].x - left:.1f} {points[0].row * pitch + HIGH}"
        for a, b in itertools.pairwise(points):
            ax, bx = f"{a.x - left:.1f}", f"{b.x - left:.1f}"
            top, end_y = a.row * pitch + HIGH, b.row * pitch - (6 if b is points[-1] else 0)
            bend = round((end_y - top) * 0.6)
            path += f"C{ax} {top + bend} {bx} {end_y - bend} {bx} {end_y}" + ("" if b is points[-1] else f"v{HIGH}")
        tip = f"M{points[-1].x - left - 4:.1f} {points[-1].row * pitch - 7}h8l-4 6z"
        lines.append(Line(start, end, path, tip))
    boxes = tuple(
        Box(one.id, round(one.x - one.wide / 2 - left, 1), one.row * pitch, round(one.wide, 1))
        for one in places
        if one.id is not None
    )
    width = max(one.x + one.wide / 2 for one in places) + 4 - left
    return Drawing(boxes, tuple(lines), round(width, 1), (len(rows) - 1) * pitch + HIGH + 4)
