"""The prompt that asks for a reWOO plan, byte for byte as the airoboros models were trained on it.

Source: the model cards of airoboros-l2-13b-gpt4-2.0 and -m2.0 ("reWOO style execution planning"). The chat wrapper
around a prompt is in `wrappers`, since it differs by generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airoagent.prompts.chat import Style, plan_chat
from airoagent.prompts.harmless import harmless

_PLAN_HEAD = """\
Please construct a systematic plan to generate an optimal response to the user instruction, utilizing a set of \
provided tools. Each plan will correspond to an evidence value, which will be the output of one of the available \
functions given an input string
that could be the user's question, one or more prior evidence values, or a combination of both.

Here are the tools available to be called:
"""

_PLAN_FORMAT = """

The output should be in format:
Plan: [first action to take based on input question]
:evidence0: = [function to call with input parameter]
Plan: [next action to take, based on result of :evidence0:]
:evidence1: = [next function to call and input parameter, which may include reference to previous evidence, \
e.g. "Given context :evidence0"]
...
Answer: [:evidence[n]: containing the final answer.]"""

_INPUT = "[input]: "
_QUESTION = "Question: "


def plan_prompt(question: str, tools: Iterable[tuple[str, str]], known: str = "", style: Style = "airoboros") -> str:
    """The instruction that asks for a reWOO plan; ``tools`` are (name, description), one line each.

    ``known`` stands before the question: what an earlier plan found and where it failed (`known_so_far`).
    """
    if style != "airoboros":
        return plan_chat(question, tools, known, style)
    lines = (f"{name}{_INPUT}{' '.join(description.split())}" for name, description in tools)
    middle = f"{known}\n\n" if known else ""
    return f"{_PLAN_HEAD}{chr(10).join(lines)}{_PLAN_FORMAT}\n\n{middle}{_QUESTION}{question.strip()}"


def read_plan_prompt(prompt: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """What `plan_prompt` was made from: the question and the tools; None for another prompt."""
    tools, mark, rest = prompt.removeprefix(_PLAN_HEAD).partition(f"{_PLAN_FORMAT}\n\n")
    if not mark or not prompt.startswith(_PLAN_HEAD):
        return None
    question = rest.removeprefix(_QUESTION) if rest.startswith(_QUESTION) else rest.partition(f"\n\n{_QUESTION}")[2]
    pairs = (line.partition(_INPUT) for line in tools.split("\n"))
    return question, tuple((name, description) for name, mark, description in pairs if mark)


def known_so_far(done: Sequence[tuple[str, str]], failed: Sequence[tuple[str, str]], following: int) -> str:
    """What a new plan has to know: steps that are done with the head of what they found, and steps that failed.

    Pairs are (the step's line, its evidence or the reason). No card has a form for this; it is ours.
    """
    lines: list[str] = []
    if done:
        lines.append("These steps have been done already; their evidence can be used as it is:")
        lines += [f"{step}\n({' '.join(harmless(found[:300]).split())})" for step, found in done]
    if failed:
        lines.append("These steps failed and must be avoided:")
        lines += [f"{step}\n({' '.join(harmless(reason[:300]).split())})" for step, reason in failed]
    lines.append(f"Write a new plan; number its steps from :evidence{following}: on.")
    return "\n".join(lines)
