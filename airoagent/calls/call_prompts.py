"""The prompt that asks for a function call, byte for byte as the airoboros models were trained on it, and its retry.

Source: the model cards of airoboros-l2-13b-gpt4-2.0 and -m2.0 ("Agent/function calling").
"""

from __future__ import annotations

from collections.abc import Iterable

from airoagent.calls.functions import Function
from airoagent.calls.specs import functions_yaml
from airoagent.errors import CallError
from airoagent.prompts.harmless import harmless

__all__ = ["call_prompt", "retry_prompt"]

_CALL_HEAD = (
    "As an AI assistant, please select the most suitable function and parameters from the list of available functions "
    "below, based on the user's input. Provide your response in {format} format."
)


def call_prompt(input: str, functions: Iterable[Function], format: str = "json") -> str:
    """The instruction that asks for one function call in JSON or YAML."""
    head = _CALL_HEAD.format(format=format.upper())
    return f"{head}\n\nInput: {input.strip()}\n\nAvailable functions:\n{functions_yaml(functions).rstrip()}"


_MOST_QUOTED = 4000  # characters of a refused answer that the model is shown again
_MOST_COMPLAINTS = 8


def retry_prompt(prompt: str, error: CallError, format: str = "json") -> str:
    """The same instruction once more, with what the model wrote and exactly what is wrong with it."""
    wrong = [found for found in error.diagnostics if not found.repair][:_MOST_COMPLAINTS]
    complaints = "\n".join(f"- line {one.line}, column {one.column}: {' '.join(one.message.split())}" for one in wrong)
    text = error.text if len(error.text) <= _MOST_QUOTED else f"{error.text[:_MOST_QUOTED]} ..."
    return (
        f"{prompt}\n\nThis response was given before:\n{harmless(text.strip())}\n\nIt cannot be used:\n"
        f"{harmless(complaints)}\n\nProvide a corrected response in {format.upper()} format."
    )
