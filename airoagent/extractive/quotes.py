"""The reader: the sentences of the blocks that hold the answer to a question, word for word.

    >>> page = ContextBlock("The tower was finished in 1889. It is 330 metres tall.", (("title", "Eiffel Tower"),))
    >>> [quote.text for quote in find_quotes([page], "How tall is the Eiffel Tower?")]
    ['It is 330 metres tall.']

Sentences are ranked by BM25 over their own words and, for less, over those of their surroundings (title, heading, the
sentence before); a figure, a date or a name where the question asks for one adds to that. Where the best sentence and
its surroundings hold too little of the question, nothing is quoted. There is no understanding in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from textwrap import wrap

from airoagent.extractive.questions import Question, has_name, read_question
from airoagent.frozen import frozen
from airoagent.prompts.context_prompts import SOURCE_LINE, ContextBlock
from airoagent.text.rank import rarity, saturated
from airoagent.text.sentences import sentences, unwrapped
from airoagent.text.words import STOP_WORDS, fold, stem, words

_MOST, _LONGEST = 90, 700
"""Words of an answer of several sentences; characters of one sentence, beyond which it is a list or code."""

# Chosen on half of XQuAD's English questions (by article) and on those over examples/library; they matter little.
_EVEN, _TITLE, _ABOVE, _BEFORE, _FORM = 1.0, 0.8, 0.5, 0.4, 0.2
_NEXT, _OTHER = 0.45, 0.6
_LEAST, _OWN, _REACH, _FEW = 0.33, 0.6, 3, 3
_MOST_KEPT = 30_000  # characters of a block whose lines are kept: many questions find the same pages


@frozen
class Quote:
    """A sentence or table row of a block, as it stands there; ``header`` is the first row of its table."""

    text: str
    block: int
    header: str = ""


@frozen
class _Line:
    """What may be quoted, with the stems of what it stands under and of its own words."""

    quote: Quote
    above: frozenset[str]
    stems: tuple[str, ...]


def find_quotes(blocks: Sequence[ContextBlock], instruction: str) -> tuple[Quote, ...]:
    """The one to three sentences that answer an instruction, in their order; () where none does."""
    unique = {block.text: number for number, block in reversed(list(enumerate(blocks)))}  # found twice, read once
    lines = [line for number in sorted(unique.values()) for line in _lines(blocks[number], number)]
    titles = tuple(filter(None, map(_title, blocks)))
    lines = [
        line for line in lines if not line.quote.text.startswith(titles) or re.search(r"[.!?]$| \| ", line.quote.text)
    ]
    asked = " ".join(instruction.split())
    known = [line for line in lines if len(text := line.quote.text.rstrip(".")) >= 20 and text in asked]
    for line in known:  # an earlier answer in the question names what it is about
        asked = asked.replace(text := line.quote.text.rstrip("."), f" ({text})")
    question = read_question(asked)
    lines = [line for line in lines if line not in known and not question.is_of_another(line.quote.text)]
    if not question.terms:
        return _opening(lines)
    scores = _scores(lines, question)
    best = sorted(range(len(lines)), key=lambda at: (-scores[at], at))
    if best and question.form == "summary" and _is_named(blocks[page := lines[best[0]].quote.block], question):
        return _opening([line for line in lines if line.quote.block == page])
    if not best or all(term.isdigit() for term in question.terms) or _coverage(lines, best[0], question) < _LEAST:
        return ()
    first = lines[best[0]]
    held = sum(weight * _held(term, frozenset(first.stems)) for term, weight in question.terms.items())
    is_whole = held >= 0.95 * sum(question.terms.values()) and question.may_be_answered(first.quote.text)
    kept = _fitting(lines, best[:1] + ([] if is_whole else _further(lines, scores, best, question)))
    kept[1:] = sorted(kept[1:], key=lambda at: (lines[at].quote.block != first.quote.block, at))
    own = [lines[at].quote for at in kept if not _is_figure_of_another(lines[at], question)]
    answered = any(question.may_be_answered(f"{quote.header} {quote.text}") for quote in own)
    return tuple(lines[at].quote for at in kept) if answered else ()


def _is_figure_of_another(line: _Line, question: Question) -> bool:
    """Whether a sentence names something else alone, where a figure of something that has a name is asked for."""
    names = {name for name in question.names if not name.isdigit()}
    if question.form != "number" or not names or any(_held(name, line.above | set(line.stems)) for name in names):
        return False
    return not _PRONOUN.search(line.quote.text) and has_name(line.quote.text)


def _is_named(block: ContextBlock, question: Question) -> bool:
    """Whether a question is about a page as a whole: it has no word but those of the page's title or address."""
    name = frozenset(map(stem, words(" ".join(value for _, value in block.metadata))))
    return all(_held(term, name) for term in question.terms)


def _opening(lines: Sequence[_Line]) -> tuple[Quote, ...]:
    """What a text begins with: up to three of its sentences, or its first lines if it has none."""
    prose = [at for at, line in enumerate(lines) if line.quote.text.endswith((".", "!", "?"))] or range(len(lines))
    return tuple(lines[at].quote for at in _fitting(lines, prose[:3]))


_SHORT = 400  # characters: texts up to here are read whole, and of longer ones the best lines up to here


def best_lines(blocks: Sequence[ContextBlock], instruction: str) -> tuple[ContextBlock, ...]:
    """The blocks with the lines only that match the question best, in their order: what a small model is to read.

    At least two lines are kept, and more as long as they are short; blocks of which nothing is kept are left out.
    """
    blocks = tuple(blocks)
    question = read_question(" ".join(instruction.split()))
    lines = [line for number, block in enumerate(blocks) for line in _lines(block, number)]
    scores = _scores(lines, question)
    if sum(len(block.text) for block in blocks) <= _SHORT or not question.terms or not any(scores):
        return blocks
    kept: list[int] = []
    room = _SHORT
    for at in sorted(range(len(lines)), key=lambda at: (-scores[at], at)):
        size = len(lines[at].quote.text)
        if len(kept) > 1 and size > room:
            break
        kept.append(at)
        room -= size
    texts: dict[int, list[str]] = {}
    for quote in (lines[at].quote for at in sorted(kept)):
        text = texts.setdefault(quote.block, [])
        line = f"{_label(quote, blocks[quote.block])}{quote.text}"
        text += [quote.header, line] if quote.header and quote.header not in text else [line]
    return tuple(ContextBlock("\n".join(text), blocks[number].metadata) for number, text in texts.items())


def _further(lines: Sequence[_Line], scores: Sequence[float], best: Sequence[int], question: Question) -> list[int]:
    """Up to two more lines that come near the best one; those of another page seldom add to an answer."""
    top, page = scores[best[0]] or 1.0, lines[best[0]].quote.block
    shares = {
        at: scores[at] / top * (1.0 if lines[at].quote.block == page else _OTHER)
        for at in best[1:12]  # of a table, only rows that are asked about themselves
        if not lines[at].quote.header or question.terms.keys() & lines[at].stems
    }
    if question.lent:  # it is about somebody who was found before
        shares = {at: share for at, share in shares.items() if _near(lines, at) & question.lent}
    return [at for at in sorted(shares, key=lambda at: -shares[at])[:2] if shares[at] > _NEXT]


def _fitting(lines: Sequence[_Line], places: Sequence[int]) -> list[int]:
    """The first place, and as many of the next as an answer has room for."""
    kept = list(places[:1])
    for at in places[1:]:
        size = sum(len(lines[one].quote.text.split()) for one in (*kept, at))
        if size <= _MOST and all(lines[one].quote.text != lines[at].quote.text for one in kept):
            kept.append(at)
    return kept


def _scores(lines: Sequence[_Line], question: Question) -> list[float]:
    """What each line is worth as an answer: BM25 over its own words, and for less over those around it."""
    average = sum(len(line.stems) for line in lines) / max(len(lines), 1) or 1.0
    heads = {term[:4]: [one for one in question.terms if one[:4] == term[:4]] for term in question.terms}
    own = [_said(line.stems, question.terms, heads) for line in lines]
    weights = {
        term: weight * (_EVEN + rarity(sum(term in said for said in own), len(lines)))
        for term, weight in question.terms.items()
    }
    total = sum(weights.values()) or 1.0
    scores = []
    for at, line in enumerate(lines):
        follows = at and lines[at - 1].quote.block == line.quote.block and lines[at - 1].above == line.above
        before = own[at - 1] if follows else {}
        length = (1 + len(line.stems) / average) / 2
        score = 0.0
        for term, weight in weights.items():
            if term in own[at]:
                score += weight * saturated(own[at][term], length)
            elif term in line.above:
                score += weight * (_TITLE if term in question.names | question.lent else _ABOVE)
            elif term in before:
                score += weight * _BEFORE
        told = own[at] or line.above & weights.keys()
        scores.append(score / total + _FORM * question.is_answer_like(line.quote.text) * bool(told))
    return scores


def _said(stems: tuple[str, ...], terms: Collection[str], heads: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """How often a line has each word of the question; one that differs by its ending counts for less than once."""
    said = {term: float(times) for term in terms if (times := stems.count(term))}
    for one in stems:
        for term in heads.get(one[:4], ()):
            if term not in said and (held := _held(term, frozenset((one,)))):
                said[term] = held
    return said


def _near(lines: Sequence[_Line], at: int) -> frozenset[str]:
    """The stems around a line: what it stands under, and some lines before and after it in its block."""
    found = set(lines[at].above)
    for other in range(max(at - _REACH, 0), min(at + _REACH + 1, len(lines))):
        if lines[other].quote.block == lines[at].quote.block:
            found.update(lines[other].stems)
    return frozenset(found)


def _coverage(lines: Sequence[_Line], at: int, question: Question) -> float:
    """How much of the question a line holds, and with its surroundings, 0 to 1."""
    own, near = frozenset(lines[at].stems), _near(lines, at)
    years = {name for name in question.names if name.isdigit()}
    names = question.names - years
    if question.lent and not any(_held(name, near) for name in question.lent):
        return 0.0
    if not years <= near or sum(_held(name, near) > 0 for name in names) * 2 < len(names):
        return 0.0  # it is about somebody else, or another year
    asked = question.terms.keys() - question.lent
    missing = {term for term in asked if not _held(term, near)}
    if len(asked) <= _FEW and 2 * len(missing - question.implied) >= len(asked):
        return 0.0  # it is about something that is not there, and shares a word or two with the question
    held = sum(weight * _held(term, own) for term, weight in question.terms.items())
    around = sum(weight * _held(term, near) for term, weight in question.terms.items())
    return (_OWN * held + (1 - _OWN) * around) / (sum(question.terms.values()) or 1.0)


def _held(term: str, stems: frozenset[str]) -> float:
    """What a text has of a word: 1 for the word, less for one that differs by its ending ("climate", "climatic")."""
    if term in stems:
        return 1.0
    head = term[: max(4, len(term) - 1)]
    alike = (one for one in stems if one.startswith(head[: max(4, len(one) - 1)]) and abs(len(one) - len(term)) <= 5)
    return 0.8 if len(term) >= 4 and any(one[:4] == head[:4] and len(one) >= 4 for one in alike) else 0.0


_BULLET = re.compile(r"^(?:[-*•‣◦·]\s+|\d{1,3}[.)]\s+)")
_MARK = re.compile(r"^(?:#{1,6}|=+)\s+|(?<!\s)\s+#+$")
_RULE = re.compile(r"^[\s|:+=_*~-]*$")
_PROSE = re.compile(r"[.!?…。！？:][\"'”’)\]]*$| \| |^[-*•|#]")


def _lines(block: ContextBlock, number: int) -> tuple[_Line, ...]:
    """What may be quoted of a block: its sentences, list items and table rows, but not its headings."""
    return _kept_lines(block, number) if len(block.text) <= _MOST_KEPT else tuple(_each_line(block, number))


@lru_cache(maxsize=64)
def _kept_lines(block: ContextBlock, number: int) -> tuple[_Line, ...]:
    return tuple(_each_line(block, number))


def _each_line(block: ContextBlock, number: int) -> Iterator[_Line]:
    title = _title(block)
    heading, header = "", ""
    lines = [line for raw in unwrapped(block.text).split("\n") if not _RULE.match(line := raw.strip())]
    for place, line in enumerate(lines):
        row = " | " in line or line.startswith("|")
        if row and not header and not any(c.isdigit() for c in line):
            header = line
            continue
        header = header if row else ""
        if _is_heading(line, lines[place + 1 : place + 2], not place):
            heading = _MARK.sub("", line)
            continue
        if line == "[...]":
            continue
        parts = (line,) if row else sentences(_BULLET.sub("", line))
        above = frozenset(map(stem, words(f"{title} {heading} {header}")))
        for text in (piece for part in parts for piece in ((part,) if len(part) <= _LONGEST else wrap(part, _LONGEST))):
            yield _Line(Quote(text, number, header), above, tuple(map(stem, words(text))))


def _is_heading(line: str, following: Sequence[str], first: bool) -> bool:
    """Whether a line is a heading: marked, or short and neither a sentence nor a figure, with a text below it."""
    short = following and len(line) < 90 and not _PROSE.search(line)
    text_below = following and (len(following[0]) >= 90 or _PROSE.search(following[0]))
    return bool(_MARK.search(line) or (short and (first or (text_below and not any(map(str.isdigit, line))))))


def _title(block: ContextBlock) -> str:
    """What a page is called, without the site's name after a bar."""
    title = next((value for key, value in block.metadata if key.lower() == "title"), "")
    return re.split(r"\s[|–—-]\s", title)[0].strip()


_PRONOUN = re.compile(r"\b(?:he|she|his|her|him|hers)\b|^(?:it|they|its|their)\b", re.IGNORECASE)


def _cells(row: str) -> list[str]:
    bounded = row.startswith("|") and row.endswith("|")
    return [cell.strip() for cell in (row.strip("|") if bounded else row).split("|")]


def _as_sentence(quote: Quote, named: Collection[str]) -> str:
    """A quote as an answer says it: the cells of a row with the names of their columns, all or those asked about."""
    names, cells = _cells(quote.header), _cells(quote.text)
    if not quote.header or len(names) != len(cells):
        return quote.text
    pairs = [(name, cell) for name, cell in zip(names[1:], cells[1:], strict=True) if cell]
    pairs = [pair for pair in pairs if any(stem(word) in named for word in words(pair[0]))] or pairs
    return f"{cells[0]}: {'; '.join(f'{name} {cell}'.strip() for name, cell in pairs)}."


def _label(quote: Quote, block: ContextBlock) -> str:
    """The title of a quote's page, where the quote says "she" and only the title says who that is."""
    if quote.header:
        return ""
    title = _title(block)
    named = {fold(word) for word in words(title) if word.lower() not in STOP_WORDS}
    if len(title) > 80 or not _PRONOUN.search(quote.text) or named & set(map(fold, words(quote.text))):
        return ""
    return f"{title}: " if named else ""


_ENDED = re.compile(r"[.!?…:;][\"'”’)\]]*$")  # a list item, a line of figures or a cell may not be a sentence


def quoted_answer(blocks: Sequence[ContextBlock], instruction: str) -> str:
    """What the built-in model answers from blocks: their best sentences, word for word, with their sources, in the form
    that `read_cited_answer` reads; or a plain sentence that the sources do not say.
    """
    quotes = find_quotes(blocks, instruction)
    if not quotes:
        asked = " ".join(read_question(instruction).text.split())
        return f"The given sources do not say: {asked[:200]}{'...' if len(asked) > 200 else ''}".removesuffix(": ")
    said: list[str] = []
    labelled, named = "", read_question(instruction).names
    for quote in quotes:
        label, text = _label(quote, blocks[quote.block]), _as_sentence(quote, named)
        said.append(text if label == labelled else f"{label}{text}")
        labelled = label or labelled
    answer = " ".join([*(one if _ENDED.search(one) else f"{one};" for one in said[:-1]), said[-1]])
    if SOURCE_LINE.match(answer):  # as it stands, it would be read as the sources of no answer
        answer = f"“{answer}”"
    lines = [answer, "", "Source:"]
    for quote in quotes:
        pairs = {key: value for key, value in blocks[quote.block].metadata if key.lower() != "quote"}
        lines += [f"{key}: {value}" for key, value in pairs.items()]
        lines.append(f"quote: {quote.text}")
    return "\n".join(lines)
