"""What is open while a plan is read: the text so far, and the input whose bracket is not closed."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from airoagent.plan.heads import Head
from airoagent.plan.repairs import NOISE

__all__ = ["OpenInput", "TextBuffer"]

_SQUARE = re.compile(r"[\n\[\]［］]")
_SQUARE_OR_HEAD = re.compile(r"[\n:：\[\]［］(（]")
_ROUND = re.compile(r"[\n()（）]")
_ROUND_OR_HEAD = re.compile(r"[\n:：()（）\[［]")
_TAIL = 64  # characters of noise after a closing bracket at the end of a line
_SMALL = 512  # pieces gathered before they are joined into one


class TextBuffer:
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


@dataclass(slots=True)
class OpenInput:
    """An input from its opening bracket on.

    ``at`` is where the statement stands, ``line`` its line, ``start`` where the input begins; ``balanced`` is where
    its bracket was balanced (-1: not yet), ``last`` the last closing bracket, ``line_end`` the last one that had
    only noise after it on its line.
    """

    head: Head
    opener: str
    thought: str
    at: int
    name_at: int
    line: int
    start: int
    balanced: int = -1
    last: int = -1
    line_end: int = -1
    depth: int = 1

    @property
    def is_call(self) -> bool:
        """Whether the input is the arguments of ``tool(...)``."""
        return self.opener in "(（"

    def signs(self, first_line: bool) -> re.Pattern[str]:
        """The characters that matter now: heads can close only what goes on over lines, or is balanced."""
        if first_line and self.balanced < 0:
            return _ROUND if self.is_call else _SQUARE
        return _ROUND_OR_HEAD if self.is_call else _SQUARE_OR_HEAD

    def bracket(self, sign: str, at: int) -> bool:
        """Count a bracket; True if it balances the input."""
        if sign in (")）" if self.is_call else "]］"):
            self.last = at
            if self.balanced < 0:
                self.depth -= 1
                if not self.depth:
                    self.balanced = at
                    return True
        elif self.balanced < 0 and sign in ("(（" if self.is_call else "[［"):
            self.depth += 1
        return False

    def end_of_line(self, before: str) -> None:
        """A line of an input ends that is not balanced; ``before`` is what follows its last closing bracket."""
        if len(before) <= _TAIL and NOISE.fullmatch(before):
            self.line_end = self.last
