"""HyperlinkExtractor: the links of a text, one a line, and exactly those of a search."""

from __future__ import annotations

from pathlib import Path

from airoagent import Evidence, SearchResult, Source, ToolOutput, links_of, results_output
from airoagent.toolbox.loader import load_tools
from tests.fetching import make_context

(EXTRACTOR,) = load_tools(Path(__file__).parents[2] / "tools" / "hyperlink_extractor.py")


def extract(*parts: str | Evidence) -> ToolOutput:
    """What the tool makes of this input."""
    made: ToolOutput = EXTRACTOR("".join(map(str, parts)), make_context(*parts))
    return made


def test_the_description_is_the_cards_word_for_word() -> None:
    assert EXTRACTOR.name == "HyperlinkExtractor"
    assert EXTRACTOR.description == (
        "Extract links from plain text and produces a plain text, newline delimited response of links."
    )


def test_links_come_one_a_line_in_order_without_duplicates() -> None:
    output = extract("See https://b.example/2, https://a.example/1. And https://b.example/2!")
    assert output.text == "https://b.example/2\nhttps://a.example/1"


def test_search_results_give_exactly_their_addresses_and_titles() -> None:
    hits = [
        SearchResult("One", "https://a.example/x_(y).", "see https://no.example"),
        SearchResult("Two", "docs://d/b c.md", ""),
    ]
    found = results_output(hits, "q")
    output = extract(Evidence("evidence0", "DuckDuckGo", found.text, found.sources))
    assert output.text == "https://a.example/x_(y).\ndocs://d/b c.md"
    assert [(source.url, source.title) for source in output.sources] == [
        ("https://a.example/x_(y).", "One"),
        ("docs://d/b c.md", "Two"),
    ]


def test_each_line_is_tied_to_its_link_so_that_the_next_tool_gets_it_exactly() -> None:
    hits = [SearchResult("One", "https://a.example/x_(y).", ""), SearchResult("Two", "docs://d/b c.md", "")]
    found = results_output(hits, "q")
    output = extract(Evidence("evidence0", "DuckDuckGo", found.text, found.sources))
    assert [output.text[source.start : source.end] for source in output.sources] == output.text.splitlines()
    again = Evidence("evidence1", "HyperlinkExtractor", output.text, output.sources)
    assert links_of((again,), clean_lines=True) == ("https://a.example/x_(y).", "docs://d/b c.md")


def test_the_links_listed_below_a_scraped_page_are_found() -> None:
    text = "https://a.example/\nTitle\n\nBody\n\nLinks:\nhttps://a.example/next\nhttps://b.example/"
    page = Evidence("evidence2", "TextScraper", text, (Source("https://a.example/", "Title", start=19, end=30),))
    assert extract(page).text == "https://a.example/next\nhttps://b.example/"


def test_a_text_without_links_says_so() -> None:
    for text in ("", "nothing here", "www."):
        output = extract(text)
        assert output.text == "No links were found in the text."
        assert output.note == "no links were found"
        assert output.sources == ()
