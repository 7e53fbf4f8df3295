"""Names in a sentence: of people, places and things, joined names, titles of works, quoted words.

>>> line = line_of("The first sketch was made by Maurice Koechlin, an engineer.")
>>> [line.text[s.start : s.end] for s in names(line)]
['Maurice Koechlin']
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airoagent.models.english.spans import Line, Span, line_of
from airoagent.models.english.words import AUXILIARIES, MONTHS, PREPOSITIONS, PRONOUNS, STOPWORDS, word_set

__all__ = ["line_of", "names", "quoted", "titles", "together", "unlike_person"]


_JOINERS = word_set(
    "of the de da di du van von der den la le el al bin ibn y e och for del des dos do in and zu ter af on to"
)
_SMALL = word_set("de da di du van von der den la le el al bin ibn y del des dos zu ter af")
_NOT_NAMES = MONTHS | word_set(
    "monday tuesday wednesday thursday friday saturday sunday mr mrs ms dr sir i bc ad ce bce however today later "
    "since "
    "earlier meanwhile although because though while yes no"
)


def _is_name_token(line: Line, index: int) -> bool:
    word = line.tokens[index]
    if (
        not word[0].isupper()
        or line.lower[index] in _NOT_NAMES
        or (
            len(word) == 1
            and (line.between(index)[:2] != ". " or not line.tokens[min(index + 1, len(line.tokens) - 1)][0].isupper())
        )
    ):
        return False
    following = line.tokens[index + 1] if index + 1 < len(line.tokens) else ""
    if index and following[:1].isupper() and line.between(index) == " " and line.between(index - 1) == " ":
        # "the container ship Ever Given", "the novel The Wild Iris": in mid-sentence capitals are meant.
        return not line.tokens[index - 1][0].isupper() or word.lower() not in STOPWORDS
    if index and "." not in line.text[line.ends[index - 1] : line.starts[index]]:
        return line.lower[index] not in STOPWORDS or (word.isupper() and len(word) > 1)
    return line.lower[index] not in STOPWORDS and line.lower[index] not in AUXILIARIES


def names(line: Line) -> Iterator[Span]:
    """Capitalised names: "Maurice Koechlin", "Ludwig van Beethoven", "Academy of Sciences"."""
    index, count = 0, len(line.tokens)
    while index < count:
        if not _is_name_token(line, index):
            index += 1
            continue
        last = index
        while True:
            gap = line.between(last)
            step = last + 1
            if (
                step < count
                and gap in ("'s ", "’s ")
                and line.tokens[step][0].isupper()
                and line.lower[step] not in _NOT_NAMES
            ):
                yield from _owned_name(line, index, step)
            if step >= count or not (gap in (" ", "-", " & ") or (gap == ". " and len(line.tokens[last]) <= 3)):
                break
            if (
                line.tokens[step][0].isupper()
                and line.lower[step] not in _NOT_NAMES
                and line.lower[step] not in PRONOUNS - {"i"}
            ):
                last = step
                continue
            if re.fullmatch(r"[IVX]+|\d{1,3}", line.tokens[step]) and gap.isspace():
                last = step
                continue
            ahead = step
            while (
                ahead < count and line.lower[ahead] in _JOINERS and line.between(ahead).isspace() and ahead - step < 2
            ):
                ahead += 1
            joined = line.lower[step:ahead]
            if (
                ahead < count
                and ahead > step
                and line.tokens[ahead][0].isupper()
                and set(joined) <= _SMALL | {"of", "the"}
                and gap.isspace()
                and joined[0] != "the"
            ):
                last = ahead
                continue
            break
        yield line.span(index, last, "name", _name_fit(line, index, last))
        if last - index > 1 and re.search(
            r"(?:sh|ch)m[ae]n$|^(?:President|King|Queen|Sir|Lord|Dr|Colonel|Captain|General|Professor)$",
            line.tokens[index],
        ):
            yield line.span(index + 1, last, "name", _name_fit(line, index + 1, last))
        if any(line.lower[i] == "of" for i in range(index, last)):
            cut = next(i for i in range(index, last) if line.lower[i] == "of")
            if cut > index:
                yield line.span(index, cut - 1, "name", 0.7)
        index = last + 1


def together(line: Line) -> Iterator[Span]:
    """Names joined by "and": "Edmund Hillary and Tenzing Norgay"."""
    single = [s for s in names(line) if s.fit > 0.5]
    index = 0
    while index < len(single):
        last = index
        joined = False
        while last + 1 < len(single) and single[last + 1].first > single[last].last:
            gap = line.text[single[last].end : single[last + 1].start]
            if not re.fullmatch(r",? (?:and|&) (?:the )?(?:[A-Z]?[a-z]+ ){0,2}|, (?:the )?(?:[a-z]+ ){0,1}", gap):
                break
            joined = joined or "and" in gap or "&" in gap
            last += 1
            if "and" in gap or "&" in gap:
                break
        if last > index and joined:
            yield line.span(single[index].first, single[last].last, "names", 0.9)
        index = max(last, index + 1)


def _owned_name(line: Line, first: int, step: int) -> Iterator[Span]:
    """ "St Mary's Hospital" and "Monty Python's Flying Circus", beside the owner alone."""
    last = step
    while last + 1 < len(line.tokens) and line.between(last) == " " and line.tokens[last + 1][0].isupper():
        last += 1
    yield line.span(first, last, "name", 0.95)


def titles(line: Line) -> Iterator[Span]:
    """Titles of works: capitals with small words between them, "To Kill a Mockingbird"."""
    index = 0
    while index < len(line.tokens):
        word = line.tokens[index]
        if not word[0].isupper() or line.lower[index] in MONTHS or (not index and line.lower[0] in STOPWORDS):
            index += 1
            continue
        last = ahead = index
        while ahead + 1 < len(line.tokens) and line.between(ahead) in (" ", "'s ", "’s ") and ahead - last < 3:
            ahead += 1
            if line.tokens[ahead][0].isupper() and line.lower[ahead] not in MONTHS:
                last = ahead
            elif line.lower[ahead] not in _TITLE_WORDS:
                break
        if last > index:
            yield line.span(index, last, "title")
        index = last + 1


_TITLE_WORDS = word_set("a an the of and in to at on for with from by as or")
_NATIONAL = re.compile(r"(?:ese|ish|ian|ean|can|ench|utch|man|iss|eek|wede|ssian)$")


def _name_fit(line: Line, first: int, last: int) -> float:
    if (
        first == last
        and _NATIONAL.search(line.lower[first])
        and line.lower[first].endswith(("ish", "ese", "eek", "ench", "rman", "ssian"))
    ):
        return 0.3
    if first == last:
        following = line.tokens[last + 1] if last + 1 < len(line.tokens) and line.between(last).isspace() else ""
        if (
            following
            and following[0].islower()
            and _NATIONAL.search(line.lower[first])
            and following not in PREPOSITIONS
            and following not in AUXILIARIES
        ):
            return 0.3
        return 0.75 if first else 0.5
    return 1.0


_ORGANISATION = word_set(
    "university museum academy company river tower bridge street war committee prize award institute college "
    "school church "
    "cathedral building hall park sea ocean lake mount mountain island islands city town kingdom empire republic "
    "union party "
    "hospital library station airport road square palace castle court house press league association foundation "
    "society "
    "department ministry government parliament council bank corporation group north south east west festival "
    "treaty fair act "
    "states world earth sun moon mars jupiter saturn venus day edition times journal theatre theater garden "
    "gardens bay "
    "peninsula desert strait canal valley century club team inc ltd galaxy telescope mission"
)


def unlike_person(line: Line, span: Span) -> bool:
    """Whether a name is plainly not a person's: it holds a word like "University", or a digit."""
    return any(
        line.lower[i] in _ORGANISATION or any(c.isdigit() for c in line.lower[i])
        for i in range(span.first, span.last + 1)
    )


_QUOTED = re.compile(
    r"[“\"«]([^“”\"«»]{2,120})[”\"»]|‘([^‘’]{2,100})’(?!\w)"
    r"|(?<![\w*])\*([^*\n]{2,100})\*(?![\w*])|(?<!\w)_([^_\n]{2,100})_(?!\w)|(?<!\w)'([^'\n]{2,80})'(?!\w)"
    r"|`([^`\n]{1,80})`"
)


def quoted(line: Line) -> Iterator[Span]:
    """What stands in quotation marks, or between the marks of italics or code."""
    for match in _QUOTED.finditer(line.text):
        group = match.lastindex or 1
        inner = match[group]
        start = match.start(group)
        end = start + len(inner.rstrip(",.;: "))
        span = line.over(start, end, "quoted") if inner.strip() else None
        if span:
            yield span
