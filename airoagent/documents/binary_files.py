"""Files that are not text: PDF files, and the archives that `office` reads, each read in a process of its own.

Such a file may be made to loop or to unpack into gigabytes, and what reads it cannot be interrupted from outside. So a
child process does (`child_processes`): about 1 GB of address space, 20 s of processor time, 40 s by the clock. What it
had read when it was stopped is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from airoagent.child_processes import run_child
from airoagent.documents.read_text import Found, plain
from airoagent.documents.rendering import Block
from airoagent.errors import FetchError

READ = "application/x-airoagent-read"
"""The content type of a file that has been read already (`write_kept`)."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
_KINDS = (  # the type, what a sentence calls such a file, what its parts are called in an address, suffixes
    ("application/pdf", "PDF file", "page", ".pdf"),
    (f"{_OFFICE}.wordprocessingml.document", "Word document", "page", ".docx .docm .dotx"),
    (f"{_OFFICE}.presentationml.presentation", "presentation", "slide", ".pptx .pptm .ppsx"),
    (f"{_OFFICE}.spreadsheetml.sheet", "spreadsheet", "sheet", ".xlsx .xlsm .xltx"),
    (f"{_OPEN}.text", "OpenDocument text", "page", ".odt .ott"),
    (f"{_OPEN}.spreadsheet", "spreadsheet", "sheet", ".ods"),
    (f"{_OPEN}.presentation", "presentation", "slide", ".odp"),
    ("application/epub+zip", "EPUB book", "chapter", ".epub"),
)
TYPES = {type: name for type, name, _, _ in _KINDS}
"""The types of these files, and what a sentence calls one."""

SUFFIXES = {suffix: type for type, _, _, suffixes in _KINDS for suffix in suffixes.split()}
_PARTS = {type: part for type, _, part, _ in _KINDS}


def place_of(name: str) -> str:
    """What the parts of a file are called in an address: ``docs://talks/otters.pptx#slide=3``."""
    return _PARTS.get(SUFFIXES.get(PurePosixPath(name).suffix.lower(), ""), "page")


_SECONDS = 20  # of processor time


def read_binary(body: bytes, content_type: str, url: str, seconds: int = _SECONDS) -> Found:
    """Title, blocks and links of a file; FetchError if it is broken, locked, without text or beyond the limits.

    ``seconds`` of processor time are spent at most, and twice as many by the clock.
    """
    what = f"{'an' if TYPES[content_type][0] in 'EO' else 'a'} {TYPES[content_type]}"
    reader = "pdf" if content_type == "application/pdf" else "office"
    try:
        written, stopped = run_child(f"airoagent.documents.{reader}:serve", body, seconds)
    except OSError as error:
        raise FetchError(f"{url} is {what}, and no process could be started to read it ({error})") from error
    title = ""
    blocks: list[Block] = []
    links: list[tuple[str, str]] = []
    for line in written.split(b"\n")[:-1]:  # what comes after the last line end was cut off
        record = json.loads(line)
        page = record.get("page", 0)
        first, found, _ = plain(record["text"]) if "text" in record else ("", (), [])
        title = title or record.get("title", "") or ("" if blocks else first)
        blocks += (Block(block.kind, block.text, page=page) for block in found)
        blocks += (Block(kind, text, level, page=page) for kind, text, level in record.get("blocks", ()))
        links += [(address, words) for address, words in record.get("links", ())]
        stopped = stopped or record.get("stopped", "")
    if not blocks:
        scanned = " (scanned pages, perhaps)" if reader == "pdf" else ""
        reason = stopped or f"it contains no text{scanned}"
        hint = "save it again, or as text" if url.startswith("docs:") else "look for the same text as a web page"
        raise FetchError(f"{url} is {what} that cannot be read: {reason}", hint)
    if stopped:
        blocks.append(Block("text", f"(The rest of this {TYPES[content_type]} was not read: {stopped}.)"))
    return title, tuple(blocks), links


def write_kept(title: str, blocks: Sequence[Block], links: Sequence[tuple[str, str]]) -> str:
    """What was read from a file, as the index keeps it; `read_kept` reads it again."""
    return json.dumps([title, [(block.kind, block.text, block.level, block.page) for block in blocks], links])


def read_kept(body: bytes) -> Found:
    """What `write_kept` wrote."""
    title, blocks, links = json.loads(body)
    found = tuple(Block(kind, text, level, page=page) for kind, text, level, page in blocks)
    return title, found, [(url, words) for url, words in links]


def write_record(**record: object) -> None:
    """A line from the reading process, out at once: what is written survives the end of that process."""
    print(json.dumps(record), flush=True)  # noqa: T201 - standard output is the way back to `read_binary`
