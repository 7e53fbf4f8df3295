"""A page cut into passages: a few whole sentences each, with the headings they stand under.

Passages are what a document search finds and shows, so one is long enough to be understood and short enough to quote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from airoagent.documents.rendering import Block
from airoagent.frozen import frozen
from airoagent.text.sentences import sentences, unwrapped

# Characters: a passage is closed once it has AIM, and never grows over MOST unless one sentence does.
AIM, MOST = 360, 560
_SHORT = 160  # a section shorter than this is kept together with the next one


@frozen
class Passage:
    """Text of a page and the headings above it, outermost first, joined by " / ".

    ``page`` is the number of the page, slide or chapter of a file that has some.
    """

    headings: str
    text: str
    page: int = 0


@frozen
class SearchResult:
    """One hit: the page's title and address, and the words of it that match."""

    title: str
    url: str
    snippet: str


def cut(blocks: Sequence[Block]) -> tuple[Passage, ...]:
    """The passages of a page's blocks, in order; none goes over the end of a page, slide or chapter."""
    parts = groupby(blocks, key=lambda block: block.page)
    return tuple(passage for page, part in parts for passage in _cut(part, page))


def _cut(blocks: Iterable[Block], page: int) -> list[Passage]:
    """The passages of one part; headings stand in the passages below them."""
    done: list[Passage] = []
    path: list[tuple[int, str]] = []
    names: list[str] = []  # the headings of the passage in the making
    lines: list[str] = []
    size = 0

    def close() -> None:
        nonlocal lines, names, size
        if lines:
            done.append(Passage(" / ".join(names), "\n".join(lines), page))
        lines, names, size = [], [], 0

    for block in blocks:
        if block.kind == "heading":
            if size >= _SHORT:
                close()
            while path and path[-1][0] >= block.level:
                path.pop()
            name = block.text[:200]
            path.append((block.level, name))
            if lines:
                lines.append(block.text)
                size += len(block.text) + 1
                names += [name] if name not in names else []
            continue
        for piece, new_line in _pieces(block):
            if size and size + len(piece) > MOST:
                close()
            names = names if lines and names else [name for _, name in path[-3:]]
            if lines and not new_line:
                lines[-1] += " " + piece
            else:
                lines.append(piece)
            size += len(piece) + 1
        if size >= AIM:
            close()
    close()
    if not done and path:  # nothing but headings
        done.append(Passage("", "\n".join(name for _, name in path), page))
    return done


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
                yield head, True
            yield from ((part, True) for part in _chopped(line))
        return
    text = unwrapped(block.text) if "\n" in block.text else block.text
    if len(text) <= MOST and "\n" not in text:
        yield text, True
        return
    for line in text.split("\n"):
        parts = [part for sentence in sentences(line) for part in _chopped(sentence)]
        yield from ((part, number == 0) for number, part in enumerate(parts))


def _chopped(text: str) -> Iterator[str]:
    """A sentence as it is; one of more than a thousand characters in parts, at spaces where there are any."""
    while len(text) > 1_000:
        at = text.rfind(" ", 400, MOST)
        at = at if at > 0 else MOST
        yield text[:at].rstrip()
        text = text[at:].lstrip()
    if text:
        yield text
