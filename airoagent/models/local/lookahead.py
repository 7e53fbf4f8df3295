"""Tokens that are likely to come next, without asking the model: it then tries several in one pass.

A plan repeats its question, the names of its tools and its own references word for word, so what followed the last
tokens the time before often follows them again (prompt lookup). What a grammar leaves no choice about is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Guesses"]

_KEY: Final = 3  # tokens that have to be the same for the ones after them to be proposed
_MOST: Final = 16


class Guesses:
    """Proposes tokens for one completion: call it with all ids so far, each time the model is to go on.

    ``forced`` gives the tokens that a grammar forces after these ids. How many are proposed follows what came true:
    it doubles after a proposal that was right to its end, and is halved after one that was wrong at once.
    """

    __slots__ = ("_forced", "_from", "_index", "_proposed", "_seen", "_size")

    def __init__(self, forced: Callable[[list[int]], list[int]] | None = None) -> None:
        self._forced = forced
        self._index: dict[tuple[int, ...], int] = {}
        self._seen = 0
        self._size = 4
        self._proposed: list[int] = []
        self._from = 0

    def __call__(self, ids: list[int]) -> list[int]:
        """The tokens proposed to follow ``ids``; often none."""
        self._learn(ids)
        # Only places that something follows: the end of the text is what is looked up.
        for end in range(max(self._seen, _KEY), len(ids)):
            self._index[tuple(ids[end - _KEY : end])] = end
        self._seen = max(self._seen, len(ids))
        forced = self._forced(ids) if self._forced is not None else []
        if forced:
            self._proposed = []
            return forced[:_MOST]
        at = self._index.get(tuple(ids[-_KEY:]))
        self._proposed = [] if at is None else ids[at : at + self._size]
        self._from = len(ids)
        return self._proposed

    def _learn(self, ids: list[int]) -> None:
        if not self._proposed:
            return
        came = ids[self._from : self._from + len(self._proposed)]
        right = next((n for n, token in enumerate(came) if token != self._proposed[n]), len(came))
        if right == len(self._proposed):
            self._size = min(2 * self._size, _MOST)
        elif right == 0:
            self._size = max(self._size // 2, 1)
