"""What a word without quotes is in JSON as models write it: a number, true, false, null, or text.

>>> read_word("1.5"), read_word("None")
((1.5, None), (None, ('literal', 'None is not how JSON writes it.', 'read as null')))
"""

from __future__ import annotations

import re

from airoagent.language.fitting import INTEGER, MOST_DIGITS, NUMBER
from airoagent.language.functions import Json

__all__ = ["EXACT", "NoValue", "read_word"]

EXACT = frozenset({"true", "false", "null"})
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "none": None}
_JSON = {"true": "true", "false": "false", "null": "null", "none": "null"}
_NEARLY_NUMBER = re.compile(r"[+-]?(?:[0-9][0-9_]*+\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_NOTHING = frozenset({"undefined", "...", "…"})

Finding = tuple[str, str, str]
"""Kind, message and repair."""


class NoValue(Exception):
    """The word is refused: the kind, and why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_word(word: str) -> tuple[Json, Finding | None]:
    """The value of a word, and the finding if JSON writes it another way; NoValue if it is none."""
    lower = word.lower()
    if word in EXACT:
        return _WORDS[word], None
    if lower in _WORDS:
        return _WORDS[lower], ("literal", f"{word} is not how JSON writes it.", f"read as {_JSON[lower]}")
    if _NOT_FINITE.fullmatch(word):
        raise NoValue("not_finite", f"{word} is not a JSON number.")
    if lower in _NOTHING:
        raise NoValue("syntax", f"{word} is no value.")
    if len(word) > MOST_DIGITS and word.lstrip("+-")[:1].isdigit():
        raise NoValue("too_large", f"The number has more than {MOST_DIGITS:,} digits.")
    if INTEGER.fullmatch(word):
        return int(word), None
    written = word if NUMBER.fullmatch(word) else _as_number(word)
    if not written:
        return word, ("unquoted_text", f"{word[:80]} has no quotes.", "read as text")
    number: Json = int(written) if INTEGER.fullmatch(written) else float(written)
    if isinstance(number, float) and abs(number) == float("inf"):
        raise NoValue("not_finite", f"{word} is larger than any number JSON readers keep.")
    if NUMBER.fullmatch(word):
        return number, None
    return number, ("number", f"{word} is not how JSON writes a number.", f"read as {number!r}")


def _as_number(word: str) -> str:
    """A number in a form JSON does not have (+5, .5, 5., 1_000), as Python reads it; "" for any other word."""
    if not _NEARLY_NUMBER.fullmatch(word):
        return ""
    plain = word.removeprefix("+").replace("_", "")
    whole = plain.partition(".")[0].removeprefix("-")
    return "" if len(whole) > 1 and whole[0] == "0" else plain  # 012 is not 12: it stays text
