"""Answers of guides, pages of questions and answers, and lists: what to do, when a version came out, which there are.

`say_by_form` gives the answer to a question of a form that manuals or guides answer, or nothing: then the question is
read like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from airoagent.models.english.amounts import dates
from airoagent.models.english.manuals import MANUALS
from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked
from airoagent.models.english.sayings import Said
from airoagent.models.english.spans import line_of
from airoagent.models.english.telling import LEAST, RELEASE, tell, whole
from airoagent.models.english.words import BASE_VERBS, near_words, stem, stems, word_set, words

__all__ = ["say_by_form"]


def say_by_form(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The answer, where the question is one that manuals answer and a term of the text fits it; else None."""
    for asked, say in _FORMS:
        said = say(library, ranked, question) if asked.search(question.text) else None
        if said is not None:
            return said
    return None


_WHEN = re.compile(r"^(?:when|(?:on|in) (?:what|which) (?:date|day|month|year)|what is the (?:release )?date)\b", re.I)


def _released(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The date beside a version: "[2.4.0] - 2023-11-02"."""
    known = set(RELEASE.findall(question.text))

    def fits(sentence: Sentence) -> float:
        if not known & set(RELEASE.findall(sentence.text)) or not any(True for _ in dates(line_of(sentence.text))):
            return 0.0
        return 0.5 + 0.8 * (len(words(sentence.text)) < 12)

    for told in tell(library, ranked, question, fits)[:1]:
        span = next(iter(dates(line_of(told.sentence.text))))
        return told.sentence.text[span.start : span.end], (told.entry.place,), told.points
    return None


_HOW_TO = re.compile(
    r"^(?:how (?:do|can|could|should|would|to)\b|what (?:do|should|must|can) (?:i|we|you|one) do\b)", re.I
)
_ORDERS = word_set("run use call set type press click stop start open enter add create install choose select come send")


def _how_to(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """What a section on the matter says to do: its sentences that give orders, as far as a few lines go."""
    asked = set(question.terms) - set(question.names)

    def fits(sentence: Sentence) -> float:
        if sentence.short or sentence.cells or not asked:
            return 0.0
        under = len(asked & set(stems(sentence.heading))) / len(asked)
        held = len(asked & set(stems(sentence.text))) / len(asked)
        first = words(sentence.text)[:1]
        orders = bool(first) and (
            first[0].lower() in _ORDERS or (first[0][0].isupper() and stem(first[0]) in BASE_VERBS)
        )
        orders = orders and first[0].lower() not in ("see", "note")
        shown = sentence.text.endswith(":")
        return 0.1 + under + 0.5 * held + 0.6 * orders + 0.5 * shown if under + held > 0 else 0.0

    told = tell(library, ranked, question, fits)
    if not told or told[0].points < LEAST:
        return None
    place = told[0].entry.place
    text = whole(told[0].sentence)
    for other in library.sentences[place + 1 : place + 4]:
        same = other.block == told[0].sentence.block and other.heading == told[0].sentence.heading
        shown = told[0].sentence.text.endswith(":") and other is library.sentences[place + 1]
        if not (same or shown) or (other.short and not shown) or len(words(text)) + len(words(other.text)) > 45:
            break
        text = f"{text}. {whole(other)}"
    return text, (place,), told[0].points


def _asked_there(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The answer below a question that says the same: a page of questions and answers."""
    asked = {term: {term, *near_words(term)} for term in question.terms}

    def fits(sentence: Sentence) -> float:
        if sentence.short or not sentence.heading.endswith("?") or len(words(sentence.heading)) < 4:
            return 0.0  # "How high?" is the heading of an article
        there = set(stems(sentence.heading.rpartition(": ")[2]))
        title = set(stems(library.blocks[sentence.block].meta("title")))
        untold = [near for term, near in asked.items() if term not in title]
        shared = sum(bool(there & near) for near in untold)
        theirs = sum(any(root in near for near in asked.values()) for root in there)
        same = theirs / max(len(there), 1)
        return 0.5 + same + shared / len(untold) if same > 0.6 and 0 < len(untold) <= shared * 2 else 0.0

    told = tell(library, ranked, question, fits)
    if not told:
        return None
    place = min(t.entry.place for t in told if t.sentence.heading == told[0].sentence.heading)
    first = library.sentences[place]
    text = whole(first)
    following = library.sentences[place + 1] if place + 1 < len(library.sentences) else first
    if following.heading == first.heading and following.block == first.block and len(words(text)) < 12:
        text = f"{text}. {whole(following)}"
    return text, (place,), told[0].points


def _listed(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """All that stands behind the term, where several are asked for: "Scripts: hieroglyphs, Demotic and Greek"."""

    def fits(sentence: Sentence) -> float:
        roots = set(stems(sentence.entry))
        told = sentence.text.partition(": ")[2]
        return (
            1.0 if roots and roots <= set(question.terms) - set(question.names) and re.search(", | and ", told) else 0.0
        )

    for told in tell(library, ranked, question, fits)[:1]:
        return whole(told.sentence).partition(": ")[2], (told.entry.place,), told.points
    return None


_SEVERAL = re.compile(r"^(?:\w+ )?(?:which|what) (?:are|two|three|four|five|six|seven|eight|nine|ten)\b", re.I)
_ANY = re.compile("")
_FORMS: tuple[tuple[re.Pattern[str], Callable[[Library, Sequence[Ranked], Question], Said | None]], ...] = (
    (_ANY, _asked_there),
    (_WHEN, _released),
    *MANUALS,
    (_SEVERAL, _listed),
    (_HOW_TO, _how_to),
)
