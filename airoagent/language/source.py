"""The text read so far, kept in pieces: any part of it can be had again, and adding one character costs the same
however much there is."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["Source"]

_SMALL = 512  # pieces gathered before they are joined into one


class Source:
    """Text that grows at its end."""

    __slots__ = ("_fresh", "_fresh_at", "_pieces", "_starts", "length")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self._fresh: list[str] = []
        self._fresh_at = 0
        self.length = 0

    def append(self, piece: str) -> None:
        """Add text at the end."""
        self._fresh.append(piece)
        self.length += len(piece)
        if len(self._fresh) >= _SMALL:
            self._settle()

    def slice(self, start: int, end: int) -> str:
        """The characters from ``start`` up to ``end``."""
        if end <= start:
            return ""
        if end > self._fresh_at:
            self._settle()
        first = bisect_right(self._starts, start) - 1
        offset = self._starts[first]
        piece = self._pieces[first]
        if end <= offset + len(piece):
            return piece[start - offset : end - offset]
        last = bisect_right(self._starts, end - 1)
        return "".join(self._pieces[first:last])[start - offset : end - offset]

    def all(self) -> str:
        """The whole text."""
        return self.slice(0, self.length)

    def _settle(self) -> None:
        if self._fresh:
            self._pieces.append(self._fresh[0] if len(self._fresh) == 1 else "".join(self._fresh))
            self._starts.append(self._fresh_at)
            self._fresh_at = self.length
            self._fresh.clear()
