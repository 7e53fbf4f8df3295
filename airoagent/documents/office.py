"""Word documents, slides, OpenDocument texts and EPUB books as pages of HTML, which `read_page` reads like any other.

A child process reads them (see `binary_files`), and the tables of `sheets`. Text that the author hid is left out, as on
a web page.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any
from urllib.parse import unquote

from airoagent.documents.archive import Archive, Blocks, Parts, UnreadableError, attribute, bounded, child_at, value_at
from airoagent.documents.binary_files import write_record
from airoagent.documents.sheets import read_ods, read_xlsx

_CHARACTERS = 4_000_000
_OLD = b"\xd0\xcf\x11\xe0"  # the container of Word 97, and of a newer file with a password


def serve(seconds: int) -> None:
    """The reading process: an archive from standard input, a line of JSON for each slide or chapter to its output."""
    sys.setrecursionlimit(10_000)
    with bounded(seconds):
        body = sys.stdin.buffer.read()
        if body.startswith(_OLD):
            raise UnreadableError("it is locked with a password, or has the format of Office 97")
        _write(Archive(body))


def _write(archive: Archive) -> None:
    from airoagent.documents.read_page import read_blocks

    read = _reader(archive)
    title = archive.title()
    write_record(title=title)
    size = chapter = 0
    for number, kind, page in read(archive):
        if isinstance(page, list):
            write_record(page=number, blocks=page)
            continue
        data = page.encode("utf-8", "replace") if isinstance(page, str) else page
        reading = read_blocks(data, kind, "docs://file/")
        links = [(link.url, link.text) for link in reading.links if not link.url.startswith("docs:")]
        blocks: Blocks = [(block.kind, block.text, block.level) for block in reading.blocks]
        size += sum(len(text) for _, text, _ in blocks)
        if read is _epub:
            chapter += _starts_chapter(blocks, title)
            number = chapter
        write_record(page=number, title=reading.title, blocks=blocks, links=links)
        if size > _CHARACTERS:
            raise UnreadableError("it is too long")
    archive.check()


def _starts_chapter(blocks: Sequence[tuple[str, str, int]], title: str) -> bool:
    """Whether a file of a book has a heading, other than the book's title, and text below it."""
    headings = [text.casefold() for kind, text, _ in blocks if kind == "heading"]
    return len(headings) < len(blocks) and any(heading != title.casefold() for heading in headings)


def _reader(archive: Archive) -> Callable[[Archive], Parts]:
    kind = archive.text("mimetype")
    if "META-INF/encryption.xml" in archive and kind != "application/epub+zip":
        raise UnreadableError("it is locked with a password")
    if "word/document.xml" in archive or archive.main().startswith("word/"):
        return _docx
    if archive.main().startswith("ppt/"):
        return _pptx
    if archive.main().startswith("xl/"):
        return read_xlsx
    if "META-INF/container.xml" in archive:
        return _epub
    if kind.startswith("application/vnd.oasis.opendocument.") and "content.xml" in archive:
        return read_ods if "spreadsheet" in kind else _odf
    raise UnreadableError("it is a ZIP archive of another kind")


def _is_on(element: Any, *path: str) -> bool:
    """Whether a switch of a Word document is there and not off."""
    return child_at(element, *path) is not None and value_at(element, *path) not in ("0", "false", "off")


# Word documents ------------------------------------------------------------------------------------------------------


def _docx(archive: Archive) -> Parts:
    part = archive.main() or "word/document.xml"
    body = child_at(archive.xml(part), "body")
    yield 0, "text/html", "".join(_Word(archive, part).blocks(body)) if body is not None else ""


class _Word:
    """A Word document as HTML: headings by their styles, numbered lists with their numbers, notes at the end."""

    def __init__(self, archive: Archive, part: str) -> None:
        folder = posixpath.dirname(part)
        self._targets = archive.targets(part)
        self._styles = {attribute(one, "styleId"): one for one in archive.xml(f"{folder}/styles.xml").iter("style")}
        numbering = archive.xml(f"{folder}/numbering.xml")
        kinds = {attribute(one, "abstractNumId"): one for one in numbering.iter("abstractNum")}
        self._lists = {
            attribute(one, "numId"): kinds.get(value_at(one, "abstractNumId")) for one in numbering.iter("num")
        }
        self._counts: dict[str, list[int]] = {}
        self._notes = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in archive.xml(f"{folder}/{kind}s.xml").iter(kind)
        }
        self._noted: list[Any] = []

    def blocks(self, body: Any) -> Iterator[str]:
        yield from self._blocks(body)
        for number, note in enumerate(self._noted, 1):  # grows while notes are read, should one have notes itself
            yield f"<p>[{number}] {' '.join(map(self._words, note.iter('p')))}</p>"

    def _blocks(self, parent: Any) -> Iterator[str]:
        for one in parent:
            if one.tag == "p":
                yield self._paragraph(one)
            elif one.tag == "tbl":
                above: dict[int, str] = {}
                rows = (self._row(row, above) for row in one.iter("tr") if _owner(row, "tbl") is one)
                yield f"<table>{''.join(rows)}</table>"
            elif one.tag not in ("del", "moveFrom", "sectPr"):  # content controls, insertions
                yield from self._blocks(one)

    def _row(self, row: Any, above: dict[int, str]) -> str:
        """A row of a table; ``above`` are the cells that go on in it, by column."""
        cells, column = [], 0
        for cell in (one for one in row.iter("tc") if _owner(one, "tr") is row):
            merged, span = child_at(cell, "tcPr", "vMerge"), value_at(cell, "tcPr", "gridSpan") or "1"
            goes_on = merged is not None and attribute(merged, "val") != "restart"
            above[column] = above.get(column, "") if goes_on else "".join(self._blocks(cell))
            cells.append(f'<td colspan="{escape(span)}">{above[column]}</td>')
            column += int(span) if span.isdecimal() else 1
        return f"<tr>{''.join(cells)}</tr>"

    def _paragraph(self, paragraph: Any) -> str:
        words = self._words(paragraph)
        boxes = [box for box in paragraph.iter("txbxContent") if _owner(box, "Fallback") is None]
        inside = "".join(part for box in boxes for part in self._blocks(box))
        if not words.strip():
            return inside
        properties = child_at(paragraph, "pPr")
        level = self._heading(properties)
        if level:
            return f"<h{level}>{words}</h{level}>{inside}"
        listed = next((one for one in self._with_styles(properties, "numPr") if one is not None), None)
        if listed is not None and value_at(listed, "numId") not in ("", "0"):
            return self._item(value_at(listed, "numId"), value_at(listed, "ilvl"), words) + inside
        return f"<p>{words}</p>{inside}"

    def _with_styles(self, properties: Any, *path: str) -> Iterator[Any]:
        """What a paragraph and the styles that it is based on have at a path of their properties."""
        yield child_at(properties, *path)
        style = self._styles.get(value_at(properties, "pStyle"))
        for _ in range(20):
            if style is None:
                return
            yield child_at(style, "pPr", *path)
            style = self._styles.get(value_at(style, "basedOn"))

    def _heading(self, properties: Any) -> int:
        """The level of a heading, 0 for other paragraphs."""
        style = value_at(properties, "pStyle")
        name = value_at(self._styles.get(style), "name").lower() or style.lower()
        if name == "title":
            return 1
        outline = next((one for one in self._with_styles(properties, "outlineLvl") if one is not None), None)
        if outline is not None:
            level = attribute(outline, "val")
            return min(int(level) + 1, 6) if level in set("012345678") else 0  # 9 is body text
        named = re.fullmatch(r"heading ?([1-9])", name)
        return min(int(named[1]), 6) if named else 0

    def _item(self, number: str, depth: str, words: str) -> str:
        """A list item, with its number where the list has numbers."""
        level = min(int(depth), 8) if depth.isdecimal() else 0
        kind = self._lists.get(number)
        levels = () if kind is None else kind.iter("lvl")
        here = next((one for one in levels if attribute(one, "ilvl") == str(level)), None)
        counts = self._counts.setdefault(number, [0] * 9)
        counts[level] += 1
        counts[level + 1 :] = [0] * (8 - level)
        if value_at(here, "numFmt") in ("bullet", "none", ""):
            return f"{'<ul>' * (level + 1)}<li>{words}</li>{'</ul>' * (level + 1)}"
        start = value_at(here, "start")
        at = counts[level] + (int(start) - 1 if start.isdecimal() else 0)
        return f'{"<ol>" * (level + 1)}<li value="{at}">{words}</li>{"</ol>" * (level + 1)}'

    def _words(self, parent: Any) -> str:
        """The runs of a paragraph as HTML, without text boxes, deletions and hidden text."""
        parts = []
        for one in parent:
            if one.tag == "r" and not _is_on(one, "rPr", "vanish"):
                raised = {"superscript": "sup", "subscript": "sub"}.get(value_at(one, "rPr", "vertAlign"))
                inside = "".join(map(self._piece, one))
                parts.append(f"<{raised}>{inside}</{raised}>" if raised else inside)
            elif one.tag == "hyperlink":
                target = self._targets.get(attribute(one, "id"), "")
                parts.append(f'<a href="{escape(target)}">{self._words(one)}</a>')
            elif one.tag == "t":  # of a formula
                parts.append(escape(one.text or ""))
            elif one.tag not in ("r", "pPr", "rPr", "del", "moveFrom"):
                parts.append(self._words(one))
        return "".join(parts)

    def _piece(self, one: Any) -> str:
        if one.tag == "t":
            return escape(one.text or "")
        if one.tag in ("footnoteReference", "endnoteReference"):
            note = self._notes.get((one.tag.removesuffix("Reference"), attribute(one, "id")))
            if note is None:
                return ""
            self._noted.append(note)
            return f" [{len(self._noted)}]"
        return {"tab": " ", "br": "<br>", "cr": "<br>", "noBreakHyphen": "-"}.get(one.tag, "")


def _owner(element: Any, name: str) -> Any:
    """The nearest element of this name above another; None without one."""
    return next(element.iterancestors(name), None)


# Slides --------------------------------------------------------------------------------------------------------------


def _pptx(archive: Archive) -> Parts:
    main = archive.main()
    slides = archive.targets(main)
    for number, one in enumerate(archive.xml(main).iter("sldId"), 1):
        part = slides.get(attribute(one, "id"), "")
        targets = archive.targets(part)
        parts = [_shapes(archive.xml(part), targets)]
        for name in targets.values():
            if name.startswith("ppt/diagrams/data"):
                parts += [_bullet(p, {}, False) for p in archive.xml(name).iter("p")]
            elif name.startswith("ppt/notesSlides/"):
                notes = [shape for shape in archive.xml(name).iter("sp") if _place(shape) == "body"]
                parts += [_bullet(p, {}, False) for shape in notes for p in shape.iter("p")]
        yield number, "text/html", "".join(parts)


def _place(shape: Any) -> str:
    """What a shape is on its slide: "title", "body", "dt" (date), ...; "" for a text box."""
    found = next(shape.iter("ph"), None)
    return "" if found is None else attribute(found, "type") or "body"


def _shapes(slide: Any, targets: dict[str, str]) -> str:
    parts = []
    for shape in slide.iter("sp", "tbl"):
        place = _place(shape)
        if shape.tag == "tbl":
            rows = ("".join(_slide_cell(cell, targets) for cell in row.iter("tc")) for row in shape.iter("tr"))
            parts.append(f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>")
        elif place in ("title", "ctrTitle"):
            parts.insert(0, f"<h2>{' '.join(_runs(p, targets) for p in shape.iter('p'))}</h2>")
        elif place not in ("dt", "ftr", "sldNum"):
            parts += [_bullet(p, targets, place == "body") for p in shape.iter("p")]
    return "".join(parts)


def _slide_cell(cell: Any, targets: dict[str, str]) -> str:
    if "1" in (attribute(cell, "hMerge"), attribute(cell, "vMerge")):
        return ""
    spans = " ".join(f'{html}="{escape(attribute(cell, xml) or "1")}"' for html, xml in _SPANS)
    return f"<td {spans}>{'<br>'.join(_runs(p, targets) for p in cell.iter('p'))}</td>"


_SPANS = (("colspan", "gridSpan"), ("rowspan", "rowSpan"))


def _bullet(paragraph: Any, targets: dict[str, str], listed: bool) -> str:
    words = _runs(paragraph, targets)
    if not words.strip():
        return ""
    properties = child_at(paragraph, "pPr")
    own = None if properties is None else next(properties.iter("buChar", "buAutoNum", "buNone"), None)
    if own.tag == "buNone" if own is not None else not listed:
        return f"<p>{words}</p>"
    level = attribute(properties, "lvl") if properties is not None else ""
    depth = min(int(level), 8) + 1 if level.isdecimal() else 1
    return f"{'<ul>' * depth}<li>{words}</li>{'</ul>' * depth}"


def _runs(paragraph: Any, targets: dict[str, str]) -> str:
    parts = []
    for one in paragraph:
        if one.tag == "br":
            parts.append("<br>")
        words = escape("".join(t.text or "" for t in one.iter("t")))
        if one.tag == "fld" and attribute(one, "type") == "slidenum":
            continue
        link = child_at(one, "rPr", "hlinkClick")
        target = "" if link is None else targets.get(attribute(link, "id"), "")
        parts.append(f'<a href="{escape(target)}">{words}</a>' if target.startswith("http") else words)
    return "".join(parts)


# OpenDocument --------------------------------------------------------------------------------------------------------


def _odf(archive: Archive) -> Parts:
    if any(True for _ in archive.xml("META-INF/manifest.xml").iter("encryption-data")):
        raise UnreadableError("it is locked with a password")
    root = archive.xml("content.xml")
    numbered = {
        attribute(style, "name")
        for part in (root, archive.xml("styles.xml"))
        for style in part.iter("list-style")
        if len(style) and style[0].tag == "list-level-style-number"
    }
    slides = list(root.iter("page"))
    for number, slide in enumerate(slides, 1):
        yield number, "text/html", _open(slide, numbered)
    if not slides:
        yield 0, "text/html", _open(child_at(root, "body"), numbered)


_OPEN_TAGS = {"list-item": "li", "list-header": "li", "table": "table", "table-row": "tr", "p": "p"}
_NOT_READ = {"tracked-changes", "annotation", "covered-table-cell", "forms", "note-citation", "sequence-decls"}


def _open(element: Any, numbered: set[str], style: str = "") -> str:
    """An element of an OpenDocument text as HTML; ``style`` is that of the list it is in."""
    if element is None or element.tag in _NOT_READ or not isinstance(element.tag, str):
        return ""
    tag = element.tag
    if tag == "list":
        style = attribute(element, "style-name") or style
    inside = escape(element.text or "")
    inside += "".join(_open(one, numbered, style) + escape(one.tail or "") for one in element)
    if tag == "h":
        depth = attribute(element, "outline-level")
        level = min(max(int(depth[:2]), 1), 6) if depth.isdecimal() else 1
        return f"<h{level}>{inside}</h{level}>"
    if tag == "list":
        return f"<ol>{inside}</ol>" if style in numbered else f"<ul>{inside}</ul>"
    if tag == "table-cell":
        names = (("colspan", "number-columns-spanned"), ("rowspan", "number-rows-spanned"))
        spans = " ".join(f'{html}="{escape(attribute(element, xml) or "1")}"' for html, xml in names)
        return f"<td {spans}>{inside}</td>"
    if tag == "a":
        return f'<a href="{escape(attribute(element, "href"))}">{inside}</a>'
    if tag == "note":
        return f" ({inside.removeprefix('<p>').removesuffix('</p>')})"
    if tag == "frame" and attribute(element, "class") == "title":
        return f"<h2>{''.join(t for t in element.itertext())}</h2>"
    if tag in ("tab", "s", "line-break"):
        return "<br>" if tag == "line-break" else " "
    name = _OPEN_TAGS.get(tag)
    return f"<{name}>{inside}</{name}>" if name else inside


# EPUB ----------------------------------------------------------------------------------------------------------------


def _epub(archive: Archive) -> Parts:
    package = archive.package()
    folder = posixpath.dirname(package)
    root = archive.xml(package)
    files = {attribute(one, "id"): one for one in root.iter("item")}
    names = []
    for one in root.iter("itemref"):
        item = files.get(attribute(one, "idref"))
        if item is not None and "nav" not in attribute(item, "properties").split():
            names.append(posixpath.normpath(posixpath.join(folder, unquote(attribute(item, "href")))))
    locked = {unquote(attribute(one, "URI")) for one in archive.xml("META-INF/encryption.xml").iter("CipherReference")}
    if locked & set(names):
        raise UnreadableError("its text is encrypted (DRM)")
    for number, name in enumerate(names, 1):
        yield number, "application/xhtml+xml", archive.read(name)
