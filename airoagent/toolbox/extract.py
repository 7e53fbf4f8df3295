"""Bytes of a page to what a model reads: title, text of the main content, links, language.

    page = read_page(body, "text/html; charset=utf-8", "https://a.example/otters")
    page.title, page.text, page.links[0].url, page.language

HTML and XHTML go through `markup` (tree without what is hidden), `maincontent` (what the page is about) and
`rendering` (blocks of text); where no main content stands out, all that is visible is given. Plain text, Markdown,
JSON and XML are read by `plaintext`. Everything else is refused by type. Time and memory are linear in the size.

Two extras do more where they are installed: `pdf` reads PDF files, and `maintext` asks trafilatura for the text of
`read_page` (its title, links and language stay ours, and so do the user's documents and the blocks of their index).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from airoagent.errors import FetchError
from airoagent.toolbox import pdf, plaintext
from airoagent.toolbox.boilerplate import measure, prune, text_of
from airoagent.toolbox.maincontent import main_nodes
from airoagent.toolbox.maintext import main_text
from airoagent.toolbox.markup import Node, Tree, decode, parse_html
from airoagent.toolbox.rendering import Block, join_blocks, render

__all__ = ["Link", "Page", "Reading", "read_blocks", "read_page"]

# Main content shorter than this, in characters, may be a mistake: then more of the page is looked at.
_TINY = 200


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a page: its absolute address and the words it stands on."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a model reads it; ``title`` and ``language`` are "" where the page does not say."""

    url: str
    title: str
    text: str
    links: tuple[Link, ...]
    language: str


@dataclass(frozen=True, slots=True)
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
    reading, tree = _read(body, content_type, url)
    text = join_blocks(reading.blocks)
    if tree is not None and not url.startswith("docs://"):  # the user's documents read as they were indexed
        text = main_text(tree, text)
    return Page(url, reading.title, text, reading.links, reading.language)


def read_blocks(body: bytes, content_type: str, url: str) -> Reading:
    """`read_page` with the text still in blocks, always by our own extractor."""
    return _read(body, content_type, url)[0]


def _read(body: bytes, content_type: str, url: str) -> tuple[Reading, Tree | None]:
    """What the page says, and the tree of it if it is HTML."""
    kind, charset = _kind(body, content_type, url)
    if kind in ("html", "xhtml"):
        return _read_html(decode(body, charset), url, xml=kind == "xhtml")
    if kind == "pdf":
        title, blocks, hrefs = pdf.read_pdf(body, url)
    else:
        read = {
            "markdown": plaintext.markdown,
            "json": plaintext.json_text,
            "xml": plaintext.xml_text,
            "csv": plaintext.csv_text,
        }
        title, blocks, hrefs = read.get(kind, plaintext.plain)(decode(body, charset))
    links = _Links(url, "")
    for href, words in hrefs:
        links.add(href, words)
    return Reading(title, blocks, links.all(), ""), None


def _kind(body: bytes, content_type: str, url: str) -> tuple[str, str]:
    """How to read the bytes, and the charset of the header ("" if it names none). FetchError for other types."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    charset = ""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'")
    if body.startswith(pdf.MAGIC):
        if not pdf.installed():
            raise pdf.missing(url)
        return "pdf", ""
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if _is_binary(body, charset):
        raise FetchError(
            f"{url} is not text: {kind or 'its type is not given'}, and its bytes are binary",
            "pages, plain text, Markdown, JSON and XML can be read",
        )
    markdown = urlsplit(url).path.lower().endswith((".md", ".markdown", ".rst"))
    if kind == "":
        html = start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")) or b"<html" in start
        return ("html" if html else "markdown" if markdown else "plain"), charset
    if kind in ("text/html", "application/xhtml+xml"):
        return ("html" if kind == "text/html" else "xhtml"), charset
    if kind in ("application/json", "text/json", "application/ld+json") or kind.endswith("+json"):
        return "json", charset
    if kind in ("application/xml", "text/xml") or (kind.endswith("+xml") and kind != "image/svg+xml"):
        return ("xhtml" if b"<html" in start else "xml"), charset
    if kind in ("text/markdown", "text/x-markdown", "text/x-rst"):
        return "markdown", charset
    if kind in ("text/csv", "text/tab-separated-values"):
        return "csv", charset
    if kind.startswith("text/"):
        return ("markdown" if markdown else "plain"), charset
    raise FetchError(
        f"{url} is of type {kind[:100]}, which cannot be read", "pages, plain text, Markdown, JSON and XML can be read"
    )


def _is_binary(body: bytes, charset: str) -> bool:
    """Whether bytes that call themselves text are something else."""
    head = body[:4096]
    if head.startswith((b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"\x7fELF")):
        return True
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or charset.lower().startswith(("utf-16", "utf16", "utf-32", "ucs")):
        return False
    return head.count(0) > 2 + len(head) // 100  # a stray NUL or two does not make a page binary


def _read_html(text: str, url: str, *, xml: bool) -> tuple[Reading, Tree]:
    tree = parse_html(text, xml=xml)
    reading, size = _content(tree, url)
    if size < _TINY and tree.hidden_by_sheet:
        # A page may hide its content until a script shows it.
        shown = parse_html(text, xml=xml, obey_sheets=False)
        other, other_size = _content(shown, url)
        if other_size > 4 * max(size, 50):
            return other, shown
    return reading, tree


def _content(tree: Tree, url: str) -> tuple[Reading, int]:
    """The main content, or all that is visible where it is tiny; and its length in characters."""
    root = tree.nodes[0]
    measure(tree)
    visible = root.chars
    prune(tree)
    kept = root.chars
    pruned = [node.dead for node in tree.nodes]
    links = _Links(url, tree.base)
    blocks = render(main_nodes(tree), links.add)
    size = sum(len(block.text) for block in blocks)
    if size < _TINY and size < kept * 0.6:
        for node, dead in zip(tree.nodes, pruned, strict=True):
            node.dead = dead
        links = _Links(url, tree.base)
        blocks = render([root], links.add)
        size = sum(len(block.text) for block in blocks)
    if size < _TINY and size < visible * 0.6:
        for node in tree.nodes:
            node.dead = False
        links = _Links(url, tree.base)
        blocks = render([root], links.add)
        size = sum(len(block.text) for block in blocks)
    return Reading(_title(tree, blocks), blocks, links.all(), tree.language[:35]), size


def _title(tree: Tree, blocks: tuple[Block, ...]) -> str:
    """The page's own name, without the site's: its one h1 if the title holds it, else og:title, else the title."""
    heads = [" ".join(text_of(node, 400).split()) for node in _first_headings(tree)]
    title = tree.title
    if len(heads) == 1 and heads[0] and (not title or _letters(heads[0]) in _letters(title)):
        return heads[0][:300]
    if title or tree.og_title:
        return (tree.og_title or title)[:300]
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return (heads[0] if heads and heads[0] else first)[:300]


def _first_headings(tree: Tree) -> list[Node]:
    heads: list[Node] = []
    for node in tree.nodes:
        if node.tag == "h1" and not node.dead:
            heads.append(node)
            if len(heads) > 1:
                break
    return heads


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


class _Links:
    """Collects a page's links: absolute, in order, each address once."""

    def __init__(self, url: str, base: str) -> None:
        self._base = join_url(url, base) or url if base else url
        self._own = urldefrag(url)[0]
        self._found: dict[str, str] = {}
        self._seen: set[str] = set()

    def add(self, href: str, text: str) -> None:
        """Take in one link; addresses of other schemes and places on the page itself are passed over."""
        if href[:1] == "#" or (href in self._seen and text):
            return
        if text:
            self._seen.add(href)
        url = join_url(self._base, href)
        if url and (urldefrag(url)[0] != self._own) and not self._found.get(url):
            self._found[url] = text

    def all(self) -> tuple[Link, ...]:
        return tuple(Link(url, text) for url, text in self._found.items())


def join_url(base: str, href: str) -> str:
    """``href`` as it stands on the page ``base``; "" if that is no http, https or docs address.

    Only a ``docs://`` page can lead to ``docs://``: a page of the web has no say over the user's files.
    """
    href = "".join(href.split("\n")).strip().replace("\t", "").replace("\r", "")
    try:
        of_docs = urlsplit(base).scheme == "docs"
        scheme = urlsplit(href).scheme.lower()
        if scheme:
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
