"""What a question is once it has been taken apart: its kind of answer, and its words by what they do.

The record (`Question`), and what finds its pieces: content words and names, the main verb, the unit of a measure. The
taking apart is in `analysis`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from airoagent.models.english.wordings import IDLE, MEASURES
from airoagent.models.english.words import (
    BASE_VERBS,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    STOPWORDS,
    WORD,
    is_code,
    looks_verbal,
    sentence_stems,
    stem,
    words,
)

__all__ = [
    "TELLING",
    "Asked",
    "Kind",
    "Question",
    "Side",
    "full_names",
    "last_verb",
    "main_verb",
    "stranded",
    "terms_of",
    "unit_of",
]

Kind = Literal[
    "person",
    "date",
    "year",
    "place",
    "count",
    "measure",
    "noun",
    "thing",
    "definition",
    "meaning",
    "reason",
    "manner",
    "yesno",
    "choice",
    "list",
    "summary",
]
Side = Literal["before", "after", ""]


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    ``target`` is the noun that says what is asked for ("river" in "Which river ..."), ``unit`` a key of
    `english.UNITS` where a measure is asked, ``verb`` the stem of the main verb, ``side`` where the answer stands to it
    in an active sentence, ``tail`` a stranded preposition ("made of"). ``terms`` are the stems of all content words in
    order, each once; ``names`` those that belong to names, years and quoted words: a sentence without them is about
    something else. ``options`` are the two things of "A or B"; ``several`` says that more than one is asked for, and
    ``related`` that ``target`` is a relation to what the names say ("the capital of", "'s wife"): without it no answer.
    """

    text: str
    kind: Kind
    target: str = ""
    unit: str = ""
    verb: str = ""
    side: Side = ""
    tail: str = ""
    terms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    several: bool = False
    related: bool = False


def full_names(text: str) -> list[tuple[str, str]]:
    """The stems of each first and last name in a question: "Pierre Curie"."""
    found = re.findall(r"(?<!^)\b([A-Z][a-zà-ÿ]+) ([A-Z][a-zà-ÿ]+)\b", text)
    return [(stem(first), stem(last)) for first, last in found if first.lower() not in STOPWORDS]


def unit_of(text: str) -> str:
    for pattern, unit in MEASURES:
        if re.search(rf"\b(?:{pattern})\b", text):
            return unit
    return ""


def terms_of(text: str, extra: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Content stems of the question, and those among them that belong to names, years or quoted words."""
    quoted = {
        stem(w)
        for part in re.findall(r"[\"“«]([^\"”»]{1,200})[\"”»]|(?<!\w)'([^']{2,200})'(?!\w)", text)
        for p in part
        for w in words(p)
    }
    terms: dict[str, None] = {}
    names: dict[str, None] = {}
    found = [match[0] for match in WORD.finditer(text)]
    roots = sentence_stems(found)
    # "What is the total?": an idle word that is all the question has is what it asks for.
    alone = IDLE if all(word.lower() in IDLE | STOPWORDS for word in found) else frozenset()
    for position, word in enumerate(found):
        if word.lower() in IDLE - alone or (
            word.lower() in STOPWORDS and not (word.isupper() and len(word) > 1 and position)
        ):
            continue
        root = roots[position]
        terms[root] = None
        if (
            (
                position
                and word[0].isupper()
                and not (word.isupper() and len(word) < 3)
                and not _says_which(found, position)
            )
            or any(c.isdigit() for c in word)
            or root in quoted
            or (is_code(word) and not word.isupper())
        ):
            names[root] = None
    if extra:
        terms.pop(extra, None)
    return tuple(terms), tuple(names)


_NATIONAL = re.compile(r"(?:ese|ish|ian|ean|can|ench|utch|man|iss|eek)$")


def _says_which(found: list[str], position: int) -> bool:
    """Whether the word is the nationality of what is asked for ("Which American town"): no page need write it."""
    asks = found[position - 1].lower() in ("which", "what", "whose")
    after = found[position + 1] if position + 1 < len(found) else ""
    return asks and after.islower() and bool(_NATIONAL.search(found[position].lower()))


def main_verb(rest: list[str], after_do: bool) -> str:
    """The main verb's stem among the words after the question word and its auxiliary; "" where none is plain."""
    lower = [w.lower() for w in rest]
    if not after_do:
        for cased, word in zip(reversed(rest), reversed(lower), strict=True):
            if (
                word not in STOPWORDS
                and not cased[0].isupper()
                and (looks_verbal(word) or word in ("born", "built", "written", "made", "won", "known", "found"))
            ):
                return stem(word)
        return ""
    for index, word in enumerate(lower):
        if (
            word in BASE_VERBS
            and (not index or lower[index - 1] not in DETERMINERS | PREPOSITIONS)
            and rest[index] == word
        ):
            return stem(word)
    index = 0
    if index < len(rest) and lower[index] in DETERMINERS:
        index += 2
    while index < len(rest):
        word = rest[index]
        if word[0].isupper() or word[0].isdigit() or lower[index] in PRONOUNS or lower[index] in DETERMINERS:
            index += 1
        elif lower[index] in ("of", "in", "and", "for") and index + 1 < len(rest):
            index += 2 + (lower[index + 1] in DETERMINERS)
        elif word.lower() in STOPWORDS or word.endswith("'s"):
            index += 1
        else:
            return stem(word)
    return ""


def stranded(lower: list[str]) -> str:
    return lower[-1] if lower and lower[-1] in PREPOSITIONS else ""


_SEVERAL = re.compile(
    r"^(?:\w+ )?(?:which|what) (?:(?:two|three|four|five|six|seven|eight|nine|ten)\b|\w+[^s\W]s (?:are|were|have|do"
    r"|did|lie)\b)"
    r"|^(?:who|what|which) (?:are|were)\b|\bboth\b"
)
TELLING = tuple(map(stem, ("stand", "stands", "short", "mean", "means", "full", "form", "name", "long", "meaning")))
_EMPTY_VERBS = frozenset(map(stem, ("have", "take", "make", "do", "get", "put", "give", "become", "go", "is", "was")))


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    plain: str
    word: str
    lower: list[str]
    rest: list[str]
    aux: str
    tail: str
    terms: tuple[str, ...]
    names: tuple[str, ...]

    def verb(self) -> str:
        """The main verb of a question whose auxiliary (if any) follows the question word; "" for "have"."""
        found = self._verb()
        return "" if found in _EMPTY_VERBS else found

    def _verb(self) -> str:
        if self.aux:
            return main_verb(self.rest[1:], self.aux in ("do", "does", "did", "can", "could", "will", "would"))
        return stem(self.lower[0]) if self.lower else ""

    def question(
        self,
        kind: Kind,
        target: str = "",
        unit: str = "",
        verb: str = "",
        side: Side = "",
        tail: str = "",
        drop: tuple[str, ...] = (),
        related: bool = False,
    ) -> Question:
        terms = tuple(t for t in self.terms if t not in drop)
        several = bool(_SEVERAL.search(self.plain))
        return Question(
            self.text, kind, target, unit, verb, side, tail, terms or self.terms, self.names, (), several, related
        )


def last_verb(parts: Asked) -> str:
    for index, word in enumerate(parts.lower):
        if word in ("do", "does", "did", "can", "could"):
            return main_verb(parts.rest[index + 1 :], True)
    return main_verb(parts.rest[1:], False)
