"""The settings of a backend, as the text a user writes (``-o KEY VALUE``), turned into values."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from airoagent.errors import UsageError
from airoagent.models.local.machine import Device
from airoagent.prompts.chat import Style

__all__ = ["check_options", "choice", "device", "number", "style", "whole_number"]


def check_options(backend: str, settings: Mapping[str, str], known: Sequence[str]) -> None:
    """UsageError for a setting that the backend does not have."""
    for name in settings:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        others = f"it has {', '.join(known)}" if known else "it has no options"
        raise UsageError(f"the {backend} model has no option {name!r}", f"did you mean {near[0]}?" if near else others)


def choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """One of these words."""
    if value not in allowed:
        raise UsageError(f"the option {name} cannot be {value!r}", f"it is one of {', '.join(allowed)}")
    return value


def device(value: str) -> Device:
    """Where a model is to run."""
    match choice("device", value, ("auto", "cpu", "cuda")):
        case "cpu":
            return "cpu"
        case "cuda":
            return "cuda"
        case _:
            return "auto"


def style(settings: Mapping[str, str]) -> Style | None:
    """The form of prompts; None where it is not set."""
    if "style" not in settings:
        return None
    return "chat" if choice("style", settings["style"], ("airoboros", "chat")) == "chat" else "airoboros"


def whole_number(settings: Mapping[str, str], name: str, *, least: int) -> int | None:
    """A whole number of at least ``least``; None where it is not set."""
    value = settings.get(name)
    if value is None:
        return None
    if not value.isdecimal() or int(value) < least:
        raise UsageError(f"the option {name} cannot be {value!r}", f"it is a whole number of at least {least}")
    return int(value)


def number(settings: Mapping[str, str], name: str) -> float | None:
    """A number above 0; None where it is not set."""
    value = settings.get(name)
    if value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UsageError(f"the option {name} cannot be {value!r}", "it is a number above 0")
    return found
