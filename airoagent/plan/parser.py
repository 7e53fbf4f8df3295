"""Reading plans: what a real model writes becomes the plan it meant, or a located, explained refusal.

    >>> plan = parse_plan("Plan: look\\n#E1 = Search[otters]\\nAnswer: #E1", ["Search"])
    >>> plan.steps[0].id, plan.steps[0].input, plan.answer
    ('evidence1', 'otters', ':evidence1:')

The rules, all linear in the text, and the same for a whole text and for chunks cut anywhere:

- A **statement** is recognised at the character that completes its head (`heads`): the bracket of an assignment
  ``:evidence0: = Tool[``, the colon of ``Plan:``, ``Answer:`` or ``Question:``, the bracket of a numbered call.
- A **step's id** keeps the number written: ``:evidence0:`` and ``#E0`` are evidence0; ``1. tool(...)`` and ``$1`` are
  evidence1; an object of a JSON list has its own number, or else its position, counted from 0.
- An **input** ends at the ``]`` that balances its opening bracket, if nothing but noise or a statement follows on the
  line; text after it up to a later ``]`` of the line belongs to the input. An input that is not balanced goes on over
  lines until a line that begins a statement: it then ends at the last ``]`` that closes one of its lines, or, where
  there is none, before that statement. At the end of the text it must be closed, or the plan is truncated: nothing
  is invented.
- A **step is certain** at the newline after its closing bracket, at the head of the next statement on the same line,
  at the line head that ends an unbalanced input, or at the ``}`` of its object; `PlanParser.feed` gives it out then.
  After an error no step is given out any more, and reading goes on to find the other errors.
- A **revision** ("Here is the revised plan:", "Let me try again") takes back the plan before it, if another follows:
  steps that were given out may not be in the plan in the end.
- The **thought** is the text from ``Plan:`` up to the assignment, white space collapsed; several are joined.
- The **answer** is the ``Answer:`` line. A lone reference ends it; prose goes on until a blank line, a fence or a
  statement. An answer before any step is chatter, and so is everything after the answer. Without an answer line the
  plan's answer is None and what the last step finds answers (finding no_answer).
- A **result** that the text makes up (``Observation: ...``, ``#E1 = It is 227 m deep.`` after the step) is left out,
  and with it an answer without references that comes after it.
- Past a limit of `PlanLimits` nothing more is read.
- A text that is refused, or has lines left over and no answer, is read once more as another notation (`rewriting`).
- Errors, in `PlanError.kind`: empty_plan, unknown_tool, duplicate_id, undefined_reference, self_reference, cycle,
  truncated, too_large, syntax. Everything else is repaired, each repair a Diagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from airoagent.errors import PlanError
from airoagent.plan.draft import Draft, PlanLimits
from airoagent.plan.plans import Plan
from airoagent.plan.scanner import StatementReader
from airoagent.plan.steps import Step
from airoagent.plan.tool_names import ToolNames

_UNREAD = ("empty_plan", "syntax", "truncated", "self_reference", "undefined_reference")
"""Why a text may be refused that another notation explains."""

_RETURNS = re.compile(r"(?<!\r)\r++\n")  # the look-behind keeps a failed run of \r from being tried again within it


def parse_plan(text: str | Iterable[str], tools: Iterable[object], limits: PlanLimits | None = None) -> Plan:
    """The plan a text means.

    ``text`` may be an iterable of chunks; ``tools`` are the registered tools or their names. PlanError says why the
    text is refused, with every finding in ``.diagnostics``.
    """
    parser = PlanParser(tools, limits)
    for chunk in (text,) if isinstance(text, str) else text:
        parser.feed(chunk)
    return parser.finish()


class PlanParser:
    """Reads a plan while it is being written.

        parser = PlanParser(["Search"])
        for chunk in chunks:
            for step in parser.feed(chunk): ...   # steps that have just become certain
        plan = parser.finish()

    Work and memory grow with the text only; the pieces it comes in make no difference to steps, findings or answer.
    """

    __slots__ = ("_crlf", "_draft", "_finished", "_given", "_raw", "_reader", "_returns")

    def __init__(self, tools: Iterable[object], limits: PlanLimits | None = None) -> None:
        self._draft = Draft(ToolNames(tools), limits or PlanLimits())
        self._reader = StatementReader(self._draft)
        self._raw: list[str] | None = None  # the text as it came, where that differs from what is read
        self._returns = 0  # carriage returns held back until it is known whether a newline follows
        self._crlf = False
        self._given: list[Step] = []  # the steps handed out so far
        self._finished = False

    def feed(self, chunk: str) -> tuple[Step, ...]:
        """Read another piece; returns the steps that are now certain, in the order of the text."""
        if self._finished:
            raise ValueError("the parser has finished; a new plan needs a new parser")
        if "\r" in chunk or self._returns:
            chunk = self._plain_newlines(chunk)
        elif self._raw is not None:
            self._raw.append(chunk)
        return self._read(chunk) if chunk else ()

    def finish(self, truncated: bool = False) -> Plan:
        """The plan; PlanError if the text is refused. ``truncated``: the model was stopped by its token limit."""
        if self._finished:
            raise ValueError("the parser has finished; a new plan needs a new parser")
        if self._returns:
            self._read("\r" * self._returns)
        self._finished = True
        self._reader.end(truncated)
        text = self._reader.source.all()
        raw = text if self._raw is None else "".join(self._raw)
        draft = self._draft
        try:
            plan = Plan(*draft.finish(text, raw, truncated))
        except PlanError as error:
            again = self._otherwise(text, truncated) if error.kind in _UNREAD else None
            if again is None:
                raise
            return again
        if plan.answer is None and not draft.invented and any(found.kind == "chatter" for found in draft.findings):
            again = self._otherwise(text, truncated)
            if again is not None and again.answer is not None and len(again.steps) >= len(plan.steps):
                return again
        return plan

    def _otherwise(self, text: str, truncated: bool) -> Plan | None:
        from airoagent.plan.rewriting import read_otherwise

        draft = self._draft
        return read_otherwise(text, draft.names, draft.limits, truncated, self._given)

    @property
    def assigned(self) -> tuple[str, ...]:
        """The ids that the text read so far gives to steps, also to those that are refused."""
        return tuple(self._draft.defined)

    def _read(self, chunk: str) -> tuple[Step, ...]:
        most = self._draft.limits.text
        room = most - self._reader.source.length
        if room < 0:
            return ()
        if len(chunk) <= room:
            steps = self._reader.read(chunk)
            self._given += steps
            return steps
        steps = self._reader.read(chunk[:room])
        self._draft.overflow(most, f"The text has more than {most} characters.")
        self._reader.source.append(chunk[room])  # one over the limit, so that nothing more is read
        return steps

    def _plain_newlines(self, chunk: str) -> str:
        """Carriage returns before a newline go; those at the end wait for what follows."""
        if self._raw is None:
            self._raw = [self._reader.source.all()]
        self._raw.append(chunk)
        kept = chunk.rstrip("\r")
        if not kept:
            self._returns += len(chunk)
            return ""
        kept, self._returns = "\r" * self._returns + kept, len(chunk) - len(kept)
        plain, count = _RETURNS.subn("\n", kept)
        if count and not self._crlf:
            self._crlf = True
            at = self._reader.source.length + len(_RETURNS.split(kept, 1)[0])
            self._draft.note(at, "crlf", "Lines end in CR LF.", "read as LF")
        return plain
