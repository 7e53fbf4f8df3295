"""A layered drawing of boxes and arrows as one SVG text, without styles or scripts from anywhere.

Boxes of one depth stand side by side, from left to right in the order that keeps arrows short: each layer is put in
the order of the mean place of what its boxes need. Arrows run from the foot of a box to the head of the one that
needs it; one that passes other layers has a place of its own in each, so that it crosses no box.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Box", "svg"]

_CHARACTER = 7.3  # pixels of one cell of the monospaced text
_LINE_HEIGHT = 17
_PADDING = 10
_GAP_ACROSS = 28
_GAP_DOWN = 46
_MARGIN = 12
_ARROW_WIDTH = 10
_MOST_PASSING = 4_000  # slots kept free for arrows that pass a layer


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its lines of text, the ids of the boxes it needs, its layer from 0, and whether it is drawn strong."""

    id: str
    lines: tuple[str, ...]
    needs: tuple[str, ...]
    layer: int
    strong: bool = False

    @property
    def width(self) -> float:
        """In pixels."""
        return max(_cells(line) for line in self.lines) * _CHARACTER + 2 * _PADDING

    @property
    def height(self) -> float:
        """In pixels."""
        return len(self.lines) * _LINE_HEIGHT + _PADDING


@dataclass(slots=True)
class _Slot:
    """A place in a layer: of a box, or of an arrow that passes the layer (then ``box`` is None)."""

    key: str
    needs: tuple[str, ...]
    box: Box | None = None
    x: float = 0.0
    top: float = 0.0
    bottom: float = 0.0

    @property
    def width(self) -> float:
        return self.box.width if self.box else _ARROW_WIDTH

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def svg(boxes: Sequence[Box]) -> str:
    """The drawing."""
    layers, ways = _layered(boxes)
    width, height = _placed(layers)
    slots = {slot.key: slot for layer in layers for slot in layer}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="plan">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
    ]
    parts += [_arrow([slots[key] for key in way]) for way in ways]
    parts += [_drawn(box, slots[box.id]) for box in boxes]
    return "".join([*parts, "</svg>"])


def _layered(boxes: Sequence[Box]) -> tuple[list[list[_Slot]], list[list[str]]]:
    """The layers, each in drawing order, and for each arrow the keys of the slots it runs through."""
    by_id = {box.id: box for box in boxes}
    layers: list[list[_Slot]] = [[] for _ in range(max((box.layer for box in boxes), default=-1) + 1)]
    room = _MOST_PASSING
    ways: list[list[str]] = []
    for box in boxes:
        before: list[str] = []
        for other in box.needs:
            way = [other]
            between = range(by_id[other].layer + 1, box.layer)
            if len(between) <= room:  # else it runs straight: a huge drawing must not grow with the square
                room -= len(between)
                for layer in between:
                    slot = _Slot(f"{other}>{box.id}@{layer}", (way[-1],))
                    layers[layer].append(slot)
                    way.append(slot.key)
            before.append(way[-1])
            ways.append([*way, box.id])
        layers[box.layer].append(_Slot(box.id, tuple(before), box))
    layers = [layer for layer in layers if layer]
    place: dict[str, float] = {}
    for layer_slots in layers:
        layer_slots.sort(key=lambda slot: _mean_place(slot, place))
        place.update({slot.key: (at + 0.5) / len(layer_slots) for at, slot in enumerate(layer_slots)})
    return layers, ways


def _mean_place(slot: _Slot, place: Mapping[str, float]) -> float:
    known = [place[other] for other in slot.needs if other in place]
    return sum(known) / len(known) if known else 0.5


def _placed(layers: list[list[_Slot]]) -> tuple[float, float]:
    """Give each slot its place; the width and height of the whole."""
    widths = [sum(slot.width + _GAP_ACROSS for slot in layer) - _GAP_ACROSS for layer in layers]
    total = max(widths, default=0.0)
    y = float(_MARGIN)
    for layer, width in zip(layers, widths, strict=True):
        x = _MARGIN + (total - width) / 2
        deepest = max((slot.box.height for slot in layer if slot.box), default=0.0)
        for slot in layer:
            slot.x, slot.top = x, y
            slot.bottom = y + (slot.box.height if slot.box else deepest)
            x += slot.width + _GAP_ACROSS
        y += deepest + _GAP_DOWN
    return total + 2 * _MARGIN, y - (_GAP_DOWN if layers else 0) + _MARGIN


def _arrow(way: list[_Slot]) -> str:
    """An arrow through its slots: a bend between two layers, straight through a layer."""
    strong = len(way) == 2 and all(slot.box is not None and slot.box.strong for slot in way)
    path = f"M{way[0].middle:.1f} {way[0].bottom:.1f}"
    for start, end in pairwise(way):
        bend = (end.top - start.bottom) / 2
        path += (
            f"C{start.middle:.1f} {start.bottom + bend:.1f} {end.middle:.1f} {end.top - bend:.1f} "
            f"{end.middle:.1f} {end.top:.1f}"
        )
        if end.box is None:
            path += f"V{end.bottom:.1f}"
    colour, width = ("#333", 1.6) if strong else ("#888", 1.1)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" marker-end="url(#tip)"/>'


def _drawn(box: Box, at: _Slot) -> str:
    stroke = 'stroke="#333" stroke-width="1.6"' if box.strong else 'stroke="#888"'
    lines = "".join(
        f'<text x="{at.x + _PADDING:.1f}" y="{at.top + _PADDING / 2 + (number + 0.75) * _LINE_HEIGHT:.1f}" '
        f'xml:space="preserve"{_weight(number)}>{html.escape(_drawable(line))}</text>'
        for number, line in enumerate(box.lines)
    )
    return (
        f'<g font-family="monospace" font-size="12" fill="#111"><rect x="{at.x:.1f}" y="{at.top:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="5" fill="#f7f7f5" {stroke}/>{lines}</g>'
    )


def _weight(number: int) -> str:
    return ' font-weight="bold"' if number == 0 else ""


def _drawable(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    forbidden = ("Cs", "Cn", "Cc")
    return "".join("\ufffd" if unicodedata.category(one) in forbidden else one for one in text)


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
