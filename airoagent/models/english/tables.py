"""Answers from a table row: the cell under the header that names what is asked, or the one of the fitting sort."""

from __future__ import annotations

import re

from airoagent.models.english.amounts import dates, numbers
from airoagent.models.english.fitting import NAMED, WORKS
from airoagent.models.english.names import names, unlike_person
from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.shapes import Sight
from airoagent.models.english.spans import Line, line_of
from airoagent.models.english.words import AUXILIARIES, STOPWORDS, groups_of, stem, stems

__all__ = ["judge_row"]


def _beside(sight: Sight, cell: str) -> str:
    """What stands with the question's own words in one cell: "Ada Byron" in "Ada Byron, The Notes"."""
    pieces = [p for p in re.split(r", | \(|\)|; | – ", cell) if p.strip()]
    known = [p for p in pieces if stems(p) and set(stems(p)) <= sight.asked]
    others = [p.strip() for p in pieces if p not in known]
    return others[0] if known and len(others) == 1 and sight.question.kind in ("person", "noun", "thing") else ""


def judge_row(sight: Sight, sentence: Sentence, relation: float) -> list[tuple[str, float]]:
    """The cells of a row that could answer, with their points.

    ``relation`` is how much of the question's words the row and its surroundings account for (0 to 1).
    """
    judged: list[tuple[str, float]] = []
    shift = 1 if len(sentence.header) == len(sentence.cells) - 1 else 0
    asked_columns = [
        n + shift for n, head in enumerate(sentence.header) if set(stems(head)) & set(sight.question.names)
    ]
    near = {other for term in sight.asked for other in (term, *groups_of(term))}
    keyed = any(cell and set(stems(cell)) and set(stems(cell)) <= set(sight.question.terms) for cell in sentence.cells)
    labelled = bool(set(stems(sentence.cells[0])) & near)
    for number, cell in enumerate(sentence.cells):
        line = line_of(cell)
        inner = [s for s, w in zip(line.stems, line.lower, strict=True) if w not in STOPWORDS]
        if not inner or all(s in sight.asked for s in inner):
            continue
        rest = _beside(sight, cell)
        if rest:
            judged.append((rest, 1.3))
            continue
        head = sentence.header[number - shift] if shift <= number < len(sentence.header) + shift else ""
        points = _cell_fit(line, head, sight.question) + (min(1.2 * relation, 0.6) if keyed else 0.0)
        if asked_columns:
            points += (1.0 if number in asked_columns else -0.6) - (0.0 if labelled else 1.2)
        if points > -0.5:
            judged.append((cell, points))
    return judged


_COLUMNS: dict[str, str] = {
    "person": "name laureate winner author architect designer who person player king ruler inventor director artist",
    "place": "place location where country city venue site",
    "date": "date year when opened born died",
    "year": "year date when",
}


def _cell_fit(line: Line, head: str, question: Question) -> float:
    heads = {stem(w) for w in head.lower().split()}
    points = 0.3  # a cell is short and apart: a likely answer
    wanted = {question.target, *groups_of(question.target)} if question.target else set()
    if heads & (wanted - {""}):
        points += 0.7
    elif heads & {stem(w) for w in _COLUMNS.get(question.kind, "").split()}:
        points += 0.5
    elif heads & set(question.terms):
        points += 0.3
    has_number = any(t[0].isdigit() for t in line.tokens)
    named = any(True for _ in names(line))
    if question.kind in ("person", "place"):
        points += (
            0.4
            if named
            and not has_number
            and not (question.kind == "person" and unlike_person(line, line.span(0, len(line.tokens) - 1, "")))
            else -0.6
        )
    elif question.kind in ("date", "year"):
        points += 0.4 if any(True for _ in dates(line)) else -1.0
    elif question.kind in ("count", "measure"):
        # A unit decides; without one the header or the row's label has to say what the number is.
        sorts = {span.sort for span in numbers(line, question.unit)}
        told = "unit" in sorts or (points > 0.3 and sorts) or (sorts & {"number"} and question.unit in ("", "length"))
        points += 0.4 if told else -1.5
    elif question.target in NAMED or question.target in WORKS:
        points += 0.2 if named else -0.3
    elif has_number and question.kind == "noun":
        points -= 0.8
    return points if any(w not in AUXILIARIES for w in line.lower) else -1.0
