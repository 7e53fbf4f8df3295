"""The example library and its questions: the pages hold together, and every answer stands where the set says."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "examples" / "library"
PAGES = tuple(sorted(path.relative_to(LIBRARY).as_posix() for path in LIBRARY.rglob("*.html")))
QUESTIONS: list[dict[str, Any]] = json.loads((ROOT / "tests/data/library_questions.json").read_text(encoding="utf-8"))
MORE: list[dict[str, Any]] = json.loads((ROOT / "tests/data/more_questions.json").read_text(encoding="utf-8"))
ANSWERABLE = [question for question in QUESTIONS if question["kind"] != "unanswerable"]
ANSWERABLE_MORE = [question for question in MORE if question["kind"] != "unanswerable"]
ALL_ANSWERABLE = ANSWERABLE + ANSWERABLE_MORE
SINGLE_KINDS = frozenset({"who", "when", "where", "how_many", "what", "which"})


class NestingChecker(HTMLParser):
    """Fails at the first end tag that does not close the element opened last; bs4 and lxml would mend it in silence."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> in line {self.getpos()[0]}"


def page(name: str) -> BeautifulSoup:
    return BeautifulSoup((LIBRARY / name).read_bytes(), "lxml")


def visible_text(name: str) -> str:
    """The words a reader sees, white space as single spaces: the head, scripts and all that is hidden left out."""
    soup = page(name)
    unseen = soup.select("head, script, style, template, textarea, [hidden], [style*='display:none']")
    for element in unseen:
        element.decompose()
    return " ".join(soup.get_text(" ").split())


def local_links(name: str) -> list[tuple[str, str]]:
    """Every relative link as (page it leads to, anchor or ""), pages named relative to the library."""
    found = []
    for anchor in page(name).select("a[href]"):
        parts = urlsplit(str(anchor["href"]))
        assert not parts.scheme and not parts.netloc, f"{name} links outside the library: {anchor['href']}"
        target = (LIBRARY / name).parent / unquote(parts.path) if parts.path else LIBRARY / name
        found.append((target.resolve().relative_to(LIBRARY).as_posix(), parts.fragment))
    return found


def groups(question: dict[str, Any]) -> list[list[str]]:
    """Lists of accepted answers, one list for each thing that was asked."""
    return question["answers"] if question["kind"] == "two_part" else [question["answers"]]


def words(text: str) -> str:
    """A question with case and punctuation taken away, so that two spellings of one question are equal."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def test_library_has_the_promised_number_of_pages_and_a_sub_folder() -> None:
    assert 22 <= len(PAGES) <= 25
    assert "index.html" in PAGES
    assert any("/" in name for name in PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_a_whole_document(name: str) -> None:
    source = (LIBRARY / name).read_text(encoding="utf-8")
    assert source.startswith("<!doctype html>\n")
    soup = page(name)
    assert soup.html is not None and soup.html.get("lang") == "en"
    assert soup.title is not None and soup.title.get_text(strip=True)
    assert len(soup.select("h1, font[size='6']")) == 1
    assert "Last updated" in visible_text(name)
    ids = [str(element["id"]) for element in soup.select("[id]")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_every_tag_that_is_opened_is_closed_in_its_place(name: str) -> None:
    checker = NestingChecker()
    checker.feed((LIBRARY / name).read_text(encoding="utf-8"))
    checker.close()
    assert checker.open == []


@pytest.mark.parametrize("name", PAGES)
def test_page_has_200_to_900_words(name: str) -> None:
    assert 200 <= len(visible_text(name).split()) <= 900


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_page_and_an_anchor_that_exist(name: str) -> None:
    for target, anchor in local_links(name):
        assert target in PAGES, f"{name} links to {target}, which is not there"
        if anchor:
            soup = page(target)
            assert soup.find(id=anchor) or soup.find("a", attrs={"name": anchor}), f"{name}: no #{anchor} in {target}"


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        for target, _ in local_links(waiting.pop()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    assert reached == set(PAGES)


def test_false_text_is_there_but_hidden() -> None:
    source = (LIBRARY / "mount-everest.html").read_text(encoding="utf-8")
    assert "9,120 metres" in source and "1 April 1949" in source
    assert "9,120 metres" not in visible_text("mount-everest.html")
    assert "1 April 1949" not in visible_text("mount-everest.html")


def test_question_set_has_the_promised_sizes() -> None:
    kinds = Counter(question["kind"] for question in QUESTIONS)
    assert len(QUESTIONS) == 80
    assert kinds["two_part"] == 15 and kinds["unanswerable"] == 10
    assert set(kinds) == SINGLE_KINDS | {"two_part", "unanswerable"}
    assert len({question["question"] for question in QUESTIONS}) == 80
    for kind, total in kinds.items():
        dev = sum(question["kind"] == kind and question["split"] == "dev" for question in QUESTIONS)
        assert dev in (total // 2, total - total // 2), kind
    assert {question["split"] for question in QUESTIONS} == {"dev", "held_out"}


def test_larger_development_set_has_the_promised_sizes() -> None:
    kinds = Counter(question["kind"] for question in MORE)
    singles = {"who": 25, "when": 22, "where": 16, "how_many": 22, "what": 22, "which": 13}
    assert kinds == {**singles, "two_part": 12, "unanswerable": 8}
    assert {question["split"] for question in MORE} == {"dev"}


def test_larger_development_set_asks_about_every_page() -> None:
    assert {question["source"] for question in ANSWERABLE_MORE} == set(PAGES)


def test_no_question_is_asked_twice_in_either_set() -> None:
    asked = Counter(words(question["question"]) for question in QUESTIONS + MORE)
    assert [text for text, times in asked.items() if times > 1] == []


def test_every_page_but_the_index_is_asked_about() -> None:
    assert {question["source"] for question in ANSWERABLE} == set(PAGES) - {"index.html"}


@pytest.mark.parametrize("question", ALL_ANSWERABLE, ids=[question["question"] for question in ALL_ANSWERABLE])
def test_answer_stands_in_the_visible_text_of_its_page(question: dict[str, Any]) -> None:
    text = visible_text(question["source"]).casefold()
    assert len(groups(question)) == (2 if question["kind"] == "two_part" else 1)
    for accepted in groups(question):
        assert any(answer.casefold() in text for answer in accepted), accepted


@pytest.mark.parametrize("question", ALL_ANSWERABLE, ids=[question["question"] for question in ALL_ANSWERABLE])
def test_question_does_not_give_its_own_answer_away(question: dict[str, Any]) -> None:
    for accepted in groups(question):
        assert not any(answer.casefold() in question["question"].casefold() for answer in accepted)


def test_unanswerable_questions_have_no_answer_and_no_source() -> None:
    for question in QUESTIONS + MORE:
        if question["kind"] == "unanswerable":
            assert question["answers"] == [] and question["source"] == ""
