"""Words, the stems that their forms share, and the words a query searches for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.text.words import fold, query_stems, stem, stems, words


@pytest.mark.parametrize(
    "forms",
    [
        "design designs designed designing designer",
        "run running runs ran",
        "city cities",
        "win won winning winner",
        "discover discovered discovery discoveries",
        "licence license licensed",
        "tall taller high height",
        "Glück Gluck Glück's",
    ],
)
def test_the_forms_of_a_word_share_a_stem(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize(("one", "other"), [("read", "real"), ("Paris", "part"), ("mass", "mast"), ("1889", "1888")])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_figures_names_and_joined_words_stay_whole() -> None:
    assert words("O'Neil paid 1,200.5 in the U.S. for x_y, co-owned") == [
        *("O'Neil", "paid", "1,200.5", "in", "the", "U.S", "for", "x", "y", "co", "owned")
    ]


def test_a_script_without_spaces_gives_pairs_of_letters() -> None:
    assert words("abc海藻林 x") == ["abc", "海藻", "藻林", "x"]


def test_spellings_with_and_without_accents_fold_to_one() -> None:
    assert fold("Glück ŁØß") == "gluck loss"


def test_a_query_is_searched_by_its_telling_words_or_else_by_all() -> None:
    assert query_stems("Who designed the towers, the towers?") == ["design", "tower"]
    assert query_stems("Who are you?") == ["who", "are", "you"]


@given(st.text(max_size=100))
def test_any_text_has_words_and_stems(text: str) -> None:
    assert len(stems(text)) <= len(words(text))
