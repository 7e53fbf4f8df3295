"""An input that is being read: where its bracket closes."""

from __future__ import annotations

import re

from airoagent.language.heads import Head
from airoagent.language.reading import NOISE

__all__ = ["OpenInput"]

_SQUARE = re.compile(r"[\n\[\]［］]")
_SQUARE_OR_HEAD = re.compile(r"[\n:：\[\]［］(（]")
_ROUND = re.compile(r"[\n()（）]")
_ROUND_OR_HEAD = re.compile(r"[\n:：()（）\[［]")
_TAIL = 64  # characters of noise after a closing bracket at the end of a line


class OpenInput:
    """An input from its opening bracket on.

    ``at`` is where the statement stands, ``line`` its line, ``start`` where the input begins; ``balanced`` is where
    its bracket was balanced (-1: not yet), ``last`` the last closing bracket, ``line_end`` the last one that had
    only noise after it on its line.
    """

    __slots__ = (
        "_close",
        "_depth",
        "_open",
        "_round",
        "at",
        "balanced",
        "head",
        "last",
        "line",
        "line_end",
        "name_at",
        "start",
        "thought",
    )

    def __init__(self, head: Head, opener: str, thought: str, at: int, name_at: int, line: int, start: int) -> None:
        self.head, self.thought = head, thought
        self.at, self.name_at, self.line, self.start = at, name_at, line, start
        self._round = opener in "(（"
        self._open, self._close = ("(（", ")）") if self._round else ("[［", "]］")
        self._depth = 1
        self.balanced = self.last = self.line_end = -1

    @property
    def is_call(self) -> bool:
        """Whether the input is the arguments of ``tool(...)``."""
        return self._round

    def signs(self, first_line: bool) -> re.Pattern[str]:
        """The characters that matter now: heads can close only what goes on over lines, or is balanced."""
        if first_line and self.balanced < 0:
            return _ROUND if self._round else _SQUARE
        return _ROUND_OR_HEAD if self._round else _SQUARE_OR_HEAD

    def bracket(self, sign: str, at: int) -> bool:
        """Count a bracket; True if it balances the input."""
        if sign in self._close:
            self.last = at
            if self.balanced < 0:
                self._depth -= 1
                if not self._depth:
                    self.balanced = at
                    return True
        elif self.balanced < 0 and sign in self._open:
            self._depth += 1
        return False

    def end_of_line(self, before: str) -> None:
        """A line of an input ends that is not balanced; ``before`` is what follows its last closing bracket."""
        if len(before) <= _TAIL and NOISE.fullmatch(before):
            self.line_end = self.last
