"""The prompt that asks again for a plan or a call that cannot be used: what the model wrote, and what is wrong with it.

prompt = retry_prompt(plan_prompt(...), error)    # a PlanError or CallError

No model card has a form for this; it is ours.
"""

from __future__ import annotations

from airoagent.errors import CallError, PlanError
from airoagent.findings import render_diagnostic
from airoagent.prompts.chat import Chat
from airoagent.prompts.harmless import harmless

_AGAIN = "\n\nThis response was given before:\n"
_MOST_QUOTED = 4000  # characters of a refused text that the model is shown again
_MOST_COMPLAINTS = 8


def retry_prompt(prompt: str, error: PlanError | CallError, format: str = "json") -> str:
    """The same instruction with what the model wrote, and where exactly it is wrong; ``format`` is that of a call."""
    wrong = [found for found in error.diagnostics if not found.repair][:_MOST_COMPLAINTS]
    complaints = []
    for one in wrong:
        shown = render_diagnostic(one, error.text).split("\n")[1:]  # the line of the text, and a caret
        complaints += [f"- line {one.line}, column {one.column}: {' '.join(one.message.split())}", *shown]
    text = error.text if len(error.text) <= _MOST_QUOTED else f"{error.text[:_MOST_QUOTED]} ..."
    wrote = harmless(text.strip())
    wanted = (
        "Write the whole plan again, corrected, and nothing else."
        if isinstance(error, PlanError)
        else f"Provide a corrected response in {format.upper()} format."
    )
    asked = f"It cannot be used:\n{harmless(chr(10).join(complaints))}\n\n{wanted}"
    if isinstance(prompt, Chat):
        return Chat(prompt.system, (*prompt.examples, (prompt.user, wrote)), asked, prompt.tools)
    return f"{prompt}{_AGAIN}{wrote}\n\n{asked}"


def first_prompt(prompt: str) -> str:
    """The instruction without what `retry_prompt` added to it."""
    return prompt.partition(_AGAIN)[0]
