"""Writes the prompts of a think-act-observe loop in the form of ReAct, and reads what a model writes for them.

    prompt = react_prompt("How deep is Lake Baikal?", [("Search", "Searches.")], [("Action: Search\\n...", "1,642 m")])
    move = read_move("Thought: Look.\\nAction: Search\\nAction Input: Lake Baikal")     # move.tool, move.input

Source: ReAct (arXiv 2210.03629), with the two lines ``Action`` and ``Action Input`` that most programs use; the wording
is ours. It is a baseline to compare plans with (`airo eval --baseline react`), not a way to answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airoagent.frozen import frozen
from airoagent.prompts.chat import Chat
from airoagent.prompts.harmless import harmless

STOP = ("Observation:", "\nQuestion:")
"""What ends a turn: the model does not write the rest."""

_SYSTEM = """\
Answer the question. You can use tools, one at a time. Write in this form:
Thought: what you need to find out next
Action: the name of one tool
Action Input: the input for the tool
Observation: what the tool found (you are given this)
Thought, Action, Action Input and Observation may repeat. When you know the answer, write:
Thought: I know the answer.
Final Answer: the answer in few words

Tools:
"""
_EXAMPLE = """\
Thought: I have to find the height of the tower.
Action: {}
Action Input: height of the Eiffel Tower
Observation: The Eiffel Tower is 330 metres tall.
Thought: I know the answer.
Final Answer: 330 metres"""


@frozen
class Move:
    """One turn of a model: a tool to call ("": none) with its input, or, if ``answer`` is not None, the end."""

    thought: str = ""
    tool: str = ""
    input: str = ""
    answer: str | None = None


def react_prompt(
    question: str, tools: Iterable[tuple[str, str]], turns: Sequence[tuple[str, str]], most: int = 1000
) -> Chat:
    """The prompt for the next turn; ``turns`` are pairs of what the model wrote and what it then observed.

    The first ``most`` characters of each observation are shown, on one line.
    """
    offered = [(name, " ".join(description.split())) for name, description in tools]
    lines = "\n".join(f"{name}: {description}" for name, description in offered)
    so_far = "".join(
        f"{harmless(wrote.strip())}\nObservation: {harmless(' '.join(seen.split())[:most])}\n" for wrote, seen in turns
    )
    example = _EXAMPLE.format(offered[0][0]) if offered else ""
    shown = (("Question: How tall is the Eiffel Tower?", example),)
    return Chat(_SYSTEM + lines, shown, f"Question: {question.strip()}\n{so_far}".rstrip("\n"))


_LINE = re.compile(r"^[ \t*]*(thought|action input|action|final answer)[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
_BRACKETS = re.compile(r"([^\[(]+)[\[(](.*)[\])]")  # ReAct's own form: Search[height of the tower]


def read_move(text: str) -> Move:
    """The first action or answer in the text; a `Move` without either if there is none."""
    found = list(_LINE.finditer(text))
    ends = [*[mark.start() for mark in found[1:]], len(text)]
    parts: dict[str, str] = {}
    for mark, end in zip(found, ends, strict=False):
        name = mark[1].lower()
        if name in parts or ("action" in parts and name != "action input"):
            break  # a second turn, made up by the model
        parts[name] = text[mark.end() : end].strip()
        if name in ("final answer", "action input"):
            break
    if parts.get("final answer"):
        return Move(parts.get("thought", ""), answer=parts["final answer"].split("\n\n")[0].strip())
    tool, given = parts.get("action", "").split("\n")[0].strip(" \t\r*`."), parts.get("action input", "")
    if not given and (called := _BRACKETS.fullmatch(tool)):
        tool, given = called[1].rstrip(), called[2]
    return Move(parts.get("thought", ""), tool, " ".join(given.split()).strip("\"'`"))
