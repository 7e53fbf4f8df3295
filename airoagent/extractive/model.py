"""The built-in default model: no weights, no downloads; it plans by templates and quotes, and does not reason.

It reads the same prompts as any other model and answers in the same formats. A plan prompt gets a reWOO plan written
from the question and the tools on offer (`templates`); a closed-context prompt gets the best one to three sentences of
the blocks, word for word, with their source (`quotes`); a call prompt the function whose words fit (`function_choice`);
anything else gets one honest sentence. Same prompt, same bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import islice

from airoagent.events import Usage
from airoagent.models.base import Chunk, Finish, ModelInfo, Prompt

_NOTE = (
    "no weights: quotes sentences of its sources, does not reason; for a small language model: airo pull smollm2, "
    "then -m smollm2"
)
_NO_KNOWLEDGE = (
    "The built-in extractive model cannot answer this: it has no knowledge of its own, and can only plan and quote "
    "from sources it is given. For a model that can answer this, name one with -m; "
    "`airo models` lists them."
)


class ExtractiveModel:
    """Implements `airoagent.models.base.Model` by templates and by counting words."""

    def __init__(self) -> None:
        self.info = ModelInfo("extractive", "extractive", None, "none", _NOTE, purposes=("plan", "answer", "call"))

    def wrap(self, prompt: str) -> str:
        """The prompt itself: no chat wrapper."""
        return prompt

    def count_tokens(self, text: str) -> int:
        """Words: this model has no tokenizer."""
        return len(text.split())

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """The completion line by line; the reading itself is done in a thread, so that other steps go on."""
        text = await asyncio.to_thread(write, prompt.text)
        for stop in prompt.stop:
            if stop:
                text = text.partition(stop)[0]
        text, finish = _limited(text, prompt.sampling.max_tokens if prompt.sampling else 0)
        for line in text.splitlines(keepends=True):
            yield Chunk(line)
            await asyncio.sleep(0)
        yield Chunk("", finish, Usage(self.count_tokens(prompt.text), self.count_tokens(text), 1))

    async def aclose(self) -> None:
        """Nothing is held."""


def _limited(text: str, most: int) -> tuple[str, Finish]:
    """The text cut after ``most`` words (0: no limit), and whether that was the reason to stop."""
    next_word = next(islice(re.finditer(r"\S+", text), most, None), None) if most else None
    return (text[: next_word.start()], "length") if next_word else (text, "stop")


def write(prompt: str) -> str:
    """The whole completion for a prompt; never raises, whatever the text."""
    # Imported here: this module is loaded to list models, too, and a plan needs nothing of calls.
    from airoagent.prompts.context_prompts import read_closed_context_prompt
    from airoagent.prompts.plan_prompts import read_plan_prompt

    if (request := read_plan_prompt(prompt)) is not None:
        from airoagent.extractive.templates import write_plan

        return write_plan(*request)
    if (context := read_closed_context_prompt(prompt)) is not None and context[0]:
        from airoagent.extractive.quotes import quoted_answer

        return quoted_answer(*context)
    from airoagent.calls.call_parser import read_call_prompt
    from airoagent.extractive.function_choice import chosen_call

    call = read_call_prompt(prompt)
    return (call and chosen_call(*call)) or _NO_KNOWLEDGE
