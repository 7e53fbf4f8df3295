"""Calculator[expression]: exact arithmetic. Numbers are fractions, never floats; nothing is ever evaluated as code.

    Calculator[(1 + 2/3) * 12]           20
    Calculator[15% of 1,240]             186
    Calculator[10 / 3]                   10/3 ≈ 3.33333333333333333333
    Calculator[:evidence1: / :evidence2:]    the one number that each of them holds

Sizes are bounded before anything is computed, so no expression can take long: 2,000 characters, 40 levels of
parentheses, 4,000 digits.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from airoagent import Evidence, ToolContext, ToolError, ToolOutput, tool

_MOST_CHARACTERS, _MOST_DEPTH, _MOST_BITS = 2000, 40, 13_000
_SHOWN = 21  # digits of what has no end
_INEXACT = Context(prec=50, Emax=3000, Emin=-3000)
_DESCRIPTION = (
    "Calculates an arithmetic expression exactly. The input must be numbers and + - * / ** % ( ), percentages like 15% "
    "of 80, and the functions sqrt, min, max, sum, mean, abs, round, floor, ceil, factorial, gcd, lcm, exp, ln and "
    "log10, e.g. (:evidence1: - 1200) / 3. It does not understand words."
)


@tool("Calculator", outside=False, description=_DESCRIPTION, timeout=10)
def calculator(expression: str, context: ToolContext) -> ToolOutput:
    """The value: a whole number, a decimal that ends, or a fraction with its decimals after a ``≈``.

    An evidence in the input counts as one number, as if it stood in parentheses. ToolError says what cannot be
    calculated and at which character.
    """
    known: list[_Number] = []
    text, notes = "", []
    for part in context.parts or (expression,):
        if isinstance(part, Evidence):
            number, note = _number_in(part)
            notes += [note] if note else []
            text += f" \x00{len(known)}\x00 "
            known.append(number)
        else:
            text += part.replace("\x00", "")
    return ToolOutput(_written(_Reader(text, known).whole()), note="; ".join(notes))


_Number = Fraction | Decimal  # a Decimal stands for a number that was rounded (to 50 digits)

# Reading -----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<known>\x00\d+\x00)|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4}(?![\w.]))?)"
    r"|(?P<name>[A-Za-z]\w*)|(?P<sign>\*\*|//|[-+*/%^(),×÷·−]))"
)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SAME = {"^": "**", "×": "*", "·": "*", "÷": "/", "−": "-"}
_SIGNS = (("+", "-"), ("*", "/", "//", "%", "of"))  # by precedence


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


class _Reader:
    """Reads an expression by precedence: sums of products of powers."""

    def __init__(self, text: str, known: list[_Number]) -> None:
        if len(text) > _MOST_CHARACTERS:
            raise _wrong(f"the expression is longer than {_MOST_CHARACTERS:,} characters")
        self._known = known
        self._tokens = _tokens(text.partition("≈")[0].rstrip().rstrip("=?").rstrip())
        self._at = self._depth = 0
        self._exact = True

    def whole(self) -> _Number:
        if self._peek().kind == "end":
            raise _wrong("there is nothing to calculate")
        value = self._terms()
        if self._peek().kind != "end":
            raise _misplaced(self._peek())
        return value if self._exact else _shown(value)

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *signs: str) -> str:
        token = self._peek()
        if token.kind not in ("sign", "name") or token.text not in signs:
            return ""
        self._at += 1
        return token.text

    def _terms(self, level: int = 0) -> Fraction:
        if level == len(_SIGNS):
            return self._signed()
        value = self._terms(level + 1)
        while sign := self._take(*_SIGNS[level]):
            value = _combined(sign, value, self._terms(level + 1))
        return value

    def _signed(self) -> Fraction:
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign == "-"
        value = self._atom()
        while self._peek().text == "%" and not self._starts_operand(self._at + 1):
            self._at += 1
            value /= 100
        if self._take("**"):
            value = self._taken(_raised(value, self._deeper(self._signed)))
        return -value if negative else value

    def _starts_operand(self, at: int) -> bool:
        token = self._tokens[at]
        return token.kind in ("number", "known") or token.text == "(" or (token.kind == "name" and token.text != "of")

    def _atom(self) -> Fraction:
        token = self._peek()
        name = token.text.lower()
        self._at += token.kind != "end"
        if token.kind == "number":
            return _checked(Fraction(token.text))
        if token.kind == "known":
            return self._taken(self._known[int(token.text.strip("\x00"))])
        if token.text == "(":
            value = self._deeper(self._terms)
            self._close()
            return value
        if token.kind == "name" and name == "pi":
            return self._taken(_PI)
        if token.kind == "name" and name in _FUNCTIONS:
            return self._function(token, *_FUNCTIONS[name])
        raise _misplaced(token)

    def _function(self, token: _Token, most: int, function: Callable[..., _Number]) -> Fraction:
        if not self._take("("):
            raise _wrong(f"{token.text} at character {token.place} needs parentheses: {token.text}(...)")
        values = [self._deeper(self._terms)]
        while self._take(","):
            values.append(self._deeper(self._terms))
        self._close()
        if len(values) > most:
            raise _wrong(f"{token.text} cannot be given {len(values)} numbers")
        return _checked(self._taken(function(*values)))

    def _taken(self, number: _Number) -> Fraction:
        """The value of a number; from one that was rounded, what is calculated is not exact."""
        self._exact = self._exact and isinstance(number, Fraction)
        return Fraction(number)

    def _deeper(self, read: Callable[[], Fraction]) -> Fraction:
        """What is read one level of nesting deeper."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _wrong(f"the expression is nested deeper than {_MOST_DEPTH} levels")
        value = read()
        self._depth -= 1
        return value

    def _close(self) -> None:
        if not self._take(")"):
            token = self._peek()
            raise _wrong("a parenthesis is not closed") if token.kind == "end" else _misplaced(token)


def _tokens(text: str) -> list[_Token]:
    """The tokens with their places from 1. 1,240 is one number, save between the parentheses of a function."""
    tokens: list[_Token] = []
    opened: list[bool] = []  # for each open parenthesis, whether it is a function's
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].lstrip()
            if not rest:
                break
            raise _wrong(f"{rest[:1]!r} at character {len(text) - len(rest) + 1} is not arithmetic")
        kind = match.lastgroup or ""
        word, start, place = match[kind], match.start(kind), match.end()
        if kind == "number" and not any(opened) and (grouped := _GROUPED.match(text, start)):
            number = _TOKEN.match(grouped[0].replace(",", "") + text[grouped.end() :])
            word = number["number"] if number is not None else word
            place = grouped.end() + len(word) - len(grouped[0].replace(",", ""))
        if word == "(":
            opened.append(bool(tokens) and tokens[-1].kind == "name" and tokens[-1].text != "of")
        elif word == ")" and opened:
            opened.pop()
        tokens.append(_Token(kind, _SAME.get(word, word), start + 1))
    return [*tokens, _Token("end", "", len(text) + 1)]


# Calculating -------------------------------------------------------------------------------------------------------

_OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "of": operator.mul,
    "/": operator.truediv,
    "//": lambda a, b: Fraction(a // b),
    "%": operator.mod,
}


def _combined(sign: str, left: Fraction, right: Fraction) -> Fraction:
    if sign in ("/", "//", "%") and not right:
        raise _wrong("it divides by zero")
    return _checked(_OPERATIONS[sign](left, right))


def _raised(base: Fraction, power: Fraction) -> _Number:
    if not base and power < 0:
        raise _wrong("it divides by zero")
    if power.denominator == 1:
        if base in (0, 1, -1):  # whether the power is even is all that counts; the number itself may be long
            return Fraction(1) if not power else base if base >= 0 or power % 2 else -base
        if abs(power) * _bits(base) > _MOST_BITS:
            raise _too_large()
        return base**power.numerator
    if power == Fraction(1, 2):
        return _sqrt(base)
    if base < 0:
        raise _wrong("a root of a negative number is not a number")
    return _rounded(lambda context: context.power(_as_decimal(base), _as_decimal(power)))


def _sqrt(value: Fraction) -> _Number:
    if value < 0:
        raise _wrong("a root of a negative number is not a number")
    top, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and below * below == value.denominator:
        return Fraction(top, below)
    return _rounded(lambda context: context.sqrt(_as_decimal(value)))


def _rounded(make: Callable[[Context], Decimal]) -> Decimal:
    try:
        return make(_INEXACT.copy())
    except DecimalException:
        raise _too_large() from None


def _as_decimal(value: Fraction) -> Decimal:
    return _INEXACT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _logarithm(value: Fraction, ten: bool = False) -> _Number:
    if value <= 0:
        raise _wrong("a logarithm needs a number above 0")
    whole, rest = (value.numerator, value.denominator) if value >= 1 else (value.denominator, value.numerator)
    if ten and rest == 1 and str(whole).strip("0") == "1":
        return Fraction((len(str(whole)) - 1) * (1 if value >= 1 else -1))
    return _rounded(lambda context: (context.log10 if ten else context.ln)(_as_decimal(value)))


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    """Half away from zero, as taught at school."""
    if digits.denominator != 1 or abs(digits) > 1000:
        raise _wrong("round takes a whole number of digits")
    scale = Fraction(10) ** digits.numerator
    whole = math.floor(abs(value) * scale + Fraction(1, 2))
    return Fraction(whole if value >= 0 else -whole) / scale


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= 1000:
        raise _wrong("factorial takes a whole number from 0 to 1,000")
    return Fraction(math.factorial(value.numerator))


def _divisors(function: Callable[[int, int], int], *values: Fraction) -> Fraction:
    if any(value.denominator != 1 for value in values):
        raise _wrong("gcd and lcm take whole numbers")
    total = abs(values[0].numerator)
    for value in values[1:]:
        total = _checked(Fraction(function(total, value.numerator))).numerator
    return Fraction(total)


_PI = Decimal("3.1415926535897932384626433832795028841971693993751")
# How many numbers each takes at most, and what it is of them.
_FUNCTIONS: dict[str, tuple[int, Callable[..., _Number]]] = {
    "sqrt": (1, _sqrt),
    "abs": (1, abs),
    "round": (2, _round),
    "factorial": (1, _factorial),
    "min": (999, lambda *values: min(values)),
    "max": (999, lambda *values: max(values)),
    "sum": (999, lambda *values: sum(values, Fraction(0))),
    "mean": (999, lambda *values: sum(values, Fraction(0)) / len(values)),
    "floor": (1, lambda value: Fraction(math.floor(value))),
    "ceil": (1, lambda value: Fraction(math.ceil(value))),
    "gcd": (999, partial(_divisors, math.gcd)),
    "lcm": (999, partial(_divisors, math.lcm)),
    "ln": (1, _logarithm),
    "log10": (1, partial(_logarithm, ten=True)),
    "exp": (1, lambda value: _rounded(lambda context: context.exp(_as_decimal(value)))),
}


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _checked(number: Fraction) -> Fraction:
    if _bits(number) > _MOST_BITS:
        raise _too_large()
    return number


# Numbers in evidence, and in the answer ----------------------------------------------------------------------------

_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_IN_TEXT = re.compile(
    r"(?<![\w.,])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])(?!\.\d)"
    r"(?:\s+(?P<scale>" + "|".join(_SCALES) + r")\b)?",
    re.IGNORECASE,
)


def _number_in(evidence: Evidence) -> tuple[_Number, str]:
    """The number an evidence is, or the one that stands in its words; and what a reader should know about that."""
    try:
        return _Reader(evidence.text.strip().rstrip("."), []).whole(), ""
    except ToolError:
        found: dict[Fraction, str] = {}
        for match in _IN_TEXT.finditer(evidence.text[:100_000]):
            digits = match[0].split()[0].replace(",", "").replace("−", "-")
            if len(digits) > 300:
                continue
            value = Fraction(digits) * 10 ** _SCALES.get((match["scale"] or "").lower(), 0)
            found.setdefault(value, match[0])
    if len(found) == 1:
        ((value, shown),) = found.items()
        return value, f"{evidence.id} was read as {shown}"
    several = f"{len(found)} numbers ({', '.join(list(found.values())[:3])}, ...)" if found else "no number"
    raise _wrong(
        f"{evidence.id} holds {several}: {' '.join(evidence.text.split())[:80]!r}",
        "ask for one number in a step before: KnowledgeModel[How many ... in digits, given :evidence0:?]",
    )


def _written(number: _Number) -> str:
    """The number as text that can be calculated with again."""
    if isinstance(number, Decimal):
        return _digits(number)
    value = number
    if value.denominator == 1:
        return str(value.numerator)
    twos = (value.denominator & -value.denominator).bit_length() - 1
    rest, fives = value.denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest == 1 and places <= 60:
        digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
        return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    return f"{value.numerator}/{value.denominator} ≈ {_digits(_shown(value))}"


def _shown(value: Fraction) -> Decimal:
    return Context(prec=50).divide(Decimal(value.numerator), Decimal(value.denominator))


def _digits(value: Decimal) -> str:
    found = Context(prec=_SHOWN).plus(value)
    plain = f"{found:f}"
    text = plain if len(plain) < 60 else f"{found:e}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _misplaced(token: _Token) -> ToolError:
    if token.kind == "end":
        return _wrong("the expression ends too early")
    hint = f"the functions are {', '.join(_FUNCTIONS)}" if token.kind == "name" else ""
    shown = "a number" if token.kind == "known" else repr(token.text)
    return _wrong(f"{shown} at character {token.place} does not belong there", hint)


def _too_large() -> ToolError:
    return _wrong("the result is too large to be written down", "numbers of up to 3,900 digits can be calculated")


def _wrong(what: str, hint: str = "") -> ToolError:
    return ToolError(f"this cannot be calculated: {what}", hint or "e.g. Calculator[(12.5 + 7) * 3]")
