"""A page cut into passages: a few whole sentences each, with the headings they stand under.

Passages are what a document search finds and shows, so one is long enough to be understood and short enough to quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airoagent.documents.rendering import Block
from airoagent.text.sentences import sentences, unwrapped

__all__ = ["Passage", "SearchResult", "cut"]

# Characters: a passage is closed once it has AIM, and never grows over MOST unless one sentence does.
AIM, MOST = 360, 560
_SHORT = 160  # a section shorter than this is kept together with the next one


@dataclass(frozen=True, slots=True)
class Passage:
    """Text of a page and the headings above it, outermost first, joined by " / "; ``page`` is a PDF file's page."""

    headings: str
    text: str
    page: int = 0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit: the page's title and address, and the words of it that match."""

    title: str
    url: str
    snippet: str


def cut(blocks: Sequence[Block]) -> tuple[Passage, ...]:
    """The passages of a page's blocks, in order; headings stand in the passages below them."""
    cutter = _Cutter()
    for block in blocks:
        cutter.take(block)
    return cutter.finish()


class _Cutter:
    def __init__(self) -> None:
        self._done: list[Passage] = []
        self._path: list[tuple[int, str]] = []
        self._names: list[str] = []  # the headings of the passage in the making
        self._lines: list[str] = []
        self._size = self._page = 0

    def take(self, block: Block) -> None:
        if block.kind == "heading":
            if self._size >= _SHORT:
                self._close()
            while self._path and self._path[-1][0] >= block.level:
                self._path.pop()
            self._path.append((block.level, block.text[:200]))
            if self._lines:
                self._add(block.text)
                self._name(block.text[:200])
            return
        if block.page != self._page:
            self._close()
            self._page = block.page
        if not self._lines:
            self._names = [name for _, name in self._path[-3:]]
        for piece, new_line in _pieces(block):
            if self._size and self._size + len(piece) > MOST:
                self._close()
            if not self._names:
                self._names = [name for _, name in self._path[-3:]]
            self._add(piece, new_line=new_line)
        if self._size >= AIM:
            self._close()

    def finish(self) -> tuple[Passage, ...]:
        self._close()
        if not self._done and self._path:  # nothing but headings
            self._done.append(Passage("", "\n".join(name for _, name in self._path)))
        return tuple(self._done)

    def _add(self, text: str, *, new_line: bool = True) -> None:
        if self._lines and not new_line:
            self._lines[-1] += " " + text
        else:
            self._lines.append(text)
        self._size += len(text) + 1

    def _name(self, heading: str) -> None:
        if heading not in self._names:
            self._names.append(heading)

    def _close(self) -> None:
        if self._lines:
            self._done.append(Passage(" / ".join(self._names), "\n".join(self._lines), self._page))
        self._lines, self._names, self._size = [], [], 0


def _pieces(block: Block) -> Iterator[tuple[str, bool]]:
    """What a block may be cut into: (text, whether it starts a line). A table repeats its first row in every part."""
    if block.kind in ("row", "code"):
        head = block.text.split("\n", 1)[0] if block.kind == "row" else ""
        size = 0
        for line in block.text.split("\n"):
            if not line.strip():
                continue
            size += len(line)
            if size > AIM and head and len(head) < 120 and line != head:
                size = len(line)
                yield from ((head, True),)
            for part in _chopped(line):
                yield part, True
        return
    text = unwrapped(block.text) if "\n" in block.text else block.text
    if len(text) <= MOST and "\n" not in text:
        yield text, True
        return
    for line in text.split("\n"):
        first = True
        for sentence in sentences(line):
            for part in _chopped(sentence):
                yield part, first
                first = False


def _chopped(text: str) -> Iterator[str]:
    """A sentence as it is; one of more than a thousand characters in parts, at spaces where there are any."""
    while len(text) > 1_000:
        at = text.rfind(" ", 400, MOST)
        at = at if at > 0 else MOST
        yield text[:at].rstrip()
        text = text[at:].lstrip()
    if text:
        yield text
