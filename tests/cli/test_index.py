"""`airo index`, and documents of every kind on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Airo
from tests.documents.test_office import docx, epub, paragraph, pptx, shape, slide


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "guide.docx").write_bytes(docx(paragraph("The keeper feeds the walrus at noon."), "Guide"))
    (folder / "broken.epub").write_bytes(b"no book")
    (folder / "walrus.png").write_bytes(b"\x89PNG")
    (folder / "owls.md").write_text("# Owls\n\nOwls turn their heads by 270 degrees.\n")
    return folder


def test_index_prints_what_is_indexed_and_what_is_skipped_with_the_reasons(airo: Airo, zoo: Path) -> None:
    result = airo("index", zoo)
    assert (result.code, result.out) == (0, "docs://zoo/  2 indexed, 2 skipped: 1 .png, 1 cannot be read\n")
    assert "note: broken.epub is an EPUB book that cannot be read: it is broken" in result.err
    (zoo / "owls.md").unlink()
    (record,) = map(json.loads, airo("index", "--json", zoo).out.splitlines())
    assert {name: record[name] for name in ("folder", "indexed", "read", "removed", "skipped")} == {
        "folder": "docs://zoo/",
        "indexed": 1,
        "read": 0,
        "removed": 1,
        "skipped": {".png": 1},
    }
    assert list(record["problems"]) == ["broken.epub"]


def test_the_first_question_with_docs_prints_the_same_line_and_later_ones_do_not(airo: Airo, zoo: Path) -> None:
    asked = ("--display", "plain", "--docs", zoo, "When does the keeper feed the walrus?")
    first, second = airo(*asked), airo(*asked)
    assert first.out.startswith("The keeper feeds the walrus at noon.\n\nSources:\n- Guide (docs://zoo/guide.docx)\n")
    assert "  docs://zoo/ 2 indexed, 2 skipped: 1 .png, 1 cannot be read\n" in first.err
    assert second.out == first.out
    assert "indexed" not in second.err


def test_index_takes_the_folders_of_the_settings(airo: Airo, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (airo("index").code, airo("index", zoo / "none").code) == (2, 2)
    monkeypatch.setenv("AIRO_DOCS", str(zoo))
    assert airo("index").out.startswith("docs://zoo/  2 indexed")


@pytest.mark.slow
def test_an_interrupted_index_keeps_what_has_been_read(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number}.docx").write_bytes(docx(paragraph(f"This is page {number}.")))
    env = os.environ | {"AIRO_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "airoagent", "index", str(folder)]
    process = subprocess.Popen(command, cwd=REPO, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()  # "indexing documents: 2 of 24", once that took a second
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert line.startswith("  indexing documents: ") and line.endswith(" of 24\n")
    assert process.returncode == 130 and "what has been read is kept" in rest
    again = subprocess.run([*command, "--json"], cwd=REPO, env=env, capture_output=True, text=True, timeout=100)
    record = json.loads(again.stdout)
    assert record["indexed"] == 24 and 0 < record["read"] < 24


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.docx", docx(paragraph("The lease ends on 3 May 2027."))),
        ("a.pptx", pptx(slide(shape("body", "The lease ends on 3 May 2027.")))),
        ("a.epub", epub("<h1>Lease</h1><p>The lease ends on 3 May 2027.</p>")),
        ("a.html", b"<title>x</title><script>var a = 'July'</script><p>The lease <b>ends</b> on 3 May 2027.</p>"),
        ("a.txt", "The lease ends on 3 May 2027.".encode("utf-16")),
        ("a.csv", b"what,when\nThe lease,ends on 3 May 2027.\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_context_file_may_be_of_any_kind_that_a_folder_holds(
    airo: Airo, tmp_path: Path, name: str, body: bytes
) -> None:
    (tmp_path / name).write_bytes(body)
    result = airo("--display", "none", "--context", tmp_path / name, "When does the lease end?")
    assert result.code == 0 and "3 May 2027" in result.out.split("\n")[0], result.err
    assert f"- {name}\n" in result.out


def test_the_slide_of_a_context_file_is_named(airo: Airo, tmp_path: Path) -> None:
    slides = (slide(shape("body", text)) for text in ("The workshop has two rooms.", "The lease ends on 3 May 2027."))
    (tmp_path / "talk.pptx").write_bytes(pptx(*slides))
    result = airo("--display", "none", "--context", tmp_path / "talk.pptx", "When does the lease end?")
    assert "- talk.pptx#slide=2\n" in result.out, result.err


def test_a_context_file_that_cannot_be_read_is_one_sentence(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"no archive")
    (tmp_path / "b.bin").write_bytes(b"\x7fELF\0\0\0\0\0\0\0\0")
    for name, reason in (("a.docx", "is a Word document that cannot be read"), ("b.bin", "is not text")):
        result = airo("--context", tmp_path / name, "When?")
        assert (result.code, result.out) == (2, "")
        assert f"error: {tmp_path / name} {reason}" in result.err
