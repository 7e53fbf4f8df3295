"""The main text of a page by trafilatura, where it is installed (extra ``extract``).

It is given what a reader sees and no more (the tree of `markup`, written out again), so text that a page hides stays
hidden. Its result counts only where it found enough; see `main_text`. Large or very deep pages are not given to it:
its time is not linear in their size.
"""

from __future__ import annotations

import functools
import html
import logging

from airoagent.extras import has
from airoagent.toolbox.markup import Node, Tree

__all__ = ["installed", "main_text"]

_LEAST = 200  # characters below which a main text may be a mistake
_SHARE = 0.4  # of our own main text: less has lost something
_MOST_ELEMENTS = 20_000
_MOST_CHARACTERS = 1_000_000
_MOST_DEPTH = 200
_ATTRIBUTES = ("class", "id", "role", "href", "itemprop")
_VOID = frozenset({"br", "hr", "img", "wbr", "area", "col", "source", "track", "param"})  # have no end tag

_log = logging.getLogger("airoagent")


@functools.cache
def installed() -> bool:
    """Whether trafilatura is there; looked up once, and nothing is imported for it."""
    return has("trafilatura")


def main_text(tree: Tree, ours: str) -> str:
    """The text of the page to show, given ``ours``, the one of our own extractor.

    trafilatura's, if it is installed and gives at least 200 characters and 40 % of the length of ours; else ours.
    """
    if not installed() or len(ours) < _LEAST:
        return ours
    page = _written(tree)
    theirs = _ask(page) if page else ""
    return theirs if len(theirs) >= max(_LEAST, _SHARE * len(ours)) else ours


def _ask(page: str) -> str:
    try:
        import trafilatura

        found = trafilatura.extract(page, include_comments=False, include_tables=True)
    except Exception as error:  # half installed, or upset by a strange page: ours can still be shown
        _log.debug("trafilatura failed: %r", error)
        return ""
    return (found or "").strip()


def _written(tree: Tree) -> str:
    """The visible page as HTML; "" where it is too large or too deep."""
    if len(tree.nodes) > _MOST_ELEMENTS:
        return ""
    parts: list[str] = []
    size = 0
    stack: list[tuple[Node | str, int]] = [(child, 1) for child in reversed(tree.nodes[0].children)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, str):
            # Depth 0 marks an end tag that is ready to be written.
            text = item if depth == 0 else html.escape(item, quote=False)
        else:
            if depth > _MOST_DEPTH:
                return ""
            text = _start_tag(item)
            if item.tag not in _VOID:
                stack.append((f"</{item.tag}>", 0))
            stack += [(child, depth + 1) for child in reversed(item.children)]
        parts.append(text)
        size += len(text)
        if size > _MOST_CHARACTERS:
            return ""
    page = "".join(parts)
    return page if page.startswith("<html") else f"<html><body>{page}</body></html>"


def _start_tag(element: Node) -> str:
    given = element.attrs
    kept = [f' {name}="{html.escape(given[name])}"' for name in _ATTRIBUTES if given.get(name)]
    return f"<{element.tag}{''.join(kept)}>"
