"""The grammar mask follows the tokens it is shown, forward and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import ModelError
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.constraint import GrammarMask, grammar_tokenizer, nearest_end
from airoagent.models.local.decoding import encode_plain
from airoagent.models.local.loading import load_tokenizer
from airoagent.plan.plan_grammar import plan_grammar

GRAMMAR = 'start: "Plan: " /[a-c]{1,3}/ "."'


@pytest.fixture(scope="module")
def tokenizer(tiny_llama: Path) -> Any:
    return load_tokenizer(read_checkpoint(tiny_llama))


@pytest.fixture(scope="module")
def for_grammars(tokenizer: Any) -> Any:
    return grammar_tokenizer(tokenizer, len(tokenizer) + 20, [2])


def allowed(mask: GrammarMask, tokenizer: Any, tokens: list[int]) -> set[str]:
    import torch

    scores = torch.zeros(1, len(tokenizer) + 20)
    kept = torch.isfinite(mask(torch.tensor([[1, 9, *tokens]]), scores))[0].nonzero()
    return {tokenizer.convert_ids_to_tokens(int(token)) for token in kept}


def bytes_of(text: str, tokenizer: Any) -> list[int]:
    return [tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>") for byte in text.encode()]


def test_only_what_the_grammar_allows_can_come(tokenizer: Any, for_grammars: Any) -> None:
    mask = GrammarMask(for_grammars, GRAMMAR, 2)
    first = allowed(mask, tokenizer, [])
    assert first
    assert all(piece == "<0x50>" or "Plan: ".startswith(piece) for piece in first)
    text = bytes_of("Plan: ab", tokenizer)
    letters = allowed(mask, tokenizer, text)
    assert {"a", "b", "c", "<0x2E>"} <= letters
    assert "d" not in letters
    assert allowed(mask, tokenizer, bytes_of("Plan: abc", tokenizer)) <= {".", "<0x2E>"}
    assert allowed(mask, tokenizer, bytes_of("Plan: abc.", tokenizer)) == {"</s>"}


def test_goes_back_where_a_draft_is_dropped(tokenizer: Any, for_grammars: Any) -> None:
    mask = GrammarMask(for_grammars, GRAMMAR, 2)
    fresh = {
        text: allowed(GrammarMask(for_grammars, GRAMMAR, 2), tokenizer, bytes_of(text, tokenizer))
        for text in ("Plan: ", "Plan: abc", "Plan: b", "P")
    }
    for text in ("Plan: abc", "Plan: ", "Plan: b", "P", "Plan: abc"):
        assert allowed(mask, tokenizer, bytes_of(text, tokenizer)) == fresh[text], text


def test_a_token_outside_the_language_is_said(tokenizer: Any, for_grammars: Any) -> None:
    mask = GrammarMask(for_grammars, GRAMMAR, 2)
    with pytest.raises(ModelError, match="grammar"):
        allowed(mask, tokenizer, encode_plain(tokenizer, "otter"))


@pytest.mark.parametrize("grammar", ["start: nowhere", "start: (", 'begin: "x"'])
def test_a_grammar_that_is_none_is_said(for_grammars: Any, grammar: str) -> None:
    with pytest.raises(ModelError, match="grammar for this completion cannot be used") as caught:
        GrammarMask(for_grammars, grammar, 2)
    assert "\n" not in caught.value.message


def test_a_tokenizer_without_a_fast_form_is_left_free() -> None:
    class Slow:
        is_fast = False

    assert grammar_tokenizer(Slow(), 100, [2]) is None


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", "Plan: ]\n:evidence0: = Search[0]\nAnswer: :evidence0:\n"),
        ("Plan: look\n:evid", "ence0: = Search[0]\nAnswer: :evidence0:\n"),
        (" :evidence0: = Search[ötters", "]\nAnswer: :evidence0:\n"),
        (":evidence0: = Search[a]\nAnswer: :evidence0:", ""),
        ("I will not", ""),
    ],
)
def test_a_text_from_elsewhere_is_led_to_its_nearest_end(
    text: str, end: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert nearest_end(plan_grammar(["Search"]), text) == end
    assert capfd.readouterr() == ("", "")
