"""The user's documents: folders of HTML, Markdown and text, searched by passage and read by ``docs://`` address.

    documents = Documents([Path("examples/library")], cache=Path("~/.cache/airoagent").expanduser())
    documents.search("Who wrote The Wild Iris?")[0].url      # docs://library/louise-gluck.html
    documents.read("docs://library/louise-gluck.html")       # (bytes, "text/html")

What counts as a document, and what an address is, is in `folders`; how pages become passages, `reader_processes` and
`passages`; where they are kept, `index`; how they are ranked, `ranking`.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from airoagent.documents.binary_files import READ, TYPES, place_of
from airoagent.documents.folders import Folder, address, content_type, find_file, open_folders, read_file
from airoagent.documents.index import Index, Progress, Refreshed
from airoagent.documents.passages import SearchResult
from airoagent.documents.ranking import Hit, Term, rank_pages, snippet, terms_of, unmarked
from airoagent.errors import FetchError
from airoagent.text import rank

_CANDIDATES = 160  # passages of a folder that are weighed again
_FREQUENT = 2_000  # passages of a folder from which on a word only ranks what rarer words find
_COMMON = 20_000  # a word in more passages than this finds nothing by itself where the query has a rarer one
_SHORT, _LONG = 300, 600  # characters of a result's snippet


def _silent(what: str, done: int, total: int) -> None:
    """Report no progress."""


class Documents:
    """Folders of documents; ``cache`` is the folder for the index files. UsageError if a folder cannot serve.

    ``busy_s``: seconds to wait for another process that writes the index, before doing without its file. All methods
    may be called from several threads.
    """

    def __init__(self, folders: Sequence[Path], cache: Path, *, busy_s: float = 20.0) -> None:
        self._folders = open_folders(folders)
        self._indexes = tuple(Index(folder, cache, busy_s=busy_s) for folder in self._folders)
        self._lock = threading.Lock()
        self._fresh_until = [0.0]  # shared with the copies that `watched` gives
        self._used: Callable[[], None] = lambda: None

    def watched(self, used: Callable[[], None]) -> Documents:
        """The same documents; ``used`` is called whenever something is looked for or read in them."""
        made = copy.copy(self)
        made._used = used
        return made

    @property
    def addresses(self) -> tuple[str, ...]:
        """The address of every folder, e.g. ``docs://library/``."""
        return tuple(address(folder, b"") for folder in self._folders)

    def resolve(self, url: str) -> Path:
        """The file at a ``docs://`` address; FetchError if it is not a document of these folders."""
        self._used()
        return find_file(self._folders, url)[1]

    def read(self, url: str) -> tuple[bytes, str]:
        """The bytes (of a text the first 8 MB) and content type of the document at an address; FetchError if there is
        none."""
        self._used()
        folder, path = find_file(self._folders, url)
        try:
            if content_type(os.fsencode(path.name), b"") in TYPES and (text := self._kept(folder, path)):
                return text.encode("utf-8", "replace"), READ
            body = read_file(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FetchError(f"{url} cannot be read: {reason}", "check the file's permissions") from error
        return body, content_type(os.fsencode(path.name), body)

    def _kept(self, folder: Folder, path: Path) -> str:
        """What was read of a file when it was indexed, for one that takes long to read."""
        found = path.stat()
        below = os.fsencode(path.relative_to(folder.root).as_posix())
        index = next(index for index in self._indexes if index.folder is folder)
        return index.kept(below, found.st_mtime_ns, found.st_size)

    def refresh(self, progress: Progress = _silent) -> tuple[Refreshed, ...]:
        """Bring every folder's index up to date now; ``progress(what, done, total)`` is called as files are read."""
        self._used()
        with self._lock:
            return self._refresh(progress)

    def search(self, query: str, n: int = 5, progress: Progress = _silent) -> tuple[SearchResult, ...]:
        """The ``n`` pages that answer a free text best, each with its best passages; () if nothing matches.

        The query may hold any characters; none has a special meaning. The first search builds the index (and reports
        its figures as progress 0 of 0); later ones look for changed files first (unless that was done a moment ago).
        """
        self._used()
        terms = terms_of(query)
        with self._lock:
            if time.monotonic() >= self._fresh_until[0]:
                for index, refreshed in zip(self._indexes, self._refresh(progress), strict=True):
                    if refreshed.first and not index.folder.only:
                        progress(f"{address(index.folder, b'')}  {refreshed.line}", 0, 0)
            if not terms or n < 1:
                return ()
            rarity, sizes, own = self._rarity(terms)
            hits: list[tuple[Hit, Index]] = []
            for index, held in zip(self._indexes, own, strict=True):
                found = index.best(_expression(terms, rarity, sizes, held), _CANDIDATES)
                hits += [(hit, index) for hit in rank_pages(found, terms, rarity)]
            hits.sort(key=lambda item: -item[0].score)
            return tuple(_result(hit, index) for hit, index in hits[:n])

    def _refresh(self, progress: Progress) -> tuple[Refreshed, ...]:
        done = tuple(index.refresh(progress) for index in self._indexes)
        cost = sum(refreshed.seconds for refreshed in done)
        # A look round of 100,000 files takes a second or two: not before every step of a run.
        self._fresh_until[0] = time.monotonic() + (20 * cost if cost > 0.05 else 0.0)
        return done

    def _rarity(self, terms: Sequence[Term]) -> tuple[dict[str, float], dict[str, int], list[dict[str, int]]]:
        """How rare each term is over all folders, and in how many passages it stands (counted up to a limit), in all
        of them and in each.
        """
        spreads = [index.spread([term.expression for term in terms], _COMMON + 1) for index in self._indexes]
        total = sum(passages for passages, _ in spreads)
        own = [dict(zip((term.text for term in terms), found, strict=True)) for _, found in spreads]
        sizes = {term.text: sum(held[term.text] for held in own) for term in terms}
        return {term.text: term.weight * rank.rarity(sizes[term.text], total) for term in terms}, sizes, own


def _expression(
    terms: Sequence[Term], rarity: Mapping[str, float], sizes: Mapping[str, int], own: Mapping[str, int]
) -> str:
    """Any of the words; without those in very many passages, as long as rarer ones are left.

    Where words that are rare in the folder (``own``) find enough passages, the others only say which of these are
    better: to rank all that a frequent word finds takes most of a search.
    """
    found = [term for term in terms if sizes[term.text]]
    usual = [term for term in found if sizes[term.text] <= _COMMON]
    rare = [term for term in usual if own[term.text] <= _FREQUENT]
    if usual or not found:
        any_of = " OR ".join(term.expression for term in usual or terms)
        if len(rare) == len(usual) or sum(own[term.text] for term in rare) < _CANDIDATES:
            return any_of
        return f"({' OR '.join(term.expression for term in rare)}) AND ({any_of})"
    return " AND ".join(term.expression for term in sorted(found, key=lambda term: -rarity[term.text])[:3])


def _result(hit: Hit, index: Index) -> SearchResult:
    sheet = hit.passages[0][1].sheet
    kind = place_of(os.fsdecode(hit.page.path))
    place = f"#{kind}={sheet}" if sheet else ""
    return SearchResult(hit.page.title, address(index.folder, hit.page.path) + place, _snippet(hit, index))


def _snippet(hit: Hit, index: Index) -> str:
    """The best passage; where that is short, with the page's next best or the one that follows it."""
    best = hit.passages[0][1]
    chosen: dict[int, str] = {best.number: snippet(best.text, most=_LONG)}
    for score, passage in hit.passages[1:4]:
        size = sum(map(len, chosen.values()))
        text = unmarked(passage.text)
        if size < _SHORT and size + len(text) <= _LONG and score > 0.4 * hit.passages[0][0]:
            chosen[passage.number] = text
    if len(chosen) == 1 and len(chosen[best.number]) < _SHORT:
        text = index.passage(hit.page.id, best.number + 1)
        if text and len(text) + len(chosen[best.number]) <= _LONG:
            chosen[best.number + 1] = text
    first, *others = sorted(chosen)
    text = chosen[first] + "".join(f"\n{'' if at - 1 in chosen else '… '}{chosen[at]}" for at in others)
    return "\n".join(line for line in text.split("\n") if line.strip())  # an empty line separates results
