"""What a plan may have before it is refused as too large."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan may have: steps, characters of one input, characters of the text. More is the error too_large."""

    steps: int = 10_000
    input: int = 256 * 1024
    text: int = 4 * 1024 * 1024
