"""The user's folders of documents: which files count, their ``docs://`` addresses, and reading them safely.

An address is ``docs://<folder's name>/<path below it>``, percent-encoded: it means the same on every machine that has
the folder, and never says where the folder lies. Documents are HTML, Markdown, reStructuredText, Org, CSV, JSON,
notebooks, source code, Word documents, slides, OpenDocument texts, EPUB books and text by suffix, files without any
suffix whose bytes turn out to be text and, with extra ``pdf``, PDF files; nothing hidden (names with a leading dot), no
links.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from airoagent.documents import pdf
from airoagent.documents.binary_files import SUFFIXES, TYPES
from airoagent.errors import FetchError, UsageError
from airoagent.extras import install
from airoagent.frozen import frozen
from airoagent.textfiles import expanded

_MOST_TEXT = 8 * 1024 * 1024  # bytes of a file of text: the rest is not read
_MOST_BINARY = 64 * 1024 * 1024  # bytes of another file, which is of no use in part

_SUFFIXES = {
    "text/html": ".html .htm",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md .markdown",
    "text/x-rst": ".rst",
    "text/org": ".org",
    "text/plain": ".txt .log .tex .adoc",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/x-ipynb+json": ".ipynb",
    "text/x-source": ".yaml .yml .toml .ini .cfg .conf .jsonl .py .pyi .js .mjs .ts .tsx .jsx .c .h .cc .cpp .hpp .cs "
    ".java .kt .go .rs .rb .php .swift .scala .sh .ps1 .sql .r .jl .lua .pl .hs .ml .ex .erl .clj .dart .vue .css",
}
_TYPES = {"": "text/plain"} | SUFFIXES | {one: kind for kind, several in _SUFFIXES.items() for one in several.split()}
# Folders that documentation tools put next to the pages: the pages' sources, scripts, pictures.
_ASIDE = frozenset({b"_sources", b"_static", b"_images", b"node_modules", b"__pycache__"})
_FRONT_PAGES = ("index.html", "index.htm", "index.xhtml", "index.md", "README.md", "README")


@frozen
class Folder:
    """A folder of documents: its name in addresses, and where it lies (with no symbolic link in it).

    ``only`` is the one file that is a document, where the user named a file.
    """

    name: str
    root: Path
    only: str = ""


@frozen
class Entry:
    """A file of a folder: its path below it (bytes, as the file system has it, with "/"), time in ns and size."""

    path: bytes
    mtime_ns: int
    size: int


def open_folders(paths: Sequence[Path]) -> tuple[Folder, ...]:
    """The folders (or files) under distinct names: two of one name become ``name`` and ``name-2``.

    UsageError if one is missing or holds no document.
    """
    if not paths:
        raise UsageError("no documents are given", "name a folder or a file: --docs FOLDER")
    folders: dict[Path, Folder] = {}
    names: set[str] = set()
    for path in paths:
        try:
            root = expanded(path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"there is no folder or file {str(path)!r}", "--docs takes a folder of documents, or one document"
            ) from error
        if root in folders:
            continue
        folder = Folder("", root) if root.is_dir() else Folder("", root.parent, root.name)
        if next(scan(folder), None) is None:
            raise _no_document(path, folder)
        base = folder.root.name or "root"
        several = (base if number == 1 else f"{base}-{number}" for number in count(1))
        name = next(name for name in several if name.lower() not in names)
        names.add(name.lower())
        folders[root] = replace(folder, name=name)
    return tuple(folders.values())


def _no_document(path: Path, folder: Folder) -> UsageError:
    if folder.only.lower().endswith(".pdf") and not pdf.installed():
        error = pdf.missing(str(path))
        return UsageError(error.message, error.hint)
    more = "" if pdf.installed() else f"; PDF files too, after {install('pdf')}"
    what = f"{str(path)!r} is not a" if folder.only else f"the folder {str(path)!r} contains no"
    return UsageError(
        f"{what} document that can be read",
        "documents are HTML, Markdown (.md), text, CSV, JSON, notebooks, source code, .docx, .xlsx, .pptx, .odt, .ods"
        f" and .epub{more}",
    )


def scan(folder: Folder, skipped: Counter[str] | None = None) -> Iterator[Entry]:
    """Every document of the folder, in no particular order. ``skipped`` counts what is passed over, by the reason."""
    skipped = Counter() if skipped is None else skipped
    if folder.only:
        path = folder.root / folder.only
        if _counts(_suffix(os.fsencode(folder.only))) and path.is_file():
            found = path.stat()
            yield Entry(os.fsencode(folder.only), found.st_mtime_ns, found.st_size)
        return
    top = os.fsencode(folder.root)
    prefix = len(top.rstrip(b"/")) + 1
    stack = [top]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if reason := _reason(entry):
                        skipped[reason] += 1
                    elif entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        found = entry.stat(follow_symlinks=False)
                        below = entry.path[prefix:].replace(os.fsencode(os.sep), b"/")
                        yield Entry(below, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:  # gone since it was listed
            continue
        except OSError:
            skipped["unreadable folder"] += 1


def _reason(entry: os.DirEntry[bytes]) -> str:
    """Why a file or folder is passed over; "" where it is not."""
    suffix = _suffix(entry.name)
    if entry.name.startswith(b"."):
        return "hidden"
    if entry.is_symlink():
        return "symbolic link"
    if entry.is_dir(follow_symlinks=False):
        return f"{os.fsdecode(entry.name)} folder" if entry.name in _ASIDE else ""
    if not entry.is_file(follow_symlinks=False):
        return "not a regular file"
    if not _counts(suffix):
        return f"{suffix} (needs pypdf)" if suffix == ".pdf" else suffix
    return ""


def _counts(suffix: str) -> bool:
    """Whether files with this suffix are documents here."""
    return suffix in _TYPES and (suffix != ".pdf" or pdf.installed())


def _suffix(name: bytes) -> str:
    dot = name.rfind(b".")
    return name[dot:].decode("ascii", "replace").lower() if dot > 0 else ""


def content_type(path: bytes, body: bytes) -> str:
    """The content type of a document, by its suffix; a file without one is HTML if it starts so."""
    suffix = _suffix(path.rpartition(b"/")[2])
    if not suffix and b"<html" in body[:1024].lower():
        return "text/html"
    return _TYPES.get(suffix, "text/plain")


def address(folder: Folder, path: bytes) -> str:
    """The ``docs://`` address of a file by its path below the folder."""
    return f"docs://{quote(os.fsencode(folder.name), safe='')}/{quote(path)}"


def find_file(folders: Sequence[Folder], url: str) -> tuple[Folder, Path]:
    """The folder and the real path of the document at a ``docs://`` address; FetchError says why there is none.

    Fragment and query are passed over; the address of a folder means its front page (index.html, README.md, ...).
    """
    folder, segments = _split(folders, url)
    try:
        path = folder.root.joinpath(*segments).resolve(strict=True)
        if path.is_dir():
            path = next((path / name for name in _FRONT_PAGES if (path / name).is_file()), path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise FetchError(f"{url} is not among the documents", "search the documents for the right address") from error
    if not path.is_relative_to(folder.root):
        raise FetchError(f"{url} leads out of the documents folder", "only files below the folder are read")
    below = path.relative_to(folder.root).parts
    hidden = any(part.startswith(".") for part in below) or folder.only not in ("", *below[:1])
    suffix = _suffix(os.fsencode(path.name))
    if suffix == ".pdf" and path.is_file() and not hidden and not pdf.installed():
        raise pdf.missing(url)
    if hidden or not path.is_file() or not _counts(suffix):
        raise FetchError(f"{url} is not a document", "files of text, code and tables are read, and HTML pages")
    return folder, path


def _split(folders: Sequence[Folder], url: str) -> tuple[Folder, list[str]]:
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.lower() != "docs":
        raise FetchError(f"{url[:200]} is not an address of a document", "such addresses start with docs://")
    host, _, path = rest.partition("#")[0].partition("?")[0].partition("/")
    name = os.fsdecode(unquote_to_bytes(host.encode("utf-8", "replace")))
    alike = sorted((f for f in folders if f.name.lower() == name.lower()), key=lambda f: f.name != name)
    folder = alike[0] if alike else None
    if folder is None:
        known = ", ".join(address(f, b"") for f in folders)
        raise FetchError(f"{url[:200]} is not in a documents folder", f"the folders are {known}")
    raw = unquote_to_bytes(path.encode("utf-8", "replace"))
    segments = [os.fsdecode(part) for part in raw.split(b"/") if part not in (b"", b".")]
    if b"\0" in raw or any(part == ".." or (os.sep != "/" and ("\\" in part or ":" in part)) for part in segments):
        raise FetchError(f"{url[:200]!r} leads out of the documents folder", "only files below the folder are read")
    return folder, segments


def read_file(path: Path) -> bytes:
    """A regular file that no link leads to, of one of text the first 8 MB; OSError otherwise."""
    most = most_bytes(path.name)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):  # opening a pipe would wait for its writer
            raise OSError("not a regular file")
        body = file.read(most + 1)
    if len(body) > _MOST_BINARY:
        raise OSError("it is larger than 64 MB")
    return body[:most]


def most_bytes(name: str) -> int:
    """The bytes that are read of a file of this name."""
    return _MOST_BINARY if content_type(os.fsencode(name), b"") in TYPES else _MOST_TEXT
