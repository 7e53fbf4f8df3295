"""The options of a backend (``-o KEY VALUE``): declared once, next to the backend, and checked and read from that."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from airoagent.errors import UsageError
from airoagent.frozen import frozen

Reader = Callable[[str], Any]
"""Turns the text of an option into its value; ValueError says what the text has to be."""


def text(value: str) -> str:
    """Any text."""
    return value


def choice(values: Mapping[str, Any] | Sequence[str]) -> Reader:
    """One of these words, or what it stands for."""
    known = values if isinstance(values, Mapping) else {word: word for word in values}

    def read(value: str) -> Any:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return known[value]

    return read


def whole_number(least: int) -> Reader:
    """A whole number of at least ``least``."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,12}", value, re.ASCII) or int(value) < least:
            raise ValueError(f"a whole number of at least {least}")
        return int(value)

    return read


def number(value: str) -> float:
    """A number above 0."""
    found = float(value) if re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", value, re.ASCII) else 0.0
    if not 0 < found < float("inf"):
        raise ValueError("a number above 0")
    return found


def probability(value: str) -> float:
    """A number from 0 to 1."""
    found = float(value) if re.fullmatch(r"\d*\.?\d+", value, re.ASCII) else 2.0
    if found > 1:
        raise ValueError("a number from 0 to 1")
    return found


@frozen
class Option:
    """An option: its name, what reads its text, and the keyword argument of the backend that it sets."""

    name: str
    read: Reader = text
    argument: str = ""


PROMPT_OPTIONS: Final = (
    Option("context", whole_number(16), "context_length"),
    Option("style", choice(("airoboros", "chat", "compact"))),
    Option("system"),
    Option("wrapper"),
)
"""What every backend with a real model has."""


def read_options(backend: str, options: Sequence[Option], settings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword arguments that the settings mean. UsageError for an unknown option, or a value it cannot have."""
    known = {option.name: option for option in sorted(options, key=lambda option: option.name)}
    arguments: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            others = f"it has {', '.join(known)}" if known else "it has no options"
            hint = f"did you mean {near[0]}?" if near else others
            if (word := name.partition("=")[0]) in known:
                hint = f"write the value as a word of its own: -o {word} VALUE"
            raise UsageError(f"the {backend} model has no option {name!r}", hint)
        try:
            arguments[known[name].argument or name] = known[name].read(value)
        except ValueError as error:
            raise UsageError(f"the option {name} cannot be {value!r}", f"it is {error}") from error
    return arguments
