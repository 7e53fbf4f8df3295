"""Proposals follow what came before, and how many follows what came true."""

from __future__ import annotations

from airoagent.models.local.row_batch import PromptLookup


def test_what_followed_the_same_tokens_is_proposed() -> None:
    guesses = PromptLookup()
    assert guesses([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) == [4, 5, 6, 7]
    assert guesses([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 9]) == []


def test_the_last_time_counts() -> None:
    assert PromptLookup()([1, 2, 3, 4, 0, 1, 2, 3, 5, 0, 1, 2, 3])[0] == 5


def test_right_proposals_make_longer_ones_and_wrong_ones_shorter() -> None:
    text = list(range(40))
    guesses = PromptLookup()
    ids = [*text, 0, 1, 2]
    sizes = []
    for _ in range(3):
        proposed = guesses(ids)
        sizes.append(len(proposed))
        ids += proposed
    assert sizes == [4, 8, 16]
    ids = [*text, *ids, 3, 4, 5]
    for _ in range(3):
        sizes.append(len(guesses(ids)))
        ids += [99, 3, 4, 5]
    assert sizes[3] > sizes[4] >= 1


def test_what_a_grammar_forces_comes_first() -> None:
    guesses = PromptLookup(lambda ids: [7, 7] if ids[-1] == 3 else [])
    assert guesses([1, 2, 3, 4, 1, 2, 3]) == [7, 7]
    assert PromptLookup(lambda ids: [])([1, 2, 3, 4, 1, 2, 3])[0] == 4


def test_the_end_of_the_text_is_never_its_own_proposal() -> None:
    assert PromptLookup()([1, 2, 3]) == []
    assert PromptLookup()([]) == []
