"""Single values: what a word without quotes is in JSON and in YAML as models write them, and which numbers are JSON's.

>>> read_word("1.5", 0), untyped("1.10"), untyped("12")
((1.5, None), '1.10', 12)
"""

from __future__ import annotations

import re
from typing import Any

from airoagent.findings import Finding

MOST_DIGITS = 4300
"""Digits a number may have: as many as Python itself reads and writes, since both take quadratic time."""

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*+)")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_UNTYPED = {"true": True, "false": False, "null": None}

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""

Path = tuple[Any, ...]
"""Where a value stands in another: keys and indexes."""


class Plain(str):
    """A scalar that stood in YAML without quotes: text, until a schema says what it is."""

    __slots__ = ()


def untyped(text: str) -> Json:
    """What a plain scalar is where nothing says its type: a number, true, false or null only if JSON would write that
    value with exactly these characters; text otherwise (so 012, 1.10, NO, 19:30 and 2020-01-02 stay what they are).
    """
    if text in _UNTYPED:
        return _UNTYPED[text]
    if not text:
        return None  # a key with nothing after it
    if len(text) <= MOST_DIGITS and NUMBER.fullmatch(text):
        if INTEGER.fullmatch(text):
            return int(text) if text != "-0" else str(text)
        number = float(text)
        if repr(number) == text:
            return number
    return str(text)


class Stop(Exception):
    """The value cannot be read: the kind, a sentence, and the offset. ``meant``: it looked like a call."""

    def __init__(self, at: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.at, self.kind, self.message, self.meant = at, kind, message, False


EXACT = frozenset({"true", "false", "null"})
_LITERALS: dict[str, Json] = {**_UNTYPED, "none": None}
_NEARLY_NUMBER = re.compile(r"[+-]?(?:[0-9][0-9_]*+\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_NOTHING = frozenset({"undefined", "...", "…"})


def read_word(word: str, at: int) -> tuple[Json, Finding | None]:
    """The value of a word without quotes, and the finding if JSON writes it another way; Stop if it is none."""
    lower = word.lower()
    if word in EXACT:
        return _LITERALS[word], None
    if lower in _LITERALS:
        repair = f"read as {'null' if lower == 'none' else lower}"
        return _LITERALS[lower], Finding(at, "literal", f"{word} is not how JSON writes it.", repair)
    if _NOT_FINITE.fullmatch(word):
        raise Stop(at, "not_finite", f"{word} is not a JSON number.")
    if lower in _NOTHING:
        raise Stop(at, "syntax", f"{word} is not a value.")
    if len(word) > MOST_DIGITS and word.lstrip("+-")[:1].isdigit():
        raise Stop(at, "too_large", f"The number has more than {MOST_DIGITS:,} digits.")
    if INTEGER.fullmatch(word):
        return int(word), None
    written = word if NUMBER.fullmatch(word) else _as_number(word)
    if not written:
        return word, Finding(at, "unquoted_text", f"{word[:80]} has no quotes.", "read as text")
    number: Json = int(written) if INTEGER.fullmatch(written) else float(written)
    if isinstance(number, float) and abs(number) == float("inf"):
        raise Stop(at, "not_finite", f"{word} is larger than any number JSON readers keep.")
    if NUMBER.fullmatch(word):
        return number, None
    return number, Finding(at, "number", f"{word} is not how JSON writes a number.", f"read as {number!r}")


def _as_number(word: str) -> str:
    """A number in a form JSON does not have (+5, .5, 5., 1_000), as Python reads it; "" for any other word."""
    if not _NEARLY_NUMBER.fullmatch(word):
        return ""
    plain = word.removeprefix("+").replace("_", "")
    whole = plain.partition(".")[0].removeprefix("-")
    return "" if len(whole) > 1 and whole[0] == "0" else plain  # 012 is not 12: it stays text
