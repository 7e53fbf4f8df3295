"""Which sentence tells what a question asks of a term, an entry of a manual or a section of a guide.

A form of question (`manuals`, `guides`) says how well a sentence fits it; `tell` adds how much of the question the
sentence and its surroundings account for, and whether it stands in the entry of the term that the question names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked, standing
from airoagent.models.english.words import is_code, words

__all__ = ["LEAST", "RELEASE", "Told", "codes_of", "is_of", "lower", "named", "tell", "whole"]

LEAST = 2.2  # points that a sentence has to have; chosen on the development questions
RELEASE = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+(?:[ab]\d+)?)(?![\w.]*\w)")


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence that may answer, with its points."""

    entry: Ranked
    sentence: Sentence
    points: float


def codes_of(question: Question) -> frozenset[str]:
    """The names of programs and settings that stand in the question, in lower case, without brackets."""
    found = re.findall(r"[\w.:\\-]*\w", question.text)[1:]
    called = re.findall(r"([\w.]*\w)\(|(?<![\w-])-{1,2}([A-Za-z][\w-]*)", question.text)
    coded = [word for word in found if is_code(word.strip(".-\\"))]
    return frozenset(word.lower().strip(".-\\") for word in (*coded, *map("".join, called)))


def named(sentence: Sentence) -> str:
    """The name of the entry a sentence belongs to: "os.makedirs" of "os.makedirs(name, mode=0o777)"."""
    name = re.match(r"(?:(?:class|exception|async|static|property|\(\w+\)) )?([\w.:\\$-]+)", sentence.entry)
    return name[1].lower().strip(".:-\\") if name else ""


def is_of(name: str, codes: frozenset[str]) -> bool:
    """Whether an entry's name is one of these, its module or class said or not."""
    return any(name == code or name.endswith(f".{code}") or code.endswith(f".{name}") for code in codes) and bool(name)


def tell(
    library: Library, ranked: Sequence[Ranked], question: Question, fits: Callable[[Sentence], float], old: bool = False
) -> list[Told]:
    """The sentences with something to tell (``fits`` gives more than nothing), best first.

    ``old``: what a page of news tells is as good as any other.
    """
    codes = codes_of(question)
    found: list[Told] = []
    for entry in ranked:
        sentence = library.sentences[entry.place]
        fit = fits(sentence)
        if fit <= 0:
            continue
        points = standing(entry) + fit
        name = named(sentence)
        if codes:
            about = is_of(name, codes) or bool(codes & set(lower(sentence.entry)[:3]))
            points += 1.5 if about else -1.0 if is_code(name) and not codes & set(lower(sentence.text)) else 0.0
        if not old and _NEWS.search(library.blocks[sentence.block].meta("title")):
            points -= 0.6
        found.append(Told(entry, sentence, points))
    found.sort(key=lambda told: (-told.points, told.entry.place))
    return found


_NEWS = re.compile(r"what.?s new|change ?log|release (?:notes|history)|\bnews\b|\bhistory\b|^release\b", re.I)


def lower(text: str) -> list[str]:
    return [word.lower() for word in words(text)]


def whole(sentence: Sentence) -> str:
    text = " ".join(sentence.text.split())
    return " ".join(text.split()[:50]).rstrip(" .,;:")
