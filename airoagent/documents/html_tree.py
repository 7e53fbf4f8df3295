"""HTML as a light tree: text to nodes, with everything no reader would see left out.

lxml's parser feeds `_Builder`, which makes the one tree a page gets. That costs a seventh of a BeautifulSoup tree and,
unlike lxml's own tree (256 or 2,048 levels), loses nothing below its deepest level: that is shown flat. A page of more
pieces than `_MOST_PIECES` is read up to there. Nodes are kept in document order, so every later pass is one loop over a
list, forwards (parents first) or backwards (children first), and no code recurses.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airoagent.documents.hidden import hidden_by_attributes, hidden_selectors
from airoagent.text.words import word_set

# Elements whose content is never shown as text of the page.
_DROPPED = word_set(
    "script style template noscript noframes textarea svg canvas iframe object embed applet audio video map datalist "
    "select option optgroup button input meter progress annotation annotation-xml rp colgroup"
)
# Void elements that only describe the page.
_TELLING = frozenset({"meta", "base", "link", "frame"})
_SPECIAL = _DROPPED | _TELLING | {"head", "title", "html", "body"}

_REFRESH = re.compile(r"\s*[0-5]?(?:\.\d*)?\s*[;,\s]\s*(?:url\s*=\s*)?(.+)", re.IGNORECASE)
_SCRIPT_TARGET = re.compile(
    r"\blocation(?:\.href)?\s*=\s*[\"']([^\"'\s]+)[\"']|\blocation\.(?:replace|assign)\(\s*[\"']([^\"'\s]+)[\"']"
)
_MOST_SCRIPT = 4_000  # characters of a script that does nothing else but to send on
_NOSCRIPT_TAG = re.compile(r"</?noscript(?![a-z])[^<>]*>", re.IGNORECASE)
_RAW = re.compile("<!--|<(?:script|style|noscript)(?![a-z])")
# NUL ends libxml2's reading; the other control characters are not text.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_LANG = ("lang", "xml:lang", "{http://www.w3.org/XML/1998/namespace}lang")
_MOST_DEPTH = 250
_MOST_PIECES = 400_000  # elements, attributes and texts: some 100 MB


class _FullError(Exception):
    """A page has more pieces than are taken in."""


class Node:
    """An element: ``tag``, ``attrs``, ``children`` (nodes and strings) and ``parent``.

    ``chars`` is the count of its characters; a ``dead`` one is not shown.
    """

    __slots__ = ("attrs", "chars", "children", "dead", "parent", "tag")

    def __init__(self, tag: str, attrs: Mapping[str, str], parent: Node | None) -> None:
        self.tag = tag
        self.attrs = attrs
        self.children: list[Node | str] = []
        self.parent = parent
        self.dead = False
        self.chars = 0

    def __repr__(self) -> str:
        return f"<{self.tag} {dict(self.attrs)}>"


@dataclass(slots=True)
class Tree:
    """A parsed page: the nodes of its body in document order, and what its head says about it."""

    nodes: list[Node] = field(default_factory=list)
    title: str = ""
    og_title: str = ""
    base: str = ""
    language: str = ""
    hidden_by_sheet: int = 0
    refresh: str = ""  # where the page sends its reader at once
    frames: list[str] = field(default_factory=list)
    description: str = ""  # what the page says that it is about
    script_target: str = ""  # where its script sends its reader
    scripted: list[str] = field(default_factory=list)  # its text for machines: JSON-LD, the state of an application
    whole: bool = True


class _Builder:
    """The target lxml's parser talks to."""

    def __init__(self, *, obey_sheets: bool, xml: bool = False) -> None:
        self._xml = xml
        self.tree = Tree()
        root = Node("#document", {}, None)
        self._nodes = self.tree.nodes
        self._nodes.append(root)
        self._current = self._floor = root
        self._depth = self._pieces = 0
        self._skipped = 0
        self._special = ""
        self._is_data = False  # whether the script that is being read is JSON
        self._buffer: list[str] = []
        self._obey_sheets = obey_sheets
        self._selectors: frozenset[str] = frozenset()

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
        if self._xml:
            tag = tag.rpartition("}")[2].lower()
        if self._skipped:
            self._skipped += 1
            return
        if (attrs or tag in _SPECIAL) and self._is_special(tag, attrs):
            return
        self._count(1 + len(attrs))
        # Elements below the deepest level hang side by side from it.
        parent = self._current if self._depth < _MOST_DEPTH else self._floor
        node = Node(tag, attrs, parent)
        self._nodes.append(node)
        parent.children.append(node)
        self._current = node
        self._depth += 1
        if self._depth == _MOST_DEPTH:
            self._floor = node

    def _is_special(self, tag: str, attrs: Mapping[str, str]) -> bool:
        """Whether an element is none that is shown; what it says of the page is taken note of."""
        if tag == "head":
            return True  # looked through: where no <body> is written, libxml2 leaves <main> and <article> in the head
        if tag in _DROPPED or (attrs and tag not in ("html", "body") and self._hides(tag, attrs)):
            self._skipped = 1
            if tag in ("style", "script") and "src" not in attrs:
                self._special, self._buffer = tag, []
                self._is_data = attrs.get("type", "").strip().lower() in ("application/ld+json", "application/json")
        elif tag == "title":
            self._skipped = 1
            self._special, self._buffer = "title", []
        elif tag in _TELLING:
            self._skipped = 1
            self._head(tag, attrs)
        elif tag in ("html", "body"):
            self._head(tag, attrs)
        return bool(self._skipped)

    def _count(self, pieces: int) -> None:
        self._pieces += pieces
        if self._pieces > _MOST_PIECES:
            self.tree.whole = False
            raise _FullError

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            if self._special and (not self._skipped or tag.endswith(self._special)):
                self._finish_special()
            return
        if tag == "head" or (self._xml and tag.rpartition("}")[2].lower() == "head"):
            return
        if self._current.parent is not None:
            self._depth -= 1
            self._current = self._floor if self._depth >= _MOST_DEPTH else self._current.parent

    def data(self, data: str) -> None:
        if not self._skipped:
            self._count(1)
            self._current.children.append(data)
        elif self._special:
            self._buffer.append(data)

    def close(self) -> Tree:
        """The tree as far as it was read."""
        return self.tree

    def _hides(self, tag: str, attrs: Mapping[str, str]) -> bool:
        if hidden_by_attributes(attrs):
            return True
        if self._selectors:
            names = [f"#{attrs.get('id', '')}"]
            for name in (attrs.get("class") or "").split():
                names += [f".{name}", f"{tag}.{name}"]
            if not self._selectors.isdisjoint(names):
                self.tree.hidden_by_sheet += 1
                return True
        return False

    def _head(self, tag: str, attrs: Mapping[str, str]) -> None:
        tree = self.tree
        if tag in ("html", "body"):
            tree.language = tree.language or next((attrs[name] for name in _LANG if attrs.get(name)), "").strip()
        elif tag == "base":
            tree.base = tree.base or (attrs.get("href") or "").strip()
        elif tag == "frame":
            tree.frames += [attrs["src"].strip()] if attrs.get("src") else []
        elif tag == "meta":
            name = (attrs.get("property") or attrs.get("name") or attrs.get("http-equiv") or "").lower()
            content = (attrs.get("content") or "").strip()
            if name == "og:title":
                tree.og_title = tree.og_title or content
            elif name in ("og:description", "description"):
                tree.description = tree.description or content
            elif name in ("content-language", "og:locale"):
                tree.language = tree.language or content.split(",")[0].strip().replace("_", "-")
            elif name == "refresh" and (match := _REFRESH.match(content)):
                tree.refresh = tree.refresh or match[1].strip("\"' ")

    def _finish_special(self) -> None:
        text = "".join(self._buffer)
        if self._special == "title":
            self.tree.title = self.tree.title or " ".join(text.split())
        elif self._special == "script" and self._is_data:
            self.tree.scripted.append(text)
        elif self._special == "script":
            if len(text) < _MOST_SCRIPT and (match := _SCRIPT_TARGET.search(text)):
                self.tree.script_target = self.tree.script_target or match[1] or match[2]
        elif self._obey_sheets:
            self._selectors |= hidden_selectors(text)
        self._special, self._buffer = "", []


def parse_html(text: str, *, xml: bool = False, obey_sheets: bool = True, scripts: bool = True) -> Tree:
    """The visible tree of a page; broken markup is read as a browser would, an empty text gives an empty tree.

    ``xml`` tries the strict XML rules first (XHTML served as such) and falls back. ``obey_sheets`` also leaves out
    what the page's own style sheets hide by class or id. Without ``scripts`` what <noscript> holds is read, too.
    """
    from lxml import etree

    text = _without_noscript(text) if scripts else _NOSCRIPT_TAG.sub(" ", text)
    data = _CONTROLS.sub(" ", text).encode("utf-8", "replace")
    if xml and b"<!ENTITY" not in data:
        builder = _Builder(obey_sheets=obey_sheets, xml=True)
        strict = etree.XMLParser(
            target=builder, encoding="utf-8", resolve_entities=False, no_network=True, huge_tree=True
        )
        with contextlib.suppress(etree.XMLSyntaxError):  # not well-formed after all
            return _built(data, strict, builder)
    builder = _Builder(obey_sheets=obey_sheets)
    if data.strip():
        with contextlib.suppress(etree.XMLSyntaxError):  # nothing but a doctype or comments
            return _built(data, etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True), builder)
    return builder.close()


def _built(data: bytes, parser: Any, builder: _Builder) -> Tree:
    """The tree of a page, as far as it has no more parts than are taken in."""
    from lxml import etree

    with contextlib.suppress(_FullError):
        etree.fromstring(data, parser)
    tree = builder.tree
    vars(builder).clear()  # lxml's parser and its target refer to each other: the tree would outlive its page
    return tree


def _without_noscript(text: str) -> str:
    """The page as a browser with scripts reads it: <noscript> ends at its end tag, whatever is left open inside."""
    lowered = text.lower()
    if "<noscript" not in lowered or len(lowered) != len(text):
        return text
    parts: list[str] = []
    kept = place = 0
    while (match := _RAW.search(lowered, place)) is not None:
        end = lowered.find("-->" if match[0] == "<!--" else f"</{match[0][1:]}", match.end())
        if match[0] == "<noscript":
            parts.append(text[kept : match.start()])
            kept = lowered.find(">", end if end >= 0 else match.end()) + 1 or len(text)
        if end < 0:
            break
        place = max(end, kept)
    return "".join(parts) + text[kept:]
