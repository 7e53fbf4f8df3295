"""The answer line, and what of the text after it still belongs to the answer."""

from __future__ import annotations

from airoagent.language.draft import Draft
from airoagent.language.frame import is_fence
from airoagent.language.heads import REACH, STATEMENT_LINE
from airoagent.language.plan import Ref
from airoagent.language.reading import clean_answer, read_template

__all__ = ["AnswerReader"]


class AnswerReader:
    """Takes the lines of an answer."""

    __slots__ = ("_at", "_lines", "done", "line_ended")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = -1
        self.done = False
        self.line_ended = False

    def line(self, text: str, at: int) -> bool:
        """Take a line, if it belongs to the answer; ``done`` says when no further one does."""
        if not self._lines:
            if not text.strip():
                return True
            if self.line_ended and (STATEMENT_LINE.match(text[:REACH]) or is_fence(text)):
                self.done = True
                return False
            self._at = at + len(text) - len(text.lstrip())
            self._lines.append(text.lstrip())
            self.done = self._is_reference(text)
            return True
        if not text.strip() or is_fence(text) or STATEMENT_LINE.match(text[:REACH]):
            self.done = True
            return not text.strip()
        self._lines.append(text)
        return True

    def _is_reference(self, text: str) -> bool:
        template = read_template(clean_answer(text, 0, []), {}, [], 0, {})
        return len(template) == 1 and isinstance(template[0], Ref)

    def settle(self, draft: Draft) -> None:
        """Hand the answer to the draft."""
        if self._lines:
            text = "\n".join(self._lines)
            draft.set_answer(clean_answer(text, self._at, draft.findings), self._at)

    @property
    def looks_whole(self) -> bool:
        """Whether an answer without a line end may be taken as it is although the text was cut off there."""
        text = self._lines[-1].rstrip() if self._lines else ""
        return self.done and text[-1:] in (":", "：", "]")
