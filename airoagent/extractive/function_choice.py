"""How the built-in model answers a function-call prompt: by counting words.

The function is the one whose name, description and parameters share the rarest words with the input (rare among the
functions on offer) and whose required parameters the input has something for. The parameters are filled from quotes,
figures, addresses, dates and names of the input (`parameter_filling`); what the input does not hold is left out, so
that a call with something missing is reported as that and not made up. Nothing here reasons.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from airoagent.calls.call_parser import Call, Format, write_call
from airoagent.calls.function_loader import read_functions
from airoagent.calls.functions import Function, Functions, Param
from airoagent.calls.scalars import Json
from airoagent.errors import UsageError
from airoagent.extractive.parameter_filling import Clues, filled, read_clues
from airoagent.text.words import STOP_WORDS, spaced, stem, stems, words

__all__ = ["choose", "chosen_call"]


def chosen_call(input: str, functions_yaml: str, format: Format) -> str:
    """The call as text, in the format asked for; "" where the functions cannot be read."""
    try:
        functions = Functions(read_functions(functions_yaml))
    except UsageError:
        return ""
    function, params = choose(input, functions)
    return write_call(Call(function.name, params), format).rstrip("\n")


def choose(input: str, functions: Functions) -> tuple[Function, dict[str, Json]]:
    """The function that fits best, with what the input says of its parameters."""
    clues = read_clues(input)
    bags = [_bag(function) for function in functions]
    seen = Counter(word for bag in bags for word in bag)
    rarity = {word: math.log(1 + len(bags) / count) for word, count in seen.items() if word not in STOP_WORDS}
    found = [filled(function.params, clues) for function in functions]
    scores = [
        _fit(function, bag, params, clues, rarity) for function, bag, params in zip(functions, bags, found, strict=True)
    ]
    best = max(range(len(scores)), key=scores.__getitem__)
    return (functions[best], found[best]) if scores[best] > -1.0 else (functions[0], {})  # nothing speaks for any


def _fit(
    function: Function, bag: dict[str, float], params: dict[str, Json], clues: Clues, rarity: dict[str, float]
) -> float:
    """How much of what is said speaks for a function: its words, and values for its parameters."""
    score = sum(bag[word] * weight * rarity.get(word, 0.0) for word, weight in clues.said.items() if word in bag)
    for param in function.params:
        if param.name in params:
            score += 0.8 if param.required else 0.3
        elif param.required:
            score -= 0.8
    return score


def _bag(function: Function) -> dict[str, float]:
    """The stems that speak for a function, with their weight: its name most, what its parameters say least."""
    bag: dict[str, float] = {}

    def put(found: Iterable[str], weight: float) -> None:
        for word in found:
            bag[word] = max(weight, bag.get(word, 0.0))

    put(_named(function.name), 3.0)
    put(stems(function.description), 1.5)
    for param in _all(function.params):
        put(_named(param.name), 1.0)
        put(stems(param.description), 0.6)
        for value in param.enum:
            put(_named(str(value)), 1.2)
    return bag


def _named(name: str) -> Iterator[str]:
    return map(stem, words(spaced(name).lower()))


def _all(params: Iterable[Param]) -> Iterator[Param]:
    for param in params:
        yield param
        yield from _all(param.members)
