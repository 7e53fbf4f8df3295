"""How the built-in model answers a function-call prompt: by counting words.

The function is the one whose name, description and parameters share the rarest words with the input (rare among the
functions on offer) and whose required parameters the input has something for. The parameters are filled from quotes,
figures, addresses, dates and names of the input (`parameter_filling`); what the input does not hold is left out, so
that a call with something missing is reported as that and not made up. Nothing here reasons.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from airoagent.calls.call_parser import Call, Format, write_call
from airoagent.calls.function_loader import read_functions
from airoagent.calls.functions import Function, Functions, Param
from airoagent.calls.scalars import Json
from airoagent.errors import UsageError
from airoagent.extractive.parameter_filling import filled, read_clues
from airoagent.text.words import spaced, stem, stems, words

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
    said = dict(_said(clues.plain))
    bags = [_bag(function) for function in functions]
    seen = Counter(word for bag in bags for word in bag)
    best: tuple[float, int, dict[str, Json]] = (-1.0, 0, {})
    for number, (function, bag) in enumerate(zip(functions, bags, strict=True)):
        score = 0.0
        for word, weight in said.items():
            if word in bag:
                score += bag[word] * weight * math.log(1 + len(bags) / seen[word])
        params = filled(function.params, clues)
        score += sum(_evidence(param, params) for param in function.params)
        if score > best[0]:
            best = (score, number, params)
    return functions[best[1]], best[2]


# What functions are called by: what people say for it.
_SAYINGS = {
    "count number": "how many",
    "count occurrence": "how often",
    "amount cost price": "how much",
    "alarm": "wake",
    "reminder alarm": "remind",
    "language translate": "say",
    "play music song": "listen",
    "restaurant food": "eat|hungry",
    "weather rain": "umbrella",
    "weather": "rain|snow|sunny|temperature|forecast",
    "email message send": "mail",
    "send message text": "write",
    "size smaller": "shrink",
    "size bigger": "enlarge",
    "width size": "wide",
    "height": "high",
    "dice": "die",
    "sale": "sell|sold",
    "occurrence": "mention|occur",
    "occurrence find": "appear",
    "roll dice": "throw",
    "currency money": "euro|dollar",
    "money": "pound",
    "currency": "usd|eur|gbp|jpy|chf",
    "calendar event meeting": "schedule",
    "reserve appointment": "book",
    "restaurant": "dinner|lunch",
    "picture image": "photo",
    "find": "where|search",
    "delete": "remove|erase",
    "order purchase": "buy",
    "call phone": "ring",
    "image": "photos",
    "size": "big",
    "length duration": "long",
    "distance": "far",
    "price": "cheapest",
    "find search": "look",
}


def _said(text: str) -> Iterator[tuple[str, float]]:
    """The stems of what is asked, and of what that is called elsewhere."""
    lower = text.lower()
    for word in dict.fromkeys(stems(text)):
        yield word, 1.0
    for meant, sayings in _SAYINGS.items():
        if re.search(rf"\b(?:{sayings})(?:s|ed|d|ing)?\b", lower):
            for other in meant.split():
                yield stem(other), 0.7


def _bag(function: Function) -> dict[str, float]:
    """The stems that speak for a function, with their weight: its name most, what its parameters say least."""
    bag: dict[str, float] = {}

    def put(text: str, weight: float) -> None:
        for word in map(stem, words(spaced(text).lower())):
            bag[word] = max(weight, bag.get(word, 0.0))

    put(function.name, 3.0)
    for word in stems(function.description):
        bag[word] = max(1.5, bag.get(word, 0.0))
    for param in _all(function.params):
        put(param.name, 1.0)
        for word in stems(param.description):
            bag[word] = max(0.6, bag.get(word, 0.0))
        for value in param.enum:
            put(str(value), 1.2)
    return bag


def _all(params: Iterable[Param]) -> Iterator[Param]:
    for param in params:
        yield param
        yield from _all(param.members)


def _evidence(param: Param, params: dict[str, Json]) -> float:
    """How much it speaks for a function that the input has something for this parameter, or against it that not."""
    if param.name in params:
        return 0.8 if param.required else 0.3
    return -0.8 if param.required else 0.0
