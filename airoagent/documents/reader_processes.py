"""Files of a folder to titles and passages, in this process or, where there are many, in reader processes.

A reader is a child process (`child_processes`) that gets paths on its standard input and gives documents back on its
standard output, a line of JSON each.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airoagent.child_processes import Child, start_child
from airoagent.documents.binary_files import TYPES, write_kept
from airoagent.documents.folders import Entry, Folder, address, content_type, read_file
from airoagent.documents.passages import Passage, cut
from airoagent.documents.read_page import read_blocks
from airoagent.errors import FetchError
from airoagent.frozen import frozen

_BATCH = 64  # files read, and then written in one transaction
_SLOW = 32  # files of text that are read while one is read that needs a process of its own
_MANY = 400  # from this many files on, starting readers (a third of a second each) pays


@frozen
class Document:
    """A file as the index wants it: what it is called, the words of its title and file name, its passages.

    ``linked`` is the share of its text that stands in links: near 1 for a register or a table of contents. A file
    that is not text has no passages. ``kept`` is what was read, where reading it takes long (`write_kept`), ``problem``
    why it could not be read.
    """

    entry: Entry
    title: str
    names: str
    linked: float
    passages: tuple[Passage, ...]
    kept: str = ""
    problem: str = ""


def read_document(folder: Folder, entry: Entry) -> Document:
    """Read one file; one that cannot be read gives a document without passages."""
    name = os.fsdecode(entry.path.rpartition(b"/")[2]).rpartition(".")[0] or os.fsdecode(entry.path)
    name = name.encode("utf-8", "replace").decode()
    words = " ".join(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))
    url = address(folder, entry.path)
    try:
        body = read_file(folder.root / os.fsdecode(entry.path))
        kind = content_type(entry.path, body)
        reading = read_blocks(body, kind, url)
    except FetchError as error:
        return Document(entry, words, words, 0.0, (), problem=_storable(error.message.removeprefix(f"{url} ")))
    except OSError as error:
        return Document(entry, words, words, 0.0, (), problem=f"cannot be read: {error.strerror or error}")
    if not body.strip():
        return Document(entry, words, words, 0.0, (), problem="is empty")
    title = _storable(reading.title) or words
    names = title if words.lower() in title.lower() or words == "index" else f"{title} ({words})"
    passages = tuple(replace(p, headings=_storable(p.headings), text=_storable(p.text)) for p in cut(reading.blocks))
    if not passages:
        passages = (Passage("", title),)
    size = sum(len(block.text) for block in reading.blocks) or 1
    linked = min(1.0, sum(len(link.text) for link in reading.links) / size)
    links = [(link.url, link.text) for link in reading.links]
    kept = _storable(write_kept(reading.title, reading.blocks, links)) if kind in TYPES else ""
    return Document(entry, title, names, round(linked, 2), passages, kept)


def _storable(text: str) -> str:
    """Text as SQLite takes it: no lone surrogates, and none of the two signs that mark matches."""
    return text.encode("utf-8", "replace").decode().replace("\x02", " ").replace("\x03", " ")


def read_documents(folder: Folder, entries: Sequence[Entry]) -> Generator[tuple[Document, ...], None, None]:
    """The documents of many files, a batch at a time; no more than a few batches are in memory."""
    batches = _batches(entries)
    readers = _start(folder, len(entries))
    if not readers:
        for batch in batches:
            yield tuple(read_document(folder, entry) for entry in batch)
        return
    try:
        yield from _share(folder, batches, readers)
    finally:
        for reader in readers:
            reader.kill()
            with contextlib.suppress(OSError):  # what it has not read any more is of no interest
                reader.communicate()


def _batches(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    batch: list[Entry] = []
    size = weight = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.path)
        weight += _SLOW if content_type(entry.path, b"") in TYPES else 1
        # The request for a batch must fit a pipe's buffer (64 KiB), or two processes could wait for each other.
        if weight >= _BATCH or size > 12_000:
            yield tuple(batch)
            batch, size, weight = [], 0, 0
    if batch:
        yield tuple(batch)


def _start(folder: Folder, files: int) -> list[Child]:
    """As many readers as there are processors to use, where starting them pays; [] where none can be started."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    readers: list[Child] = []
    if files < _MANY or processors < 2:
        return readers
    with contextlib.suppress(OSError):  # no more processes for us: those that started do the work
        for _ in range(min(processors, 8, files // 200)):
            readers.append(start_child(f"{__name__}:serve"))
            _send(readers[-1], [folder.name, os.fsencode(folder.root).hex()])
    return readers


def _share(
    folder: Folder, batches: Iterator[tuple[Entry, ...]], readers: Sequence[Child]
) -> Iterator[tuple[Document, ...]]:
    """Two batches in hand for every reader, taken back in turn; what a reader failed at is read here."""
    waiting: deque[tuple[Child, tuple[Entry, ...]]] = deque()
    for number, batch in enumerate(batches):
        if len(waiting) >= 2 * len(readers):
            yield _take(folder, *waiting.popleft())
        reader = readers[number % len(readers)]
        _send(reader, [[entry.path.hex(), entry.mtime_ns, entry.size] for entry in batch])
        waiting.append((reader, batch))
    while waiting:
        yield _take(folder, *waiting.popleft())


def _send(reader: Child, message: Any) -> None:
    assert reader.stdin is not None
    with contextlib.suppress(OSError):  # a reader that is gone shows when its answer is awaited
        reader.stdin.write(json.dumps(message).encode() + b"\n")
        reader.stdin.flush()


def _take(folder: Folder, reader: Child, batch: tuple[Entry, ...]) -> tuple[Document, ...]:
    assert reader.stdout is not None
    try:
        answers = json.loads(reader.stdout.readline())
        return tuple(
            Document(entry, title, names, linked, tuple(Passage(*passage) for passage in passages), kept, problem)
            for entry, (title, names, linked, passages, kept, problem) in zip(batch, answers, strict=True)
        )
    except (OSError, ValueError):
        return tuple(read_document(folder, entry) for entry in batch)


def serve() -> None:
    """What a reader process does: a line with the folder, then a line with files for every line with documents."""
    requests = sys.stdin.buffer
    name, root = json.loads(requests.readline())
    folder = Folder(name, Path(os.fsdecode(bytes.fromhex(root))))
    for line in requests:
        documents = (read_document(folder, Entry(bytes.fromhex(path), *rest)) for path, *rest in json.loads(line))
        answer = [
            (d.title, d.names, d.linked, [(p.headings, p.text, p.page) for p in d.passages], d.kept, d.problem)
            for d in documents
        ]
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()
