"""What the reader of statements keeps: the text read so far, and an input from its opening bracket on."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from airoagent.plan.heads import Head
from airoagent.plan.repairs import NOISE

_SQUARE = re.compile(r"[\n\[\]［］]")
# The colons of a reference right after a closed step are no signs: no head ends in them.
_PAST_REFERENCE = r"(?:(?:(?<=[\]］)）])|(?<=[\]］)）] )):evidence[0-9]{1,9}:[^\n:：\[\]［］()（）]*+)?"
_SQUARE_OR_HEAD = re.compile(rf"{_PAST_REFERENCE}[\n:：\[\]［］(（]")
_ROUND = re.compile(r"[\n()（）]")
_ROUND_OR_HEAD = re.compile(rf"{_PAST_REFERENCE}[\n:：()（）\[［]")
_TAIL = 64  # characters of noise after a closing bracket at the end of a line


class TextBuffer:
    """Text that grows at its end."""

    __slots__ = ("_text", "length")

    def __init__(self) -> None:
        self._text = io.StringIO()
        self.length = 0

    def append(self, piece: str) -> None:
        """Add text at the end."""
        self._text.seek(self.length)
        self._text.write(piece)
        self.length += len(piece)

    def slice(self, start: int, end: int) -> str:
        """The characters from ``start`` up to ``end``."""
        self._text.seek(start)
        return self._text.read(max(end - start, 0))

    def all(self) -> str:
        """The whole text."""
        return self._text.getvalue()


@dataclass(slots=True)
class OpenInput:
    """An input from its opening bracket on.

    ``is_call``: arguments of ``tool(...)``. ``at`` is where the statement stands, ``line`` its line, ``start``
    where the input begins; ``balanced`` is where its bracket was balanced (-1: not yet), ``last`` the last closing
    bracket, ``line_end`` the last one that had only noise after it on its line.
    """

    head: Head
    is_call: bool
    thought: str
    at: int
    name_at: int
    line: int
    start: int
    balanced: int = -1
    last: int = -1
    line_end: int = -1
    depth: int = 1

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
