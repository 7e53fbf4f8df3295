"""Whether a span is certain enough to stand alone as the answer, and what is said where it is not.

A sentence that holds the answer is a right answer, a wrong piece of it is not: where other spans of the sentence come
near the best one, the sentence (or its clauses around them) is the answer, as long as that is short.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airoagent.models.english.fitting import NAMED, WORKS
from airoagent.models.english.judging import Judged
from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import light_stems
from airoagent.models.english.words import stems, words

__all__ = ["clause_with", "is_certain"]

_MOST = 30  # words of an answer that is a sentence

# By how many points the best span must lead, by kind of question; chosen on the development questions of the library.
# A number or date with its unit is told by its form, so those kinds are not here.
_LEADS = {"noun": 0.35, "thing": 0.35, "person": 0.205, "year": 0.25}
_LEAD_OF_SEVERAL = 0.5
_TIED = 0.35  # how firmly the question's verb must tie a span that needs no lead


def is_certain(best: Judged, others: Sequence[Judged], question: Question, roots: frozenset[str]) -> bool:
    """Whether the best span leads all others of its sentence that say something else; ``roots`` are its stems."""
    lead = _LEADS.get(question.kind, 0.0)
    if lead and question.several:
        lead = _LEAD_OF_SEVERAL
    against = rivals(best, others, question.target in WORKS | NAMED)
    tied = question.verb in roots and question.verb not in light_stems() and best.tied >= _TIED
    if tied and not question.several and all(other.tied < best.tied for other in against):
        return True  # "studied law in Kiel": the question's own verb takes it
    return not any(best.points - other.points < lead for other in against)


def rivals(best: Judged, others: Sequence[Judged], named: bool = False) -> list[Judged]:
    """The spans of the best one's sentence that neither hold it nor stand in it.

    Where a name is asked for and the best is one, a common noun is no rival.
    """
    said = best.text.lower()
    named = named and best.text[:1].isupper()
    return [
        other
        for other in others
        if other.place == best.place
        and other.text.lower() not in said
        and said not in other.text.lower()
        and not (named and other.text.islower())
    ]


_BORDER = re.compile(r"(?<=;) |(?<=,) (?=(?:and|but|while|which|who|whose|where|because|so)\b)|(?<=:) | (?=[—–] )")


def clause_with(sentence: Sentence, span: str, question: Question) -> str:
    """The sentence without its end mark, or where it is too long the clauses that speak most of the question; of a
    table's row, each cell with its header."""
    if sentence.cells:
        labels = sentence.header if len(sentence.header) == len(sentence.cells) else ("",) * len(sentence.cells)
        cells = [f"{label}: {cell}" if label else cell for label, cell in zip(labels, sentence.cells, strict=True)]
        return "; ".join(cell for cell in cells if cell.strip(" :"))
    text = " ".join(sentence.text.split())
    if len(words(text)) > _MOST:
        text = _around(_BORDER.split(text), span, question)
    return text.rstrip(" .,;:")


def _around(pieces: list[str], span: str, question: Question) -> str:
    """The piece with most of the question's words, or the span, and as many beside it as are short enough together."""
    asked = set(question.terms)
    points = [len(asked & set(stems(piece))) + 0.6 * (span.lower() in piece.lower()) for piece in pieces]
    first = last = max(range(len(pieces)), key=points.__getitem__)
    while first and len(words(" ".join(pieces[first - 1 : last + 1]))) <= _MOST:
        first -= 1
    while last + 1 < len(pieces) and len(words(" ".join(pieces[first : last + 2]))) <= _MOST:
        last += 1
    said = " ".join(pieces[first : last + 1])
    if len(words(said)) <= _MOST:
        return said
    # One long clause: the words around the span.
    at = max(said.lower().find(span.lower()), 0)
    found = list(re.finditer(r"\S+", said))
    middle = next((i for i, match in enumerate(found) if match.end() > at), 0)
    start = max(0, min(middle - _MOST // 2, len(found) - _MOST))
    return said[found[start].start() : found[min(start + _MOST, len(found)) - 1].end()]
