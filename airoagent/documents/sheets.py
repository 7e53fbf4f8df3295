"""The sheets of a spreadsheet as tables: a heading with the sheet's name, and a line for each row, cells between bars.

Dates, shares and amounts of money are written as the sheet shows them, dates in ISO's order; other numbers with all
their figures. A cell that reaches over several rows is repeated in each, as in tables of web pages. Sheets, rows and
columns that the author hid are left out. A sheet is read row by row, so its size on the disk sets no limit.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from airoagent.documents.archive import Archive, Blocks, Parts, UnreadableError, attribute, child_at

_CHARACTERS: Final = 4_000_000
_ROWS: Final = 1_000_000
_COLUMNS: Final = 1_000
_LONGEST_REPEATED: Final = 200  # characters of a cell that is repeated in the rows below
_MOST_REPEATED: Final = 1_000  # rows that are all the same
_TOGETHER: Final = 5_000  # rows of a table: what was read is kept should the rest take too long


Row = dict[int, str]
"""The texts of a row by the numbers of their columns."""


class _Tables:
    """The tables of a workbook as blocks; empty rows part them. UnreadableError at the limits."""

    def __init__(self) -> None:
        self._rows = self._size = 0

    def blocks(self, name: str, rows: Iterator[Row]) -> Iterator[Blocks]:
        """The blocks of a sheet, none for an empty one: the heading comes with the first table."""
        table: list[Row] = []
        again = 0  # how many of the rows are there a second time
        head: Blocks = [("heading", name, 2)] if name else []
        for row in rows:
            self._rows += 1
            if row:  # a line of the table: its cells and the bars between them
                self._size += sum(map(len, row.values())) + 3 * (max(row) - min(row)) + 1
            full = self._size > _CHARACTERS or self._rows > _ROWS
            if row:
                table.append(row)
            if len(table) > again and (full or not row or len(table) > _TOGETHER):
                yield [*head, ("row", _lines(table), 0)]
                head, again = [], 1
                table = table[:1]  # the rest of a long table has its first row again
            if not row:
                table, again = [], 0
            if full:
                raise UnreadableError("it is too long")
        if len(table) > again:
            yield [*head, ("row", _lines(table), 0)]


def _lines(table: list[Row]) -> str:
    first = min(map(min, table))
    return "\n".join(" | ".join(row.get(column, "") for column in range(first, max(row) + 1)) for row in table)


Elements = Iterator[tuple[bool, str, Any]]


def _elements(data: bytes, *names: str, starts: bool = False) -> Elements:
    """The end (and the start) of each element of these names: whether it is the end, its bare name, and the element.

    It is emptied once it has been looked at, so that a long sheet takes no memory.
    """
    from lxml import etree

    if not data.strip():
        return
    tags = [f"{{*}}{name}" for name in names]
    events = ("start", "end") if starts else ("end",)
    options = {"resolve_entities": False, "no_network": True, "recover": True}
    found = etree.iterparse(io.BytesIO(data), events=events, tag=tags, **options)
    for event, element in found:
        yield event == "end", _bare(element), element
        if event == "end":
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    if any(one.type_name == "ERR_NO_MEMORY" for one in found.error_log):  # libxml2 stops without an exception
        raise MemoryError


def _bare(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _number(element: Any, name: str, default: int = 1) -> int:
    """An attribute that counts from 1; numbers beyond any sheet are cut to seven figures."""
    text = attribute(element, name)
    return max(1, int(text[:7])) if text.isdecimal() else default


def _date(text: str) -> str:
    """A date of ISO 8601, with its time unless that is midnight."""
    return text.removesuffix("T00:00:00").replace("T", " ")


# Excel ---------------------------------------------------------------------------------------------------------------

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_CONTROL: Final = re.compile(r"_x00[01][0-9A-Fa-f]_")
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell [^>]*ref="([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})"')
_BUILT_IN: Final = {
    **dict.fromkeys((9, 10), "0%"),
    **dict.fromkeys((*range(14, 18), *range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd"),
    **dict.fromkeys((*range(18, 22), 32, 33, 34, 35, 45, 47), "h:mm"),
    22: "yyyy-mm-dd h:mm",
    46: "[h]:mm",
}
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|[_*].|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_MONEY: Final = re.compile(r"\[\$([^\]\-]+)|([$€£¥₹])")


def read_xlsx(archive: Archive) -> Parts:
    """The tables of an Excel workbook; the number is that of the sheet."""
    main = archive.main()
    workbook, parts = archive.xml(main), archive.targets(main)
    old_mac = any(attribute(one, "date1904") in ("1", "true") for one in workbook.iter("workbookPr"))
    shared, styles = (
        next((name for name in parts.values() if name.lower().endswith(end)), "")
        for end in ("sharedstrings.xml", "styles.xml")
    )
    texts = [_rich_text(one) for _, _, one in _elements(archive.read(shared, part=True), "si")]
    cells, tables = _Cells(texts, _formats(archive.xml(styles)), old_mac), _Tables()
    for number, sheet in enumerate(workbook.iter("sheet"), 1):
        part = parts.get(attribute(sheet, "id"), "")
        if attribute(sheet, "state") in ("hidden", "veryHidden") or "/worksheets/" not in f"/{part}":
            continue
        for blocks in tables.blocks(attribute(sheet, "name"), _xlsx_rows(archive.read(part, part=True), cells)):
            yield number, "", blocks


def _formats(styles: Any) -> list[str]:
    """The number format of each style of cells."""
    own = {attribute(one, "numFmtId"): attribute(one, "formatCode") for one in styles.iter("numFmt")}
    kinds = child_at(styles, "cellXfs")
    ids = [attribute(one, "numFmtId") for one in kinds] if kinds is not None else []
    return [own.get(id) or _BUILT_IN.get(int(id) if id.isdecimal() else 0, "") for id in ids]


def _xlsx_rows(data: bytes, cells: _Cells) -> Iterator[Row]:
    reaching = {(column, int(first)): int(last) for column, first, last in _MERGED.findall(data) if last != first}
    below: dict[int, tuple[int, str]] = {}  # by column: up to which row a cell reaches, and its text
    hidden: set[int] = set()
    last = 0
    for _, tag, row in _elements(data, "row", "col"):
        if tag == "col":
            if row.get("hidden") in ("1", "true"):
                hidden.update(range(_number(row, "min") - 1, min(_number(row, "max"), _COLUMNS)))
            continue
        number = _number(row, "r", last + 1)
        if number > last + 1:
            yield {}  # rows without anything are not in the file
        last = number
        found = {column: text for column, (end, text) in below.items() if end >= number}
        column = -1
        for cell in row.iterchildren("{*}c"):
            place = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(place[1]) if place else column + 1
            if text := cells.text(cell):
                found[column] = text
                end = reaching.get((place[1].encode(), number)) if place else None
                if end and len(text) <= _LONGEST_REPEATED:
                    below[column] = end, text
        if row.get("hidden") not in ("1", "true"):
            yield {column: text for column, text in found.items() if column not in hidden and column < _COLUMNS}


def _rich_text(element: Any) -> str:
    """The text of a string without the signs that say how to read it; ``_x000D_`` stands for a control character."""
    parts = (one.text or "" for one in element.iter("{*}t") if _bare(one.getparent()) != "rPh")
    return " ".join(_CONTROL.sub(" ", "".join(parts)).split())


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _item(items: list[str], number: str) -> str:
    """The item of this number, counted from 0; "" where there is none."""
    return items[int(number)] if number.isdecimal() and len(number) < 10 and int(number) < len(items) else ""


class _Cells:
    """What the cells of a workbook show."""

    def __init__(self, texts: list[str], formats: list[str], old_mac: bool) -> None:
        self._texts, self._formats = texts, formats
        self._epoch = datetime(1904, 1, 1) if old_mac else datetime(1899, 12, 30)

    def text(self, cell: Any) -> str:
        kind, style = cell.get("t"), cell.get("s", "")
        if kind == "inlineStr":
            return _rich_text(cell)
        written = next(((one.text or "").strip() for one in cell.iterchildren("{*}v")), "")
        if kind == "s":
            return _item(self._texts, written)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(written, written)
        if kind == "d":
            return _date(written)
        if kind in ("str", "e") or not written:
            return " ".join(_CONTROL.sub(" ", written).split())
        form = _item(self._formats, style)
        try:
            return self._shown(written, float(written), form)
        except (ValueError, OverflowError):
            return written

    def _shown(self, written: str, number: float, form: str) -> str:
        """A number in its format: dates, times, shares and amounts of money; others with all their figures."""
        first = form.split(";")[0]
        signs = _LITERAL.sub("", first).lower()
        if re.search(r"[dyhs]|mmm", signs):
            return self._moment(number, signs)
        if "%" in signs:
            return f"{number * 100:.12g}%"
        text = written if written.isdecimal() else f"{number:.15g}"
        money = _MONEY.search(first)
        if money is None:
            return text
        sign = (money[1] or money[2]).strip()
        apart = " " if sign.isalpha() else ""
        return f"{text} {sign}" if first.find("0") < money.start() else f"{sign}{apart}{text}"

    def _moment(self, number: float, signs: str) -> str:
        if "[" in signs:  # a length of time: [h]:mm
            minutes, seconds = divmod(round(timedelta(days=abs(number)).total_seconds()), 60)
            shown = f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if "s" in signs else "")
            return f"-{shown}" if number < 0 else shown
        early = self._epoch.year == 1899 and number < 60  # Excel counts 29 February 1900, which there was not
        moment = self._epoch + timedelta(days=number + early)
        moment = (moment + timedelta(milliseconds=500)).replace(microsecond=0)
        time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
        day = re.search(r"[dy]|mmm", signs)
        return " ".join([*([moment.strftime("%Y-%m-%d")] if day else []), *([time] if "h" in signs or not day else [])])


# OpenDocument --------------------------------------------------------------------------------------------------------


def read_ods(archive: Archive) -> Parts:
    """The tables of an OpenDocument spreadsheet; the number is that of the sheet."""
    if any(True for _ in archive.xml("META-INF/manifest.xml").iter("encryption-data")):
        raise UnreadableError("it is locked with a password")
    found = _elements(
        archive.read("content.xml", part=True), "style", "table", "table-column", "table-row", starts=True
    )
    hidden: set[str] = set()
    tables, number = _Tables(), 0
    for ended, tag, element in found:
        if tag == "style" and any(attribute(one, "display") == "false" for one in element.iter("{*}table-properties")):
            hidden.add(attribute(element, "name"))
        elif tag == "table" and not ended:
            number += 1
            name, shown = attribute(element, "name"), attribute(element, "style-name") not in hidden
            rows = _ods_rows(found)
            if shown:
                for blocks in tables.blocks(name, rows):
                    yield number, "", blocks
            else:
                for _ in rows:  # a hidden sheet takes nothing of the limits
                    pass


def _ods_rows(found: Elements) -> Iterator[Row]:
    """The rows up to the end of a sheet."""
    below: dict[int, tuple[int, str]] = {}  # by column: up to which row a cell reaches, and its text
    hidden: set[int] = set()
    columns = number = depth = 0
    for ended, tag, element in found:
        if tag == "table":
            depth += -1 if ended else 1
            if depth < 0:
                return
        if not ended or depth:
            continue
        if tag == "table-column":
            times = _number(element, "number-columns-repeated")
            hidden.update(range(columns, min(columns + times, _COLUMNS)) if _is_unseen(element) else ())
            columns += times
        elif tag == "table-row":
            times = _number(element, "number-rows-repeated")
            row = _ods_row(element, below, number)
            number += times
            for _ in range(0 if _is_unseen(element) else min(times, _MOST_REPEATED) if row else 1):
                yield {column: text for column, text in row.items() if column not in hidden}


def _is_unseen(element: Any) -> bool:
    return attribute(element, "visibility") in ("collapse", "filter")


def _ods_row(element: Any, below: dict[int, tuple[int, str]], number: int) -> Row:
    row = {column: text for column, (end, text) in below.items() if end >= number}
    column = 0
    for cell in element.iterchildren("{*}table-cell", "{*}covered-table-cell"):
        times = _number(cell, "number-columns-repeated")
        text = _ods_text(cell) if _bare(cell) == "table-cell" else ""
        if text:
            row.update(dict.fromkeys(range(column, min(column + times, _COLUMNS)), text))
            if len(text) <= _LONGEST_REPEATED:
                below[column] = number + _number(cell, "number-rows-spanned") - 1, text
        column += times
    return row


def _ods_text(cell: Any) -> str:
    kind, value = attribute(cell, "value-type"), attribute(cell, "value")
    if kind == "date" and (date := attribute(cell, "date-value")):
        return _date(date)
    try:
        return f"{float(value if kind == 'float' else ''):.15g}"
    except ValueError:
        return " ".join(_paragraphs(cell).split())


def _paragraphs(element: Any) -> str:
    """The text of a cell, its paragraphs and tabs apart; notes and readings (phonetic signs) are left out."""
    name = _bare(element)
    if name in ("annotation", "ruby-text") or not isinstance(element.tag, str):
        return ""
    inside = (element.text or "") + "".join(_paragraphs(one) + (one.tail or "") for one in element)
    return f" {inside}" if name in ("p", "s", "tab", "line-break") else inside
