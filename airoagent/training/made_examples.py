"""Made training data: plans, readings and calls in the prompts that this program asks models with.

    for example in made_examples(1000, seed=1): ...

The text was written or is made here, mostly from invented names: nothing of any evaluation set, nothing of the example
library.
Example N of a seed is the same however many are made. 45 in 100 are plans, nearly half of which take several hops; 40
are readings, of which about a sixth cannot be answered; the others are function calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, Literal

from airoagent.prompts.chat import Style
from airoagent.training.examples import Example
from airoagent.training.made_calls import made_call
from airoagent.training.made_plans import made_plan
from airoagent.training.made_readings import Passage, made_reading, passage_reading, written_passages

__all__ = ["Kind", "Styles", "made_examples"]

Styles = Literal["both", "airoboros", "chat", "compact"]


Kind = Literal["plan", "page", "shipped", "read", "call"]
_MAKERS: Final[dict[Kind, Callable[[Random, Style], Example]]] = {
    "plan": made_plan,
    "page": lambda random, style: made_plan(random, style, "page"),
    "shipped": lambda random, style: made_plan(random, style, shipped=True),
    "read": made_reading,
    "call": made_call,
}


def made_examples(
    count: int, seed: int, styles: Styles = "both", passages: Sequence[Passage] = (), only: Kind | None = None
) -> Iterator[Example]:
    """So many examples; the prompts are for airoboros models, for those with a chat template (``both``: either of
    them), or ``compact``, for small models. Seven in ten readings are over texts that were written for this, and over
    ``passages``, if there are any. ``only`` one kind of them is made if it is named; ``page`` are plans that open an
    address, ``shipped`` those over the tools that come with this program.
    """
    passages = (*written_passages(), *passages)
    for number in range(count):
        random = Random(f"{seed} {number}")
        drawn: Style = "airoboros" if random.random() < 0.5 else "chat"
        style: Style = drawn if styles == "both" else styles
        kinds: tuple[Kind, ...] = ("plan", "read", "call")
        kind = random.choices(kinds, (45, 40, 15))[0]
        make = _MAKERS[only or kind]
        if make is made_reading and random.random() < 0.7:
            yield passage_reading(random, style, passages)
        else:
            yield make(random, style)
