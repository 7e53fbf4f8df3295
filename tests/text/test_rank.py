"""BM25 ranks as its formula says: rare words more, long texts less, once for each word of the query."""

from __future__ import annotations

from airoagent.text.rank import bm25, rarity


def test_the_text_with_the_rarest_word_is_best() -> None:
    texts = [["otter", "sleep"], ["bear", "sleep"], ["fox", "sleep"]]
    scores = bm25(texts, ["sleep", "bear"])
    assert scores[1] > scores[0] == scores[2] > 0


def test_of_two_texts_with_a_word_the_shorter_is_better_and_more_of_it_counts() -> None:
    short, long, twice = ["bear"], ["bear", *"abcdef"], ["bear", "bear", *"abcde"]
    scores = bm25([short, long, twice, ["x"]], ["bear", "bear"])
    assert scores[0] > scores[1] and scores[2] > scores[1] and scores[3] == 0


def test_no_text_and_no_query_give_no_score() -> None:
    assert bm25([], ["x"]) == [] and bm25([[], ["x"]], []) == [0.0, 0.0]


def test_a_word_says_less_the_more_texts_have_it() -> None:
    assert rarity(1, 100) > rarity(10, 100) > rarity(100, 100) > 0
