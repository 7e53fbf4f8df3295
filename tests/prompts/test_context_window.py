"""Evidence cut to a window: what speaks of the question stays, in order, with its source; a note tells the rest."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.errors import ModelError
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.prompts.context_window import GAP, fit_blocks

QUESTION = "Who built the lighthouse of Varna?"
ANSWER = "The lighthouse of Varna was built in 1863 by Anna Petrova."


def words(text: str) -> int:
    return len(text.split())


def filler(count: int, seed: int = 1) -> str:
    rng = random.Random(seed)
    nouns = ["otter", "kelp", "shore", "lamp", "river", "harbour", "stone", "boat", "winter", "fish", "barley", "mill"]
    return " ".join(
        " ".join(rng.choice(nouns) for _ in range(rng.randint(6, 14))).capitalize() + "." for _ in range(count)
    )


def block(text: str, url: str = "") -> ContextBlock:
    return ContextBlock(text, (("url", url),) if url else ())


def test_what_fits_is_left_as_it_is() -> None:
    blocks = [block("One.  Two.\n\nThree."), block(ANSWER, "https://a.example")]
    fitted = fit_blocks(blocks, QUESTION, 100, words)
    assert (fitted.blocks, fitted.note) == (tuple(blocks), "")


def test_the_sentence_that_answers_is_found_in_the_middle_of_a_long_page() -> None:
    page = f"{filler(400)} {ANSWER} {filler(400, 2)}"
    fitted = fit_blocks([block(page, "https://a.example/varna")], QUESTION, 150, words)
    assert ANSWER in fitted.blocks[0].text
    assert fitted.blocks[0].metadata == (("url", "https://a.example/varna"),)
    assert words(closed_context_prompt(fitted.blocks, QUESTION)) <= 150
    assert fitted.note.startswith("did not fit the model's window whole: https://a.example/varna (")
    assert f"of {len(page):,} characters read)" in fitted.note


def test_passages_keep_their_order_and_gaps_are_marked() -> None:
    first, second = "Varna has a lighthouse that was built late.", "The builder of the lighthouse came to Varna by sea."
    page = f"{filler(60)} {first} {filler(60, 2)} {second} {filler(60, 3)}"
    [cut] = fit_blocks([block(page)], QUESTION, 260, words).blocks
    assert cut.text.index(first) < cut.text.index(second)
    pieces = [piece for piece in cut.text.split(GAP.strip()) if piece.strip()]
    assert len(pieces) >= 2
    assert all(piece.strip() in page for piece in pieces)


def test_sentences_are_not_torn() -> None:
    page = f"{filler(200)} {ANSWER} {filler(200, 2)}"
    [cut] = fit_blocks([block(page)], QUESTION, 200, words).blocks
    for piece in cut.text.split(GAP.strip()):
        if piece.strip():
            assert piece.strip().endswith(".")
            assert piece.strip()[0].isupper()


def test_a_short_block_stays_whole_beside_a_long_one() -> None:
    short = "Otters sleep afloat. They hold paws."
    fitted = fit_blocks([block(filler(900) + ANSWER, "u1"), block(short, "u2")], QUESTION, 200, words)
    assert fitted.blocks[1] == block(short, "u2")
    assert "u2" not in fitted.note


def test_long_blocks_that_both_speak_of_it_share_the_room() -> None:
    pages = [f"{filler(300, n)} {'Varna has a lighthouse, they say. ' * 40} {filler(300, n + 5)}" for n in range(2)]
    fitted = fit_blocks([block(page) for page in pages], QUESTION, 300, words)
    assert len(fitted.blocks) == 2
    lengths = [words(each.text) for each in fitted.blocks]
    assert min(lengths) > 0.6 * max(lengths)


def test_of_more_blocks_than_can_be_shown_the_best_are_and_the_others_named() -> None:
    blocks = [block(filler(40, n), f"https://a.example/{n}") for n in range(40)]
    blocks[33] = block(filler(20) + " " + ANSWER, "https://a.example/right")
    fitted = fit_blocks(blocks, QUESTION, 120, words)
    assert ("url", "https://a.example/right") in [pair for each in fitted.blocks for pair in each.metadata]
    assert len(fitted.blocks) < 15
    assert "https://a.example/0 (0 of" in fitted.note
    assert "more" in fitted.note


def test_words_are_found_in_other_forms_and_case() -> None:
    page = f"{filler(300)} LIGHTHOUSES stood on that coast. {filler(300, 2)}"
    [cut] = fit_blocks([block(page)], "Which lighthouse?", 100, words).blocks
    assert "LIGHTHOUSES stood" in cut.text


def test_text_without_spaces_is_ranked_and_cut_too() -> None:
    page = "水獭在海藻中睡觉。" * 300 + "瓦尔纳的灯塔建于一八六三年。" + "河边有一座磨坊。" * 300
    [cut] = fit_blocks([block(page)], "瓦尔纳的灯塔是谁建的？", 900, len).blocks
    assert "瓦尔纳的灯塔建于一八六三年。" in cut.text
    assert len(closed_context_prompt([cut], "瓦尔纳的灯塔是谁建的？")) <= 900


def test_where_nothing_matches_the_beginning_is_read() -> None:
    page = filler(500)
    [cut] = fit_blocks([block(page)], "Qui?", 120, words).blocks
    assert page.startswith(cut.text.split(GAP)[0].rstrip(" [.]\n").removesuffix("[...]").strip())


def test_one_word_without_end_is_cut_all_the_same() -> None:
    fitted = fit_blocks([block("x" * 50_000, "u")], QUESTION, 1000, len)
    assert len(closed_context_prompt(fitted.blocks, QUESTION)) <= 1000
    assert fitted.blocks


def test_abbreviations_do_not_end_sentences() -> None:
    sentence = "It was Dr. Anna B. Petrova of St. Nicholas who built the lighthouse of Varna, i.e. its tower."
    [cut] = fit_blocks([block(f"{filler(200)} {sentence} {filler(200, 3)}")], QUESTION, 120, words).blocks
    assert sentence in cut.text


def test_a_question_over_the_window_is_said() -> None:
    with pytest.raises(ModelError, match="the question alone is") as caught:
        fit_blocks([block(filler(900))], "why " * 200, 100, words)
    assert caught.value.hint


@given(
    st.lists(st.text(st.sampled_from("aé. \n漢。İ[]Lighthouse Varna"), max_size=1500), max_size=3),
    st.integers(120, 900),
)
def test_never_over_the_budget_and_only_what_was_there(texts: list[str], budget: int) -> None:
    blocks = [block(text, f"u{n}") for n, text in enumerate(texts)]
    fitted = fit_blocks(blocks, "Varna?", budget, len)
    assert len(closed_context_prompt(fitted.blocks, "Varna?")) <= budget
    by_url = {each.metadata: each.text for each in blocks}
    for each in fitted.blocks:
        source = by_url[each.metadata]
        assert each.text == source or all(piece.strip() in source for piece in each.text.split(GAP.strip()))
    lost = sum(len(each.text) for each in blocks) - sum(len(each.text) for each in fitted.blocks)
    assert bool(fitted.note) or lost == 0 or not any(text.strip() for text in texts)
