"""The shortest way: a whole text that is a clean plan, read by one regular expression.

A plan as the models were taught it, in one dialect from the first line to the answer and with nothing about its
writing to find fault with. Anything else, and this way gives up and leaves the text to `parse`, which reads a clean
plan in the very same way: a test holds the two against each other.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable
from typing import Any

from airoagent.errors import Diagnostic
from airoagent.language.draft import UNUSED
from airoagent.language.findings import Finding
from airoagent.language.limits import Limits
from airoagent.language.plan import Plan, Ref, Step, Template
from airoagent.language.reading import clean_input, read_template

__all__ = ["read_clean_plan"]

_NUMBER = "(0|[1-9][0-9]{0,8}+)"
_LITERAL = "[A-Za-z0-9 ,.?!'/()&;-]*+"  # a set of allowed characters is quicker than one of forbidden ones


def _pattern(before: str, after: str, start: str, end: str, answer: str) -> re.Pattern[str]:
    """Steps one after another, then the answer; the last branch takes all the rest, and gives no tool.

    The input is either a literal with at most one reference in it, or anything on one line.
    """
    return re.compile(
        rf"(?:Plan: ([^\W_].*[^\s*_`])\n)?{before}{_NUMBER}{after} = ([A-Za-z_][A-Za-z0-9_]{{0,99}}+)\["
        rf"(?:(?![ '])({_LITERAL})(?:{start}([0-9]++){end}({_LITERAL}))?(?<! )\]\n"
        r"|(?![\s\"'`“„‘«「『])(.*)(?<!\s)\]\n)"
        rf"|{answer}: {before}{_NUMBER}{after}[ \n]*+\Z"
        r"|[\s\S]++"
    )


_COLONS = _pattern(":evidence", ":", ":evidence", ":", "Answer")
_HASHES = _pattern("#E", "", "(?<![0-9A-Za-z_&/])#E", "(?![A-Za-z_])", "Final answer")
_LARGE = 1 << 16  # characters from which on the collector of circles is felt
_PIECE = 1 << 14  # characters read at once: what is in work stays near the processor
_SIGNS = frozenset(":#$：＃")

_new: Any = object.__new__
_set_ref = Ref.__dict__["id"].__set__
_set_id, _set_thought, _set_tool, _set_template, _set_line = (
    Step.__dict__[name].__set__ for name in ("id", "thought", "tool", "template", "line")
)


def read_clean_plan(text: str, tools: Iterable[object], limits: Limits) -> Plan | None:
    """The plan a clean text means; None where anything about it is not clean."""
    if text[:6] != "Plan: " or len(text) > limits.text:
        return None
    if len(text) <= _LARGE or not gc.isenabled():
        return _read(text, tools, limits)
    # None of the many objects made here can be part of a circle: looking for one in them is a fifth of the time.
    gc.disable()
    try:
        return _read(text, tools, limits)
    finally:
        gc.enable()


def _read(text: str, tools: Iterable[object], limits: Limits) -> Plan | None:
    pattern = _HASHES if "#E" in text else _COLONS
    names = frozenset(tools)
    if "" in names:
        return None
    closer = "(" in text or "  " in text or not text.isascii() or len(text) > limits.input
    steps: list[Step] = []
    refs: dict[str, Ref] = {}
    used: list[str] = []
    add, use = steps.append, used.append
    at, line, end, answer = 0, 0, len(text), ""
    while at < end:
        stop = end if end - at <= _PIECE else text.rfind("\nPlan: ", at, at + _PIECE) + 1 or end
        for thought, number, tool, head, other, tail, whole, answer in pattern.findall(text, at, stop):
            if tool not in names or number in refs or "[" in thought or not thought.isprintable():
                if answer and not tool and stop == end:
                    break
                return None
            if closer and not _is_plain(thought, whole or f"{head}{other}{tail}", limits.input):
                return None
            template: Template | None
            if other:
                if other not in refs:
                    return None
                ref = refs[other]
                use(other)
                if head:  # noqa: SIM108 - one line for four cases would be a riddle
                    template = (head, ref, tail) if tail else (head, ref)
                else:
                    template = (ref, tail) if tail else (ref,)
            elif head:
                template = (head,)
            else:
                template = _whole_input(whole, refs, used)
                if template is None:
                    return None
            step_id = "evidence" + number
            refs[number] = ref = _new(Ref)
            _set_ref(ref, step_id)
            line += 2 if thought else 1
            step = _new(Step)
            _set_id(step, step_id)
            _set_thought(step, thought)
            _set_tool(step, tool)
            _set_template(step, template)
            _set_line(step, line)
            add(step)
        at = stop
    if answer not in refs or len(steps) > limits.steps:
        return None
    use(answer)
    return Plan(tuple(steps), (refs[answer],), "", _unused(steps, refs, frozenset(used), pattern is _COLONS))


def _is_plain(thought: str, text: str, longest: int) -> bool:
    """Whether a thought is as it would be kept, and nothing else asks for a closer look."""
    if "  " in thought or len(text) > longest - 20 or (not text.isascii() and any(sign in text for sign in "［］：＃")):
        return False
    # An assignment might begin within the thought.
    return not ("(" in thought or "（" in thought or "［" in thought) or _SIGNS.isdisjoint(thought)


def _whole_input(text: str, refs: dict[str, Ref], used: list[str]) -> Template | None:
    """An input with more in it than one reference; None if it is not clean."""
    if "[" in text or "]" in text or not text:
        return None
    earlier = len(refs)
    findings: list[Finding] = []
    template = read_template(clean_input(text, 0, findings), refs, findings, 0)
    if findings or len(refs) != earlier:  # a reference that leads nowhere, or forward, is new there
        return None
    used += [part.id[8:] for part in template if isinstance(part, Ref)]
    return template


def _unused(steps: list[Step], refs: dict[str, Ref], used: frozenset[str], colons: bool) -> tuple[Diagnostic, ...]:
    if len(used) == len(refs):
        return ()
    kind, message, repair = UNUSED
    signs = len(":evidence: = [") if colons else len("#E = [")
    return tuple(
        Diagnostic(kind, message.format(step.id), step.line, len(number + step.tool) + signs + 1, repair)
        for number, step in zip(refs, steps, strict=True)
        if number not in used
    )
