"""Dates, numbers with their units, durations and shares in a sentence.

>>> line = line_of("On 31 March 1889 it weighed 7,300 tonnes.")
>>> [line.text[s.start : s.end] for s in (*dates(line), *numbers(line, "weight"))]
['31 March 1889', '7,300 tonnes']
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airoagent.models.english.spans import Line, Span, line_of
from airoagent.models.english.words import MONTHS, NUMBER_WORDS, UNITS, word_set

__all__ = ["dates", "fractions", "line_of", "numbers", "times"]


_MONTH = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
_DATES = re.compile(
    rf"\b(?P<full>\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? \d{{3,4}}|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd"
    rf"|th)?,? \d{{3,4}}|\d{{4}}-\d\d-\d\d)\b"
    rf"|\b(?P<month>{_MONTH}\.?,? (?:of )?\d{{4}})\b"
    rf"|\b(?P<day>\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?)\b(?! ?\d)"
    r"|\b(?P<era>(?:about |around )?\d{1,5}(?:,\d{3})? (?:BCE?|AD|CE)|AD \d{1,4})\b"
    r"|\b(?P<decade>(?:early |late |mid-)?(?:the )?1\d{2}0s|20\d0s)\b"
    r"|\b(?P<century>(?:early |late |mid-)?(?:\d{1,2}(?:st|nd|rd|th)|(?:twenty-)?(?:first|second|third)|(?:four|fif"
    r"|six|seven|eigh|nin|ten|eleven|twelf|thirteen|fourteen|"
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twentie)th)[ -]century(?: BCE?)?)\b"
    r"|(?<![\d,.$£€-])(?P<year>1[0-9]{3}|20[0-9]{2})(?![\d,]*\d|\.\d| (?:metres|meters|kilometres|km|miles|tonnes"
    r"|people|years|pages|kg|feet|m)\b)"
)
_FIT = {"full": 1.0, "month": 0.95, "year": 0.9, "era": 0.9, "decade": 0.75, "century": 0.7, "day": 0.7}


def dates(line: Line) -> Iterator[Span]:
    """Dates in any of their forms; ``sort`` tells which: full, month, day, era, decade, century, year,
    clock (`times`)."""
    for match in _DATES.finditer(line.text):
        sort = match.lastgroup or "year"
        span = line.over(match.start(), match.end(), sort, _FIT[sort])
        if span:
            yield span
    yield from times(line)


_DAY = (
    r"(?:(?:next|last|this|every|each) )?(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
    r"(?: (?:morning|afternoon|evening|night))?"
    r"|(?:tomorrow|yesterday)(?: (?:morning|afternoon|evening|night))?|tonight"
    r"|(?:next|last|this) (?:week|month|year|weekend|morning|afternoon|evening|spring|summer|autumn|winter)"
)
_HOUR = "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[01]?\\d|2[0-4])"
_CLOCK = (
    rf"(?:half|(?:a )?quarter|(?:five|ten|twenty)) (?:past|to) {_HOUR}|{_HOUR} o['’]clock"
    rf"|{_HOUR}(?:[:.][0-5]\d)? ?(?:[ap]\.m\.|[ap]m\b)|(?:[01]?\d|2[0-4]):[0-5]\d(?![:.]?\d)|noon|midday|midnight"
)
_ON = r"(?:,? (?:at|from|around|about|by|before|after)|,)? "
_TIMES = re.compile(
    rf"(?<![\w:])(?:(?:{_DAY})(?:{_ON}(?:{_CLOCK})(?:(?: to | until | ?[–-] ?)(?:{_CLOCK}))?)?"
    rf"|(?:{_CLOCK})(?:(?: to | until | ?[–-] ?)(?:{_CLOCK}))?(?:,? (?:on )?(?:{_DAY}))?)(?!\w)",
    re.IGNORECASE,
)


def times(line: Line) -> Iterator[Span]:
    """Days of the week and hours, alone and together: "Tuesday at noon", "half past eight", "next week"."""
    for match in _TIMES.finditer(line.text):
        span = line.over(match.start(), match.end(), "clock", 0.65)
        if span:
            yield span


_NUMBER = re.compile(r"[$£€¥]?(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?")


_DURATION = re.compile(
    r"\b\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?\b"
    r"|\b[\w-]+ (?:years?|months?|weeks?|days?|hours?|minutes?)(?:(?:, | and |, and )[\w-]+ (?:months?|weeks?|days?"
    r"|hours?|minutes?|seconds?))+"
)


def numbers(line: Line, unit: str = "") -> Iterator[Span]:
    """Numbers in figures and words with the unit that follows.

    ``sort`` is "unit" where the asked unit follows, "other" where another one does, "year" for a bare year, else
    "number".
    """
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


_FRACTIONS = word_set("half third thirds quarter quarters fifth fifths sixth seventh eighth ninth tenth tenths")


def _number_end(line: Line, index: int) -> int:
    """The last token of a number: "two and a half million", "three hundred and twelve", "18,038"."""
    count, last = len(line.tokens), index
    while last + 1 < count and line.between(last).strip(" -") == "":
        if _is_number(line, last + 1):
            last += 1
        elif line.lower[last + 1 : last + 4] in (("and", "a", "half"), ("and", "a", "quarter")):
            last += 3
        elif (
            line.lower[last + 1] == "and"
            and last + 2 < count
            and line.lower[last] in ("hundred", "thousand")
            and _is_number(line, last + 2)
        ):
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
            first = (
                index - 1 if index and (line.lower[index - 1] in ("a", "one") or _is_number(line, index - 1)) else index
            )
            if first < index or word == "half":
                yield line.span(first, index, "unit")


def _with_unit(line: Line, first: int, last: int, start: int, wanted: frozenset[str], unit: str) -> Iterator[Span]:
    count = len(line.tokens)
    end = last
    while end + 1 < count and end - last < 3 and line.between(end).strip(" -") == "":
        word = line.lower[end + 1].rstrip(".")
        known = any(word in group for group in UNITS.values()) or word in ("square", "cubic", "per", "an", "light")
        if (
            word in ("a", "an", "per")
            and end + 2 < count
            and line.lower[end + 2] in ("second", "minute", "hour", "day", "year")
        ):
            end += 2
            break
        if word == "per" and line.lower[end + 2 : end + 3] == ("cent",):
            end += 2
            break
        if not known or word == "in":
            break
        if word in ("an", "per") and (end == last or end + 2 >= count):
            break
        end += 1
    text = line.text[start : line.ends[end]]
    tail = line.text[line.ends[end] : line.ends[end] + 2].strip()
    matches = (
        bool(wanted) and _plausible(line, last, end, unit) and _unit_matches(line, (last, end), wanted, text, tail)
    )
    if tail[:1] in ("%", "°") and tail:
        yield Span(start, line.ends[end] + len(tail.rstrip(".,;)")), first, end, "unit" if matches else "number")
        return
    is_year = first == last and re.fullmatch(r"1[5-9]\d\d|20\d\d", line.tokens[first]) and end == last
    fit = 1.0 if matches else 0.35 if is_year else 0.6 if not wanted else 0.45
    sort = "unit" if matches else "year" if is_year else "other" if wanted and end > last else "number"
    yield Span(start, line.ends[end], first, end, sort, fit)


def _unit_matches(line: Line, ends: tuple[int, int], wanted: frozenset[str], text: str, tail: str) -> bool:
    """Whether one of the wanted units follows the number, is written onto it ("42km") or stands as a sign."""
    last, end = ends
    if any(line.lower[i].rstrip(".") in wanted for i in range(last + 1, end + 1)):
        return True
    word = line.lower[last]
    if any(word.endswith(unit) and word != unit for unit in wanted & _WRITTEN_ON):
        return True
    return (
        ("dollars" in wanted and text[:1] in "$£€¥")
        or ("percent" in wanted and tail[:1] == "%")
        or ("degrees" in wanted and tail[:1] == "°")
    )


_WRITTEN_ON = word_set("% °c °f km kg m cm mm mb gb tb kb")


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
