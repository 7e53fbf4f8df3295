"""Grammars: a language written down once, as small typed pieces, and rendered for whoever holds a model to it.

    >>> grammar = Grammar((Rule("start", Seq((Text("Answer: "), Use("DIGIT")))), Rule("DIGIT", chars("0-9"))))
    >>> print(grammar.lark(), end="")
    start: "Answer: " DIGIT
    DIGIT: /[0-9]/
    >>> print(grammar.gbnf(), end="")
    root ::= "Answer: " digit-t
    digit-t ::= [0-9]

`Grammar.lark` is what llguidance reads (in this process, and behind vLLM), `Grammar.gbnf` what llama.cpp and the
servers around it read. The languages are the same, except where a piece says so (`Json`). The grammars themselves:
`plan_grammar`, `call_grammar`, `answer_grammar`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from airoagent.frozen import frozen


@frozen
class Text:
    """Exactly this text."""

    text: str


@frozen
class Control:
    """A control token that is spelled so, where the vocabulary has it; or else this text."""

    text: str


@frozen
class Chars:
    """One character of these ranges of code points; ``negated``: one of any others."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@frozen
class Seq:
    """All of these, one after another."""

    items: tuple[Piece, ...]


@frozen
class Alt:
    """Any one of these."""

    items: tuple[Piece, ...]


@frozen
class Rep:
    """From ``least`` to ``most`` times the same piece. There is always a bound: a model that writes on and on has to
    come to an end."""

    item: Piece
    least: int
    most: int


@frozen
class Use:
    """Another rule, by name."""

    rule: str


@frozen
class Json:
    """JSON that is valid against a JSON schema (``schema`` is its text).

    llguidance reads the schema itself. For GBNF there is ``otherwise``, which may be a wider language: what comes from
    it has to be checked against the schema.
    """

    schema: str
    otherwise: Piece


@frozen
class Words:
    """A part of ``text``, cut between words, that holds more than white space.

    llguidance has an automaton for it; for GBNF it is a rule for every word. A rule with this piece holds
    nothing else.
    """

    text: str


Piece = Text | Control | Chars | Seq | Alt | Rep | Use | Json | Words


@frozen
class Rule:
    """A named piece. A name in capitals is a terminal: it is regular, uses only terminals, and is read as one unit."""

    name: str
    piece: Piece


@frozen
class Grammar:
    """Rules, the first of which is the start.

    ``closers`` are texts that lead to an end, the most wanted first: with them a completion is wound up when the
    tokens run out. ``slack`` is how many tokens a single one may put between the text and its nearest end, at most.
    """

    rules: tuple[Rule, ...]
    closers: tuple[str, ...] = ()
    slack: int = 64

    def lark(self, token_of: Callable[[str], int | None] = lambda text: None) -> str:
        """The grammar as llguidance reads it (its dialect of Lark); ``token_of`` is what token a `Control` is."""
        spelling = replace(_LARK, token_of=token_of)
        lines: list[str] = []
        for at, rule in enumerate(self.rules):
            name = "start" if at == 0 else rule.name
            if isinstance(rule.piece, Words):
                lines.append(f"{name}: {name}_PARTS & /(?s:.*\\S.*)/")
                lines.append(f"{name}_PARTS: %regex {json.dumps({'substring_words': rule.piece.text})}")
            else:
                lines.append(f"{name}: {_spell(rule.piece, spelling)}")
        return "\n".join(lines) + "\n"

    def gbnf(self, *, by_words: bool = False) -> str:
        """The grammar as llama.cpp reads it (GBNF).

        ``by_words`` is for xgrammar, which is slow at counting characters: the same texts, bounded in words.
        """
        spelling = _BY_WORDS if by_words else _GBNF
        lines: list[str] = []
        for at, rule in enumerate(self.rules):
            name = "root" if at == 0 else _gbnf_name(rule.name)
            if isinstance(rule.piece, Words):
                lines += _word_rules(name, rule.piece.text)
            else:
                lines.append(f"{name} ::= {_spell(rule.piece, spelling)}")
        return "\n".join(lines) + "\n"


def chars(ranges: str) -> Chars:
    """Characters as in ``[a-z_]``: a minus between two is a range, one at an end is itself."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(ranges):
        last = at + 2 if ranges[at + 1 : at + 2] == "-" and at + 2 < len(ranges) else at
        found.append((ord(ranges[at]), ord(ranges[last])))
        at = last + 1
    return Chars(tuple(found))


def but(base: Chars, *others: str) -> Chars:
    """The characters of a negated class without these others."""
    more = tuple(pair for ranges in others for pair in chars(ranges).ranges)
    return Chars(base.ranges + more, negated=True)


def optional(item: Piece) -> Rep:
    """The piece or nothing."""
    return Rep(item, 0, 1)


# -- Spelling


@frozen
class _Spelling:
    """Where Lark and GBNF differ: how a text, a character of a class (by its code point) and a rule's name are
    written, what is on both sides of a class, and whether a JSON schema is read as it is.
    """

    text: Callable[[str], str]
    char: Callable[[int], str]
    name: Callable[[str], str]
    delimiter: str
    reads_schemas: bool
    by_words: bool = False
    token_of: Callable[[str], int | None] = lambda text: None


def _spell(piece: Piece, spelling: _Spelling, within: bool = False) -> str:
    """The piece; ``within`` a sequence, where alternatives need parentheses."""
    match piece:
        case Text(text):
            return spelling.text(text)
        case Control(text):
            token = spelling.token_of(text)
            return spelling.text(text) if token is None else f"({spelling.text(text)} | <[{token}]>)"
        case Chars(ranges, negated):
            body = "".join("-".join(map(spelling.char, dict.fromkeys(pair))) for pair in ranges)
            return f"{spelling.delimiter}[{'^' if negated else ''}{body}]{spelling.delimiter}"
        case Seq(items):
            return " ".join(_spell(item, spelling, True) for item in items)
        case Alt(items):
            joined = " | ".join(_spell(item, spelling) for item in items)
            return f"({joined})" if within else joined
        case Rep(Seq((Rep(Text(" "), 0, 1), unit)), 0, most) if spelling.by_words and most > 1:
            return _words_of(unit, most, spelling)
        case Rep(item, least, most):
            times = "?" if (least, most) == (0, 1) else f"{{{least},{most}}}"
            return f"({_spell(item, spelling)}){times}"
        case Use(rule):
            return spelling.name(rule)
        case Json(schema, otherwise):
            return f"%json {schema}" if spelling.reads_schemas else _spell(otherwise, spelling, within)
        case Words():
            raise ValueError("words are a rule of their own")


_WORD_LENGTH = 4  # characters of a word: an average, by which a bound in characters becomes one in words


def _words_of(unit: Piece, most: int, spelling: _Spelling) -> str:
    """Units with single spaces between some of them. The plain characters of a word are one class that repeats, which
    xgrammar reads as an automaton; where each is a unit of its own, it tries the whole vocabulary for each token.
    """
    units = unit.items if isinstance(unit, Alt) else (unit,)
    (plain,) = (_spell(one, spelling) for one in units if isinstance(one, Chars))
    others = " | ".join(_spell(one, spelling) for one in units if not isinstance(one, Chars))
    rest = f" (({others}) {plain}*)*" if others else ""
    first = f"({plain}+ | ({others}) {plain}*)" if others else f"{plain}+"
    return f'{plain}*{rest} (" " {first}{rest}){{0,{-(-most // _WORD_LENGTH)}}}'


def _lark_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _lark_char(code: int) -> str:
    character = chr(code)
    return character if character.isalnum() and character.isascii() else f"\\x{{{code:X}}}"


def _gbnf_text(text: str) -> str:
    return f'"{"".join(map(_gbnf_escaped, text))}"'


def _gbnf_char(code: int) -> str:
    return f"\\u{code:04X}" if chr(code) in '"\\[]^-' else _gbnf_escaped(chr(code))


def _gbnf_name(name: str) -> str:
    # There is no upper case for it in GBNF, and a terminal may bear the name of a rule.
    return f"{name.lower().replace('_', '-')}-t" if name.isupper() else name


_GBNF_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _gbnf_escaped(character: str) -> str:
    if character in _GBNF_ESCAPES:
        return _GBNF_ESCAPES[character]
    # \x and \U are left out: xgrammar (vLLM's) reads \x2B0 as one character, and takes \U000E0000 for another.
    return character if character.isprintable() or ord(character) > 0xFFFF else f"\\u{ord(character):04X}"


_LARK = _Spelling(_lark_text, _lark_char, str, "/", reads_schemas=True)
_GBNF = _Spelling(_gbnf_text, _gbnf_char, _gbnf_name, "", reads_schemas=False)
_BY_WORDS = replace(_GBNF, by_words=True)

_WORD = re.compile(r"\w+|[^\w\s]+|\s+")


def _word_rules(name: str, text: str) -> list[str]:
    """Rules for a part of a text: from any word on, to any word. A word that begins it is no white space."""
    words = _WORD.findall(text)
    starts = [at for at, word in enumerate(words) if not word.isspace()]
    lines = [f"{name} ::= {' | '.join(f'{name}-{at}' for at in starts)}"]
    for at, word in enumerate(words):
        rest = f" ({name}-{at + 1})?" if at + 1 < len(words) else ""
        lines.append(f"{name}-{at} ::= {_gbnf_text(word)}{rest}")
    return lines
