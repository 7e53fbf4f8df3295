"""Canonical plan text: what a plan is written as, so that it reads back as the same plan.

    >>> print(canonical_text([Step("evidence0", "Look.", "Search", ("otters",))]), end="")
    Plan: Look.
    :evidence0: = Search[otters]

A step is written as its two lines. One that would not read back the same (its input holds half a bracket, a line that
looks like a statement, quotes around it, ...) is written as a JSON object on a line, which can hold any text; so are
such a question and such an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from airoagent.plan.draft import Draft, PlanLimits
from airoagent.plan.heads import CLEAN_STEP
from airoagent.plan.json_steps import json_line
from airoagent.plan.scanner import StatementReader
from airoagent.plan.steps import Step, Template, template_text
from airoagent.plan.tool_names import ToolNames

_CLEAN_STEPS = re.compile(f"(?:{CLEAN_STEP.pattern})*+")
_PLAIN_REFERENCE = re.compile(r"(?::evidence[0-9]{1,9}:)++")


class _EveryName(ToolNames):
    """Takes any name for a tool: what reads back under it reads back with any tools registered."""

    def resolve(self, name: str) -> str:
        return name


def canonical_text(steps: Iterable[Step], answer: Template | None = None, question: str = "") -> str:
    """The text of a plan of these steps."""
    body = _plainly(steps := tuple(steps))
    if body.count("]") != len(steps) or not _CLEAN_STEPS.fullmatch(body):  # with a bracket each, all are clean alone
        body = "".join(map(_step, steps))
    return (_question(question) if question else "") + body + ("" if answer is None else _answer(answer))


def _plainly(steps: Iterable[Step]) -> str:
    parts: list[str] = []
    for step in steps:
        if step.thought:
            parts.append(f"Plan: {step.thought}\n")
        parts.append(f":{step.id}: = {step.tool}[")
        parts += [part if isinstance(part, str) else f":{part.id}:" for part in step.template]
        parts.append("]\n")
    return "".join(parts)


def _step(step: Step) -> str:
    text = _plainly([step])
    if not CLEAN_STEP.fullmatch(text):
        draft = _read(text)
        if draft.findings or draft.steps != [step]:
            return json_line(id=step.id, thought=step.thought, tool=step.tool, input=step.input) + "\n"
    return text


def _question(question: str) -> str:
    text = f"Question: {question}\n"
    draft = _read(f"{text}:evidence0: = x[]\n")
    same = not draft.findings and draft.question == question and len(draft.steps) == 1
    return text if same else json_line(question=question) + "\n"


def _answer(template: Template) -> str:
    answer = template_text(template)
    text = f"Answer: {answer}\n"
    if _PLAIN_REFERENCE.fullmatch(answer):
        return text
    draft = _read(f":evidence0: = x[]\n{text}")
    harmless = {"answer_text", "undefined_reference"}  # true of the plan, not of its writing, or of this probe alone
    same = draft.answer == template and all(one.kind in harmless for one in draft.findings)
    return text if same else json_line(answer=answer) + "\n"


def _read(text: str) -> Draft:
    """What a piece of text alone reads as."""
    draft = Draft(_EveryName(()), PlanLimits(2, len(text), len(text)))
    reader = StatementReader(draft)
    reader.read(text.replace("\r\n", "\n"))
    reader.end(truncated=False)
    return draft
