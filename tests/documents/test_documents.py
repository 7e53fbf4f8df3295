"""The user's documents: addresses that cannot escape, an index that cannot fail, a search no query can break."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airoagent.documents.library import Documents
from airoagent.documents.read_page import read_page
from airoagent.errors import FetchError, ToolError, UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    (folder / "north").mkdir(parents=True)
    (folder / "otters.html").write_text(
        "<html lang=en><head><title>Sea otters</title></head><body><nav><a href=/>Home</a></nav>"
        "<main><h1>Sea otters</h1><p>Otters sleep afloat. They hold each other's paws so as not to drift apart.</p>"
        "<h2>Food</h2><p>An otter eats a quarter of its weight a day, mostly urchins. It cracks them with a stone.</p>"
        "</main></body></html>"
    )
    (folder / "north" / "bears.md").write_text("# Polar bears\n\nPolar bears swim for days. They eat seals.\n")
    (folder / "owls.txt").write_text("Owls\n\nOwls hunt at night and turn their heads by 270 degrees.\n")
    (folder / "NOTES").write_text("The keeper feeds the walrus at noon.\n")
    (folder / "photo.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00" * 50)
    (folder / "keys.pem").write_text("secret walrus")
    (folder / ".hidden.md").write_text("# Hidden walrus\n")
    return folder


@pytest.fixture
def documents(folder: Path, tmp_path: Path) -> Documents:
    return Documents([folder], tmp_path / "cache")


def urls(documents: Documents, query: str, n: int = 5) -> list[str]:
    return [result.url for result in documents.search(query, n)]


# -- searching ---------------------------------------------------------------------------------------------------------


def test_the_page_that_answers_comes_first_with_the_passage_that_does(documents: Documents) -> None:
    first = documents.search("What do otters eat?")[0]
    assert (first.title, first.url) == ("Sea otters", "docs://zoo/otters.html")
    assert "mostly urchins" in first.snippet
    assert "Home" not in first.snippet


def test_every_kind_of_document_is_found_and_nothing_else(documents: Documents) -> None:
    assert urls(documents, "swimming seals") == ["docs://zoo/north/bears.md"]
    assert urls(documents, "270 degrees")[0] == "docs://zoo/owls.txt"
    assert urls(documents, "walrus") == ["docs://zoo/NOTES"]
    assert documents.search("png") == ()


def test_a_refresh_counts_what_is_skipped_by_the_reason_and_names_what_cannot_be_read(
    folder: Path, documents: Documents
) -> None:
    (folder / "node_modules").mkdir()
    (folder / "link.md").symlink_to(folder / "owls.txt")
    (folder / "empty.md").write_text(" ")
    (folder / "more.pem").write_text("key")
    (folder / "guide.docx").write_text("no archive")
    told: list[str] = []
    documents.search("otters", progress=lambda what, done, total: told.append(what))
    line = (
        "docs://zoo/  4 indexed, 8 skipped: 2 .pem, 1 hidden, 1 node_modules folder, 1 symbolic link, 3 cannot be read"
    )
    assert sorted(told[-1].split(", ")) == sorted(line.split(", "))
    (again,) = documents.refresh()  # nothing is read again for it
    assert (again.read, again.first) == (0, False)
    assert [path for path, _ in again.problems] == ["empty.md", "guide.docx", "photo.txt"]
    assert dict(again.problems)["empty.md"] == "is empty"
    assert dict(again.problems)["guide.docx"].startswith("is a Word document that cannot be read: it is broken")


def test_a_page_gives_one_result_and_n_limits_them(documents: Documents) -> None:
    found = urls(documents, "otters bears owls")
    assert len(found) == len(set(found)) == 3
    assert len(documents.search("otters bears owls", 2)) == 2
    assert documents.search("otters", 0) == ()


def test_question_words_alone_still_search(documents: Documents) -> None:
    assert urls(documents, "they")  # nothing else to go by


def test_words_of_the_title_weigh_more_than_words_in_passing(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.md").write_text("# Basalt\n\nA dark rock that comes from volcanoes.\n")
    (folder / "b.md").write_text("# Granite\n\nUnlike basalt, it cools slowly below the ground. Basalt is darker.\n")
    assert urls(Documents([folder], tmp_path / "c"), "What is basalt?")[0] == "docs://d/a.md"


def test_the_year_in_a_question_decides(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for year in range(2010, 2030):
        (folder / f"{year}.md").write_text(f"# Report {year}\n\nThe annual prize of the society went in {year} to N.\n")
    assert urls(Documents([folder], tmp_path / "c"), "Who won the annual prize in 2017?")[0] == "docs://d/2017.md"


def test_accents_case_and_endings_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.md").write_text("# Louise Glück\n\nShe published twelve collections of poems.\n", encoding="utf-8")
    (folder / "b.md").write_text("# Tea\n\nIt is grown on hills.\n")
    documents = Documents([folder], tmp_path / "c")
    assert urls(documents, "louise gluck") == urls(documents, "GLÜCK") == ["docs://d/a.md"]
    assert urls(documents, "publishing a collection") == ["docs://d/a.md"]


def test_languages_without_spaces_are_searched_and_shown_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("東京は日本の首都である。人口は多い。\n", encoding="utf-8")
    (folder / "b.txt").write_text("大阪は西日本の都市である。\n", encoding="utf-8")
    first = Documents([folder], tmp_path / "c").search("日本の首都")[0]
    assert first.url == "docs://d/a.txt"
    assert first.snippet == "東京は日本の首都である。人口は多い。"


def test_snippets_are_whole_sentences_of_300_to_600_characters_where_there_is_enough(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    lines = [f"Sentence number {n} tells of the village and of its {word}." for n, word in enumerate(["mill"] * 80)]
    lines[40] = "The heron stands in the reeds, Dr. Brown wrote in 1931, and waits."
    (folder / "a.txt").write_text(" ".join(lines))
    snippet = Documents([folder], tmp_path / "c").search("heron reeds")[0].snippet
    assert lines[40] in snippet
    assert 300 <= len(snippet) <= 600
    assert snippet.startswith(("Sentence", "The heron"))
    assert snippet.endswith(".")


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "otters AND",
        "NEAR(otters, 3)",
        "title:otters",
        "otters*",
        "^otters",
        "{title}: x",
        "otters OR OR",
        "(((",
        "-otters",
        "'; DROP TABLE passages; --",
        "\x00otters",
        "a" * 100_000,
        "otters\udcff",
        "日本" * 3000,
        "+ : * ^",
    ],
)
def test_search_syntax_in_a_query_is_only_text(documents: Documents, query: str) -> None:
    results = documents.search(query)
    if "otters" in query and "NEAR" not in query and "AND" not in query:
        assert any(result.url == "docs://zoo/otters.html" for result in results)
    assert urls(documents, "otters") == ["docs://zoo/otters.html"]  # and nothing was harmed


SIGNS = 'otters AND OR NOT NEAR " ( ) * ^ : { } , + - 2020'


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200) | st.lists(st.sampled_from(SIGNS.split())).map(" ".join))
def test_no_query_ever_raises(documents: Documents, query: str) -> None:
    for result in documents.search(query):
        assert result.url.startswith("docs://zoo/")


# -- keeping the index up to date --------------------------------------------------------------------------------------


def test_only_new_and_changed_files_are_read_again(folder: Path, documents: Documents) -> None:
    first = documents.refresh()[0]
    assert (first.documents, first.read, first.removed) == (5, 5, 0)
    assert documents.refresh()[0].read == 0
    (folder / "owls.txt").write_text("Owls now sleep at night.\n")
    (folder / "new.md").write_text("# Lynx\n\nThe lynx is shy.\n")
    again = documents.refresh()[0]
    assert (again.documents, again.read, again.removed) == (6, 2, 0)
    assert urls(documents, "shy lynx") == ["docs://zoo/new.md"]
    assert urls(documents, "270 degrees") == []


def test_deleted_and_renamed_files_are_followed(folder: Path, documents: Documents) -> None:
    documents.refresh()
    (folder / "owls.txt").unlink()
    (folder / "otters.html").rename(folder / "mustelids.html")
    done = documents.refresh()[0]
    assert (done.read, done.removed) == (1, 2)
    assert urls(documents, "otters") == ["docs://zoo/mustelids.html"]
    assert urls(documents, "owls") == []


def test_a_change_of_size_is_seen_even_where_the_time_stays(folder: Path, documents: Documents) -> None:
    documents.refresh()
    file = folder / "owls.txt"
    before = file.stat()
    file.write_text("Owls live in the old barn.\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert documents.refresh()[0].read == 1
    assert urls(documents, "old barn") == ["docs://zoo/owls.txt"]


def test_another_run_reads_nothing_again(folder: Path, tmp_path: Path, documents: Documents) -> None:
    documents.refresh()
    other = Documents([folder], tmp_path / "cache")
    assert other.refresh()[0].read == 0
    assert urls(other, "otters") == ["docs://zoo/otters.html"]


def test_a_file_that_vanishes_or_cannot_be_read_is_passed_over(folder: Path, documents: Documents) -> None:
    (folder / "loop.md").symlink_to(folder / "loop.md")
    (folder / "gone.md").symlink_to(folder / "nowhere.md")
    assert urls(documents, "otters") == ["docs://zoo/otters.html"]


def test_many_files_are_read_by_helper_processes_alike(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(450):
        (folder / f"page{n}.html").write_text(f"<title>Page {n}</title><p>This page is about number {n * 7919}.</p>")
    (folder / "bad\udcff.html").write_text("<p>The name of this file is not UTF-8, but it mentions quokkas.</p>")
    told: list[tuple[int, int]] = []
    documents = Documents([folder], tmp_path / "cache")
    assert documents.refresh(lambda what, done, total: told.append((done, total)))[0].read == 451
    assert told[0] == (0, 451)
    assert told[-1] == (451, 451)
    assert urls(documents, str(449 * 7919)) == ["docs://many/page449.html"]
    assert urls(documents, "quokkas") == ["docs://many/bad%FF.html"]
    assert b"quokkas" in documents.read("docs://many/bad%FF.html")[0]


# -- an index that cannot fail -----------------------------------------------------------------------------------------


def index_file(tmp_path: Path) -> Path:
    return next((tmp_path / "cache").glob("*.sqlite"))


@pytest.mark.parametrize("damage", ["garbage", "cut", "middle", "empty", "other version", "no tables"])
def test_a_damaged_index_is_rebuilt(folder: Path, tmp_path: Path, documents: Documents, damage: str) -> None:
    documents.refresh()
    file = index_file(tmp_path)
    data = file.read_bytes()
    if damage in ("other version", "no tables"):
        base = sqlite3.connect(file)
        base.execute("PRAGMA user_version = 999" if damage == "other version" else "DROP TABLE files")
        base.commit()
        base.close()
    else:
        half = len(data) // 2
        new = {
            "garbage": b"not a database " * 999,
            "cut": data[:half],
            "empty": b"",
            "middle": data[:4096] + b"\xa5" * (len(data) - 4096),
        }[damage]
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        file.write_bytes(new)
    assert urls(Documents([folder], tmp_path / "cache"), "otters") == ["docs://zoo/otters.html"]
    assert urls(documents, "otters") == ["docs://zoo/otters.html"]


def test_a_locked_index_is_gone_round(folder: Path, tmp_path: Path) -> None:
    Documents([folder], tmp_path / "cache").refresh()
    holder = sqlite3.connect(index_file(tmp_path), isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        (folder / "new.md").write_text("# Lynx\n\nThe lynx is shy.\n")
        other = Documents([folder], tmp_path / "cache", busy_s=0.05)
        assert urls(other, "shy lynx") == ["docs://zoo/new.md"]
    finally:
        holder.close()


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    documents = Documents([folder], blocked)
    assert urls(documents, "otters") == ["docs://zoo/otters.html"]
    assert documents.refresh()[0].read == 0  # the temporary index is kept while the object lives
    assert blocked.read_text() == "a file where the folder should be"


def test_without_any_place_for_an_index_the_error_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "full"
    nowhere.write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(nowhere))
    with pytest.raises(ToolError) as caught:
        Documents([folder], nowhere).search("otters")
    assert caught.value.hint


def test_processes_that_index_at_once_agree(tmp_path: Path) -> None:
    folder = tmp_path / "busy"
    folder.mkdir()
    for n in range(120):
        (folder / f"{n}.md").write_text(f"# Page {n}\n\nOnly here stands the number {n * 7919}.\n")
    code = (
        "import sys; from pathlib import Path; from airoagent.documents.library import Documents\n"
        "d = Documents([Path(sys.argv[1])], Path(sys.argv[2]))\n"
        "print([d.search(str(n * 7919))[0].url for n in range(0, 120, 17)])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=100) for process in processes]
    assert {out for out, _ in outputs} == {f"{[f'docs://busy/{n}.md' for n in range(0, 120, 17)]}\n".encode()}
    base = sqlite3.connect(index_file(tmp_path))
    assert base.execute("SELECT count(*) FROM files").fetchone() == (120,)
    assert base.execute("SELECT count(*) FROM passages_docsize").fetchone() == (120,)
    base.execute("INSERT INTO passages(passages) VALUES('integrity-check')")
    base.close()


def test_threads_may_search_at_once(documents: Documents) -> None:
    answers: list[list[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(urls(documents, "otters"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["docs://zoo/otters.html"]] * 8


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_reading_by_address(folder: Path, documents: Documents) -> None:
    body, kind = documents.read("docs://zoo/otters.html#food")
    assert (body, kind) == ((folder / "otters.html").read_bytes(), "text/html")
    assert documents.read("docs://zoo/north/bears.md?plain=1")[1] == "text/markdown"
    assert documents.read("docs://ZOO/NOTES")[1] == "text/plain"
    assert read_page(body, kind, "docs://zoo/otters.html").title == "Sea otters"


def test_addresses_and_paths_are_inverse_for_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "my docs & co"
    folder.mkdir()
    names = ["a b.md", "50%.md", "what?.txt", "x#y.html", "ü.md", "%2e%2e.md", "a&b=c.rst"]
    for name in names:
        (folder / name).write_text("walrus")
    documents = Documents([folder], tmp_path / "cache")
    found = urls(documents, "walrus", 10)
    assert sorted(documents.resolve(url) for url in found) == sorted((folder / name).resolve() for name in names)
    assert all(url.startswith("docs://my%20docs%20%26%20co/") and str(tmp_path) not in url for url in found)


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / place / "docs" for place in "abc"]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "page.md").write_text(f"# Page {number}\n")
    documents = Documents([*folders, folders[0]], tmp_path / "cache")
    assert documents.addresses == ("docs://docs/", "docs://docs-2/", "docs://docs-3/")
    assert documents.read("docs://docs-2/page.md")[0] == b"# Page 1\n"
    assert set(urls(documents, "page")) == {f"docs://docs{n}/page.md" for n in ("", "-2", "-3")}


def test_the_address_of_a_folder_means_its_front_page(folder: Path, documents: Documents) -> None:
    (folder / "north" / "index.html").write_text("<p>The far north.")
    assert documents.read("docs://zoo/north/")[0] == b"<p>The far north."
    with pytest.raises(FetchError):
        documents.read("docs://zoo/")


@pytest.mark.parametrize(
    "url",
    [
        "docs://zoo/../secret.md",
        "docs://zoo/%2e%2e/secret.md",
        "docs://zoo/north/..%2f..%2fsecret.md",
        "docs://zoo/%252e%252e/secret.md",
        "docs://zoo/..\\secret.md",
        "docs://zoo/%00/otters.html",
        "docs://zoo/otters.html%00.md",
        "docs://../secret.md",
        "docs://%2e%2e/secret.md",
        "docs:///etc/passwd",
        "docs://zoo//etc/passwd",
        "docs://zoo/%2fetc/passwd",
        "docs://zoo/out.md",
        "docs://zoo/outside/secret.md",
        "docs://zoo/keys.pem",
        "docs://zoo/.hidden.md",
        "docs://zoo/pipe.md",
        "docs://zoo/missing.md",
        "docs://zoo",
        "docs://other/otters.html",
        "file:///etc/passwd",
        "http://zoo/otters.html",
        "/etc/passwd",
        "",
        "docs://",
        "docs://zoo/" + "a" * 5000,
        "docs://zoo/" + "a/" * 5000,
        "docs://zoo/\udcff\ud800",
    ],
)
def test_no_address_leads_out_of_the_folder(folder: Path, tmp_path: Path, url: str) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "outside").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.md")
    documents = Documents([folder], tmp_path / "cache")
    with pytest.raises(FetchError) as caught:
        documents.read(url)
    assert str(tmp_path) not in caught.value.message + caught.value.hint
    assert documents.search("secret") == ()


def test_a_link_that_stays_below_the_folder_may_be_read(folder: Path, documents: Documents) -> None:
    (folder / "alias.md").symlink_to(folder / "north" / "bears.md")
    assert documents.read("docs://zoo/alias.md")[0].startswith(b"# Polar bears")


def test_big_files_are_read_up_to_eight_megabytes(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "big.txt").write_bytes(b"walrus. " * 1_200_000)
    assert len(Documents([folder], tmp_path / "cache").read("docs://d/big.txt")[0]) == 8 * 1024 * 1024


def test_folders_that_cannot_serve_are_refused_with_a_hint(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"x")
    for bad in (tmp_path / "missing", tmp_path / "empty", tmp_path / "pictures", folder / "keys.pem"):
        with pytest.raises(UsageError) as caught:
            Documents([bad], tmp_path / "cache")
        assert caught.value.hint
    with pytest.raises(UsageError):
        Documents([], tmp_path / "cache")


def test_one_file_is_searched_and_read_and_nothing_next_to_it(folder: Path, tmp_path: Path) -> None:
    documents = Documents([folder / "owls.txt", folder / "north" / "bears.md"], tmp_path / "cache")
    assert sorted(urls(documents, "owls bears otters walrus")) == ["docs://north/bears.md", "docs://zoo/owls.txt"]
    assert documents.read("docs://zoo/owls.txt")[1] == "text/plain"
    for url in ("docs://zoo/otters.html", "docs://zoo/north/bears.md", "docs://zoo/"):
        with pytest.raises(FetchError):
            documents.read(url)


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Walrus counts\n", "They are counted in May."]},
        {
            "cell_type": "code",
            "source": "print(7)",
            "outputs": [{"text": ["7 walrus\n"]}, {"data": {"text/plain": "8"}}],
        },
    ]
}


@pytest.mark.parametrize(
    ("name", "body", "title", "text"),
    [
        ("a.json", b'{"title": "Walrus", "count": 7}', "Walrus", '"count": 7'),
        ("a.yaml", b"walrus:\n  count: 7\n", "", "walrus:\n  count: 7"),
        ("a.log", b"10:00 walrus seen\n10:05 walrus gone\n", "", "10:00 walrus seen"),
        ("a.py", b"def walrus():\n    return 7\n", "", "def walrus():\n    return 7"),
        ("a.rst", b"Walrus\n======\n\nIt sleeps.\n", "Walrus", "It sleeps."),
        (
            "a.org",
            b"#+TITLE: Zoo\n* Walrus\n:ID: 3\nSee [[https://a.example/][the pond]].\n",
            "Zoo",
            "Walrus\n\nSee [the pond](https://a.example/).",
        ),
        ("a.ipynb", json.dumps(NOTEBOOK).encode(), "Walrus counts", "print(7)\n~~~~~~\n\n~~~~~~\n7 walrus"),
        ("a.ipynb", b'{"walrus": 1}', "", '"walrus": 1'),
        ("a.txt", "Das Walroß\n\nwalrus".encode("utf-16"), "Das Walroß", "walrus"),
        ("a.txt", "walrus und Walroß".encode("cp1252"), "", "walrus und Walroß"),
    ],
)
def test_files_of_many_kinds_are_documents(tmp_path: Path, name: str, body: bytes, title: str, text: str) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / name).write_bytes(body)
    documents = Documents([tmp_path / "zoo"], tmp_path / "cache")
    (url,) = urls(documents, "walrus")
    page = read_page(*documents.read(url), url)
    assert page.title == title and text in page.text


def test_a_frequent_word_only_ranks_what_rarer_words_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lakes"
    folder.mkdir()
    for number in range(6):
        (folder / f"lake{number}.txt").write_text(f"Lake number {number} is a lake among lakes, a very lake of a lake.")
    (folder / "a.txt").write_text("Baikal is a name of cars.")
    (folder / "b.txt").write_text("Baikal is the deepest lake of all.")
    documents = Documents([folder], tmp_path / "cache")
    assert len(documents.search("Baikal lake", 9)) == 8
    monkeypatch.setattr("airoagent.documents.library._FREQUENT", 3)
    monkeypatch.setattr("airoagent.documents.library._CANDIDATES", 2)
    assert [found.url for found in documents.search("Baikal lake", 9)] == ["docs://lakes/b.txt", "docs://lakes/a.txt"]
    assert len(documents.search("lake", 9)) == 2  # the candidates
    other = tmp_path / "ponds"
    other.mkdir()
    (other / "c.txt").write_text("A pond is a small lake.")
    both = Documents([folder, other], tmp_path / "cache")  # where it is rare, it finds what it did
    assert {found.url for found in both.search("Baikal lake", 9)} == {
        "docs://lakes/a.txt", "docs://lakes/b.txt", "docs://ponds/c.txt"
    }  # fmt: skip
