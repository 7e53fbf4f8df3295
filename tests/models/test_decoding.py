"""Tokens to text and back, and the picking of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import ModelError, UsageError
from airoagent.models.base import Sampling
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.decoding import TokenPicker, TokenText, encode_plain, encode_prompt
from airoagent.models.local.loading import load_tokenizer
from airoagent.prompts.wrappers import WRAPPERS, template_wrapper


@pytest.fixture(scope="module")
def tokenizer(tiny_llama: Path) -> Any:
    return load_tokenizer(read_checkpoint(tiny_llama))


@pytest.fixture(scope="module")
def byte_level() -> Any:
    """A tokenizer as mpt and gpt-neox have it: each byte a visible character, two spaces an added token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    made.train_from_iterator(["the otter sleeps in the kelp"], trainer)
    made.add_tokens([AddedToken("  ", normalized=False)])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>")


TEXTS = [
    "Plan: look\n:evidence0: = Search[x]",
    "日本語と🦦、naïve – café",
    "two  spaces\tand a tab\n\n",
    "e\u0301 👨‍👩‍👧",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", ["tokenizer", "byte_level"])
def test_text_comes_back_whole_and_never_half_a_character(text: str, kind: str, request: pytest.FixtureRequest) -> None:
    used = request.getfixturevalue(kind)
    decoder = TokenText(used)
    pieces = [decoder.feed(token) for token in encode_plain(used, text)]
    assert not any("\ufffd" in piece for piece in pieces)
    assert decoder.finish() == ""
    # A llama tokenizer puts a space in front of a text.
    assert "".join(pieces).removeprefix(" ") == text


def test_bytes_that_are_no_text_become_one_mark_each_time(tokenizer: Any) -> None:
    decoder = TokenText(tokenizer)
    cut = [tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>") for byte in "日".encode()[:2]]
    assert [decoder.feed(token) for token in cut] == ["", ""]
    assert decoder.feed(tokenizer.convert_tokens_to_ids("<0x41>")) == "\ufffdA"
    decoder.feed(cut[0])
    assert decoder.finish() == "\ufffd"


def test_control_tokens_and_ids_beyond_the_vocabulary_have_no_text(tokenizer: Any) -> None:
    decoder = TokenText(tokenizer)
    assert [decoder.feed(token) for token in (0, 1, 2, 10**6)] == ["", "", "", ""]


@pytest.mark.parametrize("text", ["</s>", "a </s> b", "<s>", "x<unk>y", "</s></s>"])
def test_text_cannot_become_a_control_token(tokenizer: Any, text: str) -> None:
    assert tokenizer(text, add_special_tokens=False)["input_ids"] != encode_plain(tokenizer, text)
    ids = encode_plain(tokenizer, text)
    assert {1, 2}.isdisjoint(ids)
    decoder = TokenText(tokenizer)
    assert "".join(map(decoder.feed, ids)).removeprefix(" ") == text


def test_a_tokenizer_that_makes_control_tokens_of_text_is_refused(tokenizer: Any) -> None:
    class Careless:
        bos_token_id, eos_token_id, unk_token_id = 1, 2, 0

        def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
            return {"input_ids": [5, 2]}

    with pytest.raises(ModelError, match="control tokens"):
        encode_plain(Careless(), "x")


def test_a_prompt_begins_with_the_begin_token_once(tokenizer: Any) -> None:
    wrapper = WRAPPERS["airoboros-2.0"]
    ids = encode_prompt(tokenizer, wrapper, "Hi <s> there", None, begin=True)
    assert ids == [1, *encode_plain(tokenizer, wrapper.wrap("Hi <s> there"))]
    assert encode_prompt(tokenizer, wrapper, "Hi", None, begin=False)[0] != 1


def test_control_tokens_of_a_template_are_ids_and_those_of_the_text_are_not(tokenizer: Any) -> None:
    def render(messages: list[dict[str, str]]) -> str:
        return "<s>" + "".join(f"{m['role']}: {m['content']}</s>" for m in messages) + "assistant:"

    wrapper = template_wrapper(render)
    ids = encode_prompt(tokenizer, wrapper, "a </s> b", None, begin=True)
    expected = [1, *encode_plain(tokenizer, "user: a </s> b"), 2, *encode_plain(tokenizer, "assistant:")]
    assert ids == expected
    with_system = encode_prompt(tokenizer, wrapper, "a", "x <s> y", begin=True)
    assert [token for token in with_system if token in (1, 2)] == [1, 2, 2]


@pytest.mark.parametrize(
    "figure", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"repetition_penalty": 0}, {"max_tokens": 0}]
)
def test_figures_that_make_no_sense_are_refused(figure: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(figure))} cannot be"):
        Sampling(**figure)


def _draw(sampling: Sampling, scores: list[float], times: int = 200, ids: list[int] | None = None) -> set[int]:
    import torch

    picker = TokenPicker(sampling, "cpu")
    read = torch.tensor([ids or [4]])
    return {int(picker(read, torch.tensor([scores])).argmax()) for _ in range(times)}


SCORES = [2.0, 1.9, 0.0, -1.0, -1.0]


def test_greedy_takes_the_best_and_sampling_others_too() -> None:
    assert _draw(Sampling(temperature=0, repetition_penalty=1), SCORES) == {0}
    assert _draw(Sampling(temperature=1, repetition_penalty=1, seed=1), SCORES) >= {0, 1, 2}


def test_top_p_leaves_the_likeliest() -> None:
    assert _draw(Sampling(temperature=1, top_p=0.6, repetition_penalty=1, seed=1), SCORES) == {0, 1}
    assert _draw(Sampling(temperature=1, top_p=0.01, repetition_penalty=1, seed=1), SCORES) == {0}


def test_the_penalty_reaches_back_64_tokens() -> None:
    greedy = Sampling(temperature=0, repetition_penalty=1.1)
    assert _draw(greedy, SCORES, 1, ids=[0] + [4] * 63) == {1}
    assert _draw(greedy, SCORES, 1, ids=[0] + [4] * 64) == {0}


def test_a_seed_means_the_same_draws_whatever_else_draws() -> None:
    import torch

    def draws() -> list[int]:
        picker = TokenPicker(Sampling(temperature=1, seed=7), "cpu")
        picked = []
        for _ in range(50):
            torch.rand(3)  # Somebody else uses the global generator.
            picked.append(int(picker(torch.tensor([[4]]), torch.tensor([SCORES])).argmax()))
        return picked

    assert draws() == draws()


def test_no_numbers_any_more_is_said(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="NaN"):
        _draw(Sampling(), [float("nan")] * 5)
