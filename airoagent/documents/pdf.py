"""PDF files to text, where pypdf is installed (extra ``pdf``), in a process of its own with limits.

A PDF may be made to loop or to unpack into gigabytes, and pypdf cannot be interrupted from outside. So a child process
reads it (`child_processes`): about 1 GB of address space, 20 s of processor time, 40 s by the clock. What it had read
when it was stopped is kept.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airoagent.child_processes import run_child, set_limits
from airoagent.errors import FetchError
from airoagent.extras import has, install

if TYPE_CHECKING:
    from airoagent.documents.read_text import Found
    from airoagent.documents.rendering import Block

__all__ = ["MAGIC", "TEXT", "installed", "missing", "read_pdf", "read_text", "serve", "write_text"]

MAGIC = b"%PDF-"
TEXT = "application/x-pdf-text"
"""The content type of a PDF file whose text has been read already (`write_text`)."""

_SECONDS = 20  # of processor time
_PAGES = 2_000
_CHARACTERS = 2_000_000
_LINKS = 2_000


@functools.cache
def installed() -> bool:
    """Whether PDF files can be read here; looked up once, and nothing is imported for it."""
    return has("pypdf")


def missing(url: str) -> FetchError:
    """The error for a PDF that comes where pypdf is not installed."""
    return FetchError(f"{url} is a PDF file, which is not read without pypdf", f"to read it: {install('pdf')}")


def read_pdf(body: bytes, url: str, seconds: int = _SECONDS) -> Found:
    """Title, blocks and links of a PDF; FetchError if it is broken, locked, without text or beyond the limits.

    ``seconds`` of processor time are spent at most, and twice as many by the clock.
    """
    from airoagent.documents.read_text import plain
    from airoagent.documents.rendering import Block

    try:
        written, stopped = run_child(f"{__name__}:serve", body, seconds)
    except OSError as error:
        raise FetchError(f"{url} is a PDF file, and no process could be started to read it ({error})") from error
    title, pages = "", 0
    blocks: tuple[Block, ...] = ()
    links: list[tuple[str, str]] = []
    for line in written.split(b"\n")[:-1]:  # what comes after the last line end was cut off
        record = json.loads(line)
        title = title or record.get("title", "")
        if "text" in record:
            pages += 1
            first, found, _ = plain(record["text"])
            title = title or ("" if blocks else first)
            blocks += tuple(replace(block, page=pages) for block in found)
        links += [(link, "") for link in record.get("links", ())]
        stopped = stopped or record.get("stopped", "")
    if not blocks:
        reason = stopped or "it holds no text (scanned pages, perhaps)"
        raise FetchError(f"{url} is a PDF file that cannot be read: {reason}", "look for the same text as a web page")
    if stopped:
        blocks += (Block("text", f"(The rest of this PDF file was not read: {stopped}.)"),)
    return title, blocks, links


def write_text(title: str, blocks: Sequence[Block], links: Sequence[tuple[str, str]]) -> str:
    """What was read from a PDF file, as the index keeps it; `read_text` reads it again."""
    return json.dumps([title, [[block.page, block.text] for block in blocks], links])


def read_text(body: bytes) -> Found:
    """What `write_text` wrote."""
    from airoagent.documents.rendering import Block

    title, blocks, links = json.loads(body)
    return title, tuple(Block("text", text, page=page) for page, text in blocks), [(url, words) for url, words in links]


def serve(seconds: int) -> None:
    """The reading process: a PDF from standard input, a line of JSON for each page to standard output."""
    set_limits(seconds)
    import io
    import logging
    import warnings

    import pypdf
    from pypdf.errors import PyPdfError

    logging.disable()
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(3_000)
    try:
        reader = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            _write(stopped="it is locked with a password")
            return
        metadata = reader.metadata
        _write(title=" ".join(str(metadata.title or "").split())[:300] if metadata else "")
        _write_pages(reader)
    except MemoryError:
        _write(stopped="it takes too much memory")
    except (PyPdfError, ImportError) as error:  # ImportError: its cipher needs another library
        _write(stopped=(" ".join(str(error).split()) or type(error).__name__)[:200])
    except Exception as error:  # a broken file sets off any error at all in a parser
        _write(stopped=f"it is broken ({type(error).__name__})")


def _write_pages(reader: Any) -> None:
    size = links = 0
    for number, page in enumerate(reader.pages):
        if number >= _PAGES or size >= _CHARACTERS:
            _write(stopped="it is too long")
            return
        text = page.extract_text()[: _CHARACTERS - size]
        found = _links_of(page)[: _LINKS - links]
        size += len(text)
        links += len(found)
        _write(text=text.encode("utf-8", "replace").decode(), links=found)


def _links_of(page: Any) -> list[str]:
    """The web addresses that areas of a page lead to."""
    found: list[str] = []
    for area in page.get("/Annots") or ():
        action = area.get_object().get("/A")
        target = action.get_object().get("/URI") if action is not None else None
        if isinstance(target, str) and target.startswith(("http://", "https://")) and len(target) <= 2_000:
            found.append(target)
    return found


def _write(**record: object) -> None:
    """One line, out at once: what is written survives the end of this process."""
    print(json.dumps(record), flush=True)  # noqa: T201 - standard output is the way back to `read_pdf`
