"""Completions written side by side: each is what it would be alone, and comes, stops and ends by itself.

The model computes in 32 bits here, so that rounding, which differs with the shape of a batch, decides no token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import ModelError
from airoagent.models.base import Chunk, Completion, Prompt, Purpose, Sampling, complete
from airoagent.models.local.row_batch import BatchGroup, BatchRow, PromptLookup
from airoagent.models.local.transformers import TransformersModel

QUESTIONS = ["Who?", "Where do otters sleep at night, and why there?", "When did she write it, given the book: " * 9]


def whole(folder: Path, **settings: Any) -> TransformersModel:
    model = TransformersModel(folder, device="cpu", bits=16, **settings)
    asyncio.run(complete(model, prompt("x", most=1)))
    assert model._loaded is not None
    model._loaded.model.float()
    return model


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> Iterator[TransformersModel]:
    made = whole(tiny_llama)
    yield made
    asyncio.run(made.aclose())


def prompt(
    text: str,
    *,
    most: int = 24,
    seed: int | None = None,
    temperature: float = 0,
    penalty: float = 1.1,
    purpose: Purpose = "answer",
    **rest: Any,
) -> Prompt:
    sampling = Sampling(temperature, max_tokens=most, seed=seed, repetition_penalty=penalty)
    return Prompt(text, purpose, sampling=sampling, **rest)


def shapes(model: TransformersModel) -> list[tuple[int, int]]:
    """(rows, tokens) of each forward pass from now on."""
    passes: list[tuple[int, int]] = []
    assert model._loaded is not None
    model._loaded.model.register_forward_pre_hook(
        lambda _, __, settings: passes.append(tuple(settings["input_ids"].shape)), with_kwargs=True
    )
    return passes


def at_once(model: TransformersModel, prompts: list[Prompt]) -> list[Completion]:
    async def run() -> list[Completion]:
        return list(await asyncio.gather(*(complete(model, each) for each in prompts)))

    return asyncio.run(run())


def one_by_one(model: TransformersModel, prompts: list[Prompt]) -> list[Completion]:
    return [asyncio.run(complete(model, each)) for each in prompts]


def test_rows_of_a_batch_are_what_they_are_alone(model: TransformersModel) -> None:
    prompts = [prompt(text) for text in QUESTIONS]
    assert at_once(model, prompts) == one_by_one(model, prompts)


def test_with_a_seed_a_text_is_the_same_whoever_else_is_writing(tiny_llama: Path) -> None:
    """In 4 bits and 16-bit arithmetic, where rounding does decide tokens: each has its passes for itself."""
    model = TransformersModel(tiny_llama, device="cpu")
    prompts = [
        prompt(text, seed=seed, temperature=temperature, most=64)
        for temperature in (0, 0.7)
        for seed, text in enumerate([*QUESTIONS, "otter", "a"])
    ]
    alone = one_by_one(model, prompts)
    passes = shapes(model)
    assert at_once(model, [*prompts, prompt("x", most=90), prompt("y", most=90)])[: len(prompts)] == alone
    assert {rows for rows, _ in passes} == {1, 2}  # Those without a seed share theirs.
    asyncio.run(model.aclose())


def test_rows_that_cannot_be_read_together_leave_the_others_as_they_were(model: TransformersModel) -> None:
    def row(alone: bool, ends: int = 9) -> BatchRow:
        def take(token: int) -> bool:
            if ends == 0:
                raise ModelError("no")
            return False

        return BatchRow([5, 6, 7], 9, lambda _, scores: scores, take, alone=alone)  # type: ignore[arg-type]

    assert model._loaded is not None
    batches = BatchGroup(model._loaded.model, model._loaded.device)
    there = [row(False), row(True)]
    batches.join(there)
    with pytest.raises(ModelError):
        batches.join([row(False), row(True), row(True, ends=0)])
    assert batches.rows == there
    batches.step()
    assert [len(each.ids) for each in there] == [5, 5]
    assert there[0].ids == there[1].ids


def test_rows_share_their_forward_passes(tiny_llama: Path) -> None:
    model = whole(tiny_llama)
    passes = shapes(model)
    at_once(model, [prompt(text, most=40) for text in QUESTIONS])
    assert (3, 1) in passes
    assert len(passes) < 60  # 120 one after the other
    asyncio.run(model.aclose())


def test_each_row_has_its_own_limit_stop_strings_and_grammar(model: TransformersModel) -> None:
    text = one_by_one(model, [prompt(QUESTIONS[1])])[0].text
    prompts = [
        prompt(QUESTIONS[0], most=5),
        prompt(QUESTIONS[1], stop=(text[9:12],)),
        prompt(QUESTIONS[2], grammar='start: "An otter."'),
        prompt(QUESTIONS[0], grammar='start: /[0-9]{3}/ "!"'),
        prompt(QUESTIONS[0], most=60),
    ]
    together = at_once(model, prompts)
    assert together == one_by_one(model, prompts)
    assert [each.finish for each in together] == ["length", "stop", "stop", "stop", "length"]
    assert together[0].usage.completion_tokens == 5
    assert together[1].text == text[: text.index(text[9:12])]
    assert together[2].text == "An otter."
    assert together[3].text[:3].isdecimal()


def test_a_prompt_joins_those_being_written_and_leaves_them_as_they_would_be(model: TransformersModel) -> None:
    first, second = prompt(QUESTIONS[0], most=80), prompt(QUESTIONS[2], most=10)
    passes = shapes(model)

    async def run() -> tuple[str, Completion]:
        stream = model.stream(first)
        text = (await anext(stream)).text
        joined = await complete(model, second)
        async for chunk in stream:
            text += chunk.text
        return text, joined

    text, joined = asyncio.run(run())
    assert {(1, 1), (2, 1)} <= set(passes)
    assert [text, joined.text] == [each.text for each in one_by_one(model, [first, second])]


def test_one_row_can_be_called_off_and_the_others_go_on(model: TransformersModel) -> None:
    prompts = [prompt(text, most=60) for text in QUESTIONS]

    async def few(each: Prompt) -> list[Chunk]:
        stream = model.stream(each)
        chunks = [await anext(stream), await anext(stream)]
        await stream.aclose()  # type: ignore[attr-defined]
        return chunks

    async def run() -> list[Any]:
        return list(await asyncio.gather(complete(model, prompts[0]), few(prompts[1]), complete(model, prompts[2])))

    done = asyncio.run(run())
    alone = one_by_one(model, prompts)
    assert (done[0], done[2]) == (alone[0], alone[2])
    assert alone[1].text.startswith("".join(chunk.text for chunk in done[1]))


def test_a_row_that_was_called_off_is_computed_no_more(model: TransformersModel) -> None:
    async def run() -> None:
        for _ in range(5):
            stream = model.stream(prompt(QUESTIONS[0], most=500))
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    passes = shapes(model)
    one_by_one(model, [prompt(QUESTIONS[1])])
    assert {rows for rows, _ in passes} == {1}


def test_a_prompt_that_cannot_be_read_fails_alone(model: TransformersModel) -> None:
    async def run() -> list[Completion | BaseException]:
        prompts = [prompt(QUESTIONS[0]), prompt("otter " * 9000), prompt("x", grammar="start: nowhere")]
        return list(await asyncio.gather(*(complete(model, each) for each in prompts), return_exceptions=True))

    written, long, senseless = asyncio.run(run())
    assert written == one_by_one(model, [prompt(QUESTIONS[0])])[0]
    assert isinstance(long, ModelError)
    assert "window" in long.message
    assert isinstance(senseless, ModelError)
    assert "grammar" in senseless.message


def test_no_more_rows_at_once_than_asked_for(tiny_llama: Path) -> None:
    model = whole(tiny_llama, rows=2)
    passes = shapes(model)
    prompts = [prompt(f"{text} {n}", most=6) for n, text in enumerate(QUESTIONS * 2)]
    assert [each.usage.completion_tokens for each in at_once(model, prompts)] == [6] * 6
    assert max(rows for rows, _ in passes) == 2
    asyncio.run(model.aclose())


def test_rows_wait_where_the_memory_for_them_is_short(
    model: TransformersModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = shapes(model)
    prompts = [prompt(text, most=6) for text in QUESTIONS]
    monkeypatch.setattr(model._queue, "_most_tokens", 500)
    assert at_once(model, prompts) == one_by_one(model, prompts)
    assert max(rows for rows, _ in passes) == 2


@pytest.mark.parametrize(
    "grammar",
    ["start: /((otters|others|kelp|keep) ){20,40}/", 'start: "Plan: look\\n" /[ab]{2}/ ":evidence0: = Search[otters]"'],
)
def test_looking_ahead_writes_the_same_in_fewer_passes(tiny_llama: Path, grammar: str) -> None:
    asked = prompt(QUESTIONS[2], seed=None, penalty=1, most=120, grammar=grammar)
    counts = []
    completions = []
    for look_ahead in (False, True):
        model = whole(tiny_llama, look_ahead=look_ahead)
        passes = shapes(model)
        completions.append(asyncio.run(complete(model, asked)))
        counts.append(len(passes))
        asyncio.run(model.aclose())
    assert completions[0] == completions[1]
    assert counts[1] < counts[0]


def test_with_a_seed_nothing_is_tried_ahead(model: TransformersModel) -> None:
    passes = shapes(model)
    at_once(model, [prompt(QUESTIONS[2], seed=3, penalty=1, most=60)])
    assert {tokens for _, tokens in passes[1:]} == {1}


def test_what_plan_prompts_begin_with_is_read_once(model: TransformersModel) -> None:
    tools = "The tools are Search and Read, which find and read what is asked for. " * 5
    prompts = [prompt(tools + text, purpose="plan", seed=None) for text in QUESTIONS]
    alone = one_by_one(model, [prompt(each.text) for each in prompts])
    passes = shapes(model)
    assert one_by_one(model, prompts) == alone
    read = [tokens for _, tokens in passes if tokens > 20]
    lengths = [each.usage.prompt_tokens for each in alone]
    shared = model.count_tokens(model.wrap(tools).split("ASSISTANT")[0])
    assert read[0] == lengths[0]
    assert sum(read) < sum(lengths) - shared


def test_an_answer_prompt_is_not_kept(model: TransformersModel) -> None:
    passes = shapes(model)
    asked = prompt("An otter sleeps in the kelp. " * 20, seed=None, most=1)
    first, second = one_by_one(model, [asked, asked])
    assert first == second
    assert passes == [(1, first.usage.prompt_tokens)] * 2


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
