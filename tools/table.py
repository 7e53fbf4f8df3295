"""Table[FILE: what]: asks a table for a value, a sum, a count or rows. Rows are read as records, and added up exactly.

    Table[prices.csv: max price where year > 2000]
    Table[crew.xlsx: count where port = Oslo and role contains cook]
    Table[:evidence0:: average fare by line]
    Table[prices.csv: name, price where price between 10 and 20]

The table is one of the user's documents (CSV, TSV, a spreadsheet, Markdown, HTML) by its name, or stands in what an
earlier step found. max, min, sum, average, count and list are known; without one of them the columns are listed.
"""

from __future__ import annotations

import asyncio
import csv
import operator
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from urllib.parse import quote

from airoagent import Evidence, FetchError, Source, ToolContext, ToolError, ToolOutput, tool

_MOST_READ = 8 * 1024 * 1024  # bytes of a document of text: the rest is not read
_MOST_SHOWN = 50  # rows of an answer
_OPERATIONS = {
    **dict.fromkeys(("max", "maximum", "highest", "largest", "most"), "max"),
    **dict.fromkeys(("min", "minimum", "lowest", "smallest", "least"), "min"),
    **dict.fromkeys(("sum", "total", "add"), "sum"),
    **dict.fromkeys(("average", "avg", "mean"), "average"),
    **dict.fromkeys(("count", "number", "how many"), "count"),
    **dict.fromkeys(("list", "show", "filter", "select", "find", "get"), "list"),
}
_START = re.compile(
    rf"\s*(?:(?:what|which|give|is|are|has|the|'s)\s+)*(?P<op>{'|'.join(_OPERATIONS)})\b\s*(?:(?:of|the|rows?|all)\b\s*)*",
    re.IGNORECASE,
)
_PART = re.compile(r"\s+(where|with|for|by|per|and)\s+", re.IGNORECASE)
_SIGNS = r"<=|>=|!=|<>|==|=|<|>|≤|≥|≠|is not|is|contains|starts with|ends with|between"
_CONDITION = re.compile(
    rf"\s*(?P<column>.+?)\s*(?P<sign>(?<!\w)(?:{_SIGNS})(?!\w)|[<>=!]=?)\s*(?P<value>.+)", re.IGNORECASE
)
_OR = re.compile(rf"\sor\s.*(?:\s(?:{_SIGNS})\s|[<>=])", re.IGNORECASE)
_FIGURE = re.compile(r"[-+−]?\d[\d.,'\u00a0\u202f ]*(?:[eE][-+]?\d{1,2}(?!\d))?")
_LONGEST_CELL = 60  # characters of one with a number
_DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?(?:[T ].*)?")
_TIME = re.compile(r"[012]?\d:\d{2}(?::\d{2})?")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
# Figures whose comma, or point, can only be the one of decimals.
_COMMAS, _POINTS = (
    re.compile(rf"\d[{other}]\d{{3}}[{own}]\d|(?<![\d.,])\d+[{own}](?:\d{{1,2}}|\d{{4,}})(?![\d.,])")
    for own, other in (",.", ".,")
)
_RULE = re.compile(r"[|:\- +=]+")
_DESCRIPTION = (
    "Reads a table (CSV, spreadsheet, Markdown) as records. The input is the file's name, a colon and what is wanted: "
    "max, min, sum, average or count of a column, or the columns to list; rows are chosen with where, e.g. "
    "prices.csv: max price where year > 2000. Groups are made with by, e.g. sales.csv: sum amount by city."
)


class _Table(NamedTuple):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: int = 0  # rows whose last cells have no column


class _Condition(NamedTuple):
    column: str
    sign: str
    value: str


@tool("Table", description=_DESCRIPTION, private=True, timeout=60)
async def table(query: str, context: ToolContext) -> ToolOutput:
    """The value, with the rows that have it; or the rows themselves. ToolError says what is not a column or a table."""
    nothing = context.nothing_found()
    if nothing is not None:
        return nothing
    text, source, wanted = await _open(query, context)
    answer, note, answered = await asyncio.to_thread(_asked, text, wanted)
    return ToolOutput(answer, (source,) if source else (), note, answered=answered)


def _asked(text: str, wanted: str) -> tuple[str, str, bool]:
    """The answer, a note to it, and whether it says something."""
    tables = list(_tables(text))
    if not tables:
        raise ToolError("there is no table in it", "name a file with a table, e.g. Table[prices.csv: max price]")
    operation, columns, conditions, group = _parsed(wanted, {name for one in tables for name in one.columns})
    named = [*columns, *(one.column for one in conditions), *([group] if group else [])]
    fitting = [one for one in tables if all(_column(one, name) is not None for name in named)]
    if not fitting:
        missing = next(name for name in named if _column(tables[0], name) is None)
        raise ToolError(
            f"the table has no column {missing[:60]!r}", f"its columns are: {', '.join(tables[0].columns)[:300]}"
        )
    chosen = max(fitting, key=lambda one: len(one.rows))
    tests = [_test(chosen, one) for one in conditions]
    rows = [row for row in chosen.rows if all(holds(row) for holds in tests)]
    answer, note = _answer(chosen, rows, operation, columns, group)
    wide = f"{chosen.wide} rows have more cells than there are columns" if chosen.wide else ""
    others = f"{len(fitting)} tables have these columns: the longest was read" if len(fitting) > 1 else ""
    return answer, "; ".join(filter(None, (note, wide, others))), bool(rows) or operation == "count"


# The table ---------------------------------------------------------------------------------------------------------


async def _open(query: str, context: ToolContext) -> tuple[str, Source | None, str]:
    """The text that holds the table, where it is from, and what is wanted of it."""
    parts = context.parts or (query,)
    first = parts[0] if isinstance(parts[0], Evidence) else None
    literal = "".join(part.text.strip() if isinstance(part, Evidence) else part for part in parts[first is not None :])
    if first is not None:
        source = first.sources[0] if len(first.sources) == 1 else None
        return first.text, source, literal.lstrip(" :,;")
    scheme = "docs://" if literal.startswith("docs://") else ""
    name, _, wanted = literal.removeprefix(scheme).partition(":")
    name = scheme + name
    if not name.strip():
        raise ToolError("the input names no table", "write FILE: max COLUMN")
    async for address in _addresses(name.strip().strip("\"'"), context):
        try:
            response = await context.fetch.fetch(address)
            if response.truncated or len(response.body) >= _MOST_READ:
                raise ToolError(f"{name.strip()[:80]} is too large to be read whole", "split the file")
            page = await context.fetch.read(response)
        except FetchError:
            continue
        return page.text, Source(page.url, page.title or name.strip()), wanted
    raise ToolError(f"there is no document called {name.strip()[:80]!r}", "DocumentSearch finds names of documents")


async def _addresses(name: str, context: ToolContext) -> AsyncIterator[str]:
    """Addresses that a document of this name may have; a search, which may have to read them all, comes last."""
    documents = context.documents
    if documents is None:
        raise ToolError("there are no documents with tables", "name a file or a folder with --docs")
    if name.startswith("docs://"):
        yield name
        return
    for folder in documents.addresses:
        yield f"{folder}{quote(name)}"
        if folder.rstrip("/").endswith(f"/{quote(name)}"):
            yield folder.rstrip("/")
    own = quote(name.rpartition("/")[2]).lower()
    ends = (own, f"{own}.csv", f"{own}.tsv", f"{own}.xlsx", f"{own}.md")
    for result in await asyncio.to_thread(documents.search, re.sub(r"[\W_]+", " ", name), 20):
        if result.url.partition("#")[0].rpartition("/")[2].lower() in ends:
            yield result.url


def _tables(text: str) -> Iterator[_Table]:
    """The tables in a text, one in a paragraph at most: lines with bars, tabs, semicolons or commas."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        lines = paragraph.splitlines()
        for at, line in enumerate(lines[:-1]):
            if line.rstrip().endswith(":") or _RULE.fullmatch(line):  # what leads to a table
                continue
            sign = next((one for one in "|\t;," if one in line and (one == "|" or one in lines[at + 1])), "")
            if sign:
                with suppress(csv.Error):  # a cell of more than 128 kB
                    yield _made(_rows(lines[at:], sign))
                break


def _rows(lines: list[str], sign: str) -> list[list[str]]:
    if sign != "|":
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=sign, skipinitialspace=True)]
    edge = 1 if lines[0].lstrip().startswith("|") else 0  # else a bar in front follows an empty cell
    split = [re.split(r"(?<!\\)\|", line.strip())[edge:] for line in lines if not _RULE.fullmatch(line)]
    return [[cell.strip(" *`").replace("\\|", "|") for cell in row] for row in split]


def _made(rows: list[list[str]]) -> _Table:
    head = rows[0] if rows[0][-1] else rows[0][:-1]  # after the bar at the end of a line there is nothing
    columns = tuple(name or f"column {at}" for at, name in enumerate(head, 1))
    width = len(columns)
    wide = sum(any(row[width:]) for row in rows)
    return _Table(columns, tuple(tuple((row + [""] * width)[:width]) for row in rows[1:]), wide)


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _column(table: _Table, name: str) -> int | None:
    """The column of a name, in any spelling: whole, or the one that begins with it (`price` for `price (EUR)`)."""
    bare = _bare(name)
    names = [_bare(column) for column in table.columns]
    for fitting in (
        [at for at, own in enumerate(names) if own == bare],
        [at for at, own in enumerate(names) if own in (f"{bare}s", bare.removesuffix("s"))],
        [at for at, own in enumerate(names) if own.startswith(bare)],
    ):
        if bare and len(fitting) == 1:
            return fitting[0]
    return None


# What is wanted ----------------------------------------------------------------------------------------------------


def _parsed(wanted: str, known: Iterable[str]) -> tuple[str, list[str], list[_Condition], str]:
    """The operation, its columns, the conditions and the column of the groups.

    What stands in quotes, and a known column whose name has a word such as ``per`` in it, stays whole.
    """
    names = sorted((re.escape(name) for name in known if _PART.search(name)), key=len, reverse=True)
    whole = re.compile("|".join(['"[^"]*"', *(rf"(?<!\w){name}(?!\w)" for name in names)]), re.IGNORECASE)
    kept = whole.findall(wanted := re.sub("[\ue000\ue001]", "", wanted))
    numbers = iter(range(len(kept)))
    wanted = whole.sub(lambda _: f"\ue000{next(numbers)}\ue001", wanted)

    def bare(text: str) -> str:
        return re.sub("\ue000(\\d+)\ue001", lambda found: kept[int(found[1])], text).strip(" \"'`")

    start = _START.match(wanted)
    operation = _OPERATIONS[start["op"].lower()] if start else "list"
    rest = wanted[start.end() if start else 0 :].strip().rstrip(".?")
    pieces = _PART.split(f" {re.sub(r'(?:^| )where$', '', rest, flags=re.IGNORECASE)}")
    columns = [name for one in re.split(r",|\band\b", pieces[0]) if (name := bare(one.strip("* ")))]
    conditions: list[_Condition] = []
    group, before = "", ""
    for word, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        word, piece = word.lower(), piece.strip()
        if word in ("by", "per"):
            group = bare(piece)
        elif word == "and" and before == "between":
            conditions[-1] = conditions[-1]._replace(value=f"{conditions[-1].value} and {piece}")
        elif word == "and" and not conditions and not before:
            columns.append(bare(piece))
        elif found := _CONDITION.fullmatch(piece):
            if _OR.search(found["value"]):
                raise ToolError("conditions cannot be joined with or", "ask for each alone")
            sign = {"==": "=", "is": "=", "<>": "!=", "≠": "!=", "is not": "!=", "≤": "<=", "≥": ">="}
            own = " ".join(found["sign"].lower().split())
            value = "" if own.startswith("is") and found["value"].lower() == "empty" else bare(found["value"])
            conditions.append(_Condition(bare(found["column"]), sign.get(own, own), value))
        else:
            raise ToolError(
                f"{bare(piece)[:80]!r} is not a condition",
                "write COLUMN = VALUE, with = != < > <= >= contains; put a value with 'and' in it in double quotes",
            )
        before = conditions[-1].sign if conditions else word
        before = before if word != "and" or before != "between" else ""
    return operation, columns, conditions, group


def _test(table: _Table, condition: _Condition) -> Callable[[tuple[str, ...]], bool]:
    """Whether a row meets a condition."""
    at = _column(table, condition.column)
    assert at is not None
    sign, value, comma = condition.sign, condition.value, _has_commas(table, at)
    if sign == "between":
        first, _, last = value.partition(" and ")
        above, below = _compared(first, ">=", comma), _compared(last, "<=", comma)
        return lambda row: above(row[at]) and below(row[at])
    words = {"contains": str.__contains__, "starts with": str.startswith, "ends with": str.endswith}
    if sign in words:
        return lambda row: bool(words[sign](row[at].lower(), value.lower()))
    holds = _compared(value, sign, comma)
    return lambda row: holds(row[at])


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _compared(value: str, sign: str, comma: bool) -> Callable[[str], bool]:
    """Compare as numbers, or as dates or times, where both are, else as texts. What has figures and is neither has no
    order: ToolError. A date is compared as far as the other goes: 2024-03-01 is in 2024, and not after it.
    """
    holds, other, unit = _COMPARISONS[sign], _value(value), _unit(value)
    equal, text = sign in ("=", "!="), value.casefold().rstrip(".")
    year = value if re.fullmatch(r"\d{4}", value) else other if isinstance(other, str) else ""

    def test(cell: str) -> bool:
        one = _value(cell, comma)
        if isinstance(one, str) and year:
            return holds(one[: len(year)], year)
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            if not unit or _unit(cell) in ("", unit):
                return holds(one, other)
            if not equal:
                raise ToolError(f"{cell[:20]} has another unit than {value[:20]}", "compare with a value in that unit")
        if equal:
            return holds(cell.casefold().rstrip("."), text)
        if any(map(str.isdigit, cell if other is not None else cell + value)):
            raise ToolError(
                f"only numbers, and dates like 2024-03-01, can be compared, not {cell[:20]} and {value[:20]}",
                "list the rows instead",
            )
        return other is None and bool(cell) and holds(cell.casefold(), text)

    return test


def _has_commas(table: _Table, at: int) -> bool:
    """Whether the numbers of a column have decimal commas, so that a point in them parts thousands."""
    cells = [row[at] for row in table.rows if "," in row[at] or "." in row[at]]
    return any(map(_COMMAS.search, cells)) and not any(map(_POINTS.search, cells))


def _value(cell: str, comma: bool = False) -> Fraction | str | None:
    """A number; a date or a time as a text that sorts; None for anything else."""
    if _DATE.fullmatch(cell):
        return cell.replace("T", " ")
    if _TIME.fullmatch(cell):
        return cell.rjust(8 if cell.count(":") > 1 else 5, "0")
    return _number(cell, comma)


def _number(cell: str, comma: bool = False) -> Fraction | None:
    """The one figure of a cell: `1,240.50`, `€ 1.240,50`, `12 %`, `1.5 million`; None for words, formulas, several."""
    if cell.isascii() and cell.isdigit() and len(cell) <= _LONGEST_CELL:
        return Fraction(int(cell))
    found = _FIGURE.findall(cell) if len(cell) <= _LONGEST_CELL and cell[:1] not in ("=", "(") else []
    words = re.findall(r"[^\W\d_]+", _FIGURE.sub("", cell))
    if len(found) != 1 or len(words) > 2:
        return None
    text = re.sub(r"['\s]", "", found[0]).replace("−", "-").rstrip(".,")
    point_first = text.rfind(",") > text.rfind(".") >= 0
    if comma or point_first or re.fullmatch(r"[-+]?\d{1,3}(?:\.\d{3}){2,}", text):
        text = text.replace(".", "")
    elif "." in text or re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+", text):
        text = text.replace(",", "")
    text = text.replace(",", ".")
    if not re.fullmatch(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,2})?", text):
        return None
    return Fraction(Decimal(text)) * next((_SCALES[word] for one in words if (word := one.lower()) in _SCALES), 1)


# The answer --------------------------------------------------------------------------------------------------------


class _NoNumbersError(ToolError):
    """The rows have no numbers in the column."""


def _answer(
    table: _Table, rows: list[tuple[str, ...]], operation: str, columns: list[str], group: str
) -> tuple[str, str]:
    """What is asked for, and a note to it."""
    places = [at for name in columns if (at := _column(table, name)) is not None]
    if operation == "list":
        if group:
            raise ToolError("groups are for max, min, sum, average and count", f"e.g. count by {group[:60]}")
        shown = places or list(range(len(table.columns)))
        lines = [" | ".join(row[at] for at in shown) for row in [table.columns, *rows[:_MOST_SHOWN]]]
        return "\n".join(lines) if rows else "There are no such rows.", _left_out(len(rows))
    if operation != "count" and len(places) != 1:
        raise ToolError(f"{operation} needs one column", f"the columns are: {', '.join(table.columns)[:300]}")

    def found(rows: list[tuple[str, ...]]) -> tuple[str, int]:
        if operation == "count":
            return str(sum(all(row[at].strip() for at in places) for row in rows)), 0
        return _calculated(table, rows, operation, places[0])

    if not group:
        answer, empty = found(rows)
        return answer, f"{empty} of {len(rows)} rows have no number there" if empty else ""
    by = _column(table, group)
    assert by is not None
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row)
    lines, missing = [], 0
    for name, own in list(groups.items())[:_MOST_SHOWN]:
        try:
            answer, empty = found(own)
        except _NoNumbersError:
            answer, empty = "no numbers", 0
        lines.append(f"{name} | {answer.partition(chr(10))[0]}")
        missing += empty
    note = f"{missing} rows more have no number there" if missing else ""
    return "\n".join(lines) or "There are no such rows.", "; ".join(filter(None, (_left_out(len(groups)), note)))


def _calculated(table: _Table, rows: list[tuple[str, ...]], operation: str, at: int) -> tuple[str, int]:
    """The max or min with its rows, the sum or average; and how many rows have no number."""
    comma, column = _has_commas(table, at), table.columns[at]
    values = [(value, row) for row in rows if (value := _value(row[at], comma)) is not None]
    if not values or len({type(value) for value, _ in values}) > 1:
        raise _NoNumbersError(f"the column {column!r} contains no numbers in these rows", "choose another column")
    units = sorted({_unit(row[at]) for value, row in values if value and isinstance(value, Fraction)})
    if len(units) > 1:
        raise ToolError(
            f"the column {column!r} has several units: {', '.join(unit or 'none' for unit in units)[:100]}",
            f"choose the rows of one: where {column} contains {units[-1]}",
        )
    if operation in ("max", "min"):
        best = (max if operation == "max" else min)(value for value, _ in values)
        having = [row for value, row in values if value == best]
        lines = [" | ".join(row) for row in having[:_MOST_SHOWN]]
        return "\n".join([having[0][at], " | ".join(table.columns), *lines]), len(rows) - len(values)
    if isinstance(values[0][0], str):
        raise ToolError(f"the column {column!r} contains dates, not numbers", "ask for max, min, count or list")
    total = sum((value for value, _ in values if isinstance(value, Fraction)), Fraction())
    return _written(total if operation == "sum" else total / len(values)), len(rows) - len(values)


def _unit(cell: str) -> str:
    """What stands at a figure: kg, €, %; "" for a word that is part of the number."""
    found = re.findall(r"[^\W\d_]+|[%€$£¥]", _FIGURE.sub("", _ORDINAL.sub("", cell)))
    return "".join(word for one in found if (word := one.casefold()) not in _SCALES)


def _left_out(count: int) -> str:
    return f"{count - _MOST_SHOWN} of {count} rows were left out" if count > _MOST_SHOWN else ""


def _written(number: Fraction) -> str:
    """A decimal that ends, exactly; else its first figures."""
    if number.denominator == 1:
        return str(number.numerator)
    left = number.denominator
    for factor in (2, 5):
        while left % factor == 0:
            left //= factor
    value = Context(prec=400).divide(Decimal(number.numerator), Decimal(number.denominator))
    places = max(2, 5 - value.adjusted())
    return format(value.normalize(Context(prec=400)) if left == 1 else round(value, places), "f")
