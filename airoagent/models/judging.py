"""Which span of a sentence answers: every span that fits the kind of question gets points, and the best one is taken.

Points are for standing near the question's words (commas and turns like "but" push words apart), for fitting the sort
asked for, and for shapes of sentence that tie an answer to a verb or noun: "designed by X", "X designed", "the capital
is X", "X, the capital", "Height: X". Words of the question itself are no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airoagent.models.english import (
    AUXILIARIES,
    DETERMINERS,
    LINKS,
    MONTHS,
    PLACE_PREPOSITIONS,
    PREPOSITIONS,
    NUMBER_WORDS,
    STOPWORDS,
    UNITS,
    groups_of,
    stem,
    stems,
    words,
)
from airoagent.models.passages import Sentence
from airoagent.models.questions import Question
from airoagent.models.ranking import Ranked, standing
from airoagent.models.spans import (
    Line,
    Span,
    clauses,
    colours,
    dates,
    fractions,
    line_of,
    names,
    noun_phrases,
    numbers,
    quoted,
    titles,
    together,
    unlike_person,
)

__all__ = ["Judged", "judge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A span with its points (its sentence's coverage included) and the text it answers with."""

    text: str
    place: int
    points: float


_WORKS = frozenset(
    map(
        stem,
        ["book", "novel", "poem", "film", "movie", "play", "song", "album", "painting", "opera", "work", "collection", "title", "essay", "story", "series", "magazine", "newspaper"],
    )
)
_NAMED = frozenset(map(stem, ["country", "city", "town", "state", "continent", "river", "lake", "mountain", "island", "ship", "building", "bridge", "university", "company", "museum", "sea", "ocean", "planet", "moon", "place", "language", "award", "prize", "organisation", "organization", "war", "village", "street", "tower", "capital", "region", "nation", "team", "school"]))  # fmt: skip


def judge(
    sentence: Sentence, place: int, question: Question, ranked: Ranked, meant: str = "", common: frozenset[str] = frozenset()
) -> list[Judged]:
    """The spans of one sentence that could answer, best first; ``meant`` is who its "he" or "she" would be, ``common``
    the words that the text also writes without a capital."""
    line = line_of(sentence.text)
    if not line.tokens:
        return []
    here = _Here(line, question, ranked.weights)
    if sentence.cells:
        return here.cells(sentence, place, ranked)
    judged = []
    phrases = here.phrases() + here.subject(sentence.heading)
    for span in _spans(line, question):
        points = here.points(span)
        if points is not None and span.sort == "name" and span.first == span.last == 0:
            points += -0.3 if line.lower[0] in common else 0.1
        if points is not None:
            points -= 1.0 if sentence.short and ":" not in sentence.text else 0.0
            text = here.text(span)
            if text:
                judged.append(Judged(text, place, points + phrases + standing(ranked)))
    if meant and question.kind == "person":
        judged += [
            Judged(meant, place, points + phrases + standing(ranked)) for points in here.pronouns(meant) if points > 0
        ]
    judged.sort(key=lambda j: -j.points)
    return judged


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
        if question.several:
            yield from together(line)
        yield from (
            Span(s.start, s.end, s.first, s.last, s.sort, -0.2)
            for s in noun_phrases(line)
            if line.lower[s.first] in DETERMINERS | NUMBER_WORDS.keys()
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
        if question.target in _WORKS:
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
            while first > 0 and line.barrier[first] - line.barrier[first - 1] < 2 and "," not in line.between(first - 1):
                first -= 1
            while last + 1 < len(line.tokens) and line.barrier[last + 1] - line.barrier[last] < 2:
                last += 1
            yield line.span(first, last, "clause", 0.25 if root == question.verb else 0.35)


def _none(line: Line, target: str) -> Iterator[Span]:
    """"He had no children": none is a number as well."""
    for index, word in enumerate(line.lower[:-1]):
        if word == "no" and line.stems[index + 1] == target:
            yield line.span(index, index + 1, "number")


def _full_names(text: str) -> list[tuple[str, str]]:
    """The stems of each first and last name in a question: "Pierre Curie"."""
    found = re.findall(r"(?<!^)\b([A-Z][a-zà-ÿ]+) ([A-Z][a-zà-ÿ]+)\b", text)
    return [(stem(first), stem(last)) for first, last in found if first.lower() not in STOPWORDS]


_OPPOSITES = tuple(
    (stem(a), stem(b))
    for pair in ("first last", "largest smallest", "biggest smallest", "oldest youngest", "longest shortest", "highest lowest", "north south",
                 "east west", "mother father", "wife husband", "brother sister", "son daughter", "born died", "open closed", "begin end",
                 "start finish", "win lose", "younger elder", "minimum maximum", "heaviest lightest", "buy sell", "northern southern")
    for a, b in (pair.split(), pair.split()[::-1])
)  # fmt: skip
_MEASURED = tuple(UNITS[unit] for unit in ("length", "weight", "time", "money", "area", "volume", "data"))
_JOBS = frozenset(map(stem, "job occupation profession trade career".split()))
_DIMENSIONS = frozenset(map(stem, "tall high height long length deep depth wide width across diameter far distance thick".split()))
_OTHERS = frozenset("brother sister cousin second third another other unlike successor predecessor replica copy namesake confused contrary".split())


_ASKED_BY = {"place": "where", "date": "when", "year": "when", "person": "who", "reason": "why", "manner": "how"}


class _Here:
    """A sentence seen with a question in mind: where the question's words stand in it."""

    def __init__(self, line: Line, question: Question, weights: dict[str, float]) -> None:
        self.line, self.question, self.weights = line, question, weights
        self.whole = sum(weights.values()) or 1.0
        self.asked = frozenset(question.terms) | {question.target}
        self.at: dict[str, list[int]] = {}
        for term in question.terms:
            places = [i for i, s in enumerate(line.stems) if s == term]
            if not places:
                near = groups_of(term)
                places = [i for i, s in enumerate(line.stems) if s in near]
            if places:
                self.at[term] = places
        self.verbs = self._places(question.verb)
        self.targets = self._places(question.target)

    def _places(self, root: str) -> list[int]:
        if not root:
            return []
        exact = [i for i, s in enumerate(self.line.stems) if s == root]
        near = groups_of(root)
        return exact or [i for i, s in enumerate(self.line.stems) if s in near]

    def pronouns(self, meant: str) -> Iterator[float]:
        """Points of each "he", "she" or "they" as the answer, like a name's."""
        if set(stems(meant)) <= self.asked:
            return
        for index, word in enumerate(self.line.lower):
            if word in ("he", "she", "they"):
                span = self.line.span(index, index, "name", 0.9)
                yield 0.9 * self.near(span) + 0.45 + self._by_shape(span)

    def phrases(self) -> float:
        """Points for words that stand together in the question and here as well: "first woman" is not "first American"."""
        terms = self.question.terms
        pairs = list(zip(terms, terms[1:], strict=False))
        if not pairs:
            return 0.0
        together = sum(
            1
            for a, b in pairs
            if any(0 < j - i <= 2 and self._only_grammar(i, j) for i in self.at.get(a, ()) for j in self.at.get(b, ()))
        )
        return 0.5 * together / len(pairs)

    def _only_grammar(self, first: int, last: int) -> bool:
        return all(self.line.lower[i] in STOPWORDS for i in range(first + 1, last))

    def text(self, span: Span) -> str:
        """What the span answers with: without its article, brackets closed."""
        text = self.line.text[span.start : span.end].strip(" ,;:.'\"“”‘’")
        head, _, rest = text.partition(" ")
        if head.lower() in ("the", "a", "an") and rest and span.sort == "phrase":
            text = rest
        if text.count("(") != text.count(")"):
            text = text.replace("(", "").replace(")", "")
        return " ".join(text.split())

    def near(self, span: Span) -> float:
        """How near the question's words stand to the span, 0 to 1, each word counted by its weight."""
        points = 0.0
        for term, places in self.at.items():
            outside = [p for p in places if not span.first <= p <= span.last]
            if outside:
                points += self.weights.get(term, 0.5) / (1 + min(self._distance(span, p) for p in outside) / 5)
        return points / self.whole

    def _distance(self, span: Span, place: int) -> float:
        if place < span.first:
            return (span.first - place - 1) * 0.6 + self.line.barrier[span.first] - self.line.barrier[place]
        return (place - span.last - 1) * 0.6 + self.line.barrier[place] - self.line.barrier[span.last]

    def points(self, span: Span) -> float | None:
        """Points of a span without its sentence's coverage; None where it is no answer at all."""
        inner = [self.line.stems[i] for i in range(span.first, span.last + 1) if self.line.lower[i] not in STOPWORDS]
        if not inner:
            return None
        old = sum(1 for s in inner if s in self.asked)
        if old == len(inner) and span.sort != "clause" and self.line.lower[span.first] != "no":
            return None
        if self.question.kind == "measure" and self.question.unit and span.sort != "unit":
            if span.sort == "year" or self.question.unit not in ("length", "area", "volume", "data"):
                return None
        if self.question.kind == "measure" and span.sort == "year":
            return None
        if self.question.kind == "count" and span.sort == "year" and self._counted(span) <= 0:
            return None
        if self.question.kind in ("noun", "thing", "place") and span.sort in ("phrase", "name") and self._is_dated(span):
            return None
        points = 0.9 * self.near(span) + 0.5 * span.fit - 0.35 * old / len(inner)
        return points + self._by_kind(span) + self._by_shape(span)

    def _is_dated(self, span: Span) -> bool:
        """Whether a phrase is only a date: "4 July 1934"."""
        return all(
            w in MONTHS or w[0].isdigit() or w in DETERMINERS for w in self.line.lower[span.first : span.last + 1]
        )

    def _by_kind(self, span: Span) -> float:
        kind, line = self.question.kind, self.line
        if span.sort == "names":
            return 0.4
        if kind == "measure" and self.question.unit == "length" and self._other_dimension():
            return -2.0
        if kind == "measure" and span.sort != "unit" and self.question.unit:
            return -0.4
        if kind == "person":
            return (
                -0.35 if unlike_person(line, span) else 0.15 if span.sort == "name" and span.last > span.first else 0.0
            )
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
            return self._counted(span)
        if kind == "noun":
            return self._of_sort(span)
        return 0.0

    def _other_dimension(self) -> bool:
        """Whether the sentence gives a length where a height was asked for."""
        near = groups_of(self.question.target) | {self.question.target}
        return not near & set(self.line.stems) and bool(_DIMENSIONS & set(self.line.stems))

    def _counted(self, span: Span) -> float:
        line, target = self.line, self.question.target
        near = groups_of(target)
        for index in range(span.last + 1, min(span.last + 5, len(line.tokens))):
            if line.lower[index] in DETERMINERS | PREPOSITIONS - {"of"} and line.lower[index - 1] != "of":
                break
            if line.stems[index] == target or line.stems[index] in near:
                return 0.7 if line.stems[index] == target else 0.45
            if span.sort == "year":
                break
        inside = {line.stems[i] for i in range(span.first, span.last + 1)}
        before = line.stems[span.first - 1] if span.first else ""
        if target in inside or (before == target and before == "numb"):
            return 0.7
        return -0.8 if span.sort == "unit" or any(u & set(line.lower[span.first : span.last + 2]) for u in _MEASURED) else 0.0

    def _of_sort(self, span: Span) -> float:
        target = self.question.target
        inside = [self.line.stems[i] for i in range(span.first, span.last + 1)]
        points = 0.0
        near = groups_of(target)
        if target in inside and len(inside) > 1:
            # "Lake Baikal" answers "which lake"; "a deep lake" says no more than the question.
            at = inside.index(target) + span.first
            points += 0.35 if self.line.tokens[at][0].isupper() or target not in _NAMED else 0.05
        elif any(i in near for i in inside):
            points += 0.3
        if target in _JOBS and span.first and self.line.lower[span.first] in ("a", "an"):
            points += 0.7 if self.line.between(span.first - 1) == ", " or self.line.lower[span.first - 1] in LINKS else 0.0
        if target in _WORKS:
            points += 0.4 if span.sort in ("quoted", "title") else 0.3 if span.sort == "name" else -0.1
            points -= 0.5 if span.sort == "name" and unlike_person(self.line, span) else 0.0
        elif target in _NAMED:
            points += 0.3 if span.sort == "name" else -0.25
        return points

    def _by_shape(self, span: Span) -> float:
        best = 0.0
        if span.fit < 0.4:
            return 0.0
        for place in self.verbs:
            best = max(best, self._to_verb(span, place))
        for place in self.targets or [p for places in self.at.values() for p in places]:
            best = max(best, self._to_noun(span, place))
        if self.question.tail:
            best = max(best, self._to_tail(span))
        return best + self._labelled(span) + self._owns(span)

    def _gap(self, first: int, last: int) -> list[str]:
        """The lower-case words strictly between two tokens."""
        return [self.line.lower[i] for i in range(first + 1, last)]

    def _to_verb(self, span: Span, verb: int) -> float:
        side = self.question.side
        if span.first > verb:
            gap = self._gap(verb, span.first)
            if (
                "by" in gap[:4]
                and len(gap) - gap.index("by") <= 4
                and self.question.kind in ("person", "thing", "noun", "manner")
            ):
                return 0.5 if side != "after" else 0.2
            if side == "after" and len(gap) <= 2:
                return 0.4 - 0.1 * len(gap)
            if self.question.kind in ("date", "year", "place") and len(gap) <= 8:
                apart = self.line.barrier[span.first] - self.line.barrier[verb]
                return max(0.0, 0.35 - 0.03 * len(gap) - 0.1 * apart)
            return 0.0
        gap = self._gap(span.last, verb)
        passive = bool(gap) and gap[-1] in ("was", "were", "been", "is", "are", "being")
        if side == "before" and self._apposed(span, verb):
            return 0.45
        if side == "before" and len(gap) <= 4 and not any(w in PREPOSITIONS for w in gap):
            return (
                0.1
                if passive
                and self.question.kind == "person"
                and not self.question.text.lower().startswith(("who was", "who is", "who were"))
                else 0.4
            )
        return 0.0

    def _apposed(self, span: Span, verb: int) -> bool:
        """"Ada, a mathematician in the service of India, found": the name is the verb's subject across the commas."""
        between = self.line.text[self.line.ends[span.last] : self.line.starts[verb]]
        return bool(re.match(r", (?:an?|the|who|then|his|her|one) [^,;]{3,90}, (?:\w+ )?$", between))

    def _to_noun(self, span: Span, noun: int) -> float:
        line = self.line
        if span.first > noun:
            gap = self._gap(noun, span.first)
            if not gap and line.between(noun).isspace() and span.sort == "name":
                return 0.3
            if any(w in LINKS for w in gap) and len(gap) <= 8 and line.barrier[span.first] - line.barrier[noun] < 4:
                return 0.3
            if len(gap) <= 3 and "," in line.text[line.ends[noun] : line.starts[span.first]] and span.sort == "name":
                return 0.2
            return 0.0
        if noun > span.last:
            gap = self._gap(span.last, noun)
            text = line.text[line.ends[span.last] : line.starts[noun]]
            if (
                text.lstrip("”\"'’*_").startswith(",")
                and len(gap) <= 5
                and ((gap[:1] and gap[0] in DETERMINERS) or not gap)
            ):
                return 0.25
            if any(w in LINKS for w in gap[:2]) and len(gap) <= 6:
                return 0.25
        return 0.0

    def _to_tail(self, span: Span) -> float:
        if not span.first or self.line.lower[span.first - 1] != self.question.tail:
            return 0.0
        return 0.5 if any(0 < span.first - 1 - p <= 3 for p in self.verbs) else 0.35 if self.verbs else 0.2

    def subject(self, heading: str) -> float:
        """Points for a sentence about the thing asked for, against one about another: "a second canal", "his brother",
        another bearer of the name. "He" or "it" at its head goes on with the page's own subject."""
        line, points = self.line, 0.0
        around = [*line.lower, *(w.lower() for w in words(heading))]
        for one, two in _OPPOSITES:
            if one in self.question.terms and two in line.stems and one not in line.stems:
                points -= 0.35
        if any(w in _OTHERS and stem(w) not in self.asked for w in around):
            points -= 0.35
        if line.lower[0] in ("he", "she", "it", "they"):
            points += 0.15
        for first, last in _full_names(self.question.text):
            for place, root in enumerate(line.stems):
                other = place and line.between(place - 1) == " " and line.tokens[place - 1][0].isupper()
                if root == last and first not in line.stems and other and line.lower[place - 1] not in STOPWORDS:
                    return points - 0.4
        return points

    def _owns(self, span: Span) -> float:
        """"Verdi's opera Aida" for "Who composed Aida?"."""
        if span.sort != "name" or self.line.text[span.end : span.end + 2] not in ("'s", "’s"):
            return 0.0
        after = range(span.last + 1, min(span.last + 4, len(self.line.tokens)))
        return 0.4 if any(self.line.stems[i] in self.question.names for i in after) and self.question.kind == "person" else 0.0

    def _labelled(self, span: Span) -> float:
        """ "Height: 330 metres": the span follows the colon at the head of the sentence, the question's word is before it."""
        colon = self.line.text.find(": ", 0, 60)
        if colon < 0 or span.start < colon or span.start > colon + 12:
            return 0.0
        head = [i for i, end in enumerate(self.line.ends) if end <= colon]
        if any(self.line.lower[i] == _ASKED_BY.get(self.question.kind) for i in head):
            return 0.45
        return (
            0.45
            if any(i in places for places in self.at.values() for i in head) or any(i in head for i in self.targets)
            else 0.0
        )

    def _beside(self, cell: str) -> str:
        """What stands with the question's own words in one cell: "Ada Byron" in "Ada Byron, The Notes"."""
        pieces = [p for p in re.split(r", | \(|\)|; | – ", cell) if p.strip()]
        known = [p for p in pieces if stems(p) and set(stems(p)) <= self.asked]
        others = [p.strip() for p in pieces if p not in known]
        return others[0] if known and len(others) == 1 and self.question.kind in ("person", "noun", "thing") else ""

    def cells(self, sentence: Sentence, place: int, ranked: Ranked) -> list[Judged]:
        """The cells of a table row: the one under the header that names what is asked, or the one of the fitting sort."""
        judged = []
        shift = 1 if len(sentence.header) == len(sentence.cells) - 1 else 0
        asked_columns = [
            n + shift for n, head in enumerate(sentence.header) if set(stems(head)) & set(self.question.names)
        ]
        near = {other for term in self.asked for other in (term, *groups_of(term))}
        keyed = any(cell and set(stems(cell)) and set(stems(cell)) <= set(self.question.terms) for cell in sentence.cells)
        labelled = bool(set(stems(sentence.cells[0])) & near)
        for number, cell in enumerate(sentence.cells):
            line = line_of(cell)
            inner = [s for s, w in zip(line.stems, line.lower, strict=True) if w not in STOPWORDS]
            if not inner or all(s in self.asked for s in inner):
                continue
            rest = self._beside(cell)
            if rest:
                judged.append(Judged(rest, place, 1.3 + standing(ranked)))
                continue
            head = sentence.header[number - shift] if shift <= number < len(sentence.header) + shift else ""
            points = _cell_fit(line, head, self.question) + (min(1.2 * ranked.relation, 0.6) if keyed else 0.0)
            if asked_columns:
                points += (1.0 if number in asked_columns else -0.6) - (0.0 if labelled else 1.2)
            if points > -0.5:
                judged.append(Judged(cell, place, points + standing(ranked)))
        judged.sort(key=lambda j: -j.points)
        return judged


_COLUMNS: dict[str, str] = {
    "person": "name laureate winner author architect designer who person player king ruler inventor director artist",
    "place": "place location where country city venue site",
    "date": "date year when opened born died",
    "year": "year date when",
}


def _cell_fit(line: Line, head: str, question: Question) -> float:
    heads = {stem(w) for w in head.lower().split()}
    points = 0.3
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
        points += 0.4 if any(True for _ in numbers(line)) else -1.0
    elif question.target in _NAMED or question.target in _WORKS:
        points += 0.2 if named else -0.3
    elif has_number and question.kind == "noun":
        points -= 0.8
    return points if any(w not in AUXILIARIES for w in line.lower) else -1.0
