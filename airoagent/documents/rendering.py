"""A page's nodes as text a model can read: blocks with line breaks between them, table rows with bars; and its links.

Inline elements never split a word, blocks never glue two sentences together. No markup is left in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from airoagent.documents.html_tree import Node
from airoagent.frozen import frozen
from airoagent.text.words import word_set

BLOCKS = word_set(
    "#document html body address article aside blockquote center details dialog dd div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main nav menu ol p pre search section summary "
    "table caption thead tbody tfoot tr td th ul dir listing xmp"
)
OnLink = Callable[[int, str, str], None]  # place of the block it stands in, address, words
Kind = Literal["heading", "text", "item", "row", "code", "term"]


@frozen
class Block:
    """One piece of a page: its kind and its text (rows and code may have line breaks).

    ``level`` is a heading's rank or a list item's depth, from 1; ``article`` numbers the innermost <article> or <main>
    that it stands in, ``page`` the page, slide or chapter of a file (0: none).
    """

    kind: Kind
    text: str
    level: int = 0
    article: int = field(default=0, compare=False)
    page: int = field(default=0, compare=False)


_SPACES = re.compile(r"[ \t\n\r\f\xa0\u2000-\u200a\u202f\u3000]{2,}|[\t\n\r\f\xa0\u2000-\u200a\u202f\u3000]")
# The end of a link, the edge of two elements, the start of a link, the edge of two elements that look alike.
_MARKS = re.compile("[\x01-\x04]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_JUNK = re.compile(
    r"advertisement|advertising|anzeige|sponsored|share(?: this)?|tweet|print|e-?mail|facebook|twitter|whatsapp"
    r"|linkedin|pinterest|reddit|copy link|read more|continue reading|more|subscribe(?: now)?|sign (?:in|up)|log ?in"
    r"|register|menu|search|skip to (?:main )?content|back to (?:the )?top|top|loading\W*|close|reply|report|like"
    r"|follow(?: us)?|[|·•¶#»«<>,.\-–—]+|\d+ (?:shares?|comments?|likes?)|edit this page|view source|previous|next"
    r"|save|listen|copied!?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\[(?:\d{1,3}|[a-z]|note \d+|citation needed)\]", re.IGNORECASE)
_EXPONENT = re.compile(r"[-+−–]?\s?\d{1,4}|[a-z]", re.IGNORECASE)
_BASE = re.compile(r"(?:\d|\)|(?<![^\W\d])[^\W\d]{1,3})\s?$")  # a number, a bracket, a sign or unit (x, km)
_TO_THE_END = 65_534  # rows that a cell with rowspan="0" reaches down at most, by the standard of HTML
_MOST_SPAN = 30  # columns of a cell
_MOST_REPEATED, _LONGEST_REPEATED = 5000, 200  # repetitions of cells in a table; characters of a cell that is repeated
_TRAILING_BARS = re.compile(r"(?<![ |])[ |]+$")
_LINKS_MEET = re.compile(r"\x01[\x02\x04]*\x03")  # two links without a space: two words
_JOINT = re.compile(r"(\w{0,2}[.!?,;:)]?)(\x04|\x02)[\x02\x04]*(?=(\w{0,8}))")
_NOT_APART = word_set("sub sup wbr br rt rp code kbd samp tt var math")  # what stands in a word, or spells one
_HOLDERS = word_set("div section header footer nav aside form")  # their elements stand side by side
_AFTER_A_FIGURE = re.compile(r"(?:st|nd|rd|th|[a-z])\b", re.IGNORECASE)


class _Renderer:
    """Walks nodes without recursion: a stack of what is still to be visited and of what to do on leaving."""

    def __init__(self, on_link: OnLink) -> None:
        self.blocks: list[Block] = []
        self._words: list[str] = []
        self._on_link = on_link
        self._kind: Kind = "text"
        self._level = self._lists = 0
        self._lead = ""
        self._numbers: list[int] | None = None  # the next number of the ordered list, and the step to the one after
        self._articles = self._article = 0
        self._stack: list[Node | str | Callable[[], None]] = []

    def run(self, node: Node) -> tuple[Block, ...]:
        self._stack.append(node)
        while self._stack:
            item = self._stack.pop()
            if isinstance(item, str):
                self._words.append(item)
            elif not isinstance(item, Node):
                item()
            elif not item.dead:
                self._enter(item)
        self._flush()
        return tuple(self.blocks)

    def _flush(self) -> None:
        """End the block that is being collected."""
        if not self._words:
            return
        text = _clean("".join(self._words))
        self._words = []
        if text and (self._kind == "heading" or not _JUNK.fullmatch(text)):
            lead, self._lead = self._lead, ""
            self._add(self._kind, lead + text, self._level)

    def _add(self, kind: Kind, text: str, level: int = 0) -> None:
        self.blocks.append(Block(kind, text, level, self._article))

    def _enter(self, node: Node) -> None:
        tag = node.tag
        if tag == "br":
            self._words.append("\x00")
        elif tag in ("pre", "listing", "xmp"):
            self._code(node)
        elif tag == "table" and not _is_layout(node):
            self._table(node)
        elif tag in BLOCKS:
            self._block(node)
        elif tag == "a":
            self._link(node)
        else:
            self._stack.extend(reversed(_inline(node, self._words)))

    def _block(self, node: Node) -> None:
        self._flush()
        state = self._kind, self._level, self._lists, self._numbers, self._article

        def leave() -> None:
            self._flush()
            self._kind, self._level, self._lists, self._numbers, self._article = state
            self._lead = ""

        self._stack += [leave, *reversed(_jointed(node))]
        tag = node.tag
        if rank := heading_level(tag):
            self._kind, self._level, self._lead = "heading", rank, ""
        elif tag in ("ul", "ol", "dir"):
            self._lists += 1
            self._numbers = _numbering(node) if tag == "ol" else None
        elif tag in ("li", "dd"):
            self._kind, self._level = "item", max(1, self._lists)
            self._lead = self._bullet(node) if tag == "li" else self._term_before(node)
        elif tag == "dt":
            self._kind, self._level = "term", 0
        elif tag in ("article", "main"):
            self._articles += 1
            self._article = self._articles

    def _bullet(self, item: Node) -> str:
        if self._numbers is None:
            return "- "
        number = _whole(item.attrs.get("value", ""), self._numbers[0])
        self._numbers[0] = number + self._numbers[1]
        style = item.parent.attrs.get("type", "") if item.parent else ""
        return f"{_numeral(number, style)}. "

    def _term_before(self, node: Node) -> str:
        """What a short definition begins with: its term, if that is short too and was the last block."""
        if not self.blocks or self.blocks[-1].kind != "term" or len(self.blocks[-1].text) > 60 or node.chars > 300:
            return ""
        if any(isinstance(child, Node) and child.tag in BLOCKS for child in node.children):
            return ""
        return self.blocks.pop().text.rstrip(" :") + ": "

    def _link(self, node: Node) -> None:
        href = node.attrs.get("href", "").strip()
        self._words.append("\x03")
        at, before = len(self._words), len(self.blocks)

        def leave() -> None:
            if href:
                words = _clean("".join(word[:300] for word in self._words[at : at + 50]))
                around = not words and len(self.blocks) > before  # the link is around whole blocks
                words = self.blocks[-1].text if around else words
                self._on_link(len(self.blocks) - around, href, words.replace("\n", " ")[:300])
            self._words.append("\x01")

        self._stack += [leave, *reversed(_jointed(node))]

    def _here(self, href: str, text: str) -> None:
        self._on_link(len(self.blocks), href, text)

    def _code(self, node: Node) -> None:
        self._flush()
        text = _INVISIBLE.sub("", _MARKS.sub("", _plain(node, self._here))).expandtabs(4).strip("\n")
        lines = [line.rstrip() for line in text.split("\n")]
        if any(lines):
            self._add("code", "\n".join(lines))
        self._lead = ""

    def _table(self, node: Node) -> None:
        self._flush()
        grid = _Grid()
        stack: list[Node] = [node]
        while stack:
            item = stack.pop()
            if item.dead:
                continue
            if item.tag == "caption":
                self._add("text", self._cell(item))
            elif item.tag in ("td", "th"):
                grid.add(self._cell(item), item.attrs)
            else:
                if item.tag == "tr":
                    grid.start_row()
                stack.extend(child for child in reversed(item.children) if isinstance(child, Node))
        if lines := grid.lines():
            self._add("row", "\n".join(lines))
        self._lead = ""

    def _cell(self, node: Node) -> str:
        return _clean(_plain(node, self._here)).replace("\n", " ")


class _Grid:
    """The rows of a table: a cell that reaches down is repeated there, one that reaches across leaves empty places."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._below: dict[int, tuple[str, int]] = {}  # by column: what reaches down, and into how many rows more
        self._spare = _MOST_REPEATED

    def start_row(self) -> None:
        self._reach()
        self._rows.append([])

    def add(self, text: str, attrs: Mapping[str, str]) -> None:
        if not self._rows:
            self._rows.append([])
        self._reach()
        row, down = self._rows[-1], (_whole(attrs.get("rowspan", ""), 1) or _TO_THE_END) - 1
        for number in range(min(_MOST_SPAN, max(1, _whole(attrs.get("colspan", ""), 1)))):
            if down > 0:
                self._below[len(row)] = "" if number or len(text) > _LONGEST_REPEATED else text, down
            row.append("" if number else text)

    def lines(self) -> list[str]:
        self._reach()
        return [_TRAILING_BARS.sub("", " | ".join(row)) for row in self._rows if any(row)]

    def _reach(self) -> None:
        """Fill the next places of the last row with the cells of rows above that reach there."""
        row = self._rows[-1] if self._rows else []
        while len(row) in self._below and self._spare > 0:
            self._spare -= 1
            text, more = self._below.pop(len(row))
            if more > 1:
                self._below[len(row)] = text, more - 1
            row.append(text)


def _whole(text: str, default: int) -> int:
    """An attribute that is a whole number; ``default`` for any other."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else default


def _numeral(number: int, style: str) -> str:
    """The number of an item in the style of its list: 1, a, A, i or I."""
    if style in ("a", "A") and 0 < number <= 26:
        return chr(ord(style) + number - 1)
    if style in ("i", "I") and 0 < number < 40:
        numeral = "x" * (number // 10) + ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")[number % 10]
        return numeral if style == "i" else numeral.upper()
    return str(number)


def _numbering(node: Node) -> list[int]:
    """The first number of an ordered list, and the step to the next."""
    if "reversed" not in node.attrs:
        return [_whole(node.attrs.get("start", ""), 1), 1]
    items = sum(isinstance(child, Node) and child.tag == "li" and not child.dead for child in node.children)
    return [_whole(node.attrs.get("start", ""), items), -1]


def _inline(node: Node, before: list[str]) -> Sequence[Node | str]:
    """What stands for an inline element in the text: its children, with signs where its layout has a meaning."""
    tag, children = node.tag, node.children
    if tag == "sup":
        words = text_of(node, 40, 40).strip()
        if _REFERENCE.fullmatch(words) or _is_note(node):
            return ()
        if _EXPONENT.fullmatch(words) and _BASE.search("".join(before[-3:]).rstrip("\x01")):
            return ("^", *children)
    elif tag == "sub" and len(before) > 2 and before[-1].strip() in ("/", "⁄") and before[-3] == "^":
        before[-3], before[-1] = " ", "/"  # it was no exponent, but the upper part of a fraction
    elif tag in ("msqrt", "mroot"):
        return ("√(", *children[:1], ")") if tag == "mroot" else ("√(", *children, ")")
    elif tag in ("mfrac", "msup"):
        parts = [child for child in children if isinstance(child, Node)]
        if len(parts) == 2:
            return (*_grouped(parts[0]), "/" if tag == "mfrac" else "^", *_grouped(parts[1]))
    elif tag in ("img", "math") and not children:
        return (_formula(node),)
    elif tag == "a":
        return ("\x03", *_jointed(node), "\x01")
    elif tag == "q":
        return ("“", *children, "”")
    elif tag == "rt":
        return ("(", *children, ")")
    return _jointed(node)


def _jointed(node: Node) -> Sequence[Node | str]:
    """The children of an element, with a mark between two elements where nothing else stands between them."""
    children = node.children
    if len(children) < 2 or _spells(node):
        return children
    parts: list[Node | str] = []
    last: Node | str = ""
    for child in children:
        if not isinstance(child, str) and not isinstance(last, str):
            tag = child.tag
            if not (tag in BLOCKS or tag in _NOT_APART or last.tag in _NOT_APART):
                # Two plain spans within a line of text are set as one word; what has a style may be set apart.
                alike = tag == last.tag and not (child.attrs or last.attrs) and node.tag not in _HOLDERS
                parts.append("\x04" if alike else "\x02")
        parts.append(child)
        last = child
    return parts


def _spells(node: Node) -> bool:
    """Whether an element, or one of those right around it, spells out code or a formula."""
    around: Node | None = node
    for _ in range(6):
        if around is None or around.tag in BLOCKS:
            return False
        if around.tag in _NOT_APART:
            return True
        around = around.parent
    return False


def _at_joint(joint: re.Match[str]) -> str:
    """What stands at the edge of two elements: a space where their layout keeps apart what cannot be one word."""
    before, alike, after = joint[1], joint[2] == "\x04", joint[3]
    word = len(before) > 1 and before.isalpha() and before.lower() != before.upper()
    if after[:1].isdigit():
        apart = word
    elif before[-1:].isdigit():
        apart = after[:1].lower() != after[:1].upper() and not _AFTER_A_FIGURE.match(after)
    else:
        sentence = before[-1:] in tuple(".!?,;:)")
        apart = len(after) > 1 and after.istitle() and (sentence or (word and not alike and before[-1].islower()))
    return before + " " if apart else before


def _grouped(part: Node) -> Sequence[Node | str]:
    """A part of a formula, in parentheses where it has several parts of its own."""
    return ("(", part, ")") if sum(isinstance(child, Node) for child in part.children) > 1 else (part,)


def _is_note(sup: Node) -> bool:
    """Whether a raised number only leads to a note of the page."""
    links = [child for child in sup.children if isinstance(child, Node) and child.tag == "a"]
    return bool(links) and links[0].attrs.get("href", "").strip().startswith("#")


def _clean(text: str) -> str:
    """Runs of white space become one space; a <br> becomes a line break; invisible characters go."""
    if "\x01" in text or "\x03" in text:
        text = _LINKS_MEET.sub(" ", text).replace("\x01", "").replace("\x03", "")
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    if "\x02" in text or "\x04" in text:
        text = _JOINT.sub(_at_joint, text)
    if "\x00" not in text:
        return _SPACES.sub(" ", text).strip()
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\x00"))
    return "\n".join(line for line in lines if line)


def _plain(node: Node, on_link: Callable[[str, str], None]) -> str:
    """The text of a table cell or a code block; blocks inside it are kept apart."""
    parts: list[str] = []
    stack: list[Node | str] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
            continue
        if item.dead:
            continue
        if item.tag == "br":
            parts.append("\n" if node.tag == "pre" else "\x00")
            continue
        if item.tag == "a" and item.attrs.get("href"):
            on_link(item.attrs["href"].strip(), " ".join(text_of(item, 400).split())[:300])
        if item.tag in BLOCKS and item is not node and parts:
            parts.append("\n" if node.tag == "pre" else " ")
            stack.append("" if node.tag == "pre" else " ")
        stack.extend(reversed(_inline(item, parts)))
    return "".join(parts)


def heading_level(tag: str) -> int:
    """1 to 6 for h1 to h6, else 0."""
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def text_of(node: Node, limit: int = 2_000, most: int = 200) -> str:
    """The first characters of a node's text, for a look at what it says; no more than ``most`` pieces are visited."""
    parts: list[str] = []
    size = 0
    stack: list[Node | str] = [node]
    while stack and size < limit and most:
        most -= 1
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
            size += len(item)
        elif not item.dead:
            stack.extend(reversed(item.children))
    return "".join(parts)


def _formula(node: Node) -> str:
    """What stands for a formula or an emoji; other pictures have no words of the page."""
    names = node.attrs.get("class", "").lower()
    if any(word in names for word in ("math", "tex", "latex", "emoji")) or node.tag == "math":
        return node.attrs.get("alt", "") or node.attrs.get("alttext", "")
    return ""


def _is_layout(table: Node) -> bool:
    """Whether a table only arranges blocks: a cell of it holds another table, several blocks, or very much text."""
    if table.attrs.get("role") in ("presentation", "none"):
        return True
    cells = 0
    stack = [table]
    while stack and cells < 400:
        for child in reversed(stack.pop().children):
            if not isinstance(child, Node) or child.dead:
                continue
            if child.tag in ("thead", "tbody", "tfoot", "tr"):
                stack.append(child)
            elif child.tag in ("td", "th"):
                cells += 1
                if _is_big(child):
                    return True
    return cells == 1


def _is_big(cell: Node) -> bool:
    if cell.chars > 1_500:
        return True
    blocks = 0
    stack = [cell]
    for _ in range(60):
        if not stack:
            break
        for child in stack.pop().children:
            if isinstance(child, Node) and not child.dead:
                if child.tag in ("table", "pre", "article", "section") or heading_level(child.tag):
                    return True
                blocks += child.tag in ("p", "div")
                stack.append(child)
    return blocks > 3 and cell.chars > 400


def render(node: Node, on_link: OnLink) -> tuple[Block, ...]:
    """The blocks of a node in order; ``on_link(place, href, text)`` is called for every link."""
    return _Renderer(on_link).run(node)


def join_blocks(blocks: Sequence[Block]) -> str:
    """The text of a page: list items on lines of their own, an empty line between other blocks."""
    text: list[str] = []
    for before, block in zip((None, *blocks), blocks, strict=False):
        if before is not None:
            text.append("\n" if before.kind in ("item", "term") and block.kind == "item" else "\n\n")
        text.append("  " * (block.level - 1) * (block.kind == "item") + block.text)
    return "".join(text)
