"""The length of a text in tokens, where no tokenizer is at hand."""

from __future__ import annotations

import re

__all__ = ["estimate_tokens"]

_PIECE = re.compile(r"([A-Za-z]+)|([^\x00-\x7f]+)|[ \t]+|[^A-Za-z\x80-\U0010ffff \t]")


def estimate_tokens(text: str) -> int:
    """Roughly what Llama-2's tokenizer makes of it, rather too many than too few.

    It has a token for most short words, splits numbers into digits, and falls back on bytes for scripts that are rare
    in its vocabulary.
    """
    count = 1
    for match in _PIECE.finditer(text):
        if match[1]:
            count += (len(match[1]) + 4) // 5
        elif match[2]:
            count += sum(1 if character < "\u0250" else 2 for character in match[2])
        elif match[0] not in (" ",):
            count += 1
    return count
