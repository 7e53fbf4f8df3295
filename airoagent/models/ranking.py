"""Which sentences of the blocks speak of what the question speaks of, and how much of it each covers.

BM25's idea (rare words count more) over stems, with credit also for words that stand in a sentence's surroundings: its
heading, the page's title, the sentences before it. A coverage of 1 means that every word of the question is accounted
for. Linear in the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airoagent.models.english import WORD, groups_of, stem, words
from airoagent.models.passages import Block, Sentence, cut
from airoagent.models.questions import Question

__all__ = ["Library", "Ranked", "rank", "read_library"]


@dataclass(frozen=True, slots=True)
class Library:
    """The blocks' sentences, each with the set of its stems."""

    blocks: tuple[Block, ...]
    sentences: tuple[Sentence, ...]
    stems: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence with its place, how much of the question it and its surroundings cover (0 to 1), how much the sentence
    alone does, and which of the question's terms nothing near it speaks of."""

    place: int
    coverage: float
    own: float
    missing: frozenset[str]
    weights: dict[str, float]


def read_library(blocks: Sequence[Block]) -> Library:
    """Cut the blocks into sentences and take their stems."""
    sentences = tuple(sentence for number, block in enumerate(blocks) for sentence in cut(block, number))
    stems = tuple(frozenset(map(stem, words(s.text))) for s in sentences)
    return Library(tuple(blocks), sentences, stems)


def _near_forms(term: str, vocabulary: Iterable[str]) -> frozenset[str]:
    """Words of the text that look like other forms of a term: "chile" and "chilean", "otter" and "otters'"."""
    if len(term) < 4 or term.isdigit():
        return frozenset()
    head = term[: max(4, len(term) - 2)]
    return frozenset(w for w in vocabulary if w.startswith(head) and abs(len(w) - len(term)) <= 4 and w != term)


_IN_TITLE, _IN_HEADING, _IN_LAST, _BEFORE_LAST, _IN_BLOCK = 0.85, 0.75, 0.6, 0.4, 0.2


def rank(library: Library, question: Question, most: int = 40) -> list[Ranked]:
    """The sentences that cover most of the question, best first; ties in the order of the text."""
    terms = question.terms
    count = len(library.sentences)
    if not terms or not count:
        return []
    vocabulary: set[str] = set().union(*library.stems)
    credit = {term: _credits(term, vocabulary, term in question.names) for term in terms}
    weights = _weights(library, question, credit)
    whole = sum(weights.values()) or 1.0
    titles = [_around(" ".join((b.meta("title"), _slug(b.meta("url")))), credit) for b in library.blocks]
    own = [_own(bag, credit) for bag in library.stems]
    in_block = (
        [_best(own[i] for i in range(count) if library.sentences[i].block == n) for n in _numbers(library)]
        if len(library.blocks) < 200
        else []
    )
    ranked = []
    for place, sentence in enumerate(library.sentences):
        mine = own[place]
        if not mine and not titles[sentence.block]:
            continue
        total = dict(mine)
        _add(total, titles[sentence.block], _IN_TITLE)
        if sentence.heading:
            _add(total, _around(sentence.heading, credit), _IN_HEADING)
        if sentence.header:
            _add(total, _around(" ".join(sentence.header), credit), _IN_HEADING)
        for back, share in ((1, _IN_LAST), (2, _BEFORE_LAST)):
            if place >= back and library.sentences[place - back].block == sentence.block:
                _add(total, own[place - back], share)
        if in_block:
            _add(total, in_block[sentence.block], _IN_BLOCK)
        missing = frozenset(t for t in terms if total.get(t, 0.0) < 0.15)
        covered = sum(weights[t] * c for t, c in total.items()) / whole
        alone = sum(weights[t] * c for t, c in mine.items()) / whole
        ranked.append(Ranked(place, covered, alone, missing, weights))
    ranked.sort(key=lambda r: (-(r.coverage + 0.35 * r.own), r.place))
    return ranked[:most]


def _numbers(library: Library) -> range:
    return range(len(library.blocks))


def _credits(term: str, vocabulary: set[str], is_name: bool) -> dict[str, float]:
    """What each word of the text is worth as this term: itself 1, a word of its group 0.8, a like-looking form 0.6."""
    worth = {term: 1.0}
    for other in groups_of(term) if not is_name or term not in vocabulary else ():
        worth.setdefault(other, 0.8)
    if term not in vocabulary or is_name:
        for other in sorted(_near_forms(term, vocabulary)):
            worth.setdefault(other, 0.7)
    return worth


def _weights(library: Library, question: Question, credit: dict[str, dict[str, float]]) -> dict[str, float]:
    """A term's weight: its rarity among the sentences, names and years somewhat more."""
    count = len(library.stems)
    seen = dict.fromkeys(credit, 0)
    for bag in library.stems:
        for term in credit:
            if term in bag:
                seen[term] += 1
    weights = {}
    for term, df in seen.items():
        rarity = math.log(1 + (count - df + 0.5) / (df + 0.5)) / math.log(2 + 2 * count)
        weights[term] = 0.35 + 0.65 * rarity + (0.25 if term in question.names else 0.0)
    return weights


def _own(bag: frozenset[str], credit: dict[str, dict[str, float]]) -> dict[str, float]:
    found = {}
    for term, worth in credit.items():
        if term in bag:
            found[term] = 1.0
        elif len(worth) > 1:
            best = max((value for word, value in worth.items() if word in bag), default=0.0)
            if best:
                found[term] = best
    return found


def _around(text: str, credit: dict[str, dict[str, float]]) -> dict[str, float]:
    return _own(frozenset(map(stem, WORD.findall(text))), credit) if text else {}


def _best(found: Iterable[dict[str, float]]) -> dict[str, float]:
    best: dict[str, float] = {}
    for one in found:
        _add(best, one, 1.0)
    return best


def _add(total: dict[str, float], more: dict[str, float], share: float) -> None:
    for term, value in more.items():
        if value * share > total.get(term, 0.0):
            total[term] = value * share


def _slug(url: str) -> str:
    """The words of an address's last part: "docs://eiffel-tower.html" gives "eiffel tower"."""
    last = url.rstrip("/").rpartition("/")[2]
    return re.sub(r"[-_.]+|html?$|md$|txt$", " ", last)
