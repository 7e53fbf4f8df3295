"""Which span of a sentence answers: every span of the sort asked for gets points, and so does its sentence.

Points are for fitting the question (`fitting`), for standing near its words and for shapes of sentence that tie an
answer to a verb or noun (`shapes`). Table rows are judged cell by cell (`tables`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airoagent.models.english.amounts import dates, fractions, numbers
from airoagent.models.english.fitting import WORKS, points_of
from airoagent.models.english.names import names, quoted, titles, together
from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Ranked, standing
from airoagent.models.english.shapes import Sight
from airoagent.models.english.spans import Line, Span, clauses, colours, line_of, noun_phrases
from airoagent.models.english.tables import judge_row
from airoagent.models.english.words import DETERMINERS, NEGATIONS, NUMBER_WORDS, groups_of, stems

__all__ = ["Judged", "Reading", "judge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A span that could answer: its text, its sentence's place, its points (the sentence's own included), and how
    firmly the sentence's shape ties it to what is asked (0: not at all)."""

    text: str
    place: int
    points: float
    tied: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence to judge: ``meant`` is who its "he" or "she" would be, ``common`` the words that the text also writes
    without a capital."""

    sentence: Sentence
    ranked: Ranked
    meant: str = ""
    common: frozenset[str] = frozenset()


def judge(reading: Reading, question: Question) -> list[Judged]:
    """The spans of one sentence that could answer, best first."""
    sentence, ranked = reading.sentence, reading.ranked
    line = line_of(sentence.text)
    if not line.tokens:
        return []
    sight = Sight(line, question, ranked.weights)
    if sentence.cells:
        found = [(text, points, 0.0) for text, points in judge_row(sight, sentence, ranked.relation)]
    else:
        found = list(_spans_judged(sight, reading))
        if reading.meant and question.kind == "person":
            found += [(reading.meant, points, 0.0) for points in _pronouns(sight, reading.meant) if points > 0]
        whole = sight.phrases() + sight.subject(sentence.heading)
        found = [(text, points + whole, tied) for text, points, tied in found]
    base = standing(ranked)
    judged = [Judged(text, ranked.place, points + base, tied) for text, points, tied in found]
    judged.sort(key=lambda j: -j.points)
    return judged


def _spans_judged(sight: Sight, reading: Reading) -> Iterator[tuple[str, float, float]]:
    line = sight.line
    for span in _spans(line, sight.question):
        points = points_of(sight, span)
        text = _text(line, span)
        if points is None or not text or line.lower[span.first] in NEGATIONS - {"no"}:
            continue
        if span.sort == "name" and span.first == span.last == 0:
            # A capital at the head of a sentence makes no name of a word that is written small elsewhere.
            points += -0.3 if line.lower[0] in reading.common else 0.1
        if reading.sentence.short and ":" not in line.text:
            points -= 1.0  # a heading says what follows, not what is asked
        yield text, points, sight.shape(span)


def _spans(line: Line, question: Question) -> Iterator[Span]:
    kind = question.kind
    if kind in ("date", "year"):
        yield from dates(line)
    elif kind in ("count", "measure"):
        yield from numbers(line, question.unit)
        if question.unit == "share":
            yield from fractions(line)
        if kind == "count":
            yield from _none(line, question.target)
    elif kind == "person":
        yield from names(line)
        yield from together(line)
        yield from (
            Span(s.start, s.end, s.first, s.last, s.sort, -0.2)
            for s in noun_phrases(line)
            if line.lower[s.first] in DETERMINERS | NUMBER_WORDS.keys() and s.last > s.first
        )
    elif kind == "place":
        yield from names(line)
        yield from noun_phrases(line)
    elif kind in ("reason", "manner"):
        yield from clauses(line, kind)
        yield from _around_verb(line, question)
    else:
        if question.target in ("color", "colour"):
            yield from colours(line)
            return
        yield from quoted(line)
        yield from names(line)
        if question.target in WORKS:
            yield from titles(line)
        if question.several:
            yield from together(line)
        yield from noun_phrases(line)
        if kind == "thing":
            yield from (Span(s.start, s.end, s.first, s.last, s.sort, 0.5) for s in numbers(line))


def _around_verb(line: Line, question: Question) -> Iterator[Span]:
    """The part of the sentence around the question's verb, where nothing says "because" or "by": "he was shot at X"."""
    near = groups_of(question.verb)
    for index, root in enumerate(line.stems):
        if question.verb and (root == question.verb or root in near):
            first = last = index
            while (
                first > 0 and line.barrier[first] - line.barrier[first - 1] < 2 and "," not in line.between(first - 1)
            ):
                first -= 1
            while last + 1 < len(line.tokens) and line.barrier[last + 1] - line.barrier[last] < 2:
                last += 1
            yield line.span(first, last, "clause", 0.25 if root == question.verb else 0.35)


def _none(line: Line, target: str) -> Iterator[Span]:
    """ "He had no children": none is a number as well."""
    for index, word in enumerate(line.lower[:-1]):
        if word == "no" and line.stems[index + 1] == target:
            yield line.span(index, index + 1, "number")


def _pronouns(sight: Sight, meant: str) -> Iterator[float]:
    """Points of each "he", "she" or "they" as the answer, like a name's."""
    if set(stems(meant)) <= sight.asked:
        return
    for index, word in enumerate(sight.line.lower):
        if word in ("he", "she", "they"):
            span = sight.line.span(index, index, "name", 0.9)
            yield 0.9 * sight.near(span) + 0.45 + sight.shape(span)


def _text(line: Line, span: Span) -> str:
    """What the span answers with: without its article (a title keeps it), brackets closed."""
    start = span.start
    if span.first > 1 and line.tokens[span.first - 1] == "The" and line.between(span.first - 1) == " ":
        start = line.starts[span.first - 1]  # a capital in mid-sentence: "The Wild Iris" is called that
    text = line.text[start : span.end].strip(" ,;:.'\"“”‘’")
    head, _, rest = text.partition(" ")
    titled = head == "The" and span.first > 0 and rest[:1].isupper()
    if head.lower() in ("the", "a", "an") and rest and span.sort == "phrase" and not titled:
        text = rest
    if text.count("(") != text.count(")"):
        text = text.replace("(", "").replace(")", "")
    return " ".join(text.split())
