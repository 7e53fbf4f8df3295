"""Statement heads: how a statement is recognised, at the character that completes its head.

    >>> head = Heads(ToolNames(["Search"])).at_line("- **#E1 = Search[")
    >>> head.kind, head.number, head.tool
    ('assign', 1, 'Search')

A head ends in one of ``: [ (`` (or their full-width forms), and has at most 256 characters. The reader asks here at
each of these characters, with what stands before it; nothing after it is needed. So it makes no difference in which
pieces the text arrives, and the work for one character is bounded. A statement may begin:

- at the start of a line, after bullets, numbers, ``Step 1:``, ``>``, ``#`` headings, bold and code marks (`at_line`);
- at the start of a line within an open input, which it closes: only heads that cannot be prose (``closing``);
- after a closed step on the same line (`after_step`);
- anywhere within a thought or chatter: assignments only (`in_text`).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from airoagent.findings import Finding
from airoagent.plan.tool_names import ToolNames

REACH = 256
"""Characters a head may have, with what decorates it."""

Kind = Literal["plan", "label", "answer", "question", "assign", "call", "join"]


class Head(NamedTuple):
    """A statement head. Offsets (``start`` and those of the findings) count from the start of what was handed over.

    ``number`` is the step's (None: it has none), ``name`` the tool as written, at ``name_at``, ``tool`` the registered
    name (None: not registered). ``wrapped``: a further bracket stands before the name; ``dialect``: how references are
    written besides ``#E1`` (``$``: as ``$1``, ``E``: as ``E1``); ``escaped``: a Markdown backslash stands before the
    bracket.
    """

    kind: Kind
    start: int
    findings: tuple[Finding, ...] = ()
    number: int | None = None
    name: str = ""
    tool: str | None = None
    name_at: int = 0
    wrapped: bool = False
    dialect: str = ""
    escaped: bool = False


_DECORATION = re.compile(
    r"(?P<space>[\s\ufeff]++)|(?P<quote>>)|(?P<bullet>[-*•–—+]\s)|(?P<heading>#{1,6}+\s)"
    r"|(?P<number>\(?[0-9]{1,4}+[.)](?![0-9]))|(?P<step>(?i:step)\s?[0-9]{1,4}+\s?[:：.)-])|(?P<bold>\*\*|__|\*)"
    r"|(?P<code>`{1,3}+)|(?P<keyword>(?i:let|set|const|var)\s)"
)
_DECORATIONS = {
    "quote": "There is a quote mark before the statement.",
    "bullet": "There is a bullet before the statement.",
    "heading": "The statement is marked as a heading.",
    "number": "There is a number before the statement.",
    "step": "The statement has a step label.",
    "bold": "The statement is marked as bold.",
    "code": "The statement is marked as code.",
    "keyword": "There is a keyword before the statement.",
}
_MOST_DECORATIONS = 16
_JOINS = ("join", "finish")  # what ends a plan of numbered calls

_COLON = r"\s?(?:\*\*|__|\*|`)?\s?[:：]"
_PLAN = rf"#?\s?(?:plan|thought)\s?[#(]?\s?[0-9]{{0,6}}\)?{_COLON}"
_ANSWER = rf"(?:(?:the|best and)\s)?(?:final\s)?answer{_COLON}"
_QUESTION = rf"question{_COLON}"
_WORDS = re.compile(rf"(?P<plan>{_PLAN})|(?P<answer>{_ANSWER})|(?P<question>{_QUESTION})", re.IGNORECASE)
_INLINE_WORDS = re.compile(
    rf"(?:^|(?<=[\s;.,*`)\]］）>-]))(?:[0-9]{{1,4}}[.)]\s?)?(?:(?P<plan>{_PLAN})|(?P<answer>{_ANSWER}))\Z",
    re.IGNORECASE,
)
_WORD_END = re.compile(r"(?:plan|thought|answer|question|step)[\s#()0-9*_`]*+[:：]\Z", re.IGNORECASE)
_WORD_REACH = 32

_COLON_REF = r"[:：] ?(?i:evidence)(?:\\?[ _-])?(?:\[ ?[0-9]{1,9} ?\]|[0-9]{1,9})(?: ?[:：])?"
_HASH_REF = r"[#＃] ?(?i:e|evidence)[ _-]?[0-9]{1,9}"
_DOLLAR_REF = r"\$(?:[0-9]{1,9}|\{[0-9]{1,9}\})"
_BARE_REF = r"[$\[(]?(?i:e|evidence)[ _-]?[0-9]{1,9}[\])]?"
REFERENCE_HEAD = f"{_COLON_REF}|{_HASH_REF}|{_DOLLAR_REF}|{_BARE_REF}"
"""What stands before the sign of an assignment."""

_SIGN = r"(?P<sign>:?==?|＝|：?＝|[:：]|[-=]>|→|<-)"
_MARK = r"[*_`]{0,3}+"


def _assignment(reference: str) -> str:
    # Possessive wherever two parts could share characters: what does not fit is given up at once. Where there is no
    # sign, the reference's own last colon stands for it.
    return (
        rf"{_MARK}(?P<ref>{reference})(?:{_MARK}\s{{0,8}}+{_SIGN}\s{{0,8}}+|(?<=[:：])\s{{0,8}}+)(?P<wrap>[\[［]\s?)?"
        rf"(?P<name>(?:(?i:tools?|functions?):\s?)?[^\s\[\](){{}}（）［］=＝:：\"'][^\[\](){{}}（）［］=＝:：]{{0,124}}+)[\[(［（]"
    )


_ASSIGN = re.compile(_assignment(REFERENCE_HEAD))
_INLINE_ASSIGN = re.compile(
    rf"{_assignment(rf'{_COLON_REF}|{_HASH_REF}|{_DOLLAR_REF}|(?<![0-9A-Za-z_]){_BARE_REF}')}\Z"
)
_CALL = re.compile(r"[*`]{0,3}+(?P<name>[A-Za-z_][\w.-]{0,120}+)[*`]{0,3}+[\[(［（]")
_TOOL_CALL = re.compile(r"(?<![\w.])([A-Za-z_][\w.-]{0,120}+)[\[(（［]")
_INLINE_CALL = re.compile(rf"(?<![0-9A-Za-z$#.])(?P<number>[0-9]{{1,4}})[.)]\s?{_CALL.pattern}\Z")
_SIGNS = ("=", ":", "＝", "：", "->", "→", "<-")
_NO_NAME = frozenset("([（［)]）］{}:：=＝\"'\n,;")  # no name of a tool ends in one of these
_REFERENCE_REACH = 56  # characters from the start of a reference to its sign, at most
_DIGITS = re.compile(r"[0-9]+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*+")
_CANONICAL_REF = re.compile(r":evidence(?:0|[1-9][0-9]*+):|(?:[#＃]E|\$)(?:0|[1-9][0-9]*+)")
_WIDE = "：＝［（＃"

ASSIGNMENT_LINE = re.compile(
    rf"[\s>*`\-•0-9.)]{{0,16}}+(?P<ref>{REFERENCE_HEAD}){_MARK}\s{{0,8}}"
    rf"(?::?==?|：?＝)\s*+(?P<rest>.*)",
    re.DOTALL,
)
"""A line that assigns something to a reference, tool or not."""

STATEMENT_LINE = re.compile(
    rf"[\s>*`\-•0-9.)#]{{0,16}}?(?:{_PLAN}|{_ANSWER}|{_QUESTION}|(?:{_COLON_REF}|{_HASH_REF})\s?[=＝])", re.IGNORECASE
)
"""A line that begins with a statement."""


_PARTIAL = re.compile(
    r"(?:[:：] ?evidence[ _-]?\[?[0-9]{0,9}\]?|[#＃] ?e(?:vidence)?[ _-]?[0-9]{0,9}) ?[:：]?\s*+"
    r"(?:[=:＝]\s*+[^\[\]()=]{0,120}+)?",
    re.IGNORECASE,
)
_FIRST_WORDS = ("plan:", "answer:", "final answer:", ":evidence")

CLEAN_STEP = re.compile(
    r"(?:Plan: (?P<thought>[A-Za-z](?:[A-Za-z0-9,;'?!-]| (?=[^ \n]))*+\.?)\n)?"
    r":evidence(?P<number>0|[1-9][0-9]{0,8}): = (?P<tool>[A-Za-z][A-Za-z0-9_]{0,99})\["
    r"(?P<input>(?![ +])[^\[\]\n\r\"'`“”„‘’«»「」『』+\x00-\x1f\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000"
    r"\ufeff［］]*+(?<! ))\]\n"
)
"""A step as it is written where nothing is amiss; nothing in it could be read as anything but text: it holds no quotes,
brackets, signs, marks or other white space.
"""


class Heads:
    """Recognises statement heads for one set of tools."""

    __slots__ = ("_names",)

    def __init__(self, names: ToolNames) -> None:
        self._names = names

    def at_line(self, window: str, closing: bool = False) -> Head | None:
        """The head that the start of a line is, up to the character that completes it; None if it is none.

        ``closing`` asks for heads that may close an open input.
        """
        if window[-1] in ":：" and not _WORD_END.search(window, max(0, len(window) - _WORD_REACH)):
            return None
        at, number, findings, last = 0, None, [], ""
        for _ in range(_MOST_DECORATIONS):
            token = _DECORATION.match(window, at)
            if not token:
                break
            last = token.lastgroup or ""
            if last == "number":
                number = int(_DIGITS.search(token[0])[0])  # type: ignore[index]
            if last in _DECORATIONS:
                findings.append(Finding(at, last, _DECORATIONS[last], "left out"))
            at = token.end()
        if at == len(window):
            if last != "step" or closing:
                return None
            return Head("label", 0, tuple(findings), int(_DIGITS.findall(window)[-1]))
        if window[-1] in ":：":
            return self._word(_WORDS.fullmatch(window, at), 0, at, findings, closing)
        if window[-2:-1] in _NO_NAME:
            return None
        return self._step(window, at, number, findings, closing)

    def after_step(self, window: str) -> Head | None:
        """The head that ends a text which follows a closed step on its line; None if there is none."""
        if window[-1] in ":：":
            if not _WORD_END.search(window, max(0, len(window) - _WORD_REACH)):
                return None
            found = _INLINE_WORDS.search(window, max(0, len(window) - 2 * _WORD_REACH))
            return self._word(found, found.start(), found.start(), [], False) if found else None
        if window[-2:-1] in _NO_NAME:
            return None
        call = _INLINE_CALL.search(window)
        if call:
            tool = self._names.resolve(call["name"])
            if tool or call["name"] in _JOINS:
                return self._call(call, call.start(), int(call["number"]), tool, [])
        return self.in_text(window, bare=True)

    def in_text(self, window: str, bare: bool) -> Head | None:
        """The assignment that ends a text; None if there is none. ``bare``: also to ``E1``, as in a thought."""
        if window[-2:-1] in _NO_NAME:
            return None
        sign = max(map(window.rfind, _SIGNS))  # no name has one in it: the reference, with its number, is before
        start = max(0, sign - _REFERENCE_REACH)
        found = _INLINE_ASSIGN.search(window, start) if _DIGITS.search(window, start, sign + 1) else None
        head = self._assignment(found, found.start(), [], certain=True) if found else None
        if found and head and head.dialect == "E" and not (bare and "=" in found["sign"] and head.tool == head.name):
            return None  # prose may say `E1 = a (b)`
        return head

    def _word(
        self, found: re.Match[str] | None, start: int, at: int, findings: list[Finding], closing: bool
    ) -> Head | None:
        if not found or (closing and found.lastgroup == "question"):
            return None
        if "：" in found[0]:
            findings.append(Finding(found.end() - 1, "full_width", "The colon is full-width.", "read as a plain one"))
        return Head(found.lastgroup, start, tuple(findings))  # type: ignore[arg-type]

    def _step(self, window: str, at: int, number: int | None, findings: list[Finding], closing: bool) -> Head | None:
        call = _CALL.fullmatch(window, at)
        if call:
            tool = self._names.resolve(call["name"])
            if tool is None and call["name"] in _JOINS and window[-1] in "(（" and not closing:
                return self._call(call, 0, number, None, [])
            if number is not None and (tool or (window[-1] == "(" and not closing)):
                # The number is the step's here, not a decoration.
                return self._call(call, 0, number, tool, [one for one in findings if one.kind != "number"])
            return None
        found = _ASSIGN.fullmatch(window, at)
        return self._assignment(found, 0, findings, certain=closing) if found else None

    def _call(
        self, call: re.Match[str], start: int, number: int | None, tool: str | None, findings: list[Finding]
    ) -> Head:
        kind: Kind = "call" if tool or call["name"] not in _JOINS else "join"
        return Head(kind, start, tuple(findings), number, call["name"], tool, call.start("name"), dialect="$")

    def _assignment(self, found: re.Match[str], start: int, findings: list[Finding], certain: bool) -> Head | None:
        """The head of an assignment; ``certain``: prose may stand around it, so it must not be taken for one."""
        ref, sign, wrap, name = found.group("ref", "sign", "wrap", "name")
        name, sign = name.rstrip(), sign or ""
        written = name.strip("*_` \\") or name
        tool = self._names.resolve(name) or self._names.resolve(written)
        equals = "=" in sign or "＝" in sign
        if tool is None:
            lone = _IDENTIFIER.fullmatch(written) is not None and name == found["name"]
            hash_form = ref[0] in "#＃" and sign != ""
            strict = certain or found[0][-1] in "(（"
            if not (equals and lone if strict else equals or (hash_form and lone)):
                return None
        dialect = "" if ref[0] in ":：#＃" else "$" if ref[0] == "$" and ref[1] not in "eE" else "E"
        if dialect == "E" and not equals and tool != written:
            return None
        findings += _spelling(found, sign, equals)
        number, escaped = int(_DIGITS.search(ref)[0]), name[-1] == "\\"  # type: ignore[index]
        at = found.start("name")
        return Head("assign", start, tuple(findings), number, written, tool, at, bool(wrap), dialect, escaped)

    def calls_tool(self, text: str) -> bool:
        """Whether a registered tool is called, by its own name, somewhere in a text."""
        return any(found[1] in self._names.names for found in _TOOL_CALL.finditer(text))


def may_begin_statement(line: str) -> bool:
    """Whether a line that is not whole yet may be the first part of a statement."""
    return bool(_PARTIAL.fullmatch(line)) or any(word.startswith(line.lower()) for word in _FIRST_WORDS)


def _spelling(found: re.Match[str], sign: str, equals: bool) -> list[Finding]:
    """Findings about how an assignment is written."""
    findings = []
    ref, at = found["ref"], found.start("ref")
    if not _CANONICAL_REF.fullmatch(ref):
        repair = f"read as :evidence{int(_DIGITS.search(ref)[0])}:"  # type: ignore[index]
        findings.append(Finding(at, "reference_spelling", f"The reference is written {ref!r}.", repair))
    hash_colon = ref[0] in "#＃" and sign == ":"  # `#E1: T[x]` is a dialect of its own
    if not (sign in ("=", "＝") or hash_colon):
        message = f"{repr(sign) if sign else 'nothing'} is used where = belongs."
        findings.append(Finding(found.end("ref"), "assignment_sign", message, "read as an assignment"))
    text = found[0]
    if not text.isascii():
        for offset, character in enumerate(text, found.start()):
            if character in _WIDE:
                findings.append(Finding(offset, "full_width", f"{character} is full-width.", "read as a plain one"))
    if text[-1] in "(（" and ref[0] != "$":
        message = "Round brackets are used instead of square ones."
        findings.append(Finding(found.end() - 1, "round_brackets", message, "read as a call"))
    if found["wrap"]:
        findings.append(Finding(found.start("wrap"), "call_brackets", "The call is in brackets.", "left out"))
    return findings
