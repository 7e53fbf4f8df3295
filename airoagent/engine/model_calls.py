"""Asks the model for a run: every call counts against the run's limit and goes on record, also when it is stopped."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from airoagent.engine.recorder import Recorder
from airoagent.engine.results import record_of
from airoagent.errors import CallError, LimitReached, ModelError, PlanError
from airoagent.events import ModelCalled, PlanRefused, PlanWritten, StepText, Usage
from airoagent.models.base import Completion, Finish, Model, Prompt, Purpose, Sampling, check_purpose
from airoagent.models.stopping import bounded
from airoagent.models.window import Asks
from airoagent.prompts.chat import Style
from airoagent.prompts.grammar import Grammar
from airoagent.prompts.own_text import own_text, repeats_from
from airoagent.prompts.retries import retry_prompt

T = TypeVar("T")

_LOOK_EVERY = 24  # characters between two looks whether the model goes round in circles


class ModelCalls:
    """The calls that one run makes of its model; ``free`` writes without grammars, ``most`` is its limit of tokens.

    Call it to ask. What it returns is the model's own text: thoughts before it and end tokens after it are on record
    only (`airo runs show -v`), but for plans and calls, whose parsers find them and say where.
    """

    def __init__(self, model: Model, sampling: Sampling | None, free: bool, most: int, recorder: Recorder) -> None:
        self._model = model
        self._sampling = sampling
        self._free = free
        self._most = most
        self._recorder = recorder

    async def style(self) -> Style:
        """The form of prompts that the model is asked in."""
        if isinstance(self._model, Asks):
            await self._model.ready()
        return self._model.info.style

    async def call_form(self) -> str:
        """The form of calls that the model was trained on, by its name in `CALL_FORMS` ("": none of them)."""
        await self.style()
        return self._model.info.call_form

    def _check_spent(self) -> None:
        spent = self._recorder.run.usage
        if self._most and spent.prompt_tokens + spent.completion_tokens >= self._most:
            raise LimitReached(
                f"the run's models have read and written {self._most:,} tokens, the limit", "raise --max-total-tokens"
            )

    async def __call__(
        self,
        prompt: str,
        purpose: Purpose,
        grammar: Grammar | str = "",
        *,
        step: str = "",
        heard: Callable[[str], None] | None = None,
        stop: tuple[str, ...] = (),
    ) -> Completion:
        """What the model writes, for a step or (without one) for the run; ``heard`` gets the text as it comes, and
        each of ``stop`` ends it.

        Raises ModelError, and LimitReached where the run's models have read and written enough.
        """
        model, recorder = self._model, self._recorder
        check_purpose(model.info, purpose)
        self._check_spent()
        written = ""
        finish: Finish | str = "cancelled"
        logprobs: tuple[float, ...] = ()
        loops: int | None = None
        looked = 0
        usage = Usage(calls=1)
        began = time.perf_counter()
        asked = Prompt(prompt, purpose, stop, sampling=self._sampling, grammar="" if self._free else grammar)
        try:
            async with aclosing(bounded(model.stream(asked))) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    if piece := chunk.thoughts + chunk.text:
                        written += piece
                        if heard is not None:
                            heard(piece)
                        elif step:
                            recorder(StepText(step, piece))
                    usage = chunk.usage or usage
                    logprobs = chunk.logprobs or logprobs
                    finish = chunk.finish or finish
                    if purpose != "code" and len(written) - looked >= _LOOK_EVERY:
                        looked, loops = len(written), repeats_from(written)
                        if loops is not None:
                            finish = "repetition"
                            break
            if finish == "repetition":  # the model did not come to the end, where it says what it has cost
                read, wrote = await asyncio.to_thread(lambda: [*map(model.count_tokens, (model.wrap(prompt), written))])
                usage = Usage(read, wrote, usage.calls)
            finish = "stop" if finish == "cancelled" else finish
        except ModelError:
            finish = "failed"
            raise
        finally:
            seconds = time.perf_counter() - began
            recorder(
                ModelCalled(step, purpose, model.info.name, str(model.wrap(prompt)), written, finish, usage, seconds)
            )
        text = written[:loops]
        cut: Finish = "repetition" if loops is not None else "length" if finish == "length" else "stop"
        doubt = _doubt(logprobs, model.info.least_probability) if purpose == "answer" else ""
        return Completion(text if purpose in ("plan", "call") else own_text(text), cut, usage, doubt)


def _doubt(logprobs: Sequence[float], least: float) -> str:
    """Why a text is not to be relied on: the model gives its tokens too low a probability, on the geometric mean."""
    probability = math.exp(sum(logprobs) / len(logprobs)) if logprobs else 1.0
    if probability >= least:
        return ""
    return f"the model gives its answer a probability of {probability:.0%}, and {least:.0%} is the least"


async def until_usable(
    written: Callable[[str, bool], Awaitable[T]], prompt: str, retries: int, recorder: Recorder, format: str = ""
) -> T:
    """What ``written`` reads from the model's text for a prompt; it is also passed whether the model is asked again.

    That happens, with the findings, up to ``retries`` times for a text that cannot be used (PlanError, CallError). A
    model that then fails leaves the refusal as it was.
    """
    asked = prompt
    refused: PlanError | CallError | None = None
    while True:
        try:
            return await written(asked, refused is not None)
        except (PlanError, CallError) as error:
            refused = error
            recorder(PlanRefused(failure=record_of(error), diagnostics=error.diagnostics, retry=retries > 0))
            if retries <= 0:
                raise
            retries -= 1
            asked = retry_prompt(prompt, error, format)
        except ModelError:
            if refused is None:
                raise
            recorder(PlanWritten(text=refused.text))
            recorder(PlanRefused(failure=record_of(refused), diagnostics=refused.diagnostics))
            raise refused from None
