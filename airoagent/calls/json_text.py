"""Reads JSON as models write it: comments, single quotes, trailing commas, bare keys, Python's words, text around it.

One pass, linear in the text; every repair is a finding. Nothing is invented: a text that ends inside a string, a
number or a word, after a key or after an opening bracket is an error (``truncated``). One that ends after a
complete value may be closed, and the finding ``cut`` says so.

Refused by their own names: ``not_finite`` (NaN, Infinity, 1e999), ``too_large`` (a number of over 4,300 digits),
``surrogate`` (half of a character), ``duplicate_key``, ``too_deep``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from airoagent.calls.scalars import EXACT, NUMBER, Json, Path, Stop, read_word
from airoagent.findings import Finding

MOST_DEPTH = 64


@dataclass(slots=True)
class Value:
    """A value found in a text: from ``start`` to ``end``, with what was repaired in it.

    ``places`` says at which offset each value in it stands, by path; ``raws`` how the scalars without quotes were
    written.
    """

    value: Json
    start: int
    end: int
    findings: list[Finding] = field(default_factory=list)
    places: dict[Path, int] = field(default_factory=dict)
    raws: dict[Path, str] = field(default_factory=dict)


_SPACE = re.compile(r"[\s\u200b\ufeff]*+")
_JOIN = re.compile(rf"{_SPACE.pattern}(?P<plus>\+){_SPACE.pattern}(?=[\"'“‘])")
_OPEN = re.compile(r"[{\[]")
_COMMENT_NEXT = re.compile(r"/\*|#")
_TOKEN = re.compile(r"[^\s,{}\[\]\"'“”‘’]++")
_KEY = re.compile(r"[^\s,:：{}\[\]\"'“”‘’=]++")
_ENDS = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_STOPS = {ends[0]: re.compile(rf"[^{ends}\\\x00-\x1f]*+") for ends in ('"', "'", '”"', "’'")}
_SIMPLE_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# The usual string: nothing to repair in it, and what follows the quote can only follow a string.
_CLEAN_STRING = re.compile(r'"([^"\\\x00-\x1f]*+)"(?=[,:}\]\n])')
_CLEAN_KEY = re.compile(r'"([^"\\\x00-\x1f]*+)"[ \t\n]*+:[ \t\n]*+(?=["\d{\[tfn-])')
_AFTER_VALUE = ("```", "~~~", "</", "<|")  # a fence or a tag that follows a value left open
_NUMBER_NEXT = re.compile(r"(?<=\s)-?[0-9]")
_PHRASE = re.compile(r"[^\s,{}\[\]\"'“”‘’:=]++(?:[ \t]++[^\s,{}\[\]\"“”:#/][^\s,{}\[\]\"“”:]*+)++(?=[ \t]*+[,}\]\n])")
_NEXT_MEMBER = re.compile(r"\"[\w .-]{1,60}\"\s*+:")
_LAST_COMMA = re.compile(r",\s*+\Z")
_EITHER = frozenset("bfnrt")  # after a backslash: an escape, or the first letter of a word
_EXTENTS = {start: re.compile(rf"(?:[^{end}\\]|\\.)*+", re.DOTALL) for start, end in _ENDS.items()}
_AFTER_COMMA = re.compile(
    r",\s*+(?:[\"'“‘{\[}\]\d-]|//|/\*|#|\Z|(?:true|false|null|none)\b|[\w.-]++\s*+:)", re.IGNORECASE
)
_DRIVE = re.compile(r"[A-Za-z]:\\\w")
_RAW_ESCAPE = re.compile(r"\\(?:[bf][A-Za-z]|u(?![0-9a-fA-F]{4})|[^\\\"'/bfnrtu\s])")
_SHARE = re.compile(r"\\\\[\w.-]+\\\w")
_CLOSING_NEXT = re.compile(r"\"\s*+(?:[}\]]|\Z|,\s*+\"[\w .-]{1,60}\"\s*+:)")
_HEX = re.compile(r"[0-9a-fA-F]{4}")


def read_values(text: str, keys: Collection[str], whole: bool = False) -> list[Value]:
    """The objects and lists that stand in a text, in order; what is between them is passed over. ``whole``: its end is
    where the model stopped by itself, so that a number there is not cut.

    ``keys`` are the keys that show a call: a bracket that opens with one of them is meant, and if it cannot be read,
    that is an error (Stop). Other brackets that cannot be read are taken as chatter.
    """
    values: list[Value] = []
    first: Stop | None = None
    at = 0
    while opened := _OPEN.search(text, at):
        reader = JsonReader(text, keys, whole)
        start = opened.start()
        try:
            value, end = reader.value(start, (), 0)
        except Stop as stop:
            stop.meant = reader.meant
            if stop.meant or stop.kind == "too_deep":
                raise
            if stop.kind == "truncated" or first is None:
                first = stop
            at = max(stop.at, start + 1)
            continue
        values.append(Value(value, start, end, reader.findings, reader.places, reader.raws))
        at = end
    if not values and first is not None:
        raise first
    return values


def members_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """The members of an object, for ``json.loads``; ValueError if a key occurs twice, which JsonReader locates."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


_STRICT = json.JSONDecoder(object_pairs_hook=members_of, parse_float=_finite, parse_constant=_finite)


def strict_value(text: str) -> Json:
    """The value of a text that is JSON with nothing to repair; ValueError where it may be anything else."""
    if "\\u" in text:  # half of a character, maybe
        raise ValueError("an escape that JsonReader checks")
    try:
        value: Json = _STRICT.decode(text)
        return value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_value(text: str) -> Value:
    """The one object or list that a text is, from its first to its last character; Stop says why it is none."""
    found = read_values(text, ())
    if len(found) != 1 or found[0].start != 0 or found[0].end != len(text):
        raise Stop(0, "syntax", "there is text around the object")
    if any(finding.kind == "cut" for finding in found[0].findings):
        raise Stop(len(text), "truncated", "it is not closed")
    return found[0]


_ESCAPE = re.compile(r"\\.")
_BY_NUMBER = {"\\b": "\\u0008", "\\f": "\\u000c"}


def by_number(text: str) -> str:
    """JSON with the escapes that `is_raw` takes for the start of a word (``\\frac``) written by number."""
    return _ESCAPE.sub(lambda found: _BY_NUMBER.get(found[0], found[0]), text)


def is_raw(text: str) -> bool:
    """Whether a string was written without escaping its backslashes (LaTeX, Windows paths): one of them escapes
    nothing, or would be a backspace or a form feed within a word.
    """
    if _SHARE.match(text) and "\\\\" not in text[2:]:
        return True
    return "\\\\" not in text and (_RAW_ESCAPE.search(text) is not None or _DRIVE.match(text) is not None)


class JsonReader:
    """Reads one value. The methods take an offset and return the value and the offset after it."""

    __slots__ = ("_keys", "_lists", "_text", "_whole", "findings", "meant", "places", "raws")

    def __init__(self, text: str, keys: Collection[str], whole: bool) -> None:
        self._text, self._keys, self._whole = text, keys, whole
        self._lists = 0  # lists that are open around
        self.meant = False
        self.findings: list[Finding] = []
        self.places: dict[Path, int] = {}
        self.raws: dict[Path, str] = {}

    def _note(self, at: int, kind: str, message: str, repair: str) -> None:
        self.findings.append(Finding(at, kind, message, repair))

    def value(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        """The value that begins at an offset."""
        self.places[path] = at
        character = self._text[at : at + 1]
        if character == "{" or character == "[":
            if depth >= MOST_DEPTH:
                raise Stop(at, "too_deep", f"Brackets are nested more than {MOST_DEPTH} deep.")
            return self._object(at, path, depth + 1) if character == "{" else self._list(at, path, depth + 1)
        if character in _ENDS and character:
            return self._joined(at)
        if not character:
            raise Stop(at, "truncated", "The text ends where a value is expected.")
        return self._scalar(at, path)

    def _skip(self, at: int) -> int:
        """Over white space and comments."""
        text = self._text
        while True:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
            if text[at : at + 1] not in ("/", "#"):
                return at
            if text.startswith("/*", at):
                end = text.find("*/", at + 2)
                if end < 0:
                    raise Stop(len(text), "truncated", "The text ends inside a comment.")
                end += 2
            elif text.startswith("//", at) or text.startswith("#", at):
                newline = text.find("\n", at)
                end = len(text) if newline < 0 else newline
            else:
                return at
            self._note(at, "comment", "JSON has no comments.", "left out")
            at = end

    # Objects and lists -----------------------------------------------------------------------------------------

    def _object(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        members: dict[str, Json] = {}
        at = self._skip(at + 1)
        while True:
            character = self._text[at : at + 1]
            if character == "}":
                return members, at + 1
            if character == "]" and members:
                return members, self._wrong_bracket(at, "]", "}", self._lists > 0)
            if character == "{" and members and self._lists:
                self._note(at, "cut", "An object of a list is not closed.", "closed before the next one")
                return members, at
            key_at = at
            clean = _CLEAN_KEY.match(self._text, at)
            key, at = (clean[1], clean.end()) if clean is not None else self._key(at)
            if key in members:
                raise Stop(key_at, "duplicate_key", f"The key {key[:80]!r} appears twice in one object.")
            if clean is None:
                at = self._skip(self._colon(self._skip(at)))
            if key in self._keys:
                self.meant = True
            members[key], at = self.value(at, (*path, key), depth)
            at, closed = self._separator(at, "}")
            if closed:
                return members, at

    def _list(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        items: list[Json] = []
        self._lists += 1
        at = self._skip(at + 1)
        while True:
            character = self._text[at : at + 1]
            if character == "]":
                at, closed = at + 1, True
            elif character == "}" and items:
                at, closed = self._wrong_bracket(at, "}", "]", depth > 1), True
            else:
                item, at = self.value(at, (*path, len(items)), depth)
                items.append(item)
                at, closed = self._separator(at, "]")
            if closed:
                self._lists -= 1
                return items, at

    def _separator(self, at: int, close: str) -> tuple[int, bool]:
        """Over what follows a value: the offset, and whether the bracket is closed."""
        at = self._skip(at)
        character = self._text[at : at + 1]
        if character == "," or character == "，":
            comma = at
            at = self._skip(at + 1)
            while self._text[at : at + 1] == ",":
                self._note(at, "extra_comma", "There is an extra comma.", "left out")
                at = self._skip(at + 1)
            character = self._text[at : at + 1]
            if character in ("}", "]") and character:
                self._note(comma, "trailing_comma", "There is a comma before the closing bracket.", "left out")
        elif missing := self._missing_comma(at, character, close):
            self._note(at, "missing_comma", f"A comma is missing between two {missing}.", "put in")
            return at, False
        elif self._text.startswith(_AFTER_VALUE, at):
            self._cut(at, close)
            return at, True
        elif character and character not in "}]":
            raise Stop(at, "syntax", f"A comma or {close!r} is expected here.")
        if not character:
            self._cut(at, close)
            return at, True
        if character == close:
            return at + 1, True
        if character in "}]":
            return self._wrong_bracket(at, character, close, close == "]" or self._lists > 0), True
        return at, False

    def _missing_comma(self, at: int, character: str, close: str) -> str:
        """What begins here although no comma stands before it; "" if nothing does."""
        if character and character in _ENDS:
            return "values"
        if close == "]" and character == "{":
            return "objects"
        return "numbers" if close == "]" and _NUMBER_NEXT.match(self._text, at) else ""

    def _cut(self, at: int, close: str) -> None:
        if not self.findings or self.findings[-1].kind != "cut":
            self._note(at, "cut", f"The text ends before its {close!r}.", "closed after the last complete value")

    def _wrong_bracket(self, at: int, found: str, expected: str, enclosing: bool) -> int:
        """A bracket of the other kind closes: it also closes what is around, if there is anything."""
        self._note(
            at, "wrong_bracket", f"{found!r} is used where {expected!r} is expected.", f"closed with {expected!r}"
        )
        return at if enclosing else at + 1

    def _key(self, at: int) -> tuple[str, int]:
        character = self._text[at : at + 1]
        if not character:
            raise Stop(at, "truncated", "The text ends where a key is expected.")
        if character in _ENDS:
            return self._string(at)
        word = _KEY.match(self._text, at)
        if word is None:
            raise Stop(at, "syntax", "A key is expected here.")
        if word.end() == len(self._text):
            raise Stop(word.end(), "truncated", "The text ends inside a key.")
        self._note(at, "unquoted_key", f"The key {word[0][:80]} has no quotes.", "read as text")
        return word[0], word.end()

    def _colon(self, at: int) -> int:
        character = self._text[at : at + 1]
        if character == ":":
            return at + 1
        if not character:
            raise Stop(at, "truncated", "The text ends after a key.")
        if character == "：" or character == "=":
            self._note(at, "colon", f"{character!r} is used as the colon.", "read as ':'")
            return at + (2 if self._text.startswith("=>", at) else 1)
        if character in "{[":
            self._note(at, "colon", "A colon is missing after a key.", "put in")
            return at
        raise Stop(at, "syntax", "A colon is expected here.")

    # Scalars ---------------------------------------------------------------------------------------------------

    def _scalar(self, at: int, path: Path) -> tuple[Json, int]:
        token = _TOKEN.match(self._text, at)
        if token is None:
            raise Stop(at, "syntax", "A value is expected here.")
        phrase = _PHRASE.match(self._text, at)
        if phrase is not None:
            self.raws[path] = phrase[0]
            self._note(at, "unquoted_text", f"{phrase[0][:80]} has no quotes.", "read as text")
            return phrase[0], phrase.end()
        word, end = token[0], token.end()
        comment = _COMMENT_NEXT.search(word)  # after a number or true: https://a.example/#b is one word
        if comment and (word[: comment.start()] in EXACT or NUMBER.fullmatch(word, 0, comment.start())):
            word, end = word[: comment.start()], at + comment.start()
        self.raws[path] = word
        if end == len(self._text) and word not in EXACT and not (self._whole and NUMBER.fullmatch(word)):
            raise Stop(at, "truncated", "The text ends inside a value.")
        value, finding = read_word(word, at)
        if finding:
            self.findings.append(finding)
        return value, end

    def _joined(self, at: int) -> tuple[str, int]:
        """A string, and further ones that ``+`` joins to it."""
        text, at = self._string(at)
        pieces = [text]
        while joined := _JOIN.match(self._text, at):
            self._note(joined.start("plus"), "joined", "Two strings are joined with '+'.", "read as one")
            text, at = self._string(joined.end())
            pieces.append(text)
        return "".join(pieces), at

    def _string(self, start: int) -> tuple[str, int]:
        text = self._text
        clean = _CLEAN_STRING.match(text, start)
        if clean is not None:
            return clean[1], clean.end()
        opener = text[start]
        close = _ENDS[opener]
        if opener != '"':
            self._note(start, "quotes", f"A string is in {opener}{close}.", 'read as if in "')
        if opener in "\"'" and text.startswith(opener * 3, start):
            return self._tripled(start, opener * 3)
        plain = _STOPS[close]
        pieces: list[str] = []
        at = start + 1
        raw_line = inner = False
        raw: bool | None = None  # whether backslashes are just that: known at the first that may be either
        while True:
            run = plain.match(text, at)
            assert run is not None
            pieces.append(run[0])
            at = run.end()
            if at >= len(text):
                raise Stop(at, "truncated", "The text ends inside a string.")
            character = text[at]
            if character == "\\":
                if raw is None and (at == start + 1 or text[at + 1 : at + 2] in _EITHER):
                    raw = is_raw(_EXTENTS[opener].match(text, start + 1)[0])  # type: ignore[index]
                piece, at = self._escape(at, raw is True)
                pieces.append(piece)
            elif character < " ":
                if not raw_line:
                    raw_line = True
                    self._note(at, "control", "A string contains a line break or control character.", "kept")
                pieces.append(character)
                at += 1
            elif self._closes(at, inner):
                return "".join(pieces), at + 1
            elif (comma := _LAST_COMMA.search(pieces[-1])) and _NEXT_MEMBER.match(text, at):
                self._note(start, "missing_quote", "A string is not closed.", "closed before the next key")
                return "".join(pieces)[: -len(comma[0])], at - len(comma[0])
            else:
                inner = True
                self._note(at, "inner_quote", "A quote inside a string is not escaped.", "kept as a part of the text")
                pieces.append(character)
                at += 1

    def _closes(self, at: int, inner: bool) -> bool:
        """Whether a quote ends its string: not if a letter or digit follows at once, nor a word after a space. Where
        the string has quotes inside (``inner``), only what can follow a value ends it.
        """
        text = self._text
        following = text[at + 1 : at + 2]
        if inner and following and not following.isspace() and following not in ":}]":
            return _AFTER_COMMA.match(text, at + 1) is not None
        if not following or following in ",:}]\n":
            return True
        if following.isalnum():
            return False
        beyond = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]
        return not text[beyond : beyond + 1].isalnum() or "\n" in text[at + 1 : beyond]

    def _tripled(self, start: int, quotes: str) -> tuple[str, int]:
        end = self._text.find(quotes, start + 3)
        if end < 0:
            if self._text[start + 2 : start + 3] and self._text[start + 3 : start + 4] in ("", ",", "}", "]"):
                return "", start + 2
            raise Stop(len(self._text), "truncated", "The text ends inside a string.")
        self._note(start, "quotes", "A string is in triple quotes.", 'read as if in "')
        return self._text[start + 3 : end], end + 3

    def _escape(self, at: int, raw: bool) -> tuple[str, int]:
        text = self._text
        letter = text[at + 1 : at + 2]
        if raw and letter == "\\":
            self._note(at, "escape", "The backslashes of a share are not escaped.", "both are kept")
            return "\\\\", at + 2
        if raw and _CLOSING_NEXT.match(text, at + 1):  # "C:\temp\"}
            self._note(at, "escape", "The last backslash is not escaped.", "the backslash is kept")
            return "\\", at + 1
        if raw and letter in _EITHER and (letter in "bf" or text[at + 2 : at + 3].islower()):
            self._note(at, "escape", "A backslash is not escaped.", "the backslash is kept")
            return "\\", at + 1
        if not letter:
            raise Stop(len(text), "truncated", "The text ends inside a string.")
        if letter in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[letter], at + 2
        if letter == "u":
            return self._unicode(at)
        if letter in "'’”":
            self._note(at, "escape", f"JSON has no \\{letter}.", "read as the quote itself")
            return letter, at + 2
        self._note(at, "escape", "JSON has no such escape.", "the backslash is kept")
        return "\\", at + 1

    def _unicode(self, at: int) -> tuple[str, int]:
        text = self._text
        first = _HEX.match(text, at + 2)
        if first is None:
            if len(text) - at < 6 and '"' not in text[at:]:
                raise Stop(len(text), "truncated", "The text ends inside a string.")
            self._note(at, "escape", "Four digits are expected after \\u.", "the backslash is kept")
            return "\\", at + 1
        code = int(first[0], 16)
        if 0xD800 <= code < 0xDC00 and text.startswith("\\u", at + 6):
            second = _HEX.match(text, at + 8)
            low = int(second[0], 16) if second else 0
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), at + 12
        if 0xD800 <= code < 0xE000:
            if code < 0xDC00 and len(text) - at < 12:
                raise Stop(len(text), "truncated", "The text ends inside a string.")
            raise Stop(at, "surrogate", f"\\u{first[0]} is half of a character.")
        return chr(code), at + 6
