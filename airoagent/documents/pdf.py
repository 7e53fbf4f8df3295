"""PDF files to text, where pypdf is installed (extra ``pdf``): what the reading process of `binary_files` does."""

from __future__ import annotations

import functools
import sys
from typing import Any

from airoagent.documents.binary_files import write_record
from airoagent.errors import FetchError
from airoagent.extras import has, install

MAGIC = b"%PDF-"
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


def serve(seconds: int) -> None:
    """The reading process: a PDF from standard input, a line of JSON for each page to standard output."""
    import io
    import logging
    import warnings

    from airoagent.documents.archive import UnreadableError, bounded

    logging.disable()
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(3_000)
    with bounded(seconds):
        import pypdf
        from pypdf.errors import PyPdfError

        try:
            reader = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read()))
            if reader.is_encrypted and not reader.decrypt(""):
                raise UnreadableError("it is locked with a password")
            metadata = reader.metadata
            write_record(title=" ".join(str(metadata.title or "").split())[:300] if metadata else "")
            _write_pages(reader)
        except (PyPdfError, ImportError) as error:  # ImportError: its cipher needs another library
            raise UnreadableError((" ".join(str(error).split()) or type(error).__name__)[:200]) from error


def _write_pages(reader: Any) -> None:
    size = links = 0
    for number, page in enumerate(reader.pages):
        if number >= _PAGES or size >= _CHARACTERS:
            write_record(stopped="it is too long")
            return
        text = page.extract_text()[: _CHARACTERS - size]
        found = _links_of(page)[: _LINKS - links]
        size += len(text)
        links += len(found)
        write_record(
            page=number + 1, text=text.encode("utf-8", "replace").decode(), links=[(link, "") for link in found]
        )


def _links_of(page: Any) -> list[str]:
    """The web addresses that areas of a page lead to."""
    found: list[str] = []
    for area in page.get("/Annots") or ():
        action = area.get_object().get("/A")
        target = action.get_object().get("/URI") if action is not None else None
        if isinstance(target, str) and target.startswith(("http://", "https://")) and len(target) <= 2_000:
            found.append(target)
    return found
