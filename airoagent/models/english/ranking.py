"""Which sentences of the blocks speak of what the question speaks of, and how much of it each covers.

BM25's idea (rare words count more) over stems, with credit also for words that stand in a sentence's surroundings: its
heading, the page's title, the sentences before it. The names of a question say which page it is about, and the title
often gives them; its other words (the *relation*: "designed", "first woman") say which sentence, and count where they
stand. Linear in the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from airoagent.models.english.passages import Block, Sentence, cut
from airoagent.models.english.questions import Question, full_names
from airoagent.models.english.words import LIGHT, near_words, sentence_stems, stem, words

__all__ = ["Library", "Ranked", "light_stems", "rank", "read_library", "standing"]

Bag = dict[str, float]
"""What a text gives of each of the question's terms, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Library:
    """The blocks' sentences, each with the set of its stems; ``common`` are the words that stand without a capital."""

    blocks: tuple[Block, ...]
    sentences: tuple[Sentence, ...]
    stems: tuple[frozenset[str], ...]
    common: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence with its place and its points, each 0 to 1.

    ``coverage`` is how much of the question it and its surroundings account for, ``names`` how much of its names and
    years, ``relation`` how much of its other words, ``own`` how much of those it holds itself; ``missing`` are the
    terms nothing near it speaks of. ``plain`` are points for the question's words as they are, rare ones more.
    """

    place: int
    coverage: float
    names: float
    relation: float
    own: float
    missing: frozenset[str]
    weights: dict[str, float]
    plain: float = 0.0


_JOINTS = re.compile(r"[-._/]+")


def read_library(blocks: Sequence[Block]) -> Library:
    """Cut the blocks into sentences and take their stems."""
    first: dict[str, int] = {}
    for number, block in enumerate(blocks):
        first.setdefault(block.text, number)  # a page that was found twice counts once
    sentences = tuple(sentence for number in first.values() for sentence in cut(blocks[number], number))
    stems: list[frozenset[str]] = []
    common: set[str] = set()
    for sentence in sentences:
        found = words(sentence.text)
        # "dual-licensed" speaks of licences as well, "str.find" of finding.
        joined = [word for word in found if not word.isalnum() and not word[0].isdigit()]
        pieces = [piece for word in joined for piece in _JOINTS.split(word) if len(piece) > 1]
        stems.append(frozenset((*sentence_stems(found), *map(stem, pieces))))
        common.update(word for word in found if word[0].islower())
    return Library(tuple(blocks), sentences, tuple(stems), frozenset(common))


# What a term is worth that stands not in the sentence but near it: (for names, for other words).
_TITLE = (1.0, 0.5)
_HEADING = (0.95, 0.55)
_HEADER = (0.8, 0.7)
_LAST = (1.0, 0.85)
_BEFORE_LAST = (0.65, 0.2)
_AFTER = (0.3, 0.35)
_OPENING = (0.7, 0.25)
_BLOCK = (0.3, 0.15)
_FIRST_NAME = 0.9
_YEAR_IN_BLOCK = 0.2  # a year somewhere else on the page says little


def rank(library: Library, question: Question, most: int = 80) -> list[Ranked]:
    """The sentences that cover most of the question, best first; ties in the order of the text."""
    count = len(library.sentences)
    if not question.terms or not count:
        return []
    vocabulary: set[str] = set().union(*library.stems)
    worth = {term: _worth(term, vocabulary, term in question.names) for term in question.terms}
    weights = _weights(library, question, worth)
    bags = [_bag(stems, worth) for stems in library.stems]
    pairs = full_names(question.text)
    common = frozenset(map(stem, library.common)) if pairs else frozenset()
    for first, last in pairs:
        for bag in bags if last not in common else ():  # "Rosetta Stone" is nobody's name
            if last in bag and first in worth:
                bag.setdefault(first, _FIRST_NAME)  # a text goes on to call people by their last name
    titles = [_bag_of(f"{b.meta('title')} {_slug(b.meta('url'))}", worth) for b in library.blocks]
    whole: list[Bag] = [{} for _ in library.blocks]
    for place, bag in enumerate(bags):
        for term, value in bag.items():
            inside = whole[library.sentences[place].block]
            inside[term] = max(inside.get(term, 0.0), value)
    rarity = _rarity(library, question.terms)
    heads = _openings(library, bags)
    contexts: dict[tuple[str, ...], Bag] = {}
    ranked = []
    for place, sentence in enumerate(library.sentences):
        if not bags[place] and not titles[sentence.block] and not (place and bags[place - 1]):
            continue
        # The first sentences of a page say when and where all of it happens.
        opening = heads[sentence.block]
        near = [(opening, _OPENING), (titles[sentence.block], _TITLE), (whole[sentence.block], _BLOCK)]
        for text, share in ((sentence.heading, _HEADING), (" ".join(sentence.header), _HEADER)):
            if text:
                if (text,) not in contexts:
                    contexts[text,] = _bag_of(text, worth)
                near.append((contexts[text,], share))
        for step, share in ((-1, _LAST), (-2, _BEFORE_LAST), (1, _AFTER)):
            other = place + step
            if not 0 <= other < count or not bags[other] or (sentence.cells and library.sentences[other].cells):
                continue  # one row of a table says nothing of another
            if library.sentences[other].block == sentence.block:
                near.append((bags[other], share))
        plain = _plain(
            library.stems[place],
            contexts.get((sentence.heading,), {}),
            titles[sentence.block],
            whole[sentence.block],
            rarity,
        )
        ranked.append(_ranked(place, bags[place], near, question, weights, bool(sentence.cells), plain))
    ranked.sort(key=lambda r: (-standing(r), r.place))
    return ranked[:most]


def standing(entry: Ranked) -> float:
    """A sentence's points before its spans are looked at."""
    lost = sum(entry.weights[t] for t in entry.missing) / (sum(entry.weights.values()) or 1.0)
    return 2.5 * entry.coverage + 1.0 * entry.names**2 + 0.3 * entry.own - 0.9 * lost + entry.plain


@dataclass(frozen=True, slots=True)
class _Rarity:
    """The question's terms by rarity among the sentences, their sum, and a sentence's mean length in stems."""

    of: Bag
    total: float
    length: float


def _rarity(library: Library, terms: Sequence[str]) -> _Rarity:
    count = len(library.stems)
    spread = {term: sum(1 for stems in library.stems if term in stems) for term in terms}
    of = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in spread.items()}
    return _Rarity(of, sum(of.values()) or 1.0, max(sum(map(len, library.stems)), 1) / max(count, 1))


def _plain(stems: frozenset[str], heading: Bag, title: Bag, page: Bag, rarity: _Rarity) -> float:
    """Points by the question's words as they are: BM25 over the sentence, and what its heading, its page's title and
    its page add to that."""
    long = 1.0 + 1.2 * (0.7 + 0.3 * len(stems) / rarity.length)
    points = 0.0
    for term, worth in rarity.of.items():
        if term in stems:
            points += worth * _SENTENCE * 2.2 / long
        elif heading.get(term) == 1.0:
            points += worth * _UNDER_HEADING
        elif title.get(term) == 1.0:
            points += worth * _UNDER_TITLE
        if page.get(term) == 1.0:
            points += worth * _ON_PAGE
    return points / rarity.total


# Fitted, as are the weights of `standing`, on the development questions of the library (five-fold cross-validation).
_SENTENCE, _UNDER_HEADING, _UNDER_TITLE, _ON_PAGE = 1.04, 1.96, 1.0, 0.32


def _ranked(
    place: int,
    own: Bag,
    near: list[tuple[Bag, tuple[float, float]]],
    question: Question,
    weights: Bag,
    row: bool,
    plain: float,
) -> Ranked:
    total = dict(own)
    for bag, (for_names, for_others) in near:
        for term, value in bag.items():
            share = for_names if term in question.names else for_others
            if for_names == _TITLE[0] and term in (question.verb, question.target):
                share = 0.5
            if term.isdigit() and share == _BLOCK[0]:
                share = _YEAR_IN_BLOCK
            if value * share > total.get(term, 0.0):
                total[term] = value * share
    told_by_unit = question.target if question.kind == "measure" and question.unit not in ("", "length") else ""
    told = (told_by_unit, question.verb if told_by_unit and question.unit in _MOVING else "")
    others = [t for t in question.terms if t not in question.names and t not in told]
    weight = weight_of_others = sum(weights[t] for t in others)
    relation = sum(weights[t] * total.get(t, 0.0) for t in others) / weight if weight else 1.0
    held = sum(weights[t] * own.get(t, 0.0) for t in others) / weight if weight else 0.0
    if not others:
        held = sum(weights[t] * own.get(t, 0.0) for t in question.names) / (
            sum(weights[t] for t in question.names) or 1
        )
    weight = sum(weights[t] for t in question.names)
    named = sum(weights[t] * total.get(t, 0.0) for t in question.names) / weight if weight else 1.0
    topic = near[1][0] if len(near) > 1 else {}
    if others and topic:
        # What the title says besides names ("space station") every sentence of the page is about.
        given = {
            t: max(own.get(t, 0.0), 0.9 * topic.get(t, 0.0) * (t not in (question.verb, question.target)))
            for t in others
        }
        held = sum(weights[t] * value for t, value in given.items()) / weight_of_others
    if row:
        held = max(held, relation)
    covered = sum(weights[t] * total.get(t, 0.0) for t in question.terms) / (sum(weights.values()) or 1.0)
    missing = frozenset(t for t in question.terms if total.get(t, 0.0) < 0.1)
    return Ranked(place, covered, named, relation, held, missing, weights, plain)


_MOVING = ("speed", "weight", "heat")  # "kilometres an hour" says "travel" as well as "fast"
_ENDINGS = frozenset(
    (
        "n",
        "an",
        "ian",
        "ish",
        "ese",
        "s",
        "i",
        "al",
        "ic",
        "ist",
        "ism",
        "er",
        "est",
        "en",
        "y",
        "iz",
        "ali",
        "ic",
        "iv",
        "anc",
        "enc",
    )
)


def _same_word(term: str, other: str) -> bool:
    """Whether two stems differ by an ending only: "chil" and "chilean", "scienc" and "scientif"."""
    short, long = sorted((term, other), key=len)
    return (long.startswith(short) and long[len(short) :] in _ENDINGS) or (
        len(short) > 5 and abs(len(long) - len(short)) <= 3 and long[: len(short) - 1] == short[:-1]
    )


def _openings(library: Library, bags: Sequence[Bag]) -> list[Bag]:
    """What the first three sentences of each block give."""
    heads: list[Bag] = [{} for _ in library.blocks]
    counts = [0] * len(library.blocks)
    for place, sentence in enumerate(library.sentences):
        if counts[sentence.block] < 3:
            counts[sentence.block] += not sentence.short
            for term, value in bags[place].items():
                heads[sentence.block][term] = max(value, heads[sentence.block].get(term, 0.0))
    return heads


def _worth(term: str, vocabulary: set[str], is_name: bool) -> Bag:
    """What each word of the text is worth as this term: itself 1, a word of its group or a like-looking form less."""
    worth = {term: 1.0}
    if not is_name or term not in vocabulary:
        worth.update(near_words(term))
    if len(term) > 3 and not term.isdigit():
        head = term[: max(4, len(term) - 2)]
        for other in vocabulary:
            if other.startswith(head) and _same_word(term, other):
                worth.setdefault(other, 0.7)
        if len(term) > 6 and term not in vocabulary:
            # "moonwalk" in the question, "walk" and "moon" in the text.
            for cut_at in range(3, len(term) - 2):
                if term[:cut_at] in vocabulary and term[cut_at:] in vocabulary:
                    worth |= {term[:cut_at]: 0.5, term[cut_at:]: 0.7}
    return worth


def _weights(library: Library, question: Question, worth: dict[str, Bag]) -> Bag:
    """A term's weight: its rarity among the sentences; the noun that only says what is asked ("which river") half."""
    count = len(library.stems)
    weights: Bag = {}
    for term in worth:
        df = sum(1 for stems in library.stems if term in stems)
        rarity = math.log(1 + (count - df + 0.5) / (df + 0.5)) / math.log(2 + 2 * count)
        weight = 0.4 + 0.6 * rarity
        if term in light_stems():
            weight *= 0.43
        weight += 0.3 if term.isdigit() and len(term) == 4 else 0.0
        if term == question.target and question.kind == "measure" and question.unit not in ("", "length"):
            weight *= 0.4  # the unit says it: "330 metres" needs no "tall"
        weights[term] = weight * (0.6 if term == question.target and question.kind == "noun" else 1.0)
    return weights


@lru_cache(maxsize=1)
def light_stems() -> frozenset[str]:
    """The stems of words that say little about which sentence answers."""
    return frozenset(map(stem, LIGHT))


def _bag(stems: frozenset[str], worth: dict[str, Bag]) -> Bag:
    found: Bag = {}
    for term, values in worth.items():
        if term in stems:
            found[term] = 1.0
        elif len(values) > 1 and (common := values.keys() & stems):
            found[term] = max(values[w] for w in common)
    return found


def _bag_of(text: str, worth: dict[str, Bag]) -> Bag:
    return _bag(frozenset(map(stem, words(text))), worth)


def _slug(url: str) -> str:
    """The words of an address's last part: "docs://eiffel-tower.html" gives "eiffel tower"."""
    last = url.rstrip("/").rpartition("/")[2]
    return re.sub(r"[-_.]+|html?$|md$|txt$", " ", last)


def held_by(library: Library, terms: Sequence[str]) -> list[frozenset[str]]:
    """Which of these terms each sentence holds itself, in these words or in others that stand for them."""
    vocabulary: set[str] = set().union(*library.stems)
    worth = {term: _worth(term, vocabulary, False) for term in terms}
    return [frozenset(_bag(stems, worth)) for stems in library.stems]
