"""Spans of a sentence that could be an answer, by the kind of answer asked for.

A `Line` is a sentence cut into tokens; each function finds one sort of span in it: names, dates, numbers with units,
quoted titles, noun phrases, clauses. A `Span` says how well it fits its sort (``fit``, 0 to 1); which span answers the
question is for `reading` to say. All of it linear, all of it pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airoagent.models.english import (
    AUXILIARIES, COLOURS, DETERMINERS, MONTHS, NUMBER_WORDS, PREPOSITIONS, PRONOUNS, STOPWORDS, UNITS, WORD, looks_verbal, stem,
)  # fmt: skip

__all__ = ["Line", "Span", "clauses", "colours", "dates", "fractions", "line_of", "names", "noun_phrases", "numbers", "quoted", "titles", "together"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a sentence; ``first`` and ``last`` its tokens; ``sort`` how it was found."""

    start: int
    end: int
    first: int
    last: int
    sort: str
    fit: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence's tokens: as written, lower case, stems, places; ``barrier`` rises at commas, brackets and the like."""

    text: str
    tokens: tuple[str, ...]
    lower: tuple[str, ...]
    stems: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    barrier: tuple[float, ...]

    def span(self, first: int, last: int, sort: str, fit: float = 1.0) -> Span:
        """The span from one token to another, both in it."""
        return Span(self.starts[first], self.ends[last], first, last, sort, fit)

    def over(self, start: int, end: int, sort: str, fit: float = 1.0) -> Span | None:
        """The span over these characters; None if no token lies in them."""
        inside = [i for i, (s, e) in enumerate(zip(self.starts, self.ends, strict=True)) if s < end and e > start]
        return Span(start, end, inside[0], inside[-1], sort, fit) if inside else None

    def between(self, first: int) -> str:
        """What stands between this token and the next: blank, comma, bracket."""
        return (
            self.text[self.ends[first] : self.starts[first + 1]]
            if first + 1 < len(self.tokens)
            else self.text[self.ends[first] :]
        )


_COSTS = {",": 1.5, ";": 5.0, ":": 1.0, "(": 1.5, ")": 1.5, "—": 2.0, "–": 1.0, "|": 0.5, ".": 2.0}
_TURNS = {
    "but": 3.0,
    "while": 3.0,
    "whereas": 3.0,
    "although": 3.0,
    "though": 3.0,
    "and": 1.5,
    "which": 0.5,
    "when": 0.5,
    "until": 1.0,
}


def line_of(text: str) -> Line:
    """Cut a sentence into tokens."""
    found = list(WORD.finditer(text))
    tokens = tuple(m[0].removesuffix("'s").removesuffix("’s") for m in found)
    starts = tuple(m.start() for m in found)
    ends = tuple(m.start() + len(t) for m, t in zip(found, tokens, strict=True))
    lower = tuple(t.lower() for t in tokens)
    barrier: list[float] = []
    height = 0.0
    for index, start in enumerate(starts):
        gap = text[ends[index - 1] : start] if index else ""
        height += sum(_COSTS.get(c, 0.0) for c in gap if c in _COSTS) + _TURNS.get(lower[index], 0.0)
        barrier.append(height)
    return Line(text, tokens, lower, tuple(stem(t) for t in tokens), starts, ends, tuple(barrier))


_JOINERS = frozenset(
    "of the de da di du van von der den la le el al bin ibn y e och for del des dos do in and zu ter af on to".split()
)
_SMALL = frozenset("de da di du van von der den la le el al bin ibn y del des dos zu ter af".split())
_NOT_NAMES = MONTHS | frozenset(
    "monday tuesday wednesday thursday friday saturday sunday mr mrs ms dr sir i bc ad ce bce however today later since "
    "earlier meanwhile although because though while yes no".split()
)


def _is_name_token(line: Line, index: int) -> bool:
    word = line.tokens[index]
    if not word[0].isupper() or line.lower[index] in _NOT_NAMES or (
        len(word) == 1 and (line.between(index)[:2] != ". " or not line.tokens[min(index + 1, len(line.tokens) - 1)][0].isupper())
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
            if step < count and gap in ("'s ", "’s ") and line.tokens[step][0].isupper() and line.lower[step] not in _NOT_NAMES:
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
        if last - index > 1 and re.search(r"(?:sh|ch)m[ae]n$|^(?:President|King|Queen|Sir|Lord|Dr|Colonel|Captain|General|Professor)$", line.tokens[index]):
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
    """"St Mary's Hospital" and "Monty Python's Flying Circus", beside the owner alone."""
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


_TITLE_WORDS = frozenset("a an the of and in to at on for with from by as or".split())
_NATIONAL = re.compile(r"(?:ese|ish|ian|ean|can|ench|utch|man|iss|eek|wede|ssian)$")


def _name_fit(line: Line, first: int, last: int) -> float:
    if first == last and _NATIONAL.search(line.lower[first]) and line.lower[first].endswith(("ish", "ese", "eek", "ench", "rman", "ssian")):
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


_ORGANISATION = frozenset(
    "university museum academy company river tower bridge street war committee prize award institute college school church "
    "cathedral building hall park sea ocean lake mount mountain island islands city town kingdom empire republic union party "
    "hospital library station airport road square palace castle court house press league association foundation society "
    "department ministry government parliament council bank corporation group north south east west festival treaty fair act "
    "states world earth sun moon mars jupiter saturn venus day edition times journal theatre theater garden gardens bay "
    "peninsula desert strait canal valley century club team inc ltd galaxy telescope mission".split()
)


def unlike_person(line: Line, span: Span) -> bool:
    """Whether a name is plainly not a person's: it holds a word like "University", or a digit."""
    return any(
        line.lower[i] in _ORGANISATION or any(c.isdigit() for c in line.lower[i])
        for i in range(span.first, span.last + 1)
    )


_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_DATES = re.compile(
    rf"\b(?P<full>\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? \d{{3,4}}|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{3,4}}|\d{{4}}-\d\d-\d\d)\b"
    rf"|\b(?P<month>{_MONTH}\.?,? (?:of )?\d{{4}})\b"
    rf"|\b(?P<day>\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?)\b(?! ?\d)"
    r"|\b(?P<era>(?:about |around )?\d{1,5}(?:,\d{3})? (?:BCE?|AD|CE)|AD \d{1,4})\b"
    r"|\b(?P<decade>(?:early |late |mid-)?(?:the )?1\d{2}0s|20\d0s)\b"
    r"|\b(?P<century>(?:early |late |mid-)?(?:\d{1,2}(?:st|nd|rd|th)|(?:twenty-)?(?:first|second|third)|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|thirteen|fourteen|"
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twentie)th)[ -]century(?: BCE?)?)\b"
    r"|(?<![\d,.$£€-])(?P<year>1[0-9]{3}|20[0-9]{2})(?![\d,]*\d|\.\d| (?:metres|meters|kilometres|km|miles|tonnes|people|years|pages|kg|feet|m)\b)"
)  # fmt: skip
_FIT = {"full": 1.0, "month": 0.95, "year": 0.9, "era": 0.9, "decade": 0.75, "century": 0.7, "day": 0.7}


def dates(line: Line) -> Iterator[Span]:
    """Dates in any of their forms; ``sort`` tells which: full, month, day, era, decade, century, year."""
    for match in _DATES.finditer(line.text):
        sort = match.lastgroup or "year"
        span = line.over(match.start(), match.end(), sort, _FIT[sort])
        if span:
            yield span


_NUMBER = re.compile(r"[$£€¥]?(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?")


_DURATION = re.compile(
    r"\b\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?\b"
    r"|\b[\w-]+ (?:years?|months?|weeks?|days?|hours?|minutes?)(?:(?:, | and |, and )[\w-]+ (?:months?|weeks?|days?|hours?|minutes?|seconds?))+"
)


def numbers(line: Line, unit: str = "") -> Iterator[Span]:
    """Numbers in figures and words with the unit that follows; ``sort`` is "unit" where the asked unit follows."""
    wanted = UNITS.get(unit, frozenset())
    if unit == "time":
        for match in _DURATION.finditer(line.text):
            span = line.over(match.start(), match.end(), "unit")
            if span:
                yield span
    index, count = 0, len(line.tokens)
    while index < count:
        if not _is_number(line, index) or _beside_month(line, index):
            index += 1
            continue
        last = _number_end(line, index)
        start = line.starts[index]
        while start > 0 and line.text[start - 1] in "$£€¥−-+" and (start < 2 or not line.text[start - 2].isalnum()):
            start -= 1
        yield from _with_unit(line, index, last, start, wanted, unit)
        index = last + 1


def _beside_month(line: Line, index: int) -> bool:
    """Whether a number belongs to a date: "2 September", "May 16"."""
    after = line.lower[index + 1] if index + 1 < len(line.tokens) and line.between(index).isspace() else ""
    before = line.lower[index - 1] if index and line.between(index - 1).isspace() else ""
    return after in MONTHS or before in MONTHS


_FRACTIONS = frozenset("half third thirds quarter quarters fifth fifths sixth seventh eighth ninth tenth tenths".split())


def _number_end(line: Line, index: int) -> int:
    """The last token of a number: "two and a half million", "three hundred and twelve", "18,038"."""
    count, last = len(line.tokens), index
    while last + 1 < count and line.between(last).strip(" -") == "":
        if _is_number(line, last + 1):
            last += 1
        elif line.lower[last + 1 : last + 4] in (("and", "a", "half"), ("and", "a", "quarter")):
            last += 3
        elif line.lower[last + 1] == "and" and last + 2 < count and line.lower[last] in ("hundred", "thousand") and _is_number(line, last + 2):
            last += 2
        elif line.lower[last + 1] in _FRACTIONS and line.lower[last + 1].endswith("s"):
            last += 1
        else:
            break
    return last


def fractions(line: Line) -> Iterator[Span]:
    """Shares in words: "a fifth", "half", "two thirds", "a third"."""
    for index, word in enumerate(line.lower):
        if word in _FRACTIONS:
            first = index - 1 if index and (line.lower[index - 1] in ("a", "one") or _is_number(line, index - 1)) else index
            if first < index or word == "half":
                yield line.span(first, index, "unit")


def _with_unit(line: Line, first: int, last: int, start: int, wanted: frozenset[str], unit: str) -> Iterator[Span]:
    count = len(line.tokens)
    end = last
    while end + 1 < count and end - last < 3 and line.between(end).strip(" -") == "":
        word = line.lower[end + 1].rstrip(".")
        known = any(word in group for group in UNITS.values()) or word in ("square", "cubic", "per", "an", "light")
        if word in ("a", "an", "per") and end + 2 < count and line.lower[end + 2] in ("second", "minute", "hour", "day", "year"):
            end += 2
            break
        if not known or word == "in":
            break
        if word in ("an", "per") and (end == last or end + 2 >= count):
            break
        end += 1
    text = line.text[start : line.ends[end]]
    tail = line.text[line.ends[end] : line.ends[end] + 2].strip()
    matches = bool(wanted) and _plausible(line, last, end, unit) and (
        any(line.lower[i].rstrip(".") in wanted for i in range(last + 1, end + 1)) or any(line.lower[last].endswith(u) and line.lower[last] != u for u in wanted if u in ("%", "°c", "°f", "km", "kg", "m", "cm", "mb", "gb"))
        or (unit == "money" and text[:1] in "$£€¥") or (unit == "share" and tail[:1] == "%") or (unit == "heat" and tail[:1] == "°")
    )  # fmt: skip
    if tail[:1] in ("%", "°") and tail:
        yield Span(start, line.ends[end] + len(tail.rstrip(".,;)")), first, end, "unit" if matches else "number")
        return
    is_year = first == last and re.fullmatch(r"1[5-9]\d\d|20\d\d", line.tokens[first]) and end == last
    fit = 1.0 if matches else 0.35 if is_year else 0.6 if not wanted else 0.45
    yield Span(start, line.ends[end], first, end, "unit" if matches else "year" if is_year else "number", fit)


def _plausible(line: Line, last: int, end: int, unit: str) -> bool:
    """A speed needs more than a distance: "28,000 kilometres an hour", "12 m/s"."""
    if unit != "speed":
        return True
    after = line.lower[last + 1 : end + 1]
    return any(w in ("per", "a", "an", "knots", "mph", "kph") or "/" in w for w in after)


def _is_number(line: Line, index: int) -> bool:
    word = line.lower[index]
    if word[0].isdigit():
        return bool(re.match(r"\d[\d,.]*(?:[a-z°%³²]{0,5})?$|\d+/\d+$", word)) and not re.match(
            r"\d+(?:st|nd|rd|th|s)$", word
        )
    if "-" in word:
        return all(part in NUMBER_WORDS for part in word.split("-"))
    return word in NUMBER_WORDS


_QUOTED = re.compile(
    r"[“\"«]([^“”\"«»]{2,120})[”\"»]|‘([^‘’]{2,100})’(?!\w)|(?<![\w*])\*([^*\n]{2,100})\*(?![\w*])|(?<!\w)_([^_\n]{2,100})_(?!\w)|(?<!\w)'([^'\n]{2,80})'(?!\w)|`([^`\n]{1,80})`"
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


def colours(line: Line) -> Iterator[Span]:
    """Colour words, "and"-ed ones together."""
    index = 0
    while index < len(line.tokens):
        if line.lower[index] in COLOURS or any(part in COLOURS for part in line.lower[index].split("-")):
            last = index
            while last + 2 < len(line.tokens) and line.lower[last + 1] == "and" and line.lower[last + 2] in COLOURS:
                last += 2
            yield line.span(index, last, "colour")
            index = last
        index += 1


def noun_phrases(line: Line) -> Iterator[Span]:
    """Noun phrases, roughly: runs of words that are neither grammar nor verb forms, with "of" phrases and without."""
    index, count = 0, len(line.tokens)
    while index < count:
        if line.lower[index] in STOPWORDS or (looks_verbal(line.lower[index]) and not _adjectival(line, index)):
            index += 1
            continue
        first = index
        if first and line.lower[first - 1] in DETERMINERS and line.lower[first - 1] != "that" and line.between(first - 1).isspace():
            first -= 1
        last = _phrase_end(line, index)
        bare = first == last and line.tokens[first][0].islower()
        if bare and (line.lower[first] in _ADVERBS or line.lower[first].endswith(("ly", "est"))):
            index = last + 1
            continue
        yield line.span(first, last, "phrase", 0.55 if bare else 0.8)
        end = last
        while end + 2 < count and line.lower[end + 1] == "of" and line.between(end).isspace():
            follow = end + 2
            while follow < count and line.lower[follow] in DETERMINERS:
                follow += 1
            if follow >= count or line.lower[follow] in STOPWORDS:
                break
            end = _phrase_end(line, follow)
        if end > last:
            yield line.span(first, end, "phrase", 0.85)
        index = last + 1


_ADVERBS = frozenset(
    "often usually seldom always sometimes later earlier again soon once twice almost nearly together away back far well better best "
    "today now long ago instead however perhaps quite rather yet still early late alone apart least half first last next warm "
    "nobody nothing somebody something everybody everything anybody anything little enough else different several such set".split()
)


def _adjectival(line: Line, index: int) -> bool:
    before = line.lower[index - 1] if index else ""
    after = line.lower[index + 1] if index + 1 < len(line.tokens) else ""
    return (
        (before in DETERMINERS or before in PREPOSITIONS)
        and bool(after)
        and after not in STOPWORDS
        and line.between(index).isspace()
    )


def _phrase_end(line: Line, index: int) -> int:
    last = index
    while last + 1 < len(line.tokens) and last - index < 7:
        gap, word = line.between(last), line.lower[last + 1]
        owned = gap in ("'s ", "’s ") and line.tokens[last][0].isupper()
        if (gap.strip(" -") and not owned) or word in STOPWORDS or (looks_verbal(word) and last + 1 > index):
            break
        last += 1
    return last


_WHY = re.compile(
    r"\b(because(?: of)?|due to|owing to|in order to|so that|so as to|thanks to|since|as a result of|caused by|for fear of|to (?=[a-z]+\b)|for (?=[a-z]+ing\b)|out of)\b",
    re.IGNORECASE,
)
_SO = re.compile(r",? (?:and so|so|and therefore|therefore|which is why|hence) (?!that\b|far\b|as\b|much\b|many\b)", re.IGNORECASE)
_HOW = re.compile(r"\b(by (?=\w+ing\b)|by means of|using|through|with|via|by)\b", re.IGNORECASE)


def clauses(line: Line, kind: str) -> Iterator[Span]:
    """The clause that gives the reason ("because ...", "to ...") or the manner ("by ...ing", "using ...")."""
    effect = _SO.search(line.text) if kind == "reason" else None
    if effect and effect.start() > 12:
        start = max(line.text.rfind(": ", 0, effect.start()), line.text.rfind("; ", 0, effect.start()))
        span = line.over(start + 2 if start > 0 else 0, effect.start(), "clause", 0.95)
        if span:
            yield span
    strong = ("because", "due", "owing", "so that", "in order", "thanks", "caused", "as a result", "so as")
    for match in (_WHY if kind == "reason" else _HOW).finditer(line.text):
        end = _clause_end(line.text, match.end())
        mark = match[0].lower()
        fit = 1.0 if mark.startswith(strong) or (kind == "manner" and mark.startswith(("by ", "using"))) else 0.5
        if end - match.end() > 3:
            span = line.over(match.start(), end, "clause", fit)
            if span:
                yield span


def _clause_end(text: str, start: int) -> int:
    found = re.compile(r"[;.]|, (?:and|but|which|who|while)\b|[)]").search(text, start)
    end = found.start() if found else len(text)
    return min(end, start + 200)
