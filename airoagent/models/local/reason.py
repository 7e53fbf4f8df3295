"""What a library's error says, in one line."""

from __future__ import annotations

from typing import Final

__all__ = ["is_out_of_memory", "reason_of"]

_MOST: Final = 300
# CUDA's words, the operating system's, and those of torch on a CPU.
_NO_MEMORY: Final = ("out of memory", "cannot allocate memory", "can't allocate memory", "not enough memory")


def reason_of(error: BaseException) -> str:
    """The first line of its message, with the next where the first only announces it; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    said = f"{lines[0]} {lines[1]}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return said[:_MOST]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that there was no memory left."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)
