"""Where sentences end.

    >>> sentences("Dr. No was filmed in 1962. It cost $1 million.")
    ('Dr. No was filmed in 1962.', 'It cost $1 million.')

A full stop ends a sentence unless it belongs to an abbreviation or an initial, or the text goes on in lower case; a
line break always ends one. Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from airoagent.text.words import STOP_WORDS

_END = re.compile(r"[.!?…][\"'”’)\]»*_]*(?:\[\d{1,3}\])*\s+(?=[\"'“‘(\[«¿¡*_]*[^\W_])|[。！？][」』”）]*\s*|\n\s*")
# Case matters for "No." and "Co.", which end sentences as words in lower case ("no.").
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:(?P<letters>(?:[^\W\d_]\.)*[^\W\d_])|(?i:Dr|Mr|Mrs|Ms|Prof|St|Mt|Jr|Sr|Rev|Gen|Col"
    r"|Capt|Lt|Sgt|vs|cf|ca|nos|vol|pp|figs?|eq|eds?|approx|dept|est|inc|ltd|corp|jan|feb|mar|apr|jun|jul|aug|sept?"
    r"|oct|nov|dec|viz|resp|bzw|ggf|usw|[ei]\.g|fl)|No|Co|Fr|sec|ch|etc|al|ft)\.$"
)
_FIRST_WORD = re.compile(r"\W*(\w+)")
_OPENING = "\"'“‘([«*_"


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence with the white space after it: together they are the whole text."""
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if text[match.start()] in ".!?…" and "\n" not in match[0] and end < len(text):
            following = text[end : end + 3].lstrip(_OPENING)
            if following[:1].islower() or _is_abbreviation(text, start, match.start() + 1, end):
                continue
        if end > start:
            yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def _is_abbreviation(text: str, start: int, stop: int, end: int) -> bool:
    found = _ABBREVIATION.search(text[max(start, stop - 12) : stop])
    if found is None:
        return False
    # "It is written in C. It has" ends there: no stop word follows an initial as a name does; "e.g. The" goes on.
    first = _FIRST_WORD.match(text, end, end + 24)
    ends = found["letters"] is not None and (len(found["letters"]) == 1 or found["letters"].isupper())
    return not (ends and first and first[1].lower() in STOP_WORDS)


def sentences(text: str) -> tuple[str, ...]:
    """The sentences and lines of a text, in order, without the white space between them."""
    return tuple(whole for start, end in sentence_spans(text) if (whole := text[start:end].strip()))


_STARTS = re.compile(r"\s*(?:[-*+•|>#:]|\d{1,3}[.)]\s|\.\. )|\s{4,}")


def unwrapped(text: str) -> str:
    """Text with the line breaks of a 60 to 100 column editor taken out; those that mean something stay."""
    lines = text.split("\n")
    joined = lines[:1]
    for before, line in pairwise(lines):
        wrapped = 45 <= len(before) <= 120 and len(line) <= 130 and not before.endswith("  ")
        if wrapped and not _STARTS.match(line) and " | " not in f"{before}{line}":
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return "\n".join(joined)
