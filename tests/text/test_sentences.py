"""Where sentences end, and that cutting a text loses nothing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.text.sentences import sentence_spans, sentences


@pytest.mark.parametrize(
    "whole",
    [
        "Dr. No was filmed in 1962.",
        "He lives at No. 5, St. James's Square.",
        "J. R. R. Tolkien wrote it.",
        "They ate fish, e.g. Atlantic cod.",
        "It costs 3.50 euros.",
        "Yahoo! is a company.",
        "He was born ca. 1420 in Ulm.",
    ],
)
def test_a_full_stop_of_an_abbreviation_or_a_figure_ends_nothing(whole: str) -> None:
    assert sentences(f"{whole} Next.") == (whole, "Next.")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It was in the U.S. The rest was not.", 2),
        ("It is written in C. It has no classes.", 2),
        ("I said no. We left.", 2),
        ('"Done!" She left. Why? 12 of them knew.', 4),
        ("A line\n\nanother line", 2),
        ("One.[12] Two.", 2),
        ("水獭在海藻中睡觉。河边有一座磨坊。", 2),
        ("", 0),
        (" \n ", 0),
    ],
)
def test_sentences_and_lines_are_counted_as_a_reader_would(text: str, parts: int) -> None:
    assert len(sentences(text)) == parts


@given(st.text(st.sampled_from('aB. \n!?"(漢。1'), max_size=200))
def test_the_spans_together_are_the_whole_text(text: str) -> None:
    spans = list(sentence_spans(text))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
