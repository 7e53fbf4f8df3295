"""The way from tokens to what a reader sees: text without half characters, up to a stop string, and why it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from airoagent.events import Usage
from airoagent.models.base import Chunk, Finish
from airoagent.models.stopping import StopFilter

__all__ = ["PieceText", "Writer"]


class PieceText(Protocol):
    """Turns tokens into text, one at a time."""

    def feed(self, token: int) -> str:
        """The text that is certain now."""
        ...

    def finish(self) -> str:
        """What is left at the end."""
        ...


class Writer:
    """Turns the tokens of one completion into text, passes it on, and says when it ends."""

    def __init__(
        self, text: PieceText, ends: tuple[int, ...], stops: StopFilter, tell: Callable[[Chunk], None]
    ) -> None:
        self._text = text
        self._stops = stops
        self._ends = frozenset(ends)
        self._tell = tell
        self._finish: Finish = "length"

    def __call__(self, token: int) -> bool:
        """Take the next token; return whether the completion ends with it."""
        if token in self._ends:
            self._finish = "stop"
            return True
        if shown := self._stops.feed(self._text.feed(token)):
            self._tell(Chunk(shown))
        if self._stops.stopped:
            self._finish = "stop"
        return self._stops.stopped

    def last_chunk(self, read: int, all: int) -> Chunk:
        """What was held back, why the completion ended, and its cost: tokens read, and read and written together."""
        rest = self._stops.feed(self._text.finish()) + self._stops.finish()
        return Chunk(rest, self._finish, Usage(read, all - read, 1))
