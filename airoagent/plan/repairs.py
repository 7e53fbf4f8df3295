"""Reading what stands inside a statement: references, inputs, call arguments and answers.

    >>> read_template("Who won, given :evidence0:?", {}, [], 0)
    ('Who won, given ', Ref(id='evidence0'), '?')

Spellings read as a reference to evidence 3: ``:evidence3:``, ``:evidence3`` without its last colon, ``: evidence 3 :``,
``:evidence[3]:``, ``{evidence3}``, ``<evidence3>``, other case, full-width colons, ``#E3``, ``#evidence3``; in a plan
of numbered calls also ``$3`` and ``${3}``, in one of ``E3 = ...`` also ``E3``. Whatever differs from ``:evidence3:``
and ``#E3`` is a finding. Everything else is text and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Container

from airoagent.findings import Finding
from airoagent.plan.steps import Ref, Template
from airoagent.prompts.own_text import NEXT_TURN

_NUMBER = r"([0-9]{1,9}+)(?![0-9])"
# The character sets are ASCII on purpose: a reference may touch a CJK letter, but no ASCII word or number.
_REFERENCE = re.compile(
    rf":evidence{_NUMBER}:"
    rf"|(?<![0-9A-Za-z_&/#＃])\\?[#＃]E{_NUMBER}(?![A-Za-z_])"
    rf"|[:：](?i:evidence)[ _-]?\[ ?{_NUMBER} ?\](?:[:：]|(?![0-9A-Za-z_]))"
    rf"|[:：](?i:evidence)(?:\\?[ _-])?{_NUMBER}(?:[:：]|(?![A-Za-z_]))"
    rf"|[:：] ?(?i:evidence) ?{_NUMBER} ?[:：]"
    rf"|(?<![0-9A-Za-z_&/#＃])[#＃] ?(?i:e|evidence)[ _-]?{_NUMBER}(?![A-Za-z_])"
    rf"|<(?i:evidence)[ _-]?{_NUMBER}>"
    rf"|\$?\{{(?:\{{ ?)?(?i:evidence|step)[ _-]?{_NUMBER}(?:[._](?:output|result))?(?: ?\}})?\}}"
)
_DOLLAR = re.compile(
    rf"{_REFERENCE.pattern}"
    rf"|\$\{{ ?{_NUMBER} ?\}}"
    rf"|(?<![0-9A-Za-z_$])\${_NUMBER}(?![A-Za-z_])"
    r"(?![.,][0-9]| (?i:thousand|million|billion|trillion|hundred|dollars?|bucks|usd|k|m|bn|per|an?|each)\b)"
)
_BARE_ID = rf"(?i:e|evidence)[ _-]?{_NUMBER}"
_BARE = re.compile(
    rf"{_REFERENCE.pattern}|\$?\{{ ?{_BARE_ID} ?\}}|\[{_BARE_ID}\]|<{_BARE_ID}>"
    rf"|(?<![0-9A-Za-z_&/#＃])\$?{_BARE_ID}(?![A-Za-z_]|[.,][0-9])"
)
_DIALECTS = {"": _REFERENCE, "$": _DOLLAR, "E": _BARE}
_HASH = re.compile(rf"()[#＃]E{_NUMBER}(?![A-Za-z_])")  # its number is group 2, as in the others
_CANONICAL = re.compile(r":evidence([0-9]{1,9}):")
_BRACKETED = re.compile(r"[{<] ?(?:evidence|step)", re.IGNORECASE)
_BRACES, _MONEY = 9, 10  # groups of _DOLLAR
_FAR = 512 * 1024  # characters that are searched to place an error: no input is longer
_PRICE = 100  # `$n` from here on is a price unless step n is there

References = dict[str, Ref]
"""One `Ref` for each number text, shared by all templates of a plan."""


def read_template(
    text: str, refs: References, findings: list[Finding], at: int, dialect: str = "", earlier: Container[str] = ()
) -> Template:
    """A text with its references as objects; ``at`` is its offset, for the findings.

    ``dialect`` ``$`` turns ``$3`` and ``${3}`` into references too, unless it looks like money (``$3 million``,
    ``$3.50``, or 100 and more without a step of that number); ``E`` turns ``E3``, ``{E3}``, ``evidence_3`` ... into
    references to steps written before, whose ids are ``earlier``.
    """
    if not dialect and "#" not in text and "：" not in text and "＃" not in text:
        pieces = _CANONICAL.split(text)  # literal, number, literal, ...
        # No colon but those of canonical references, and no other spelling.
        if text.count(":") == len(pieces) - 1 and not _BRACKETED.search(text):
            return tuple([_ref(piece, refs) if at % 2 else piece for at, piece in enumerate(pieces) if piece])
    pattern = _DIALECTS[dialect]
    parts: list[str | Ref] = []
    spellings: set[str] = set()  # those that have their finding
    done = 0
    found = pattern.search(text)
    while found:
        group = found.lastindex or 0
        number = found[group]
        unsure = group >= _BRACES if dialect == "E" else group == _MONEY and int(number) >= _PRICE
        if unsure and f"evidence{int(number)}" not in earlier:
            found = pattern.search(text, found.end())
            continue
        if found.start() > done:
            parts.append(text[done : found.start()])
        ref = _ref(number, refs)
        parts.append(ref)
        done = found.end()
        odd = 3 <= group < (99 if dialect == "E" else _BRACES) or (group <= 2 and number[0] == "0" and len(number) > 1)
        if odd and found[0] not in spellings:
            spellings.add(found[0])
            message = f"The reference is written {found[0]!r}."
            findings.append(Finding(at + found.start(), "reference_spelling", message, f"read as {ref}"))
        # In `#E1#E2` the second follows a digit, and is a reference all the same.
        found = _HASH.match(text, done) or pattern.search(text, done)
    if done < len(text):
        parts.append(text[done:])
    return tuple(parts)


def _ref(number: str, refs: References) -> Ref:
    return refs.get(number) or refs.setdefault(number, Ref(f"evidence{int(number)}"))


def find_reference(text: str, start: int, id: str) -> int:
    """Where the first reference to ``id`` stands in the text from ``start`` on; ``start`` if there is none."""
    for found in _DOLLAR.finditer(text, start, start + _FAR):
        if f"evidence{int(found[found.lastindex or 0])}" == id:
            return found.start()
    return start


QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»", "「": "」", "『": "』"}
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"|\'((?:[^\'\\]|\\.)*+)\'', re.DOTALL)
_PLUS = re.compile(r"\s*+\+\s*+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
NOISE = re.compile(r"[\s.;,:*`_~\"'”’)>|。．；，：）]*+")
"""What may stand after a statement without meaning anything."""


def clean_input(raw: str, at: int, findings: list[Finding]) -> str:
    """An input without what is only noise around it: white space, quotes, ``+`` joins. ``at`` is its offset."""
    text = raw.strip()
    if len(text) != len(raw):
        findings.append(Finding(at, "white_space", "There is white space around the input.", "left out"))
        at += len(raw) - len(raw.lstrip())
    inner = _unquoted(text) if text[:1] in QUOTES else None
    if inner is not None:
        findings.append(Finding(at, "quotes", "The whole input is in quotes.", "left out"))
        return inner.strip()
    if "+" in text:
        joined = _joined(text)
        if joined is not None:
            findings.append(Finding(at, "plus_join", "The input joins strings and references with +.", "joined"))
            return joined.strip()
    return text


def _unquoted(text: str) -> str | None:
    """What one pair of quotes around the whole of the text holds; None where there is none."""
    close = QUOTES.get(text[:1])
    if close is None or len(text) < 2 or text[-1] != close:
        return None
    inner = text[1:-1]
    if text[0] not in inner and close not in inner:
        return inner
    if close in "\"'" and _STRING.fullmatch(text):  # every quote inside is escaped: a string literal
        return inner.replace("\\" + close, close)
    return None


def _joined(text: str) -> str | None:
    """``"a " + :evidence0: + " b"`` as one text; None where the text is not of that form."""
    pieces: list[str] = []
    at, strings = 0, 0
    while True:
        found = _STRING.match(text, at)
        if found:
            strings += 1
            pieces.append(found[1] or found[2] or "")
        else:
            found = _REFERENCE.match(text, at) or _VARIABLE.match(text, at)
            if not found:
                return None
            pieces.append(f":evidence{int(found[found.lastindex or 0])}:")
        plus = _PLUS.match(text, found.end())
        if not plus:
            whole = found.end() == len(text) and strings and len(pieces) > 1
            return "".join(pieces) if whole else None
        at = plus.end()


_KEYWORD = re.compile(r"[A-Za-z_]\w{0,63}\s*+=\s*+(?=[\"'$:#\[\w])(?!=)")
_F_STRING = re.compile(rf"[fF](?:{_STRING.pattern})", re.DOTALL)
_VARIABLE = re.compile(r"(?:\{|(?<![\w:#]))(?:evidence|E)_?([0-9]{1,9})\b\}?")


def read_arguments(raw: str, at: int, findings: list[Finding]) -> str:
    """The text given to a call ``tool(...)``: its one argument, or all of it where there are several.

    A string literal stands for its text exactly; a keyword (``query="x"``) is left out.
    """
    text = raw.strip()
    keyword = _KEYWORD.match(text)
    body = text[keyword.end() :] if keyword else text
    variables = _F_STRING.fullmatch(body) or _VARIABLE.fullmatch(body)
    if variables:  # Python, with the steps as its variables
        body, count = _VARIABLE.subn(r":evidence\1:", body.removeprefix("f").removeprefix("F"))
        if count:
            findings.append(Finding(at, "reference_spelling", "A step is named as a variable.", "read as a reference"))
            raw = text = body
    literal = _STRING.fullmatch(body)
    if literal:
        inner = literal[1] or literal[2] or ""
        if keyword:
            message = f"The argument is named {keyword[0].rstrip('= ')!r}."
            findings.append(Finding(at, "keyword", message, "name left out"))
        if "\\" not in inner:
            return inner
        return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1] if found[1] in "\\\"'" else found[0]), inner)
    if _STRING.match(text) and "," in text and _joined(text) is None:
        findings.append(Finding(at, "arguments", "The call has several arguments.", "kept as one text"))
        return text
    return clean_input(raw, at, findings)


_ECHO = re.compile(r"(?<=[:0-9])\s*+containing the final answer\.?+(?=\s*+\]?+\s*+\Z)", re.IGNORECASE)
_LONE = re.compile(rf"(?:{_BARE.pattern})[.;,`*\s。．；，]++")
_TURN_END = re.compile(rf"{NEXT_TURN.pattern}|<\|[\w/ -]{{1,40}}\|>|(?<=\s)(?:USER|ASSISTANT|HUMAN):", NEXT_TURN.flags)


def clean_answer(raw: str, at: int, findings: list[Finding]) -> str:
    """An answer without what is only noise around it: white space, bold, quotes, brackets, the prompt's own words."""
    text = raw.strip()
    at += len(raw) - len(raw.lstrip())
    turn = _TURN_END.search(text)
    if turn:
        findings.append(Finding(at + turn.start(), "end_token", "The model's turn ends here.", "left out"))
        text = text[: turn.start()].rstrip()
    for mark in ("**", "**", "__", "*"):
        if text.startswith(mark) and text.count(mark) % 2:
            text = text[len(mark) :].lstrip()
        elif text.startswith(mark) and text.endswith(mark) and text.count(mark) == 2 and len(text) > 2 * len(mark):
            text = text[len(mark) : -len(mark)].strip()
        elif text.endswith(mark) and text.count(mark) % 2:
            text = text[: -len(mark)].rstrip()
        else:
            continue
        findings.append(Finding(at, "bold", "The answer is marked as bold.", "left out"))
    echo = _ECHO.search(text)
    if echo:
        message = "The answer repeats the words of the prompt."
        findings.append(Finding(at + echo.start(), "prompt_words", message, "left out"))
        text = text[: echo.start()] + text[echo.end() :]
    bare = text.rstrip(".;` \t") if text[:1] in "[［" else text
    within = _REFERENCE.sub("", bare[1:-1])  # references have brackets of their own
    if len(bare) > 1 and bare[0] in "[［" and bare[-1] in "]］" and not re.search(r"[\[\]［］]", within):
        findings.append(Finding(at, "answer_brackets", "The answer is in brackets.", "left out"))
        text = bare[1:-1].strip()
    inner = _unquoted(text)
    if inner is not None:
        findings.append(Finding(at, "quotes", "The answer is in quotes.", "left out"))
        text = inner.strip()
    if _LONE.fullmatch(text):
        text = text.rstrip(".;,`* \t\n。．；，")
        findings.append(Finding(at + len(text), "trailing_noise", "Signs follow the answer's reference.", "left out"))
    return text
