"""BM25: how well texts match a query, rare words counting more and long texts less.

>>> bm25([["otter", "sleep"], ["bear", "sleep"]], ["otter"])
[0.69..., 0.0]
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

_K1, _B = 1.2, 0.75


def rarity(matching: int, total: int) -> float:
    """How much a word says that is in ``matching`` of ``total`` texts."""
    matching = min(matching, total)
    return math.log(1 + (total - matching + 0.5) / (matching + 0.5))


def saturated(times: float, length: float) -> float:
    """What a word counts for that occurs ``times`` in a text of ``length`` times the average; 1 for once in such."""
    return times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length))


def bm25(texts: Sequence[Sequence[str]], query: Sequence[str]) -> list[float]:
    """The score of each text, given as its stems, for a query's stems."""
    asked = dict.fromkeys(query)
    counts = [None if asked.keys().isdisjoint(text) else Counter(text) for text in texts]
    average = sum(map(len, texts)) / max(len(texts), 1) or 1.0
    weights = {word: rarity(sum(count is not None and word in count for count in counts), len(texts)) for word in asked}
    return [
        0.0
        if count is None
        else sum(weights[word] * saturated(count[word], len(text) / average) for word in asked if word in count)
        for text, count in zip(texts, counts, strict=True)
    ]
