"""What a page is about: without what its tags call furniture, and, for pages of the web, what trafilatura takes.

trafilatura is given what a reader sees and no more (the tree of `html_tree`, written out again), so text that a page
hides stays hidden. What it gives only chooses among our own blocks: tables, lists, code and links are laid out as
everywhere else. Where it finds next to nothing of the prose (reference pages, lists, tables, short pages) all blocks
stay.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from airoagent.documents.html_tree import Node, Tree
from airoagent.documents.rendering import BLOCKS, Block, heading_level
from airoagent.errors import FetchError
from airoagent.text.words import word_set

_FURNITURE = frozenset({"nav", "footer", "aside", "dialog", "menu", "search", "header"})
_ROLES = word_set(
    "navigation banner contentinfo complementary search dialog alertdialog alert menu menubar tablist toolbar tooltip"
)
# Words of class and id names that mean nothing else, wherever they stand.
_NAMES = re.compile(
    r"(?:^|[-_ ])(?:nav|navbar|navigation|menu|sidebar|breadcrumbs?|footer|toc|catlinks|pagination|newsletter|linenos?"
    r"|linenodiv)(?:$|[-_ ])|sphinxsidebar",
    re.IGNORECASE,
)
# The same of what may be longer than the text that it stands below or above.
_OTHERS = re.compile(
    r"(?:^|[-_ ])(?:comments|disqus|respond|cookies?|consent)(?:$|[-_ ])|comments?-?list|cookie-?consent", re.IGNORECASE
)
_TINY = 200  # characters of a page that may be all it says
_LEAST = 500  # characters of a page below which nothing is left out of it
_SHARE = 0.4  # of the page's prose that trafilatura must have found
_LONG = 80  # characters of a block that reads like prose
_SENTENCE = 40  # characters of one that may stand at the end of an article
_LINKS = 0.5  # the share of a block's characters that are links, from which on it is navigation
_NEAR = 3  # blocks after the main text that are a part of it if they are sentences
_MUCH = 0.25  # of the prose that was found: as much has to follow further below
_MOST_DEPTH = 200  # lxml, which trafilatura reads with, drops what lies deeper
_ATTRIBUTES = ("class", "id", "role", "href", "itemprop")
_VOID = frozenset({"br", "hr", "img", "wbr", "area", "col", "source", "track", "param"})  # have no end tag
_WORD = re.compile(r"\w+")
_MOST_ABOVE = 60  # elements around one that are looked at


def _count(tree: Tree) -> None:
    """Count every node's characters; dead nodes count nothing."""
    for node in tree.nodes:
        node.chars = 0
    for node in reversed(tree.nodes):
        if node.dead:
            continue
        chars = node.chars
        for child in node.children:
            if child.__class__ is str:
                chars += len(child.strip())
        node.chars = chars
        if node.parent is not None:
            node.parent.chars += chars


def prune(tree: Tree) -> None:
    """Mark dead what tags, roles and names call navigation, banner, footer or comments; never most of a page."""
    _count(tree)
    total = tree.nodes[0].chars
    heads = [node for node in tree.nodes if node.tag == "h1"][:4]
    titled = {id(node) for head in heads for node in (head, *_above(head))}
    pruned = False
    for node in tree.nodes:
        parent = node.parent
        if parent is None or parent.dead:
            node.dead = parent is not None
        elif node.tag in BLOCKS and id(node) not in titled:
            node.dead = node.chars < _most_furniture(node) * total
            pruned = pruned or node.dead
    if not pruned:
        return
    _count(tree)
    if tree.nodes[0].chars < min(_TINY, 0.6 * total):  # nothing but furniture
        for node in tree.nodes:
            node.dead = False
        _count(tree)


def _most_furniture(node: Node) -> float:
    """The share of a page up to which an element is furniture; 0 where nothing says that it is."""
    tag, attrs = node.tag, node.attrs
    if tag in _FURNITURE or attrs.get("role") in _ROLES:
        # An article's own header, notes and corrections are part of it.
        of_article = any(above.tag in ("article", "main") for above in islice(_above(node), _MOST_ABOVE))
        return 0.0 if tag in ("header", "aside", "footer") and of_article else 0.5
    if tag in ("body", "main", "article") or not attrs:
        return 0.0
    names = f"{attrs.get('class', '')[:200]} {attrs.get('id', '')[:200]}"
    if _OTHERS.search(names) and not _is_named_after_its_topic(node):
        return 0.9
    return 0.5 if _NAMES.search(names) else 0.0


def _is_named_after_its_topic(node: Node) -> bool:
    """Whether a section of an article, `<section id="comments">`, goes by the words of its heading."""
    head = next((child for child in node.children if isinstance(child, Node)), None)
    return node.tag == "section" and head is not None and heading_level(head.tag) > 0 and "class" not in node.attrs


def _above(node: Node) -> Iterator[Node]:
    """The elements that a node is in, innermost first."""
    while node.parent is not None:
        node = node.parent
        yield node


def chosen(tree: Tree, blocks: Sequence[Block], linked: Sequence[float]) -> list[bool]:
    """For every block of a page of the web, whether it belongs to the main text.

    ``linked`` is the share of each block's characters that are the words of links.
    """
    every = [True] * len(blocks)
    if sum(len(block.text) for block in blocks) < _LEAST:
        return every
    theirs = _ask(_written(tree))
    lines = {" ".join(_words(line)) for line in theirs.splitlines()}
    runs = _runs(_words(theirs))
    kept = [_is_in(block, lines, runs) for block in blocks]
    prose = sum(len(block.text) for block in blocks if len(block.text) >= _LONG)
    found = sum(len(block.text) for block, keep in zip(blocks, kept, strict=True) if keep and len(block.text) >= _LONG)
    if found < max(_TINY, _SHARE * prose):
        return every
    # A short line may stand in a menu as well: only those among the main text count.
    long = [at for at, keep in enumerate(kept) if keep and len(blocks[at].text) >= _LONG]
    first, last = long[0], long[-1]
    while first and kept[first - 1]:
        first -= 1
    while last + 1 < len(kept) and kept[last + 1]:
        last += 1
    articles = _articles(blocks, linked, {blocks[at].article for at in long})
    first = _with_head(blocks, linked, first)
    end, more = last, 0
    for at in range(last + 1, len(blocks)):
        # trafilatura may stop at a box in the middle of an article, and takes one article of several. A few words far
        # below are of the page's foot: teasers, and who wrote it.
        if blocks[at].article in articles and linked[at] < _LINKS and _is_sentence(blocks[at].text):
            more += len(blocks[at].text) * (len(blocks[at].text) >= _LONG)
            if at <= end + _NEAR or more >= _MUCH * found:
                last = at
    return [first <= at <= last and (kept[at] or linked[at] < _LINKS) for at in range(len(blocks))]


def _articles(blocks: Sequence[Block], linked: Sequence[float], found: set[int]) -> set[int]:
    """The <article> and <main> elements that are read: those of the main text, and others with as much prose."""
    sizes: dict[int, int] = {}
    for block, links in zip(blocks, linked, strict=True):
        if len(block.text) >= _LONG and links < _LINKS:
            sizes[block.article] = sizes.get(block.article, 0) + len(block.text)
    most = max(sizes.values(), default=0)
    return {number for number, size in sizes.items() if number and (number in found or 3 * size >= most)}


def _with_head(blocks: Sequence[Block], linked: Sequence[float], first: int) -> int:
    """Where the main text starts, with its headline and what stands between the two (a standfirst)."""
    for at in range(first - 1, max(-1, first - 6), -1):
        if linked[at] >= _LINKS:
            break
        if blocks[at].kind == "heading" and blocks[at].level == 1:
            return at
    return first


def _is_sentence(text: str) -> bool:
    return len(text) >= _SENTENCE and text.rstrip('"”’)').endswith((".", "!", "?", "。", "…"))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + 4]) for at in range(len(words) - 3)}


def _is_in(block: Block, lines: set[str], runs: set[tuple[str, ...]]) -> bool:
    """Whether most of a block's words stand in the other text, in their order; a short one as a line of its own."""
    words = _words(block.text)
    if len(words) < 4:
        return " ".join(words) in lines and bool(words)
    own = _runs(words)
    return 2 * len(own & runs) >= len(own)


def _ask(page: str) -> str:
    try:
        import trafilatura
    except ImportError as error:
        raise FetchError(
            f"pages cannot be read: trafilatura does not work here ({error})", "install airoagent again"
        ) from error
    try:
        found = trafilatura.extract(page, include_comments=False, include_tables=True, fast=True)
    except Exception as error:  # half installed: its own errors over pages it catches itself
        raise FetchError(f"the main text of a page cannot be found: {error!r}", "install airoagent again") from error
    return found or ""


def _written(tree: Tree) -> str:
    """The visible page as HTML."""
    parts: list[str] = []
    stack: list[tuple[Node | str, int]] = [(child, 1) for child in reversed(tree.nodes[0].children)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, str):
            # Depth 0 marks an end tag that is ready to be written.
            parts.append(item if depth == 0 else html.escape(item, quote=False))
        elif not item.dead:
            if depth < _MOST_DEPTH:
                parts.append(_start_tag(item))
                if item.tag not in _VOID:
                    stack.append((f"</{item.tag}>", 0))
            stack += [(child, depth + 1) for child in reversed(item.children)]
    page = "".join(parts)
    return page if page.startswith("<html") else f"<html><body>{page}</body></html>"


def _start_tag(element: Node) -> str:
    kept = [f' {name}="{html.escape(text)}"' for name in _ATTRIBUTES if (text := element.attrs.get(name))]
    return f"<{element.tag}{''.join(kept)}>"
