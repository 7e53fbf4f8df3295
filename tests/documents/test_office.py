"""Word documents, slides, OpenDocument texts and EPUB books among the documents, in archives written by hand."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from airoagent import FetchError
from airoagent.documents.binary_files import TYPES, read_binary
from airoagent.documents.library import Documents
from airoagent.documents.read_page import Page, read_page

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style", "drawing", "presentation")
)
CORE = '<cp:coreProperties xmlns:cp="c" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{}</dc:title></cp:coreProperties>'
DOCX, PPTX, ODT, EPUB = (
    one for one in TYPES if one.endswith(("wordprocessingml.document", "presentationml.presentation", "text", "zip"))
)


def packed(files: dict[str, str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return body.getvalue()


def relations(**targets: str) -> str:
    rows = "".join(
        f'<Relationship Id="{id}" Target="{target}" TargetMode="{"External" if "://" in target else "Internal"}"/>'
        for id, target in targets.items()
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def paragraph(text: str, style: str = "", more: str = "", run: str = "") -> str:
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{more}</w:pPr><w:r>{run}<w:t>{text}</w:t></w:r></w:p>"


def docx(body: str, title: str = "", **more: str) -> bytes:
    styles = (
        '<w:style w:styleId="Ttl"><w:name w:val="Title"/></w:style>'
        '<w:style w:styleId="Kop1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:styleId="Eigen"><w:name w:val="Mine"/><w:basedOn w:val="Kop1"/></w:style>'
        '<w:style w:styleId="Kop2"><w:name w:val="heading 2"/></w:style>'
    )
    levels = '<w:lvl w:ilvl="{0}"><w:start w:val="1"/><w:numFmt w:val="{1}"/></w:lvl>'
    numbering = (
        f'<w:abstractNum w:abstractNumId="7">{levels.format(0, "decimal")}{levels.format(1, "bullet")}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
    )
    return packed(
        {
            "_rels/.rels": relations(r1="word/document.xml"),
            "word/document.xml": f"<w:document {W} {R}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
            "word/numbering.xml": f"<w:numbering {W}>{numbering}</w:numbering>",
            "word/_rels/document.xml.rels": relations(r9="https://a.example/timetable?a=1&amp;b=2"),
            "docProps/core.xml": CORE.format(title),
            **more,
        }
    )


def slide(*shapes: str, show: str = "") -> str:
    return f"<p:sld {A} {P} {R}{show}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:sld>"


def shape(kind: str, *lines: str) -> str:
    place = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
    text = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f"<p:sp><p:nvSpPr>{place}</p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>"


def pptx(*slides: str, notes: str = "") -> bytes:
    files = {
        "_rels/.rels": relations(r1="ppt/presentation.xml"),
        "ppt/presentation.xml": f"<p:presentation {P} {R}><p:sldIdLst>"
        + "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
        + "</p:sldIdLst></p:presentation>",
        # The order of the files' names is not that of the slides.
        "ppt/_rels/presentation.xml.rels": relations(**{f"s{n}": f"slides/x{9 - n}.xml" for n in range(len(slides))}),
        **{f"ppt/slides/x{9 - n}.xml": text for n, text in enumerate(slides)},
    }
    if notes:
        files["ppt/slides/_rels/x9.xml.rels"] = relations(r1="../notesSlides/n.xml")
        files["ppt/notesSlides/n.xml"] = slide(shape("sldNum", "1"), shape("body", notes))
    return packed(files)


def odt(body: str, kind: str = "text", styles: str = "", **more: str) -> bytes:
    content = f"<office:document-content {ODF}>{styles}<office:body>{body}</office:body></office:document-content>"
    return packed({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content, **more})


def epub(*chapters: str, title: str = "The Otter Book", **more: str) -> bytes:
    items = "".join(f'<item id="c{n}" href="text/c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    container = '<container xmlns="u"><rootfiles><rootfile full-path="OPS/b.opf"/></rootfiles></container>'
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f'<dc:title>{title}</dc:title></metadata><manifest><item id="toc" href="nav.xhtml" properties="nav"/>{items}'
        f'</manifest><spine><itemref idref="toc"/>{spine}</spine></package>'
    )
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{}</body></html>'
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OPS/b.opf": package,
            "OPS/nav.xhtml": page.format("<nav>Contents and otters</nav>"),
            **{f"OPS/text/c {n}.xhtml": page.format(chapter) for n, chapter in enumerate(chapters)},
            **more,
        }
    )


def read(body: bytes, kind: str) -> Page:
    return read_page(body, kind, "docs://x/file")


# -- Word -------------------------------------------------------------------------------------------------------------


def test_a_word_document_is_read_with_headings_lists_tables_links_and_notes() -> None:
    item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    cell = "<w:tc><w:tcPr>{1}</w:tcPr><w:p><w:r><w:t>{0}</w:t></w:r></w:p></w:tc>"
    rows = (
        cell.format("Port", "") + cell.format("Times", '<w:gridSpan w:val="2"/>'),
        cell.format("Orsa", '<w:vMerge w:val="restart"/>') + cell.format("7:40", "") + cell.format("8:40", ""),
        cell.format("", "<w:vMerge/>") + cell.format("9:40", "") + cell.format("", ""),
    )
    note = "<w:p><w:r><w:t>Not on Sundays.</w:t></w:r></w:p>"
    link = '<w:p><w:hyperlink r:id="r9"><w:r><w:t>the timetable</w:t></w:r></w:hyperlink></w:p>'
    footnote = '<w:p><w:r><w:t>It sails daily.</w:t><w:footnoteReference w:id="4"/></w:r></w:p>'
    body = "".join(
        (
            paragraph("Harbour guide", "Ttl"),
            paragraph("Ferries", "Kop1"),
            footnote,
            paragraph("Rules &amp; fares", "Kop2"),
            *(paragraph(text, more=item.format(level)) for text, level in (("Pay", 0), ("cash", 1), ("Board", 0))),
            f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>",
            paragraph("Own style", "Eigen"),
            f"<w:sdt><w:sdtContent>{link}</w:sdtContent></w:sdt>",
        )
    )
    page = read(
        docx(
            body,
            "Harbours",
            **{"word/footnotes.xml": f'<w:footnotes {W}><w:footnote w:id="4">{note}</w:footnote></w:footnotes>'},
        ),
        DOCX,
    )
    assert page.title == "Harbours"
    assert page.text == (
        "Harbour guide\n\nFerries\n\nIt sails daily. [1]\n\nRules & fares\n\n1. Pay\n  - cash\n2. Board\n\n"
        "Port | Times\nOrsa | 7:40 | 8:40\nOrsa | 9:40\n\nOwn style\n\nthe timetable\n\n[1] Not on Sundays."
    )
    assert [(link.url, link.text) for link in page.links] == [("https://a.example/timetable?a=1&b=2", "the timetable")]
    kinds = [
        (block.text, block.level) for block in read_binary(docx(body), DOCX, "docs://x/f")[1] if block.kind == "heading"
    ]
    assert kinds == [("Harbour guide", 1), ("Ferries", 1), ("Rules & fares", 2), ("Own style", 1)]


def test_what_a_word_document_hides_or_has_deleted_is_not_read() -> None:
    body = (
        paragraph("Seen.")
        + paragraph("Hidden.", run="<w:rPr><w:vanish/></w:rPr>")
        + "<w:p><w:ins><w:r><w:t>Inserted.</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>Deleted.</w:delText></w:r></w:del></w:p>"
    )
    assert read(docx(body), DOCX).text == "Seen.\n\nInserted."


def test_exponents_line_breaks_and_text_boxes_of_a_word_document_are_kept() -> None:
    raised = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>24</w:t></w:r>'
    box = f"<w:r><w:pict><w:txbxContent>{paragraph('In a box.')}</w:txbxContent></w:pict></w:r>"
    body = f"<w:p><w:r><w:t>10</w:t></w:r>{raised}<w:r><w:br/><w:t>kilograms</w:t></w:r></w:p><w:p>{box}</w:p>"
    assert read(docx(body), DOCX).text == "10^24\nkilograms\n\nIn a box."


# -- slides, OpenDocument, books --------------------------------------------------------------------------------------


def test_slides_come_in_their_order_with_titles_bullets_tables_and_notes() -> None:
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    table = "".join(f"<a:tr>{''.join(map(cell.format, row))}</a:tr>" for row in ("ab", "cd"))
    page = read(
        pptx(
            slide(shape("body", "A talk"), shape("ctrTitle", "Otters"), shape("ftr", "Zoo GmbH"), shape("sldNum", "1")),
            slide(shape("title", "Diet"), shape("body", "Urchins", "Crabs"), shape("", "Free text.")),
            slide(
                f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{table}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
            ),
            notes="Say hello first.",
        ),
        PPTX,
    )
    assert page.title == "Otters"
    assert page.text == (
        "Otters\n\n- A talk\n\nSay hello first.\n\nDiet\n\n- Urchins\n- Crabs\n\nFree text.\n\na | b\nc | d"
    )


def test_an_opendocument_text_is_read_with_headings_lists_and_tables() -> None:
    numbers = '<text:list-style style:name="L1"><text:list-level-style-number/></text:list-style>'
    styles = f"<office:automatic-styles>{numbers}</office:automatic-styles>"
    items = "<text:list-item><text:p>{}</text:p></text:list-item>"
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    rows = (("Kiln", "Year"), ("Big", "1931"))
    table = "".join(f"<table:table-row>{''.join(map(cell.format, row))}</table:table-row>" for row in rows)
    body = (
        "<office:text><text:tracked-changes><text:p>Gone.</text:p></text:tracked-changes>"
        '<text:h text:outline-level="1">Kilns</text:h>'
        "<text:p>Fired at<text:s/>900 <text:span>degrees</text:span>.<text:line-break/>Twice.</text:p>"
        f'<text:list text:style-name="L1">{items.format("clay")}{items.format("sand")}</text:list>'
        f"<text:list>{items.format('glaze')}</text:list><table:table>{table}</table:table></office:text>"
    )
    page = read(odt(body, styles=styles, **{"meta.xml": CORE.format("On kilns")}), ODT)
    assert page.title == "On kilns"
    assert page.text == (
        "Kilns\n\nFired at 900 degrees.\nTwice.\n\n1. clay\n2. sand\n- glaze\n\nKiln | Year\nBig | 1931"
    )


@pytest.mark.parametrize(("level", "read_as"), [("0", 1), ("3", 3), ("10", 6), ("9" * 5000, 6), ("-1", 1), ("x", 1)])
def test_a_heading_of_an_opendocument_text_has_a_level_from_1_to_6(level: str, read_as: int) -> None:
    body = f'<office:text><text:h text:outline-level="{level}">Kilns</text:h><text:p>Two.</text:p></office:text>'
    heading, _ = read_binary(odt(body), ODT, "docs://d/kilns.odt")[1]
    assert (heading.kind, heading.level) == ("heading", read_as)


def test_a_book_is_read_chapter_by_chapter_without_its_contents() -> None:
    page = read(
        epub("<h1>Water</h1><p>Otters swim. <a href='c%201.xhtml'>On</a></p>", "<h1>Sleep</h1><p>Afloat.</p>"), EPUB
    )
    assert (page.title, page.text, page.links) == ("The Otter Book", "Water\n\nOtters swim. On\n\nSleep\n\nAfloat.", ())


def test_a_word_that_is_written_in_several_runs_is_one_word() -> None:
    runs = "".join(f"<w:r><w:t>{part}</w:t></w:r>" for part in ("Mac", "Donald was there in 19", "08, in May", "5"))
    assert read(docx(f"<w:p>{runs}</w:p>"), DOCX).text == "MacDonald was there in 1908, in May5"


def test_results_name_the_slide_or_the_chapter(tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "talk.pptx").write_bytes(
        pptx(
            slide(shape("title", "Welcome")),
            slide(shape("title", "Diet"), shape("body", "Urchins")),
            slide(shape("title", "Thanks")),
        )
    )
    (folder / "book.epub").write_bytes(
        epub(
            "<h1>The Otter Book</h1>",
            "<h1>Water</h1><p>Rivers are cold.</p>",
            "<p>And lakes.</p>",
            "<h1>Sleep</h1><p>Kelp holds them.</p>",
        )
    )
    (folder / "guide.docx").write_bytes(docx(paragraph("The ferry sails at noon.")))
    documents = Documents([folder], tmp_path / "cache")
    found = {word: documents.search(word)[0].url for word in ("urchins", "thanks", "lakes", "kelp", "ferry")}
    assert found == {
        "urchins": "docs://zoo/talk.pptx#slide=2",
        "thanks": "docs://zoo/talk.pptx#slide=3",
        "lakes": "docs://zoo/book.epub#chapter=1",
        "kelp": "docs://zoo/book.epub#chapter=2",
        "ferry": "docs://zoo/guide.docx",
    }
    body, kind = documents.read(found["kelp"])
    assert read_page(body, kind, found["kelp"]).text == read((folder / "book.epub").read_bytes(), EPUB).text


# -- what cannot be read ----------------------------------------------------------------------------------------------

ENTITIES = '<!DOCTYPE x [<!ENTITY a "otter"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"no archive", DOCX, "is a Word document that cannot be read: it is broken, or not of the kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), PPTX, "it is locked with a password, or has the format of"),
        (docx(paragraph("Otters"))[:-30], DOCX, "it is broken"),
        (docx(""), DOCX, "it contains no text$"),
        (packed({"a.txt": "otters"}), EPUB, "is an EPUB book that cannot be read: it is a ZIP archive of another kind"),
        (odt("", **{"META-INF/manifest.xml": "<m><encryption-data/></m>"}), ODT, "it is locked with a password"),
        (
            epub("<p>x</p>", **{"META-INF/encryption.xml": '<e><CipherReference URI="OPS/text/c 0.xhtml"/></e>'}),
            EPUB,
            r"its text is encrypted \(DRM\)",
        ),
        (docx("", **{"word/styles.xml": "<!-- " + " " * 90_000_000 + "-->"}), DOCX, "unpacks into more than 64 MB"),
    ],
    ids=["no archive", "old", "half", "no text", "other", "locked", "drm", "bomb"],
)
def test_one_that_cannot_be_read_is_one_sentence(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(FetchError, match=reason) as caught:
        read(body, kind)
    assert "\n" not in caught.value.message


def test_entities_are_not_expanded_and_no_file_is_opened() -> None:
    body = f"{ENTITIES}<w:document {W}><w:body>{paragraph('Otters &b;&f;!')}</w:body></w:document>"
    text = read(docx("", **{"word/document.xml": body}), DOCX).text
    assert text.startswith("Otters")
    assert "otter" not in text
    assert len(text) < 20
