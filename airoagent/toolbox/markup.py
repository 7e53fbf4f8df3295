"""HTML as a light tree: bytes to text by charset, text to nodes, with everything no reader would see left out.

lxml's parser feeds `_Builder`, which makes the one tree a page gets. That costs a seventh of a BeautifulSoup tree and,
unlike lxml's own tree (256 or 2,048 levels), has no limit on depth; bs4 finds the charset a page declares.
Nodes are kept in document order, so every later pass is one loop over a list, forwards (parents first) or backwards
(children first), and no code recurses.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from airoagent.toolbox.hidden import hidden_by_attributes, hidden_selectors, word_set

__all__ = ["Node", "Tree", "decode", "parse_html"]

# Elements whose content is never shown as text of the page.
_DROPPED = word_set(
    "script style template noscript textarea svg canvas iframe frame object embed applet audio video map datalist "
    "select option optgroup button input meter progress annotation annotation-xml rp colgroup"
)
# Void elements that only tell about the page.
_TELLING = frozenset({"meta", "base", "link"})

_LANG = ("lang", "xml:lang", "{http://www.w3.org/XML/1998/namespace}lang")

# What browsers decode when a page names the older, smaller set.
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
}


# Codecs of Python that no page is written in. Some of them cannot be told to replace what they cannot read.
_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_LOOK = 4096  # bytes; a page of UTF-16 has a blank, a line end or a tag among its first ones


class Node:
    """An element: ``tag``, ``attrs``, ``children`` (nodes and strings), ``parent``, and its place in `Tree.nodes`.

    The subtree of a node is ``tree.nodes[node.index:node.stop]``. The other fields are counts that
    `airoagent.toolbox.maincontent` fills in, in characters.
    """

    __slots__ = (
        "attrs",
        "chars",
        "children",
        "dead",
        "good",
        "index",
        "linked",
        "parent",
        "run",
        "run_linked",
        "stop",
        "tag",
    )

    def __init__(self, tag: str, attrs: Mapping[str, str], parent: Node | None, index: int) -> None:
        self.tag = tag
        self.attrs = attrs
        self.children: list[Node | str] = []
        self.parent = parent
        self.index = index
        self.stop = index + 1
        self.dead = False
        self.chars = self.linked = self.run = self.run_linked = 0
        self.good = 0.0

    def __repr__(self) -> str:
        return f"<{self.tag} {dict(self.attrs)}>"


class Tree:
    """A parsed page: the nodes of its body in document order, and what its head says about it."""

    __slots__ = ("base", "hidden_by_sheet", "language", "nodes", "og_title", "title")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.title = ""
        self.og_title = ""
        self.base = ""
        self.language = ""
        self.hidden_by_sheet = 0


class _Builder:
    """The target lxml's parser talks to."""

    def __init__(self, *, obey_sheets: bool, xml: bool = False) -> None:
        self._xml = xml
        self.tree = Tree()
        self._root = Node("#document", {}, None, 0)
        self.tree.nodes.append(self._root)
        self._current = self._root
        self._skipped = 0
        self._special = ""
        self._buffer: list[str] = []
        self._obey_sheets = obey_sheets
        self._selectors: frozenset[str] = frozenset()

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
        if self._xml:
            tag = tag.rpartition("}")[2].lower()
        if self._skipped:
            self._skipped += 1
            return
        if tag == "head":
            return  # looked through: where no <body> is written, libxml2 leaves <main> and <article> in the head
        if tag in _DROPPED or (attrs and tag not in ("html", "body") and self._hides(tag, attrs)):
            self._skipped = 1
            if tag == "style":
                self._special, self._buffer = "style", []
            return
        if tag == "title":
            self._skipped = 1
            self._special, self._buffer = "title", []
            return
        if tag in _TELLING:
            self._skipped = 1
            self._head(tag, attrs)
            return
        if tag in ("html", "body"):
            self._head(tag, attrs)
        nodes = self.tree.nodes
        node = Node(tag, attrs, self._current, len(nodes))
        nodes.append(node)
        self._current.children.append(node)
        self._current = node

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            if self._special and (not self._skipped or tag.endswith(self._special)):
                self._finish_special()
            return
        if tag == "head" or (self._xml and tag.rpartition("}")[2].lower() == "head"):
            return
        node = self._current
        if node.parent is not None:
            node.stop = len(self.tree.nodes)
            self._current = node.parent

    def data(self, data: str) -> None:
        if not self._skipped:
            self._current.children.append(data)
        elif self._special:
            self._buffer.append(data)

    def comment(self, text: str) -> None:
        """Comments are not text of the page."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor are processing instructions."""

    def close(self) -> Tree:
        for node in self.tree.nodes:
            # Elements the page never closed end where it ends.
            if node is self._root or (node.stop == node.index + 1 and node.children):
                node.stop = max(node.stop, _last_index(node) + 1)
        self._root.stop = len(self.tree.nodes)
        return self.tree

    def _hides(self, tag: str, attrs: Mapping[str, str]) -> bool:
        if hidden_by_attributes(attrs):
            return True
        if self._selectors:
            for name in (attrs.get("class") or "").split():
                if f".{name}" in self._selectors or f"{tag}.{name}" in self._selectors:
                    self.tree.hidden_by_sheet += 1
                    return True
            if f"#{attrs.get('id', '')}" in self._selectors:
                self.tree.hidden_by_sheet += 1
                return True
        return False

    def _head(self, tag: str, attrs: Mapping[str, str]) -> None:
        tree = self.tree
        if tag in ("html", "body"):
            tree.language = tree.language or next((attrs[name] for name in _LANG if attrs.get(name)), "").strip()
        elif tag == "base":
            tree.base = tree.base or (attrs.get("href") or "").strip()
        elif tag == "meta":
            name = (attrs.get("property") or attrs.get("name") or attrs.get("http-equiv") or "").lower()
            content = (attrs.get("content") or "").strip()
            if name == "og:title":
                tree.og_title = tree.og_title or content
            elif name in ("content-language", "og:locale"):
                tree.language = tree.language or content.split(",")[0].strip().replace("_", "-")

    def _finish_special(self) -> None:
        text = "".join(self._buffer)
        if self._special == "title":
            self.tree.title = self.tree.title or " ".join(text.split())
        elif self._obey_sheets:
            self._selectors |= hidden_selectors(text)
        self._special, self._buffer = "", []


def _last_index(node: Node) -> int:
    """The index of the last node below ``node`` (itself if it has none)."""
    while True:
        below = next((child for child in reversed(node.children) if isinstance(child, Node)), None)
        if below is None:
            return node.index
        if below.stop > below.index + 1:
            return below.stop - 1
        node = below


def parse_html(text: str, *, xml: bool = False, obey_sheets: bool = True) -> Tree:
    """The visible tree of a page; broken markup is read as a browser would, an empty text gives an empty tree.

    ``xml`` tries the strict XML rules first (XHTML served as such) and falls back. ``obey_sheets`` also leaves out
    what the page's own style sheets hide by class or id.
    """
    from lxml import etree

    # NUL ends libxml2's reading; the other control characters are not text.
    data = _CONTROLS.sub(" ", text).encode("utf-8", "replace")
    tree = _parse_xml(data, obey_sheets) if xml and b"<!ENTITY" not in data else None
    if tree is not None:
        return tree
    builder = _Builder(obey_sheets=obey_sheets)
    if not data.strip():
        return builder.close()
    parser = etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True)
    try:
        parsed: Tree = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return builder.close()  # nothing but a doctype or comments
    return parsed


def _parse_xml(data: bytes, obey_sheets: bool) -> Tree | None:
    """The tree by the rules of XML; None where it is not well-formed after all."""
    from lxml import etree

    target = _Builder(obey_sheets=obey_sheets, xml=True)
    parser = etree.XMLParser(target=target, encoding="utf-8", resolve_entities=False, no_network=True, huge_tree=True)
    try:
        tree: Tree = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    return tree


_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


def decode(body: bytes, charset: str = "") -> str:
    """The text of a page: by byte order mark, else the header's ``charset``, else what the page declares, else UTF-8.

    Wrong declarations are survived: bytes that are UTF-8 are read as UTF-8 where a single-byte set is claimed, and
    what fits nothing is read as Windows-1252. A few broken bytes (a page cut in mid-character) become U+FFFD.
    """
    from bs4.dammit import EncodingDetector

    data, marked = EncodingDetector.strip_byte_order_mark(body)
    if marked:
        return _line_ends(data.decode(marked, "replace"))
    declared = "" if _codec(charset) else EncodingDetector.find_declared_encoding(data, is_html=True) or ""
    claimed = _codec(charset) or _codec(declared)
    if claimed.startswith(("utf-16", "utf-32")) and (declared or b"\x00" not in data[:_LOOK]):
        claimed = "utf-8"  # a page whose <meta> could be read byte by byte is not UTF-16; nor is one without a NUL
    if claimed in ("", "cp1252", "cp1254", "utf-8", "iso8859-15"):
        text = _tolerant(data, "utf-8")
        if text is not None:
            return _line_ends(text)
    if claimed:
        text = _tolerant(data, claimed)
        if text is not None:
            return _line_ends(text)
    return _line_ends(data.decode("cp1252", "replace"))


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tolerant(data: bytes, codec: str) -> str | None:
    """The text, if all but a few bytes fit the codec."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        text = data.decode(codec, "replace")
    wrong = text.count("\ufffd")
    return text if wrong <= 1 or wrong * 500 < len(text) else None


def _codec(name: str) -> str:
    """Python's name for a charset label; "" for one it does not know or that is no text encoding."""
    try:
        info = codecs.lookup(name.strip().strip("\"'").lower())
    except (LookupError, ValueError):
        return ""
    if not getattr(info, "_is_text_encoding", True) or info.name in _NO_CHARSETS:
        return ""
    return _WIDER.get(info.name, info.name)
