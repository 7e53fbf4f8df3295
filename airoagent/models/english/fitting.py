"""How well a span fits what a question asks for: points for its sort, none for the question's own words."""

from __future__ import annotations

from airoagent.models.english.amounts import times
from airoagent.models.english.names import unlike_person
from airoagent.models.english.shapes import Sight
from airoagent.models.english.spans import Span
from airoagent.models.english.words import (
    DETERMINERS,
    LINKS,
    MONTHS,
    PLACE_PREPOSITIONS,
    PREPOSITIONS,
    STOPWORDS,
    UNITS,
    groups_of,
    stem_set,
)

__all__ = ["NAMED", "WORKS", "points_of"]

WORKS = stem_set(
    "book novel poem film movie play song album painting opera work collection title essay story series magazine "
    "newspaper"
)
NAMED = stem_set(
    "country city town state continent river lake mountain island ship building bridge university company museum "
    "sea ocean planet moon place language award prize organisation organization war village street tower capital "
    "region nation team school bank newspaper agency club party hospital hotel church cathedral palace station port "
    "airport festival desert forest canal dam road brand laboratory institute cheese spacecraft rocket programme "
    "element"
)
_JOBS = stem_set("job occupation profession trade career")
_MEASURED = tuple(UNITS[unit] for unit in ("length", "weight", "time", "money", "area", "volume", "data"))
_DIMENSIONS = stem_set("tall high height long length deep depth wide width across diameter far distance thick")


def points_of(sight: Sight, span: Span) -> float | None:
    """Points of a span without its sentence's coverage; None where it is no answer at all."""
    inner = [sight.line.stems[i] for i in range(span.first, span.last + 1) if sight.line.lower[i] not in STOPWORDS]
    if not inner:
        return None
    old = sum(1 for s in inner if s in sight.asked)
    if old == len(inner) and span.sort != "clause" and sight.line.lower[span.first] != "no":
        return None
    if _wrong_sort(sight, span):
        return None
    points = 0.8 * sight.near(span) + 0.45 * span.fit - 0.45 * old / len(inner)
    return points + 1.1 * _by_kind(sight, span) + 0.65 * sight.shape(span)


def _wrong_sort(sight: Sight, span: Span) -> bool:
    """Whether the span cannot be what is asked: a year for a weight, a date for a thing."""
    question = sight.question
    if question.kind == "measure":
        needs_unit = question.unit and question.unit not in ("length", "area", "volume", "data")
        if span.sort == "other" and _dimension_after(sight, span) > 0:
            return False
        return span.sort in ("year", "other") or bool(needs_unit and span.sort != "unit")
    if question.kind == "count":
        return span.sort == "year" and _counted(sight, span) <= 0
    return question.kind in ("noun", "thing", "place") and span.sort in ("phrase", "name") and _is_dated(sight, span)


def _is_dated(sight: Sight, span: Span) -> bool:
    """Whether a phrase is only a date or an hour: "4 July 1934", "Tuesday"."""
    if any(time.start <= span.start and span.end <= time.end for time in times(sight.line)):
        return True
    return all(w in MONTHS or w[0].isdigit() or w in DETERMINERS for w in sight.line.lower[span.first : span.last + 1])


def _by_kind(sight: Sight, span: Span) -> float:
    kind, line = sight.question.kind, sight.line
    question_of_length = sight.question.unit == "length"
    if span.sort == "names":
        return 0.4 if sight.question.several else 0.15
    if kind == "measure" and sight.question.unit == "length" and _other_dimension(sight):
        return -2.0
    if kind == "measure" and question_of_length and (after := _dimension_after(sight, span)):
        return after
    if kind == "measure" and span.sort != "unit" and sight.question.unit:
        return -0.4
    if kind == "person":
        return -0.35 if unlike_person(line, span) else 0.15 if span.sort == "name" and span.last > span.first else 0.0
    if kind == "date":
        return 0.0 if span.sort in ("full", "month", "day") else -0.1
    if kind == "year":
        return 0.3 if span.sort in ("year", "full", "month", "era") else -0.3
    if kind == "place":
        before = line.lower[span.first - 1] if span.first else ""
        placed = 0.45 if before in PLACE_PREPOSITIONS else 0.0
        dated = any(c.isdigit() for c in line.text[span.start : span.end])
        return placed + (0.2 if span.sort == "name" else -0.15) - (0.6 if dated else 0.0)
    if kind == "count":
        return _counted(sight, span)
    if kind == "noun":
        return _of_sort(sight, span)
    if kind == "reason" and line.lower[span.first : span.first + 2] in (("the", "reason"), ("the", "cause")):
        return 1.4  # none of the words asked need stand in it
    return 0.0


def _other_dimension(sight: Sight) -> bool:
    """Whether the sentence gives a length where a height was asked for."""
    near = groups_of(sight.question.target) | {sight.question.target}
    return not near & set(sight.line.stems) and bool(_DIMENSIONS & set(sight.line.stems))


def _dimension_after(sight: Sight, span: Span) -> float:
    """Points for "76 wide" where the width is asked for, against where the height is; 0 where no such word follows."""
    after = sight.line.stems[span.last + 1] if span.last + 1 < len(sight.line.stems) else ""
    if after not in _DIMENSIONS or not sight.line.between(span.last).isspace():
        return 0.0
    target = sight.question.target
    return 0.1 if after == target or after in groups_of(target) else -0.6


def _counted(sight: Sight, span: Span) -> float:
    line, target = sight.line, sight.question.target
    near = groups_of(target)
    for index in range(span.last + 1, min(span.last + 5, len(line.tokens))):
        if line.lower[index] in DETERMINERS | PREPOSITIONS - {"of"} and line.lower[index - 1] != "of":
            break
        if line.stems[index] == target or line.stems[index] in near:
            return 0.7 if line.stems[index] == target else 0.45
        if span.sort == "year":
            break
    inside = {line.stems[i] for i in range(span.first, span.last + 1)}
    if (
        span.first
        and line.tokens[span.first - 1][0].isupper()
        and line.between(span.first - 1) == " "
        and span.first > 1
    ):
        return -0.6  # "Apollo 11", "Element 96": a label, no count
    before = line.stems[span.first - 1] if span.first else ""
    if target in inside or (before == target and before == "numb"):
        return 0.7
    return (
        -0.8 if span.sort == "unit" or any(u & set(line.lower[span.first : span.last + 2]) for u in _MEASURED) else 0.0
    )


def _of_sort(sight: Sight, span: Span) -> float:
    target = sight.question.target
    inside = [sight.line.stems[i] for i in range(span.first, span.last + 1)]
    points = 0.0
    near = groups_of(target)
    if target in inside and len(inside) > 1:
        # "Lake Baikal" answers "which lake"; "a deep lake" says no more than the question.
        at = inside.index(target) + span.first
        points += 0.6 if sight.line.tokens[at][0].isupper() and target in NAMED else 0.05 if target in NAMED else 0.35
    elif any(i in near for i in inside):
        points += 0.3
    if target in _JOBS and span.first and sight.line.lower[span.first] in ("a", "an"):
        points += (
            0.7 if sight.line.between(span.first - 1) == ", " or sight.line.lower[span.first - 1] in LINKS else 0.0
        )
    if target in WORKS:
        points += 0.4 if span.sort in ("quoted", "title") else 0.3 if span.sort == "name" else -0.1
        points -= 0.5 if span.sort == "name" and unlike_person(sight.line, span) else 0.0
    elif target in NAMED:
        points += 0.3 if span.sort == "name" else -0.25
    return points
