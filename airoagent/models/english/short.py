"""Reading a text of few sentences, where rarity means nothing: what a note, a form or a message says.

    >>> note = read_library([Block("Name: Carla Ruiz\\nPhone: 555-0142")])
    >>> say_labelled(note, analyse("What is Carla's phone number?"))[:2]
    ('555-0142', (1,))

A word that stands once in three sentences is no rarer than any other, so points by rarity (`ranking`) cannot tell what
such a text is about. Here a sentence is taken by the question's words that it holds, and by what is asked: a time for
"when", a place for "where". Lines of the form "Phone: 555-0142" answer what asks for their label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airoagent.models.english.amounts import dates, numbers
from airoagent.models.english.names import names
from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked, held_by, light_stems
from airoagent.models.english.sayings import Said
from airoagent.models.english.spans import Line, clauses, colours, line_of, noun_phrases
from airoagent.models.english.words import PLACE_PREPOSITIONS, groups_of, stem_set, stems, words

__all__ = ["by_names", "first_to_read", "has_form", "is_short", "say_labelled"]

_MOST = 12  # sentences of a text that is read as a note, not as a page
_BY_FORM = stem_set("number date day time hour color colour name price cost amount")
_LABELS = {
    "place": stem_set("where place location venue address room"),
    "date": stem_set("when date time day hours deadline"),
    "person": stem_set("who name contact"),
    "measure": stem_set("price cost total amount"),
}
_LABELLED = re.compile(r"(?:^|(?<=[.;,] ))\s*([^\W\d][\w'’ /-]{0,40}?)\s*:\s+(\S[^;]*?)\s*(?=$|;)")
_ASKS = re.compile(r"\b(?:who|whose|what|which|when|where|how)\b", re.IGNORECASE)
_ANAPHORS = frozenset(
    ("he", "she", "it", "they", "this", "that", "his", "her", "its", "their", "there", "reason", "cause")
)


def is_short(library: Library) -> bool:
    """Whether the blocks hold so few sentences that rarity says nothing."""
    return 0 < len(library.sentences) <= _MOST


def say_labelled(library: Library, question: Question) -> Said | None:
    """The value of the line whose label is asked for; None where no label is, or the text lacks a word asked."""
    if question.kind in ("yesno", "choice", "summary", "list", "reason") or not _ASKS.search(question.text):
        return None
    asked = set(stems(question.text))
    whole = frozenset().union(*library.stems)
    best: Said | None = None
    for place, sentence in enumerate(library.sentences):
        if sentence.cells:
            continue
        for match in _LABELLED.finditer(sentence.text):
            label, value = set(stems(match[1])), match[2].rstrip(" .,")
            by_kind = bool(label and label <= _LABELS.get(question.kind, frozenset()))
            same = {t for t in asked if t in label or groups_of(t) & label}
            lacking = {t for t in asked - same if t not in whole and t not in _BY_FORM and not by_kind}
            if not label or lacking or not value or not has_form(line_of(value), question, labelled=True):
                continue
            told = len(same) / len(asked) if asked else 0.0
            fits = label <= asked or same == asked or by_kind
            points = 1.0 + told + 0.5 * (label <= asked)
            if fits and (same or by_kind) and (best is None or points > best[2]):
                best = (value, (place,), points)
    return best


_NAME = re.compile(r"\b(?:name|called|named)\b", re.IGNORECASE)
_NAMING = frozenset(("name", "called", "named"))


def has_form(line: Line, question: Question, labelled: bool = False) -> bool:
    """Whether a sentence holds something of the form asked for: a time for "when", a number for "how many".

    ``labelled``: the line is all of a label's value, so that no preposition need say that it is a place.
    """
    kind = question.kind
    if _NAME.search(question.text) and not labelled and kind in ("noun", "thing", "definition"):
        return any(True for _ in names(line)) or bool(_NAMING & set(line.lower))
    if kind in ("date", "year"):
        return any(True for _ in dates(line))
    if kind == "count":
        figures = labelled and any(character.isdigit() for character in line.text)  # "555-0142"
        return figures or any(True for _ in numbers(line)) or "no" in line.lower
    if kind == "measure":
        return any(span.sort == "unit" or not question.unit for span in numbers(line, question.unit))
    if kind == "place":
        return labelled or _is_placed(line)
    if kind == "person":
        return any(True for _ in names(line)) or (not labelled and _has_someone(line, question))
    if kind == "reason":
        return any(True for _ in clauses(line, "reason"))
    if question.target in ("color", "colour"):
        return any(True for _ in colours(line))
    return True


def _has_someone(line: Line, question: Question) -> bool:
    """Whether a word of the sentence could be a person: a pronoun, or a noun that the question does not give."""
    asked = set(stems(question.text))
    return any(word in _PERSONAL for word in line.lower) or any(
        not asked >= set(stems(line.text[span.start : span.end]))
        for span in noun_phrases(line)
        if not any(character.isdigit() for character in line.text[span.start : span.end])
    )


_PERSONAL = frozenset(("i", "we", "you", "he", "she", "they"))
_NEARBY = frozenset(("here", "home", "upstairs", "downstairs", "outside", "inside", "abroad", "nearby", "online"))


def _is_placed(line: Line) -> bool:
    """Whether something stands behind "in", "under" or "next to" that is not a time; or "home" and its like."""
    times = list(dates(line))
    for index, word in enumerate(line.lower):
        if word in _NEARBY:
            return True
        ahead = index + 1
        if word in PLACE_PREPOSITIONS | {"under", "behind", "over", "via", "by"} and ahead < len(line.tokens):
            start = line.starts[ahead]
            if not any(time.start <= start < time.end or line.starts[index] == time.start for time in times):
                return True
    return False


def first_to_read(library: Library, ranked: Sequence[Ranked], question: Question) -> tuple[list[Ranked], bool]:
    """The sentences that may answer, best first, and whether they speak of all that is asked.

    A sentence that holds all of the question's words leaves the others out of account. Words that the form of the
    answer tells ("colour", "number") need not stand there; what "it" or "they" means may stand in the sentence before.
    Where none speaks of it all, those with something of the form asked for.
    """
    needed = [t for t in question.terms if t not in _BY_FORM and (t not in light_stems() or t in question.names)]
    held = held_by(library, needed)
    points: list[tuple[float, Ranked]] = []
    for entry in ranked:
        sentence = library.sentences[entry.place]
        if not has_form(line_of(sentence.text), question) or sentence.text.endswith("?"):
            continue
        told = held[entry.place]
        around = told | _before(library, entry.place, sentence, held)
        exact = sum(1 for t in needed if t in library.stems[entry.place])
        if set(needed) <= around:
            points.append((len(told) + 0.5 * exact, entry))
    if not points:
        formed = [r for r in ranked if has_form(line_of(library.sentences[r.place].text), question)]
        return formed, False
    points.sort(key=lambda pair: (-pair[0], pair[1].place))
    whole = [entry for _, entry in points if set(needed) <= held[entry.place]]
    return whole or [entry for _, entry in points], True


def by_names(library: Library, ranked: Sequence[Ranked], question: Question) -> list[Ranked]:
    """The sentences with those first that hold most of the question's names themselves: "On Sunday it is closed."."""
    held = held_by(library, question.names)
    return sorted(ranked, key=lambda entry: -len(held[entry.place]))


def _before(library: Library, place: int, sentence: Sentence, held: Sequence[frozenset[str]]) -> frozenset[str]:
    """What the sentence before holds, where this one goes on with it: "It opens at nine."."""
    early = {word.lower() for word in words(sentence.text)[:4]}
    if not place or not early & _ANAPHORS or library.sentences[place - 1].block != sentence.block:
        return frozenset()
    return held[place - 1]
