"""Spans of a sentence that could be an answer, by the kind of answer asked for.

A `Line` is a sentence cut into tokens; each function finds one sort of span in it: names, dates, numbers with units,
quoted titles, noun phrases, clauses. A `Span` says how well it fits its sort (``fit``, 0 to 1); which span answers the
question is for `reading` to say. All of it linear, all of it pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airoagent.models.english.words import (
    COLOURS,
    DETERMINERS,
    PREPOSITIONS,
    STOPWORDS,
    WORD,
    looks_verbal,
    sentence_stems,
    word_set,
)

__all__ = ["Line", "Span", "clauses", "colours", "line_of", "noun_phrases"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a sentence; ``first`` and ``last`` its tokens; ``sort`` how it was found."""

    start: int
    end: int
    first: int
    last: int
    sort: str
    fit: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence's tokens: as written, lower case, stems, places; ``barrier`` rises at commas and brackets."""

    text: str
    tokens: tuple[str, ...]
    lower: tuple[str, ...]
    stems: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    barrier: tuple[float, ...]

    def span(self, first: int, last: int, sort: str, fit: float = 1.0) -> Span:
        """The span from one token to another, both in it."""
        return Span(self.starts[first], self.ends[last], first, last, sort, fit)

    def over(self, start: int, end: int, sort: str, fit: float = 1.0) -> Span | None:
        """The span over these characters; None if no token lies in them."""
        inside = [i for i, (s, e) in enumerate(zip(self.starts, self.ends, strict=True)) if s < end and e > start]
        return Span(start, end, inside[0], inside[-1], sort, fit) if inside else None

    def between(self, first: int) -> str:
        """What stands between this token and the next: blank, comma, bracket."""
        return (
            self.text[self.ends[first] : self.starts[first + 1]]
            if first + 1 < len(self.tokens)
            else self.text[self.ends[first] :]
        )


_COSTS = {",": 1.5, ";": 5.0, ":": 1.0, "(": 1.5, ")": 1.5, "—": 2.0, "–": 1.0, "|": 0.5, ".": 2.0}
_TURNS = {
    "but": 3.0,
    "while": 3.0,
    "whereas": 3.0,
    "although": 3.0,
    "though": 3.0,
    "and": 1.5,
    "which": 0.5,
    "when": 0.5,
    "until": 1.0,
}


def line_of(text: str) -> Line:
    """Cut a sentence into tokens."""
    found = list(WORD.finditer(text))
    tokens = tuple(m[0].removesuffix("'s").removesuffix("’s") for m in found)
    starts = tuple(m.start() for m in found)
    ends = tuple(m.start() + len(t) for m, t in zip(found, tokens, strict=True))
    lower = tuple(t.lower() for t in tokens)
    barrier: list[float] = []
    height = 0.0
    for index, start in enumerate(starts):
        gap = text[ends[index - 1] : start] if index else ""
        height += sum(_COSTS.get(c, 0.0) for c in gap if c in _COSTS) + _TURNS.get(lower[index], 0.0)
        barrier.append(height)
    return Line(text, tokens, lower, tuple(sentence_stems(tokens)), starts, ends, tuple(barrier))


def colours(line: Line) -> Iterator[Span]:
    """Colour words, "and"-ed ones together."""
    index = 0
    while index < len(line.tokens):
        if line.lower[index] in COLOURS or any(part in COLOURS for part in line.lower[index].split("-")):
            last = index
            while last + 2 < len(line.tokens) and line.lower[last + 1] == "and" and line.lower[last + 2] in COLOURS:
                last += 2
            yield line.span(index, last, "colour")
            index = last
        index += 1


def noun_phrases(line: Line) -> Iterator[Span]:
    """Noun phrases, roughly: runs of words that are neither grammar nor verb forms, with "of" phrases and without."""
    index, count = 0, len(line.tokens)
    while index < count:
        if line.lower[index] in STOPWORDS or (looks_verbal(line.lower[index]) and not _adjectival(line, index)):
            index += 1
            continue
        first = index
        if (
            first
            and line.lower[first - 1] in DETERMINERS
            and line.lower[first - 1] != "that"
            and line.between(first - 1).isspace()
        ):
            first -= 1
        last = _phrase_end(line, index)
        bare = first == last and line.tokens[first][0].islower()
        if bare and (line.lower[first] in _ADVERBS or line.lower[first].endswith(("ly", "est"))):
            index = last + 1
            continue
        yield line.span(first, last, "phrase", 0.55 if bare else 0.8)
        end = last
        while end + 2 < count and line.lower[end + 1] == "of" and line.between(end).isspace():
            follow = end + 2
            while follow < count and line.lower[follow] in DETERMINERS:
                follow += 1
            if follow >= count or line.lower[follow] in STOPWORDS:
                break
            end = _phrase_end(line, follow)
        if end > last:
            yield line.span(first, end, "phrase", 0.85)
        index = last + 1


_ADVERBS = word_set(
    "often usually seldom always sometimes later earlier again soon once twice almost nearly together away back "
    "far well better best "
    "today now long ago instead however perhaps quite rather yet still early late alone apart least half first "
    "last next warm "
    "nobody nothing somebody something everybody everything anybody anything little enough else different several "
    "such set"
)


def _adjectival(line: Line, index: int) -> bool:
    before = line.lower[index - 1] if index else ""
    after = line.lower[index + 1] if index + 1 < len(line.tokens) else ""
    return (
        (before in DETERMINERS or before in PREPOSITIONS)
        and bool(after)
        and after not in STOPWORDS
        and line.between(index).isspace()
    )


def _phrase_end(line: Line, index: int) -> int:
    last = index
    while last + 1 < len(line.tokens) and last - index < 7:
        gap, word = line.between(last), line.lower[last + 1]
        owned = gap in ("'s ", "’s ") and line.tokens[last][0].isupper()
        if (gap.strip(" -") and not owned) or word in STOPWORDS or (looks_verbal(word) and last + 1 > index):
            break
        last += 1
    return last


_WHY = re.compile(
    r"\b(the (?:main |only )?(?:reason|cause)(?: for (?:this|that|it))? (?:is|was)"
    r"|because(?: of)?|due to|owing to|in order to|so that|so as to|thanks to|since|as a result of|caused by"
    r"|for fear of|to (?=[a-z]+\b)|for (?=[a-z]+ing\b)|out of)\b",
    re.IGNORECASE,
)
_SO = re.compile(
    r",? (?:and so|so|and therefore|therefore|which is why|hence) (?!that\b|far\b|as\b|much\b|many\b)", re.IGNORECASE
)
_HOW = re.compile(r"\b(by (?=\w+ing\b)|by means of|using|through|with|via|by)\b", re.IGNORECASE)


def clauses(line: Line, kind: str) -> Iterator[Span]:
    """The clause that gives the reason ("because ...", "to ...") or the manner ("by ...ing", "using ...")."""
    effect = _SO.search(line.text) if kind == "reason" else None
    if effect and effect.start() > 12:
        start = max(line.text.rfind(": ", 0, effect.start()), line.text.rfind("; ", 0, effect.start()))
        span = line.over(start + 2 if start > 0 else 0, effect.start(), "clause", 0.95)
        if span:
            yield span
    strong = ("the ", "because", "due", "owing", "so that", "in order", "thanks", "caused", "as a result", "so as")
    for match in (_WHY if kind == "reason" else _HOW).finditer(line.text):
        end = _clause_end(line.text, match.end())
        mark = match[0].lower()
        fit = 1.0 if mark.startswith(strong) or (kind == "manner" and mark.startswith(("by ", "using"))) else 0.5
        if end - match.end() > 3:
            span = line.over(match.start(), end, "clause", fit)
            if span:
                yield span


def _clause_end(text: str, start: int) -> int:
    found = re.compile(r"[;.]|, (?:and|but|which|who|while)\b|[)]").search(text, start)
    end = found.start() if found else len(text)
    return min(end, start + 200)
