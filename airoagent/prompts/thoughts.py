"""The prompts for chains of thought and for code, byte for byte, and how their answers are read back.

Source: the model cards of airoboros-l2-13b-gpt4-2.0 and -m2.0 ("Chain-of-thought", "Coding"). The chat wrapper around
a prompt is in `wrappers`.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from airoagent.frozen import frozen
from airoagent.prompts.chat import Chat, Style, code_chat

_THINK = """\
You weigh several answers to a question. Write two or three short solutions, rank them, and choose one, in this form:

Solution 1: how the answer is found
Final answer: the answer

Solution 2: another way
Final answer: the answer

Ranking of solutions, best first:
1. Solution 1: why

Best and final answer: the answer"""


def think_prompt(question: str, style: Style = "airoboros") -> str:
    """The instruction that asks for several solutions, their ranking, and the best."""
    if style != "airoboros":
        return Chat(_THINK, (), question.strip())
    return (
        f"{question.strip()} Offer several potential answers, rank them according to mathematical logic, and pick the "
        "most feasible one."
    )


@frozen
class Solution:
    """One way to an answer: its number, the reasoning, and what it concludes ("" if it does not say)."""

    number: int
    text: str
    answer: str = ""


@frozen
class Ranked:
    """A place in the ranking: which solution, and why it stands there."""

    solution: int
    reason: str = ""


@frozen
class Thought:
    """A chain of thought read back. ``ranking`` is best first; ``best`` is the best and final answer, None where the
    text names none; ``text`` is all that the model wrote.
    """

    solutions: tuple[Solution, ...]
    ranking: tuple[Ranked, ...]
    best: str | None
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """The thought as plain JSON values."""
        return asdict(self)


_MARKS = r"[ \t]*+(?:[#>*_]++[ \t]*+)*+"
_SOLUTION = re.compile(rf"{_MARKS}solution[ \t]++#?(\d{{1,4}})[ \t]*+(?:[:.)*_]++|-|$)[ \t*_]*+(.*)", re.IGNORECASE)
_FINAL = re.compile(rf"{_MARKS}final answer[ \t*_]*+:[ \t*_]*+(.*)", re.IGNORECASE)
_RANKING = re.compile(
    rf"{_MARKS}ranking(?: of)?(?: the)?(?: solutions?| answers?)?\b[^:]{{0,60}}+:[ \t*_]*+(.*)", re.IGNORECASE
)
_BEST = re.compile(
    rf"{_MARKS}(?:the )?best(?: and final| final)? (?:answer|solution)[ \t*_]*+(?::|is\b:?)[ \t*_]*+(.*)", re.IGNORECASE
)
_PLACE = re.compile(
    r"[ \t]*+(?:\d{1,4}[.):]|[-*•])?[ \t*_]*+solution[ \t]++#?(\d{1,4})[ \t*_]*+[:.,)\-–—]*+[ \t*_]*+(.*)",
    re.IGNORECASE,
)


def read_thought(text: str) -> Thought:
    """The solutions, the ranking and the best answer of a chain-of-thought answer; any text gives some `Thought`."""
    solutions: list[tuple[int, list[str], list[str]]] = []
    ranking: list[tuple[int, list[str]]] = []
    best: list[str] | None = None
    here: list[str] | None = None  # what the lines belong to now
    part = ""
    for line in text.splitlines():
        if found := _BEST.match(line):
            here = best = [found[1]]
            part = "best"
        elif part != "best" and (found := _RANKING.match(line)):
            part, here = "ranking", None
        elif part == "ranking":
            if found := _PLACE.match(line):
                here = [found[2]]
                ranking.append((int(found[1]), here))
            elif here is not None and line.strip():
                here.append(line)
        elif part != "best" and (found := _SOLUTION.match(line)):
            part, here = "solution", [found[2]]
            solutions.append((int(found[1]), here, []))
        elif part == "solution" and (found := _FINAL.match(line)):
            solutions[-1][2].append(found[1])
            here = None
        elif here is not None:
            here.append(line)
        elif part == "solution" and line.strip():
            (solutions[-1][2] if solutions[-1][2] else solutions[-1][1]).append(line)
    return Thought(
        tuple(Solution(number, "\n".join(lines).strip(), _bare(answer)) for number, lines, answer in solutions),
        tuple(Ranked(number, " ".join(" ".join(lines).split())) for number, lines in ranking),
        None if best is None or not _bare(best) else _bare(best),
        text,
    )


def _bare(lines: list[str]) -> str:
    """Lines as one text without the emphasis around it."""
    return "\n".join(lines).strip().rstrip("*_").strip()


# Code --------------------------------------------------------------------------------------------------------------


def code_prompt(text: str, style: Style = "airoboros") -> str:
    """The instruction with the word that makes the model print code only, after one space."""
    text = text.strip()
    if style != "airoboros":
        return code_chat(text.removesuffix(" PLAINFORMAT"))
    return text if text.endswith(" PLAINFORMAT") else f"{text} PLAINFORMAT"


def read_code(text: str) -> str:
    """The code alone: what is in code fences if the model wrote any, otherwise the text itself."""
    lines = text.strip("\n").split("\n")
    marks = [number for number, line in enumerate(lines) if line.lstrip().startswith("```")]
    if not marks:
        return "\n".join(lines).rstrip() + "\n"
    blocks = []
    for start, end in zip(marks[::2], [*marks[1::2], len(lines)], strict=False):
        blocks.append("\n".join(lines[start + 1 : end]).rstrip())
    return "\n\n".join(block for block in blocks if block) + "\n"
