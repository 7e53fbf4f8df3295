"""What a library's error says, in one line."""

from __future__ import annotations

from typing import Final

__all__ = ["reason_of"]

_MOST: Final = 300


def reason_of(error: BaseException) -> str:
    """The first line of its message, with the next where the first only announces it; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    said = f"{lines[0]} {lines[1]}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return said[:_MOST]
