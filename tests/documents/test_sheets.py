"""Spreadsheets among the documents: Excel workbooks and OpenDocument spreadsheets, in archives written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import FetchError
from airoagent.documents.binary_files import read_binary
from airoagent.documents.library import Documents
from airoagent.documents.rendering import Block
from tests.documents.test_office import CORE, ODF, R, packed, relations

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
X = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
FORMATS = (
    "General",
    "yyyy\\-mm\\-dd",
    "d/m/yy h:mm",
    "h:mm:ss",
    "[h]:mm",
    "0.0%",
    '#,##0.00\\ "€"',
    "[$€-407]0.00",
    "0.00",
)
STYLES = (
    "<numFmts>"
    + "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode="{one.replace(chr(34), "&quot;")}"/>' for n, one in enumerate(FORMATS)
    )
    + '<numFmt numFmtId="300" formatCode="[h]:mm:ss"/><numFmt numFmtId="301" formatCode="[$CHF-807]0.00"/>'
    + "</numFmts><cellStyleXfs><xf numFmtId='14'/></cellStyleXfs><cellXfs>"
    + "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(FORMATS)))
    + '<xf numFmtId="14"/><xf numFmtId="9"/><xf numFmtId="300"/><xf numFmtId="301"/></cellXfs>'
)
TEXTS = ("Port", "Fare", "<si><r><t>Å</t></r><r><t>lesund</t></r><rPh><t>read so</t></rPh></si>")


def sheet(rows: str, more: str = "", columns: str = "") -> str:
    return f"<worksheet {X}>{columns}<sheetData>{rows}</sheetData>{more}</worksheet>"


def xlsx(*sheets: str, states: tuple[str, ...] = (), book: str = "") -> bytes:
    listed = "".join(
        f'<sheet name="S{n}" sheetId="{n}" r:id="s{n}" {state and f"state={state!r}"}/>'
        for n, state in enumerate((*states, *[""] * (len(sheets) - len(states))), 1)
    )
    strings = "".join(text if text.startswith("<si>") else f"<si><t>{text}</t></si>" for text in TEXTS)
    return packed(
        {
            "_rels/.rels": relations(r1="xl/workbook.xml"),
            "xl/workbook.xml": f"<workbook {X} {R}>{book}<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                t="sharedStrings.xml",
                y="styles.xml",
                **{f"s{n}": f"worksheets/s{n}.xml" for n in range(1, len(sheets) + 1)},
            ),
            "xl/sharedStrings.xml": f"<sst {X}>{strings}</sst>",
            "xl/styles.xml": f"<styleSheet {X}>{STYLES}</styleSheet>",
            "docProps/core.xml": CORE.format("Fares of 2024"),
            **{f"xl/worksheets/s{n}.xml": text for n, text in enumerate(sheets, 1)},
        }
    )


def ods(tables: str, styles: str = "") -> bytes:
    body = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>{tables}"
    return packed(
        {
            "mimetype": ODS,
            "content.xml": f"<office:document-content {ODF}>{body}</office:spreadsheet></office:body>"
            "</office:document-content>",
        }
    )


def read(body: bytes, kind: str = XLSX) -> list[tuple[int, str, str]]:
    return [(block.page, block.kind, block.text) for block in blocks(body, kind)]


def blocks(body: bytes, kind: str = XLSX) -> tuple[Block, ...]:
    return read_binary(body, kind, "docs://d/fares.xlsx")[1]


def table(body: bytes, kind: str = XLSX) -> str:
    (_, _, text) = read(body, kind)[-1]
    return text


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def number(reference: str, value: object, style: int = 0) -> str:
    return f'<c r="{reference}" s="{style}"><v>{value}</v></c>'


def text(reference: str, value: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'


def test_each_sheet_is_a_heading_with_its_tables() -> None:
    first = row(1, '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>') + row(
        2, '<c t="s"><v>2</v></c><c><v>3</v></c>'
    )
    second = row(3, text("C3", "Notes")) + row(5, text("C5", "a &lt;b&gt;\n c"), '<c r="E5" t="b"><v>1</v></c>')
    body = xlsx(sheet(first), sheet(""), sheet(second))
    assert read(body) == [
        (1, "heading", "S1"),
        (1, "row", "Port | Fare\nÅlesund | 3"),
        (3, "heading", "S3"),
        (3, "row", "Notes"),
        (3, "row", "a <b> c |  | TRUE"),
    ]
    assert read_binary(body, XLSX, "docs://d/f.xlsx")[0] == "Fares of 2024"


@pytest.mark.parametrize(
    ("value", "style", "shown"),
    [
        (45415, 1, "2024-05-03"),
        (45415, 9, "2024-05-03"),
        (45415.385416666664, 2, "2024-05-03 09:15"),
        (0.6041666666666666, 3, "14:30"),
        (1.0868055555555556, 4, "26:05"),
        (1, 1, "1900-01-01"),
        (0.125, 5, "12.5%"),
        (1.1, 10, "110%"),
        (12.5, 6, "12.5 €"),
        (12.5, 7, "€12.5"),
        (0.30000000000000004, 0, "0.3"),
        (3.14159, 8, "3.14159"),
        (10000000000000000, 0, "10000000000000000"),
        ("x", 1, "x"),
        (1e300, 1, "1e+300"),
        (1e300, 0, "1e+300"),
        (1e300, 4, "1e+300"),
        (123456789012345678, 0, "123456789012345678"),
        (-0.51, 4, "-12:14"),
        (0.00052, 11, "0:00:45"),
        (12.5, 12, "CHF 12.5"),
        (2, 99, "2"),
    ],
)
def test_numbers_are_what_their_format_says(value: object, style: int, shown: str) -> None:
    assert table(xlsx(sheet(row(1, number("A1", value, style))))) == shown


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    assert table(xlsx(sheet(row(1, number("A1", 43953, 1))), book='<workbookPr date1904="1"/>')) == "2024-05-03"


def test_merged_cells_are_repeated_downwards_and_empty_to_the_right() -> None:
    rows = (
        row(1, text("A1", "North"), text("B1", "wide"), text("D1", "end"))
        + row(2, text("D2", "x"))
        + row(3, text("A3", "y"))
    )
    merged = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells>'
    assert table(xlsx(sheet(rows, merged))) == "North | wide |  | end\nNorth |  |  | x\ny"


def test_what_the_author_hid_is_left_out() -> None:
    rows = row(1, text("A1", "seen"), text("B1", "unseen")) + '<row r="2" hidden="1"><c r="A2"><v>7</v></c></row>'
    columns = '<cols><col min="2" max="2" hidden="1"/></cols>'
    body = xlsx(sheet(row(1, text("A1", "secret"))), sheet(rows, columns=columns), states=("hidden",))
    assert read(body) == [(2, "heading", "S2"), (2, "row", "seen")]


def cell(shown: str, of: str = "", *, notes: str = "", **attributes: object) -> str:
    """A cell of an OpenDocument sheet: what it shows, the type of its value, and attributes of tables."""
    given = f' office:value-type="{of}"' if of else ""
    given += "".join(
        f' {"office" if "value" in name else "table"}:{name.replace("_", "-")}="{value}"'
        for name, value in attributes.items()
    )
    return f"<table:table-cell{given}>{notes}<text:p>{shown}</text:p></table:table-cell>"


def rows(*cells: str, **attributes: object) -> str:
    given = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-row{given}>{''.join(cells)}</table:table-row>"


def test_an_opendocument_spreadsheet_is_read_alike() -> None:
    note = "<office:annotation><text:p>why</text:p></office:annotation>"
    listed = "".join(
        (
            rows(cell("Port", "string"), cell("Day"), cell("High")),
            rows(
                cell("Oban", number_rows_spanned=2),
                cell("03.05.24", "date", date_value="2024-05-03T00:00:00"),
                cell("3,50", "float", value="3.50"),
            ),
            rows(
                "<table:covered-table-cell/>",
                cell("50 %", "percentage", value="0.5"),
                cell("a</text:p><text:p>b", notes=note),
            ),
            rows('<table:table-cell table:number-columns-repeated="1024"/>', number_rows_repeated=1048000),
            rows(cell("same", number_columns_repeated=2), number_rows_repeated=2),
            rows(cell("unseen"), visibility="collapse"),
        )
    )
    style = '<style:style style:name="off"><style:table-properties table:display="false"/></style:style>'
    hidden = f'<table:table table:name="H" table:style-name="off">{rows(cell("secret"))}</table:table>'
    assert read(ods(f'{hidden}<table:table table:name="Tides">{listed}</table:table>', style), ODS) == [
        (2, "heading", "Tides"),
        (2, "row", "Port | Day | High\nOban | 2024-05-03 | 3.5\nOban | 50 % | a b"),
        (2, "row", "same | same\nsame | same"),
    ]


def ods_table(*lines: str, before: str = "") -> str:
    return table(ods(f'{before}<table:table table:name="T">{"".join(lines)}</table:table>'), ODS)


@pytest.mark.parametrize("second", [{"number_rows_repeated": 2}, {"visibility": "collapse"}])
def test_a_cell_reaches_over_repeated_and_hidden_rows_and_no_further(second: dict[str, object]) -> None:
    covered = "<table:covered-table-cell/>"
    more = rows(covered, cell("3")) if "visibility" in second else ""
    shown = ["N | 1", "N | 3"] if more else ["N | 1", "N | 2", "N | 2"]
    listed = rows(cell("N", number_rows_spanned=3), cell("1")), rows(covered, cell("2"), **second), more
    assert ods_table(*listed, rows(cell(""), cell("4"))).split("\n") == [*shown, " | 4"]


def test_numbers_of_repetitions_have_bounds() -> None:
    high = ods_table(rows(cell("x"), number_rows_repeated=2**31), rows(cell("y"))).split("\n")
    assert high == [*("x" * 1000), "y"]
    wide = rows(cell("x", number_columns_repeated=2**31), cell("too far"))
    assert ods_table(wide, rows(cell("y"))).split("\n") == [" | ".join("x" * 1000), "y"]


def test_the_words_of_a_cell_stay_apart_and_comments_are_no_cells() -> None:
    assert ods_table(rows(cell("a<text:tab/>b<text:line-break/>c"), "<!-- n -->", cell("d<!-- n -->e"))) == "a b c | de"
    shown = table(xlsx(sheet(row(1, "<!-- n -->", text("A1", "a_x000D_\nb"), '<c r="B1"><!-- n --><v>1</v></c>'))))
    assert shown == "a b | 1"


@pytest.mark.parametrize("number", ["99", "-1", "x", "", "9" * 5000])
def test_a_text_that_the_workbook_does_not_have_is_empty(number: str) -> None:
    cells = row(1, f'<c r="A1" t="s"><v>{number}</v></c>', text("B1", "y"))
    assert table(xlsx(sheet(cells))) == "y"


def test_a_hidden_sheet_takes_nothing_of_the_limits() -> None:
    style = '<style:style style:name="off"><style:table-properties table:display="false"/></style:style>'
    long = rows(cell("x" * 5000, number_columns_repeated=1000))
    hidden = f'<table:table table:name="H" table:style-name="off">{long}</table:table>'
    seen = f'<table:table table:name="T">{rows(cell("3 May", "date"))}</table:table>'
    assert read(ods(hidden + seen, style), ODS) == [(2, "heading", "T"), (2, "row", "3 May")]


def test_the_empty_places_of_a_wide_sheet_count_as_characters() -> None:
    shown = blocks(xlsx(sheet("".join(row(n, text(f"A{n}", "a"), text(f"ALK{n}", "z")) for n in range(1, 3000)))))
    assert len(shown[1].text) < 4_100_000 and shown[-1].text.endswith("was not read: it is too long.)")


def test_a_row_that_takes_too_much_memory_is_not_an_empty_sheet() -> None:
    with pytest.raises(FetchError, match="memory"):
        read(xlsx(sheet(f"<row>{'<c><v>1</v></c>' * 3_000_000}</row>")))


def test_columns_with_broken_numbers_and_hidden_rows_of_merged_cells_do_no_harm() -> None:
    rows = f'<row r="1" hidden="1">{text("B1", "N")}</row>' + row(2, text("C2", "x"))
    merged = '<mergeCells><mergeCell ref="B1:B2"/></mergeCells>'
    assert table(xlsx(sheet(rows, merged, '<cols><col min="x" max="1" hidden="1"/></cols>'))) == "N | x"


def test_a_long_table_has_its_first_row_in_every_part_and_ends_at_the_limit() -> None:
    rows = row(1, text("A1", "Port"), text("B1", "Note")) + "".join(
        f'<row><c t="inlineStr"><is><t>{"x" * 600}</t></is></c><c><v>{n}</v></c></row>' for n in range(2, 7500)
    )
    first, second, *_, last = blocks(xlsx(sheet(rows)))[1:]
    assert first.text.startswith("Port | Note\nxxx") and second.text.startswith("Port | Note\nxxx")
    assert last.text == "(The rest of this spreadsheet was not read: it is too long.)"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (xlsx(sheet("")), "no text"),
        (packed({"_rels/.rels": relations(r1="xl/workbook.bin"), "xl/workbook.bin": "x"}), "no text"),
        (
            packed({"mimetype": ODS, "content.xml": "<a", "META-INF/manifest.xml": "<m><encryption-data/></m>"}),
            "password",
        ),
        (b"PK junk", "broken"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(body: bytes, reason: str) -> None:
    with pytest.raises(FetchError, match=rf"is a spreadsheet that cannot be read: .*{reason}"):
        read(body)


def test_a_sheet_that_unpacks_into_gigabytes_is_read_in_part() -> None:
    rows = row(1, text("A1", "kept")) + f"<!--{' ' * 1_000_000}-->" * 70 + row(2, text("A2", "lost"))
    shown = blocks(xlsx(sheet(rows)))
    assert [block.text for block in shown[:2]] == ["S1", "kept"] and "was not read" in shown[-1].text


def test_a_folder_with_a_workbook_answers_with_the_sheet(tmp_path: Path) -> None:
    rows = row(1, text("A1", "Port"), text("B1", "Fare")) + row(2, text("A2", "Mallaig"), number("B2", 12.5, 7))
    (tmp_path / "fares.xlsx").write_bytes(xlsx(sheet(row(1, text("A1", "Read me"))), sheet(rows)))
    (found, *_) = Documents([tmp_path], tmp_path.with_name("kept")).search("fare from Mallaig", 3)
    assert found.url.endswith("fares.xlsx#sheet=2") and "Mallaig | €12.5" in found.snippet
