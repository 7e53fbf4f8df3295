"""Which of two is older, taller, heavier: the two questions that tell, and the figures they are answered with.

>>> parts = comparison(analyse("Which is taller, the mast or the mill?"))
>>> parts.questions
('How tall is the mast?', 'How tall is the mill?')
>>> parts.choice("212 metres", "31 metres")
'the mast'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airoagent.models.english.amounts import dates, numbers
from airoagent.models.english.analysis import analyse
from airoagent.models.english.questions import Question
from airoagent.models.english.spans import line_of
from airoagent.models.english.words import NUMBER_WORDS, word_set, words

__all__ = ["Comparison", "analyse", "comparison"]

_BY_TIME = word_set("older first earlier newer later last younger")
_LESS = word_set(
    "older first earlier smaller shorter lower lighter slower nearer closer cheaper fewer less colder thinner narrower "
    "shallower"
)
_ADJECTIVES = {
    comparative: adjective
    for adjective, comparatives in (
        ("tall", "taller"),
        ("high", "higher lower"),
        ("long", "longer shorter"),
        ("deep", "deeper shallower"),
        ("heavy", "heavier lighter"),
        ("large", "bigger larger smaller"),
        ("fast", "faster slower"),
        ("wide", "wider narrower"),
    )
    for comparative in comparatives.split()
}
_PAST = re.compile(r"\b(?:was|were)\s+(?:first\s+)?(\w+(?:ed|en)|born|built|made|founded)\b", re.IGNORECASE)
_ACTIVE = {
    "opened": "open",
    "died": "die",
    "began": "begin",
    "started": "start",
    "ended": "end",
    "appeared": "appear",
    "happened": "happen",
    "arrived": "arrive",
    "closed": "close",
    "fell": "fall",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two things compared: the question that asks each one's figure, and which figure wins."""

    options: tuple[str, str]
    questions: tuple[str, str]
    by_time: bool
    less: bool
    head: str

    @property
    def given(self) -> tuple[str, str] | None:
        """The figures that stand in the question itself, in brackets behind the options; None without them."""
        found = [re.search(r"\(([^()]{1,300})\)", option) for option in self.options]
        return (found[0][1], found[1][1]) if found[0] and found[1] else None

    def with_figures(self, left: str, right: str) -> str:
        """The question with each one's figure in brackets behind it."""
        return f"{self.head}, {self.options[0]} ({left}) or {self.options[1]} ({right})?"

    def choice(self, left: str, right: str) -> str | None:
        """The option whose figure wins; None where the figures cannot be read or are the same."""
        one, two = _value(left, self.by_time), _value(right, self.by_time)
        if one is None or two is None or one == two:
            return None
        return re.sub(r"\s*\([^()]*\)", "", self.options[0 if (one < two) == self.less else 1]).strip()


def comparison(question: Question) -> Comparison | None:
    """The comparison a question asks for; None where it asks for none that figures decide."""
    if len(question.options) != 2 or not question.target:
        return None
    word = question.target
    if word in _BY_TIME:
        past = _PAST.search(question.text)
        active = next((w for w in words(question.text.lower()) if w in _ACTIVE), "")
        form = "When was {} built or born?"
        if past or active:
            form = f"When was {{}} {past[1]}?" if past else f"When did {{}} {_ACTIVE[active]}?"
    elif word in _ADJECTIVES:
        form = f"How {_ADJECTIVES[word]} is {{}}?"
    else:
        return None
    left, right = (option.strip() for option in question.options)
    bare = [re.sub(r"\s*\([^()]*\)", "", option).strip() for option in (left, right)]
    head = question.text[: question.text.rfind(left)].rstrip(" ,:") if left in question.text else question.text
    asked = (form.replace("{}", bare[0]), form.replace("{}", bare[1]))
    return Comparison((left, right), asked, word in _BY_TIME, word in _LESS, head)


def _value(text: str, dated: bool) -> float | None:
    line = line_of(text)
    if dated:
        for span in dates(line):
            year = re.search(r"\d{3,4}", text[span.start : span.end])
            if year:
                return float(year[0]) * (-1 if "BC" in text[span.start : span.end] else 1)
    for span in numbers(line):
        return _number(text[span.start : span.end])
    return None


def _number(text: str) -> float:
    value = 0.0
    for word in words(text):
        plain = word.lower().replace(",", "")
        if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", plain):
            value += float(plain)
        elif plain in ("hundred", "thousand", "million", "billion", "trillion"):
            value = (value or 1) * NUMBER_WORDS[plain]
        elif plain in NUMBER_WORDS:
            value += NUMBER_WORDS[plain]
        elif plain in ("km", "kilometres", "kilometers", "tonnes", "tons"):
            value *= 1000
    return value
