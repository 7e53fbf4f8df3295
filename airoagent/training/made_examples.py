"""Made training data: plans, readings and calls in the prompts that this program asks models with.

    for example in made_examples(1000, seed=1): ...

All text is made here from invented names: nothing of any evaluation set, nothing of the example library. Example N of
a seed is the same however many are made. Half are plans, of which 40 in 100 take two hops; 35 in 100 are readings, of
which about a quarter cannot be answered; the others are function calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from airoagent.prompts.chat import Style
from airoagent.training.examples import Example
from airoagent.training.made_calls import made_call
from airoagent.training.made_plans import made_plan
from airoagent.training.made_readings import made_reading

__all__ = ["Styles", "made_examples"]

Styles = Literal["both", "airoboros", "chat"]


def made_examples(count: int, seed: int, styles: Styles = "both") -> Iterator[Example]:
    """So many examples; the prompts are for airoboros models, for those with a chat template, or for either."""
    for number in range(count):
        random = Random(f"{seed} {number}")
        drawn: Style = "airoboros" if random.random() < 0.5 else "chat"
        style: Style = drawn if styles == "both" else styles
        make = random.choices((made_plan, made_reading, made_call), (50, 35, 15))[0]
        yield make(random, style)
