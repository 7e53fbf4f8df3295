"""A sentence seen with a question in mind: where the question's words stand in it, and what the sentence's shape says.

Shapes tie an answer to a verb or a noun: "designed by X", "X designed", "the capital is X", "X, the capital", "made of
X", "Height: X". A `Sight` finds them around a span, and measures how near the question's words stand: commas and turns
like "but" push words apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from airoagent.models.english.questions import Question, full_names
from airoagent.models.english.spans import Line, Span
from airoagent.models.english.words import (
    DETERMINERS,
    LINKS,
    OPPOSITES,
    PREPOSITIONS,
    STOPWORDS,
    groups_of,
    stem,
    word_set,
    words,
)

__all__ = ["Sight"]

_OTHERS = word_set("second third another other unlike successor predecessor replica copy namesake confused contrary")
_KIN = word_set("brother sister cousin nephew niece uncle aunt")
_ASKED_BY = {"place": "where", "date": "when", "year": "when", "person": "who", "reason": "why", "manner": "how"}


class Sight:
    """A sentence seen with a question in mind: where the question's words stand in it."""

    def __init__(self, line: Line, question: Question, weights: Mapping[str, float]) -> None:
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
        # "inventor" is not the verb of "invented".
        agents = ("or", "er", "ors", "ers")
        verbs = self._places(question.verb)
        self.verbs = [i for i in verbs if not line.lower[i].endswith(agents)] or (
            [] if question.kind == "thing" else verbs
        )
        self.targets = self._places(question.target)

    def _places(self, root: str) -> list[int]:
        if not root:
            return []
        exact = [i for i, s in enumerate(self.line.stems) if s == root]
        near = groups_of(root)
        return exact or [i for i, s in enumerate(self.line.stems) if s in near]

    def phrases(self) -> float:
        """Points for words that stand together in the question and here: "first woman" is not "first American"."""
        terms = self.question.terms
        pairs = list(pairwise(terms))
        if not pairs:
            return 0.0
        together = sum(
            1
            for a, b in pairs
            if any(0 < j - i <= 2 and self._only_grammar(i, j) for i in self.at.get(a, ()) for j in self.at.get(b, ()))
        )
        return 0.65 * together / len(pairs)

    def _only_grammar(self, first: int, last: int) -> bool:
        return all(self.line.lower[i] in STOPWORDS for i in range(first + 1, last))

    def near(self, span: Span) -> float:
        """How near the question's words stand to the span, 0 to 1, each word counted by its weight."""
        points = 0.0
        for term, places in self.at.items():
            outside = [p for p in places if not span.first <= p <= span.last]
            if outside:
                points += self.weights.get(term, 0.5) / (1 + min(self._distance(span, p) for p in outside) / 2.2)
        return points / self.whole

    def _distance(self, span: Span, place: int) -> float:
        if place < span.first:
            return (span.first - place - 1) * 0.35 + self.line.barrier[span.first] - self.line.barrier[place]
        return (place - span.last - 1) * 0.35 + self.line.barrier[place] - self.line.barrier[span.last]

    def subject(self, heading: str) -> float:
        """Points for a sentence about the thing asked for, against one about another: "a second canal", "his brother",
        another bearer of the name. "He" or "it" at its head goes on with the page's own subject."""
        line, points = self.line, 0.0
        around = [*line.lower[:7], *(w.lower() for w in words(heading))]
        for one, two in OPPOSITES:
            if one in self.question.terms and two in line.stems and one not in line.stems:
                points -= 0.35
        kin = [w for w in line.lower if w in _KIN]
        if any((w in _OTHERS or w in _KIN) and stem(w) not in self.asked for w in (*around, *kin)):
            points -= 0.35
        if line.lower[0] in ("he", "she", "it", "they"):
            points += 0.15
        for first, last in full_names(self.question.text):
            for place, root in enumerate(line.stems):
                other = place and line.between(place - 1) == " " and line.tokens[place - 1][0].isupper()
                if root == last and first not in line.stems and other and line.lower[place - 1] not in STOPWORDS:
                    return points - 0.8
        return points

    def shape(self, span: Span) -> float:
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
        """ "Ada, a mathematician in the service of India, found": the name is the verb's subject across the commas."""
        between = self.line.text[self.line.ends[span.last] : self.line.starts[verb]]
        return bool(re.match(r", (?:an?|the|who|then|his|her|one) [^,;]{3,90}, (?:\w+ )?$", between))

    def _to_noun(self, span: Span, noun: int) -> float:
        line = self.line
        if span.first > noun:
            gap = self._gap(noun, span.first)
            if not gap and line.between(noun).isspace() and span.sort == "name":
                return 0.3
            if gap in (["of"], ["of", "the"]) and self.question.text.lower().find("whose") >= 0:
                return 0.45
            if any(w in LINKS for w in gap) and len(gap) <= 8 and line.barrier[span.first] - line.barrier[noun] < 4:
                return 0.3
            if len(gap) <= 3 and "," in line.text[line.ends[noun] : line.starts[span.first]] and span.sort == "name":
                return 0.2
            return 0.0
        if noun > span.last:
            owns = self.line.text[span.end : span.end + 2] in ("'s", "’s")
            if owns and noun - span.last <= 2 and "whose" in self.question.text.lower():
                return 0.45
            gap = self._gap(span.last, noun)
            text = line.text[line.ends[span.last] : line.starts[noun]]
            if text == " (" and span.sort == "name":
                return 0.6  # "Ada Byron (chair)"
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

    def _owns(self, span: Span) -> float:
        """ "Verdi's opera Aida" for "Who composed Aida?"."""
        if span.sort != "name" or self.line.text[span.end : span.end + 2] not in ("'s", "’s"):
            return 0.0
        after = range(span.last + 1, min(span.last + 4, len(self.line.tokens)))
        return (
            0.4
            if any(self.line.stems[i] in self.question.names for i in after) and self.question.kind == "person"
            else 0.0
        )

    def _labelled(self, span: Span) -> float:
        """The span follows a colon at the head of the sentence, the question's word before it: "Height: 330 metres"."""
        colon = self.line.text.find(": ", 0, 60)
        if colon < 0 or span.start < colon or span.start > colon + 12:
            return 0.0
        head = [i for i, end in enumerate(self.line.ends) if end <= colon]
        if any(self.line.lower[i] == _ASKED_BY.get(self.question.kind) for i in head):
            return 0.95
        return (
            0.95
            if any(i in places for places in self.at.values() for i in head) or any(i in head for i in self.targets)
            else 0.0
        )
