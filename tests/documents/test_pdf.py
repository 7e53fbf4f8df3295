"""PDF files: without pypdf refused with the command that installs it, with it read in a process with limits."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from airoagent import FetchError
from airoagent.documents import pdf
from airoagent.documents.binary_files import read_binary
from airoagent.documents.library import Documents
from airoagent.documents.read_page import Link, Page, read_page
from tests.fetching import get, refused, run
from tests.loopback import Loopback, answer

needs_pypdf = pytest.mark.skipif(
    importlib.util.find_spec("pypdf") is None, reason="the extra pdf (pypdf) is not installed"
)
URL = "https://a.example/otters.pdf"


def make_pdf(*pages: str | bytes, title: str = "", link: str = "", trailer: str = "") -> bytes:
    """A PDF with a line of text (or a packed stream of drawing) a page, written by hand."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    area = f"/Annots [<< /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI ({link}) >> >>]" if link else ""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({title}) >>".encode(),
    ]
    for number, content in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {6 + 2 * number} 0 R {area} "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        stream = content if isinstance(content, bytes) else f"BT /F1 12 Tf 50 700 Td ({content}) Tj ET".encode()
        packed = "/Filter /FlateDecode " if isinstance(content, bytes) else ""
        objects.append(f"<< {packed}/Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
    body = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n".encode()
    size = len(objects) + 1
    start = body.index(b"xref\n")
    return body + f"<< /Size {size} /Root 1 0 R /Info 4 0 R {trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()


def read(body: bytes) -> Page:
    return read_page(body, "application/pdf", URL)


class TestWithoutPypdf:
    @pytest.mark.parametrize("kind", ["application/pdf", "application/x-pdf", "text/html", ""])
    def test_a_fetched_pdf_is_refused_with_the_command_that_helps(self, server: Loopback, kind: str) -> None:
        error = refused(server, answer(200, make_pdf("Otters"), Content_Type=kind))
        assert "is a PDF file, which is not read without pypdf" in error.message
        assert error.hint == "to read it: pip install '.[pdf]'"

    def test_a_pdf_among_the_documents_too(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("Otters.")
        (tmp_path / "b.pdf").write_bytes(make_pdf("Beavers"))
        documents = Documents([tmp_path], tmp_path / ".cache")
        with pytest.raises(FetchError, match="not read without pypdf"):
            documents.read(documents.addresses[0] + "b.pdf")
        assert documents.search("beavers") == ()


@needs_pypdf
class TestWithPypdf:
    @pytest.fixture(autouse=True)
    def with_pypdf(self, without_reading_extras: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "pypdf")
        pdf.installed.cache_clear()

    def test_its_pages_title_and_links_are_read(self) -> None:
        body = make_pdf("Otters sleep afloat.", "They hold paws.", title="On otters", link="https://a.example/more")
        expected = Page(
            URL, "On otters", "Otters sleep afloat.\n\nThey hold paws.", (Link("https://a.example/more", ""),), ""
        )
        assert read(body) == expected
        assert "pypdf" not in sys.modules, "it is the other process that imports it"

    @pytest.mark.parametrize("kind", ["application/pdf", "application/x-pdf", "text/html", "application/octet-stream"])
    def test_a_pdf_comes_through_the_door_and_is_read(self, server: Loopback, kind: str) -> None:
        assert get(server, answer(200, make_pdf("Otters"), Content_Type=kind)).body.startswith(b"%PDF-")
        assert run(server, lambda fetch: fetch.page(server.url("/x"))).text == "Otters"

    def test_a_pdf_among_the_documents_is_found_and_read(self, tmp_path: Path) -> None:
        (tmp_path / "b.pdf").write_bytes(make_pdf("Beavers build dams.", title="On beavers"))
        documents = Documents([tmp_path], tmp_path / ".cache")
        (found,) = documents.search("beavers")
        assert (found.title, found.snippet) == ("On beavers", "Beavers build dams.")
        assert read_page(*documents.read(found.url), found.url).text == "Beavers build dams."

    def test_one_among_the_documents_is_read_once_and_a_result_names_its_page(self, tmp_path: Path) -> None:
        file = tmp_path / "docs" / "zoo.pdf"
        file.parent.mkdir()
        file.write_bytes(
            make_pdf("Otters sleep afloat.", "A walrus sleeps on ice.", title="Zoo", link="https://a.example/")
        )
        documents = Documents([file.parent], tmp_path / "cache")
        (found,) = documents.search("Where does a walrus sleep?")
        assert (found.url, found.title) == ("docs://docs/zoo.pdf#page=2", "Zoo")
        kept, kind = documents.read(found.url)
        assert not kept.startswith(b"%PDF")
        assert read_page(kept, kind, found.url) == read_page(file.read_bytes(), "application/pdf", found.url)
        file.write_bytes(make_pdf("A walrus sleeps in the water."))
        assert documents.read(found.url)[0].startswith(b"%PDF")

    def test_other_binaries_are_still_refused(self, server: Loopback) -> None:
        refused(server, answer(200, b"\x89PNG\r\n\x1a\n" + bytes(600), Content_Type="application/pdf"))

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"%PDF-1.7 and nothing more", "cannot be read"),
            (make_pdf(""), "contains no text"),
            (make_pdf("Otters")[:300], "cannot be read"),
            (make_pdf("Otters", trailer="/Encrypt << /Filter /Standard /V 1 /R 2 /O (x) /U (x) /P 0 >> "), "cannot"),
        ],
        ids=["empty", "without text", "half", "locked"],
    )
    def test_one_that_cannot_be_read_is_one_sentence(self, body: bytes, reason: str) -> None:
        with pytest.raises(FetchError, match=reason) as caught:
            read(body)
        assert "\n" not in caught.value.message

    def test_one_that_takes_too_long_is_stopped_and_what_was_read_is_kept(self) -> None:
        endless = zlib.compress(b"BT /F1 12 Tf (otter) Tj ET\n" * 400_000, 9)
        title, blocks, _ = read_binary(make_pdf("Otters.", endless, title="T"), "application/pdf", URL, seconds=2)
        assert title == "T"
        assert blocks[0].text == "Otters."
        assert blocks[-1].text.startswith("(The rest of this PDF file was not read: it takes too")

    def test_one_that_unpacks_into_gigabytes_is_refused(self) -> None:
        bomb = zlib.compress(b" " * 200_000_000, 9)
        with pytest.raises(FetchError, match="cannot be read"):
            read_binary(make_pdf(bomb), "application/pdf", URL, seconds=4)


@pytest.mark.skipif(sys.platform != "linux", reason="limits on the address space hold on Linux")
def test_the_reading_process_gets_no_more_than_its_gigabyte() -> None:
    code = (
        "from airoagent.child_processes import set_limits; set_limits(9); bytearray(2**29); print(1); bytearray(2**30)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (1, "1\n")
    assert done.stderr.rstrip().endswith("MemoryError")
