"""Bytes of a page to what a model reads: title, text of the main content, links, language.

    page = read_page(body, "text/html; charset=utf-8", "https://a.example/otters")
    page.title, page.text, page.links[0].url, page.language

HTML and XHTML go through `html_tree` (tree without what is hidden), `rendering` (blocks of text) and `main_text` (which
of them are what the page is about); where no main text can be found, all that is visible is given. Plain text,
Markdown, JSON and XML are read by `read_text`; Word documents, slides, spreadsheets, EPUB books and (with that extra)
PDF files by `binary_files`. Everything else is refused by type. A page of the web that is large is read in a child
process with limits; the user's documents are read without trafilatura, whole but for navigation, in time and memory
linear in their size.
"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from urllib.parse import urldefrag, urljoin, urlsplit

from airoagent.child_processes import run_child, set_limits
from airoagent.documents import guards, pdf
from airoagent.documents.binary_files import READ, TYPES, read_binary, read_kept
from airoagent.documents.charset import decode, split_type
from airoagent.documents.html_tree import Tree, parse_html
from airoagent.documents.main_text import chosen, prune
from airoagent.documents.read_text import READERS, article_body, plain
from airoagent.documents.rendering import Block, join_blocks, render, text_of
from airoagent.errors import FetchError
from airoagent.frozen import frozen

_TYPES = {
    "html": "text/html",
    "xhtml": "application/xhtml+xml",
    "json": "application/json text/json application/ld+json",
    "xml": "application/xml text/xml",
    "markdown": "text/markdown text/x-markdown text/x-rst",
    "csv": "text/csv text/tab-separated-values",
    "org": "text/org",
    "notebook": "application/x-ipynb+json",
    "code": "text/x-source",
}
_KINDS = {type: kind for kind, types in _TYPES.items() for type in types.split()}
_READABLE = "pages, plain text, Markdown, JSON and XML can be read"
_LEAST_CHALLENGED = 800  # characters of a page that is not a guard's, whatever its title
_TINY = 200  # characters below which a page may have been hidden from us
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_LEAST_BODY = 40  # characters of a text that such a page has elsewhere
_MOST_NOSCRIPT = 200_000  # characters of a page that are searched for <noscript>
_ASKS = re.compile(r"\b(?:enable|activate|turn on|requires?|needs?|without)\b.{0,40}\bjava ?script\b", re.IGNORECASE)
_LARGE = 1_000_000  # bytes, and
_MANY_TAGS = 20_000  # tags, from which on a page of the web is read in a process that can be stopped
_SECONDS = 10  # of processor time for it
_MOST_KEPT = 64_000  # bytes of a document whose reading is kept


@frozen
class Link:
    """A link of a page: its absolute address and its words."""

    url: str
    text: str


@frozen
class Page:
    """A page as a model reads it; ``title`` and ``language`` are "" where the page does not say."""

    url: str
    title: str
    text: str
    links: tuple[Link, ...]
    language: str


@frozen
class Reading:
    """A page before its blocks are joined: what an index wants to know apart."""

    title: str
    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    language: str


def read_page(body: bytes, content_type: str, url: str) -> Page:
    """What the page at ``url`` says; FetchError if ``content_type`` is not one that can be read.

    ``content_type`` is the header's value, parameters included; "" has the type guessed from the bytes. Nothing else
    is raised, whatever the bytes are. Links are http, https and, on a ``docs://`` page, ``docs://`` addresses.
    """
    of_web = not url.startswith("docs://")  # the user's documents are read as they were indexed
    large = of_web and (len(body) > _LARGE or body.count(b"<") > _MANY_TAGS)
    if large and _kind(body, content_type, url)[0] in ("html", "xhtml"):
        return _read_apart(body, content_type, url)
    if of_web or len(body) > _MOST_KEPT:
        return _page(body, content_type, url, of_web)
    return _kept_page(body, content_type, url)


def _page(body: bytes, content_type: str, url: str, of_web: bool = False) -> Page:
    reading = read_blocks(body, content_type, url, of_web=of_web)
    return Page(url, reading.title, join_blocks(reading.blocks), reading.links, reading.language)


_kept_page = lru_cache(maxsize=64)(_page)  # of the user's documents: many questions find the same ones


def _read_apart(body: bytes, content_type: str, url: str) -> Page:
    """The page as a child process reads it: with all that is visible, should the main text take too long to find."""
    head = json.dumps([content_type, url]).encode() + b"\n"
    try:
        written, stopped = run_child(f"{__name__}:serve", head + body, _SECONDS)
    except OSError as error:
        raise FetchError(f"{url} is large, and no process could be started to read it ({error})") from error
    lines = written.split(b"\n")[:-1]
    if not lines:
        raise FetchError(f"{url} cannot be read: {stopped or 'its reader failed'}", "use another page")
    page = json.loads(lines[-1])
    if "error" in page:
        raise FetchError(page["error"], page["hint"])
    return Page(**{**page, "links": tuple(Link(**link) for link in page["links"])})


def serve(seconds: int) -> None:
    """The reading process: a page from standard input, a line of JSON for each better reading of it."""
    set_limits(seconds)
    content_type, url = json.loads(sys.stdin.buffer.readline())
    body = sys.stdin.buffer.read()
    for of_web in (False, True):
        try:
            record = asdict(_page(body, content_type, url, of_web))
        except FetchError as error:
            record = {"error": error.message, "hint": error.hint}
        print(json.dumps(record), flush=True)  # noqa: T201 - standard output is the way back to `_read_apart`


def read_blocks(body: bytes, content_type: str, url: str, *, of_web: bool = False) -> Reading:
    """`read_page` with the text still in blocks; without ``of_web`` as the user's documents are read."""
    kind, charset = _kind(body, content_type, url)
    if kind in ("html", "xhtml"):
        return _read_html(decode(body, charset), url, xml=kind == "xhtml", of_web=of_web)
    if kind in TYPES:
        title, blocks, hrefs = read_binary(body, kind, url)
    elif kind == READ:
        title, blocks, hrefs = read_kept(body)
    else:
        title, blocks, hrefs = READERS[kind](decode(body, charset))
    return Reading(title, blocks, _links(url, "", hrefs), "")


def _kind(body: bytes, content_type: str, url: str) -> tuple[str, str]:
    """How to read the bytes, and the charset of the header ("" if it names none). FetchError for other types."""
    kind, charset = split_type(content_type)
    if kind == READ and url.startswith("docs://"):
        return READ, ""
    if body.startswith(pdf.MAGIC):
        if not pdf.installed():
            raise pdf.missing(url)
        return "application/pdf", ""
    if kind in TYPES and kind != "application/pdf":
        return kind, ""
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if _is_binary(body, charset):
        raise FetchError(f"{url} is not text: {kind or 'its type is not given'}, and its bytes are binary", _READABLE)
    known = _KINDS.get(kind, "")
    if not kind and (b"<html" in start or start.startswith((b"<!doctype html", b"<head", b"<body", b"<!--"))):
        known = "html"
    elif kind.endswith("+json"):
        known = known or "json"
    elif kind.endswith("+xml") and kind != "image/svg+xml":
        known = known or "xml"
    elif not kind or kind.startswith("text/"):
        markdown = urlsplit(url).path.lower().endswith((".md", ".markdown", ".rst"))
        known = known or ("markdown" if markdown else "plain")
    if not known:
        raise FetchError(f"{url} is of type {kind[:100]}, which cannot be read", _READABLE)
    return ("xhtml" if known == "xml" and b"<html" in start else known), charset


def _is_binary(body: bytes, charset: str) -> bool:
    """Whether bytes that call themselves text are something else."""
    head = body[:4096]
    if head.startswith((b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"\x7fELF")):
        return True
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or charset.lower().startswith(("utf-16", "utf16", "utf-32", "ucs")):
        return False
    return head.count(0) > 2 + len(head) // 100  # a stray NUL or two does not make a page binary


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector, which would walk a growing tree again and again and find nothing."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_without_collector()
def _read_html(text: str, url: str, *, xml: bool, of_web: bool) -> Reading:
    tree = parse_html(text, xml=xml)
    reading, size = _content(tree, url, of_web)
    if size < _TINY and tree.hidden_by_sheet:
        # A page may hide its content until a script shows it.
        other, other_size = _content(parse_html(text, xml=xml, obey_sheets=False), url, of_web)
        if other_size > 4 * max(size, 50):
            return other
    if size >= _TINY:
        return reading
    if tree.script_target:
        reading = replace(reading, links=reading.links + _links(url, tree.base, [(tree.script_target, "")]))
    if tree.scripted and len(body := article_body(tree.scripted)) > max(4 * size, _LEAST_BODY):
        return replace(reading, blocks=plain(body)[1])
    if "<noscript" in text[:_MOST_NOSCRIPT].lower():
        other, other_size = _content(parse_html(text, xml=xml, scripts=False), url, of_web)
        asks = other_size < _TINY and any(_ASKS.search(block.text) for block in other.blocks)
        if (other_size > max(2 * size, _LEAST_BODY) and not asks) or (other.links and not reading.links):
            return replace(other, blocks=() if asks else other.blocks)
    if not size and tree.description and not reading.links:
        return replace(reading, blocks=plain(tree.description)[1])
    return reading


def _content(tree: Tree, url: str, of_web: bool) -> tuple[Reading, int]:
    """The main content, or all that is visible where none stands out; and its length in characters."""
    prune(tree)
    found: list[tuple[int, str, str]] = []
    blocks = render(tree.nodes[0], lambda at, href, words: found.append((at, href, words)))
    kept = chosen(tree, blocks, _linked(blocks, found)) if of_web else [True] * len(blocks)
    hrefs = [(href, "") for href in (tree.refresh, *tree.frames)]
    hrefs += [(href, words) for at, href, words in found if at >= len(kept) or kept[at]]
    blocks = tuple(block for block, keep in zip(blocks, kept, strict=True) if keep)
    if not tree.whole:
        blocks += (Block("text", "(The rest of this page was not read: it has too many parts.)"),)
    size = sum(len(block.text) for block in blocks)
    if of_web and guards.TITLE.match(tree.title.strip()) and size < _LEAST_CHALLENGED:  # a guard's page, sent instead
        blocks = ()
    title = _title(tree, blocks)
    for node in tree.nodes:  # no circles: the tree goes at once, without the collector
        node.parent = None
    return Reading(title, blocks, _links(url, tree.base, hrefs), tree.language[:35]), size


def _linked(blocks: tuple[Block, ...], links: list[tuple[int, str, str]]) -> list[float]:
    """The share of each block's characters that are the words of links."""
    sizes = [0] * (len(blocks) + 1)
    for at, _, words in links:
        sizes[min(at, len(blocks))] += len(words)
    return [size / max(1, len(block.text)) for block, size in zip(blocks, sizes, strict=False)]


def _title(tree: Tree, blocks: tuple[Block, ...]) -> str:
    """The page's own name, without the site's: its one h1 if the title holds it, else og:title, else the title."""
    first = [node for node in tree.nodes if node.tag == "h1" and not node.dead][:2]
    heads = [" ".join(text_of(node, 400).split()) for node in first]
    title = tree.title
    if len(heads) == 1 and heads[0] and (not title or _letters(heads[0]) in _letters(title)):
        return heads[0][:300]
    if title or tree.og_title:
        return (tree.og_title or title)[:300]
    heading = next((block.text for block in blocks if block.kind == "heading"), "")
    return (heads[0] if heads and heads[0] else heading)[:300]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def _links(url: str, base: str, hrefs: Iterable[tuple[str, str]]) -> tuple[Link, ...]:
    """A page's links: absolute, in order, each address once; not other schemes, nor places on the page itself."""
    start = join_url(url, base) or url if base else url
    own = urldefrag(url)[0]
    found: dict[str, str] = {}
    seen: set[tuple[str, bool]] = set()
    for href, text in hrefs:
        if href[:1] in ("#", "") or (href, bool(text)) in seen:
            continue
        seen.add((href, bool(text)))
        link = join_url(start, href)
        if link and link.partition("#")[0] != own:
            found[link] = found.get(link) or text
    return tuple(Link(link, text) for link, text in found.items())


def join_url(base: str, href: str) -> str:
    """``href`` as it stands on the page ``base``; "" if that is not an http, https or docs address.

    Only a ``docs://`` page can lead to ``docs://``: a page of the web has no say over the user's files.
    """
    href = "".join(href.split("\n")).strip().replace("\t", "").replace("\r", "").replace(" ", "%20")
    try:
        of_docs = urlsplit(base).scheme == "docs"
        if _SCHEME.match(href):
            scheme = urlsplit(href).scheme
            return href if scheme in ("http", "https") or (scheme == "docs" and of_docs) else ""
        if not of_docs:
            url = urljoin(base, href)
            return url if urlsplit(url).scheme in ("http", "https") else ""
        if href.startswith("//"):
            return f"https:{href}"
        # urljoin knows the schemes of the web only.
        joined = urljoin("http" + base[4:], href)
        return "docs" + joined[4:]
    except ValueError:  # an address no parser takes, e.g. half an IPv6 host
        return ""
