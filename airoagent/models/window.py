"""What fits into a model's window: room for a completion, and evidence cut to it by the model's own tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

from airoagent.errors import ModelError
from airoagent.models.base import Model, Purpose, Sampling
from airoagent.prompts.chat import answer_chat
from airoagent.prompts.context_prompts import ContextBlock
from airoagent.prompts.context_window import Fitted, fit_blocks

_LEAST_PLAN: Final = 64  # tokens; a plan of one step has as many
_LEAST_ANSWER: Final = 32


@runtime_checkable
class Asks(Protocol):
    """A model that has to ask or fetch something before it knows its window."""

    async def ready(self) -> None: ...


def room_for(name: str, purpose: Purpose, length: int, window: int) -> int:
    """How many tokens can be written after a prompt of this length. ModelError if none, or too few for a plan."""
    if purpose == "plan" and length + min(_LEAST_PLAN, window // 4) > window:
        raise ModelError(
            f"the plan prompt, which describes the tools, is {length} tokens long, and the window of {name} holds "
            f"{window}: no plan fits after it",
            "offer fewer tools (-T NAME for each that is needed), or choose a model with a longer window",
        )
    if length >= window:
        raise ModelError(
            f"the prompt is {length} tokens long, and the window of {name} holds {window}",
            "ask with fewer or shorter texts and tools, or choose a model with a longer window",
        )
    return window - length


async def fit_to(model: Model, sampling: Sampling | None, blocks: Sequence[ContextBlock], instruction: str) -> Fitted:
    """The blocks of a closed-context prompt, cut to what fits next to an answer of at most a quarter of the window.

    A model without a window gets them whole. Raises ModelError where the instruction alone does not fit.
    """
    if isinstance(model, Asks):
        await model.ready()
    window = model.info.context_length
    if window is None:
        return Fitted(tuple(blocks))
    answer = max(min((sampling or Sampling()).max_tokens, window // 4), min(_LEAST_ANSWER, window // 4))

    def fit() -> Fitted:
        around = model.wrap(answer_chat((), "", style) if (style := model.info.style) != "airoboros" else "")
        # A few tokens for what joining wrapper and prompt may add, begin-of-text among them.
        budget = window - answer - model.count_tokens(around) - 8
        return fit_blocks(blocks, instruction, budget, model.count_tokens)

    # The tokenizer may have to be read, or fetched, first; a page of megabytes takes half a second.
    return await asyncio.to_thread(fit)
