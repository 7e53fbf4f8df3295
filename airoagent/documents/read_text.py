"""Pages that are not HTML: plain text, Markdown, JSON and XML as blocks, with a title and the links they hold.

Each reader takes decoded text and gives (title, blocks, [(address, words)]). Text is kept as it is; none raises.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from airoagent.documents.rendering import Block, Kind

Found = tuple[str, tuple[Block, ...], list[tuple[str, str]]]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_RULE = re.compile(r"(=+|-+|~+|\^+|\*+|\"+|\++)[ \t]*$")
_INLINE = re.compile(r"\[([^\[\]\n]{0,300})\]\(\s{0,3}<?([^\s()<>]{1,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,500})?)>?")
_NAMED = re.compile(r"^ {0,3}\[([^\]\n]{1,200})\]:[ \t]*<?([^\s<>]{1,2000})>?", re.MULTILINE)
_ANGLE = re.compile(r"<(https?://[^\s<>]{1,2000})>")
_RST = re.compile(r"`([^`<>\n]{1,200}?)\s?<([^\s<>`]{1,2000})>`_")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


def plain(text: str) -> Found:
    """Plain text: a block per paragraph; the title is the first line if it stands alone and is short."""
    blocks = tuple(Block("text", part) for part in _paragraphs(text))
    first = blocks[0].text if blocks else ""
    is_title = "\n" not in first and len(first) <= 120 and len(blocks) > 1 and not first.endswith((".", ","))
    lines = first.split("\n")
    is_title = is_title or (len(blocks) > 1 and 1 < len(lines) < 4 and all(map(_is_heading, lines)))
    is_title = is_title or (len(lines) > 1 and _RULE.fullmatch(lines[1].strip()) is not None)
    return lines[0].strip() if is_title else "", blocks, []


def _is_heading(line: str) -> bool:
    """Whether a line of a page's head could be its title or stand below it: no sentence, no field of a letter."""
    return len(line) <= 100 and not line.endswith((".", ",", ":", ";")) and not re.match(r"[\w-]+: ", line)


def _paragraphs(text: str) -> list[str]:
    """The parts of a text between empty lines, without the white space at the ends of lines."""
    lines = (line.rstrip() for line in text.split("\n"))
    return ["\n".join(part) for is_text, part in groupby(lines, key=bool) if is_text]


def _markdown(text: str) -> Found:
    """Markdown (and reStructuredText): kept as written, front matter and comments apart; title from a heading."""
    front, text = _front_matter(text)
    text = _COMMENT.sub("", text) if "<!--" in text else text
    links = [(m[2], m[1]) for pattern in (_INLINE, _NAMED, _RST) for m in pattern.finditer(text)]
    links += [(m[1], m[1]) for m in _ANGLE.finditer(text)]
    blocks: list[Block] = []
    lines: list[str] = []
    fence = ""

    def flush(kind: Kind = "text") -> None:
        if body := "\n".join(lines).strip("\n"):
            blocks.append(Block("row" if kind == "text" and body.lstrip().startswith("|") else kind, body))
        lines.clear()

    for raw in text.split("\n"):
        line = raw.rstrip()
        opened = _FENCE.match(line)
        if fence:
            lines.append(line)
            if opened and opened[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
                flush("code")
        elif opened:
            flush()
            fence = opened[1]
            lines.append(line)
        elif heading := _ATX.match(line):
            flush()
            if heading[2]:
                blocks.append(Block("heading", heading[2], len(heading[1])))
        elif len(lines) == 1 and _underlines(line, lines[0]):
            title = lines.pop().strip()
            blocks.append(Block("heading", title, 1 if line[0] == "=" else 2))
        elif line:
            lines.append(line)
        else:
            flush()
    flush("code" if fence else "text")
    title = front or next((block.text for block in blocks if block.kind == "heading"), "")
    return _unlinked(title)[:300], tuple(blocks), links


def _underlines(line: str, above: str) -> bool:
    """Whether a line of signs makes the line above it a heading."""
    return len(line) >= 3 and _RULE.fullmatch(line) is not None and not above.lstrip().startswith(("|", "-"))


def _unlinked(text: str) -> str:
    """A heading without Markdown's marks for links, emphasis and code."""
    return re.sub(r"[`*]", "", _INLINE.sub(lambda m: m[1], text).replace("](", " ")).strip(" )")


_HEAD = re.compile(r"---\n(.{0,20000}?\n)?---[^\n]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)


def _front_matter(text: str) -> tuple[str, str]:
    """The title in a YAML head between ``---`` lines, and the text without that head."""
    head = _HEAD.match(text)
    if head is None:
        return "", text
    titles = _TITLE.findall(head[1] or "")
    return (titles[-1].strip().strip("\"'") if titles else ""), text[head.end() :]


def _code(text: str) -> Found:
    """Source code and settings: as they are."""
    return "", _block("code", text), []


def _block(kind: Kind, text: str) -> tuple[Block, ...]:
    return (Block(kind, text.strip("\n")),) if text.strip() else ()


def _org(text: str) -> Found:
    """Org: read as Markdown, with its own headings, title and links."""
    title = re.search(r"^#\+title:\s*(.+)$", text, re.IGNORECASE | re.MULTILINE)
    text = re.sub(r"^#\+\w+:.*$|^[ \t]*:\w+:.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(\*{1,6}) ", lambda match: "#" * len(match[1]) + " ", text, flags=re.MULTILINE)
    text = re.sub(
        r"\[\[([^\[\]\n]{1,2000})\](?:\[([^\[\]\n]{1,300})\])?\]", lambda m: f"[{m[2] or m[1]}]({m[1]})", text
    )
    first, blocks, links = _markdown(text)
    return (title[1].strip()[:300] if title else first), blocks, links


def _notebook(text: str) -> Found:
    """A Jupyter notebook: its words, its code and the text that the code gave."""
    try:
        cells = json.loads(text)["cells"]
        parts = [part for cell in cells for part in _cell_parts(cell)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return _json(text)
    return _markdown("\n\n".join(parts))


def _cell_parts(cell: dict[str, Any]) -> list[str]:
    source = "".join(cell.get("source", ""))
    if cell.get("cell_type") != "code":
        return [source]
    shown = ["".join(one.get("text", one.get("data", {}).get("text/plain", ""))) for one in cell.get("outputs", ())]
    return [f"~~~~~~\n{code.rstrip()}\n~~~~~~" for code in (source, *shown) if code.strip()]


def _table(text: str) -> Found:
    """A table of values separated by commas, semicolons or tabs: a line for each row, its cells between bars."""
    head = text.partition("\n")[0]
    sign = max(",;\t", key=head.count)
    if not head.count(sign):
        return plain(text)
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text), delimiter=sign)]
    except csv.Error:  # a cell of more than 128 kB, say
        return plain(text)
    return "", _block("row", "\n".join(" | ".join(row) for row in rows if any(row))), []


def _json(text: str) -> Found:
    """JSON: as it is if it has lines, else laid out on lines; what is not JSON after all is kept as text."""
    try:
        value = json.loads(text)
        if text.count("\n") * 2_000 < len(text):
            text = json.dumps(value, ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return _code(text)
    title = ""
    if isinstance(value, dict):
        title = next((v for k in ("title", "name", "headline") if isinstance(v := value.get(k), str)), "")
    links = [(one, "") for one in _parts(value) if isinstance(one, str) and _ADDRESS.fullmatch(one)]
    return " ".join(title.split())[:300], (Block("code", text.strip("\n")),), links


_ADDRESS = re.compile(r"https?://\S+")


def _parts(value: object) -> Iterator[object]:
    """A value of JSON and everything in it, in order."""
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, dict):
            stack.extend(reversed(item.values()))
        elif isinstance(item, list):
            stack.extend(reversed(item))


def article_body(records: Sequence[str]) -> str:
    """The text of an article in a page's JSON records, or else of a recipe, answers and descriptions; "" without."""
    bodies, parts = [""], dict[str, None]()
    for record in records:
        with contextlib.suppress(ValueError, RecursionError):
            for part in _parts(json.loads(record)):
                if not isinstance(part, dict):
                    continue
                bodies += [body for key in _BODIES if isinstance(body := part.get(key), str)]
                for key in _PARTS:
                    values = value if isinstance(value := part.get(key), list) else [value]
                    parts.update(dict.fromkeys(one for one in values if isinstance(one, str) and one.strip()))
    return _unmarked(max(*bodies, "\n\n".join(parts), key=len))


_BODIES = ("articleBody", "text", "reviewBody", "body", "content", "html")
_PARTS = ("name", "headline", "description", "recipeIngredient", "recipeInstructions", "text")


def _unmarked(text: str) -> str:
    """The words of a text that may be HTML written as text."""
    if not _TAGS.search(text):
        return text
    from airoagent.documents.html_tree import parse_html
    from airoagent.documents.rendering import join_blocks, render

    return join_blocks(render(parse_html(text).nodes[0], lambda at, href, words: None))


_TAGS = re.compile(r"</?(?:p|br|b|i|em|strong|a|div|span|ul|ol|li|img|h[1-6]|blockquote|table)\b[^<>]*>", re.IGNORECASE)


class _XmlText:
    """Target of lxml's parser: one line per text, `name: text`, and an empty line after each record."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.title = ""
        self._path: list[str] = []
        self._words: list[str] = []

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self._flush()
        self._path.append(tag.rpartition("}")[2])
        for name, value in attrs.items():
            if name.rpartition("}")[2] in ("href", "url", "src"):
                self.links.append((value, ""))

    def end(self, tag: str) -> None:
        leaf = self._flush()
        if self._path:
            self._path.pop()
        if not leaf and self.lines and self.lines[-1]:
            self.lines.append("")

    def data(self, data: str) -> None:
        self._words.append(data)

    def close(self) -> _XmlText:
        self._flush()
        return self

    def _flush(self) -> bool:
        text = " ".join(_unmarked("".join(self._words)).split())
        self._words.clear()
        if not text:
            return False
        name = self._path[-1] if self._path else ""
        self.lines.append(f"{name}: {text}" if name else text)
        if name == "title" and not self.title:
            self.title = text
        if _ADDRESS.fullmatch(text):
            self.links.append((text, ""))
        return True


def _xml(text: str) -> Found:
    """XML (feeds, sitemaps, records): a line per element with text; entities are not expanded."""
    from lxml import etree

    target = _XmlText()
    parser = etree.XMLParser(
        target=target, encoding="utf-8", resolve_entities=False, no_network=True, recover=True, huge_tree=True
    )
    try:
        etree.fromstring(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", text).encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        target.close()
    _, blocks, _ = plain("\n".join(target.lines))
    return (target.title[:300], blocks, target.links) if blocks else plain(text)


READERS: dict[str, Callable[[str], Found]] = {
    "plain": plain,
    "markdown": _markdown,
    "json": _json,
    "xml": _xml,
    "csv": _table,
    "org": _org,
    "notebook": _notebook,
    "code": _code,
}
"""What reads each kind of text."""
