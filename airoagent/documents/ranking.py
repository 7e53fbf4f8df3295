"""Free text to a search: which words count, how passages and pages are ranked, and what a result shows.

The index finds candidates by BM25 over any of the words; here they are weighed again with what BM25 does not know: the
words that carry a question (names, years, rare words), words side by side, titles, and pages that have all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from os.path import commonprefix

from airoagent.documents.index import FilePage, Found
from airoagent.frozen import frozen
from airoagent.text.sentences import sentences
from airoagent.text.words import STOP_WORDS, UNSPACED, fold, word_set

_EMPTY = STOP_WORDS | word_set(
    "give given name use happen happens happened called find explain describe list show get many much mean means"
)
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(f"[{UNSPACED}]+")
_MARK = re.compile("\x02(.*?)\x03", re.DOTALL)
_MOST_TERMS = 24


@frozen
class Term:
    """A word of the query: its text (lower case), the FTS expression that finds it, and how much it is to weigh."""

    text: str
    expression: str
    weight: float = 1.0


@frozen
class Hit:
    """A page that matches: its score, and its matching passages, best first."""

    page: FilePage
    score: float
    passages: tuple[tuple[float, Found], ...]


def terms_of(query: str) -> tuple[Term, ...]:
    """The words of a query that count, each once; question words only where there is nothing else."""
    terms: dict[str, Term] = {}
    spare: dict[str, Term] = {}
    words = _WORD.findall(unicodedata.normalize("NFKC", query[:4_000]).replace("\u200b", ""))
    for place, word in enumerate(words):
        lower = word.lower()
        if _UNSPACED.search(word):
            for term in _unspaced_terms(word):
                terms.setdefault(term.text, term)
        elif lower in _EMPTY and not (word.isupper() and len(word) > 1 and not query.isupper()):
            spare.setdefault(lower, Term(lower, f'"{lower}"', 0.3))
        elif len(lower) > 1 or lower.isdigit() or len(words) < 4:
            named = word[0].isdigit() or (word[0].isupper() and place > 0) or word[1:] != word[1:].lower()
            terms.setdefault(lower, Term(lower, _expression(lower), 1.3 if named else 1.0))
        else:
            spare.setdefault(lower, Term(lower, f'"{lower}"', 0.3))
    return tuple((terms or spare).values())[:_MOST_TERMS]


_COMPOUND = re.compile(r"(multi|non|sub|pre|semi|anti|inter|over|under|cross|co|self|auto|micro)([a-z]{4,})")


def _expression(word: str) -> str:
    """What finds a word; for a compound also its spelling with a hyphen, which the index keeps as two words."""
    compound = _COMPOUND.fullmatch(word)
    return f'("{word}" OR "{compound[1]} {compound[2]}")' if compound else f'"{word}"'


def _unspaced_terms(word: str) -> list[Term]:
    """Pairs of neighbouring letters as phrases: how a language without spaces is searched."""
    terms: list[Term] = []
    for run in _UNSPACED.findall(word):
        pairs = [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        terms += [Term(pair, '"' + " ".join(pair) + '"') for pair in pairs]
    terms += [Term(rest.lower(), f'"{rest.lower()}"') for rest in _UNSPACED.split(word) if rest]
    return terms


_NEWS = re.compile(r"what.?s new|change ?log|release notes|^release \d|\bnews\b", re.IGNORECASE)
_OF_NEWS = word_set(
    "new news version versions release releases released changed changes added removed deprecated dropped fixed since "
    "changelog introduced update updated history"
)


def rank_pages(found: Sequence[Found], terms: Sequence[Term], rarity: Mapping[str, float]) -> list[Hit]:
    """Candidates grouped by page, best page first; ``rarity`` is every term's weight in the whole collection."""
    total = sum(rarity.values()) or 1.0
    names = {term.text for term in terms}
    stems: dict[str, str] = {}
    pages: dict[FilePage, list[tuple[float, Found, set[str]]]] = {}
    titles: dict[FilePage, set[str]] = {}
    for passage in found:
        score, seen, titled = _weigh(passage, names, rarity, stems)
        pages.setdefault(passage.page, []).append((score, passage, seen))
        titles[passage.page] = titled
    settled = not names & _OF_NEWS  # what is new somewhere is seldom where a thing is described
    hits: list[Hit] = []
    for page, passages in pages.items():
        passages.sort(key=lambda item: (-item[0], item[1].number))
        covered = set().union(*(seen for _, _, seen in passages[:30]), titles[page])
        title_words = max(1, len(_WORD.findall(passages[0][1].title)))
        in_title = sum(rarity[name] for name in titles[page])
        score = passages[0][0] + sum(item[0] * 0.3 / place for place, item in enumerate(passages[1:4], 2))
        score *= 0.3 + (sum(rarity[name] for name in covered) / total)
        score += in_title * (0.6 + 1.2 * min(1.0, len(titles[page]) / title_words))
        if len(covered) == len(names):
            score *= 1.15
        if settled and _NEWS.search(unmarked(passages[0][1].title)):
            score *= 0.7
        score *= 1.0 - 0.35 * max(0.0, page.linked - 0.3)  # registers and tables of contents have every word
        hits.append(Hit(page, score, tuple((item[0], item[1]) for item in passages)))
    hits.sort(key=lambda hit: (-hit.score, hit.page.path))
    return hits


def _weigh(
    passage: Found, names: set[str], rarity: Mapping[str, float], stems: dict[str, str]
) -> tuple[float, set[str], set[str]]:
    """A passage's score, the terms in it (headings included), and the terms in its page's title."""
    counts: dict[str, float] = {}
    order: list[tuple[int, str]] = []
    for place, term in _matched(passage.text, names, stems):
        counts[term] = counts.get(term, 0.0) + 1.0
        order.append((place, term))
    for _, term in _matched(passage.headings, names, stems):
        counts[term] = counts.get(term, 0.0) + 1.2
    titled = {term for _, term in _matched(passage.title, names, stems)}
    prose = 0.8 if _is_list(passage.text) else 1.0
    length = 0.7 + 0.3 * min(2.0, len(passage.text) / 400)
    score = sum(rarity.get(term, 0.0) * count / (count + 0.5 * length) for term, count in counts.items())
    near = {(a[1], b[1]) for a, b in pairwise(order) if a[1] != b[1] and b[0] - a[0] < len(a[1]) + 16}
    score += 0.25 * sum(min(rarity.get(a, 0.0), rarity.get(b, 0.0)) for a, b in near)
    return prose * score, set(counts) & names, titled & names


def _is_list(text: str) -> bool:
    """Whether a passage is a register of words rather than sentences: hardly one of its words is a function word."""
    words = _WORD.findall(text.lower())
    return len(words) > 15 and sum(map(_EMPTY.__contains__, words)) * 12 < len(words)


def _matched(text: str, names: set[str], stems: dict[str, str]) -> Iterator[tuple[int, str]]:
    """The terms that the marked words of a text match, with the place of each."""
    for match in _MARK.finditer(text):
        for word in _WORD.findall(match[1]):
            if _UNSPACED.search(word):  # pairs that overlap are marked as one
                pairs = (word[at : at + 2] for at in range(max(1, len(word) - 1)))
                yield from ((match.start(), pair) for pair in pairs if pair in names)
            elif term := _term(word, names, stems):
                yield match.start(), term


def _term(word: str, names: set[str], stems: dict[str, str]) -> str:
    """The term that a matched word matches: the index has stemmed both, so it is the one that begins most like it."""
    lower = word.lower()
    if lower not in stems:
        bare = fold(lower)

        def common(name: str) -> int:
            return len(commonprefix((fold(name), bare)))  # noqa: RUF071 - letter by letter is meant

        known = lower if lower in names else max(names, key=lambda name: (common(name), -len(name)))
        stems[lower] = known if common(known) else ""  # the second half of a compound: counted with the first
    return stems[lower]


def snippet(text: str, *, most: int = 600) -> str:
    """The whole sentences of a marked passage with the most matches, in order, up to ``most`` characters; unmarked."""
    if len(text) - 2 * text.count("\x02") <= most:
        return unmarked(text)
    parts = sentences(text)
    if not parts:
        return unmarked(text)[:most]
    scores = [len(set(_MARK.findall(part.lower()))) for part in parts]
    best = max(range(len(parts)), key=lambda at: (scores[at], -at))
    first = last = best
    size = len(unmarked(parts[best]))
    while True:
        grown = [at for at in (first - 1, last + 1) if 0 <= at < len(parts)]
        grown = [at for at in grown if size + 1 + len(unmarked(parts[at])) <= most]
        if not grown:
            break
        at = max(grown, key=lambda place: (scores[place], place))
        size += 1 + len(unmarked(parts[at]))
        first, last = min(first, at), max(last, at)
    start = text.find(parts[first])
    end = text.find(parts[last], start) + len(parts[last])
    words = unmarked(text[start:end])
    return words if len(words) <= most * 2 else words[:most].rsplit(" ", 1)[0] + " …"


def unmarked(text: str) -> str:
    """Text without the signs around matches."""
    return text.replace("\x02", "").replace("\x03", "")
