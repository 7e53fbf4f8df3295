"""On a GPU: a checkpoint of Llama-2-7B's shape with random weights, in NF4. Run with ``pytest -m gpu -s``.

Writes a 13.5 GB checkpoint into a temporary folder once; prints what it measures.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airoagent.models.base import Completion, Prompt, Sampling, complete
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_llama import make_tiny_llama

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]

GRAMMAR = 'start: " "? ("Plan: " /[a-z ]{20,60}/ "\\n"){8,40}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersModel]:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    folder = make_tiny_llama(
        tmp_path_factory.mktemp("gpu") / "llama-7b-shape",
        hidden=4096,
        intermediate=11008,
        layers=32,
        heads=32,
        window=4096,
        vocabulary=700,
        shard_size="5GB",
        spread=0.02,
        device="cuda",
        output_width=32000,
    )
    gc.collect()  # The maker's copy, held in cycles, must not count.
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    made = TransformersModel(folder, device="cuda", wrapper="none")
    yield made
    asyncio.run(made.aclose())


def write(model: TransformersModel, *, tokens: int, grammar: str = "", text: str = "otter") -> tuple[Completion, float]:
    prompt = Prompt(text, grammar=grammar, sampling=Sampling(max_tokens=tokens, seed=1))
    started = time.perf_counter()
    return asyncio.run(complete(model, prompt)), time.perf_counter() - started


def test_loads_in_4_bits_within_the_cards_memory(model: TransformersModel) -> None:
    import torch

    _, seconds = write(model, tokens=1)
    assert model._loaded is not None
    held, peak = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    expected = read_checkpoint(Path(model.info.name)).four_bit
    print(
        f"\nload and first token {seconds:.1f} s; held {held / 1e9:.2f} GB, expected {expected / 1e9:.2f} GB, "
        f"peak {peak / 1e9:.2f} GB"
    )
    assert held == pytest.approx(expected, rel=0.05)
    assert peak < 6.29e9  # The card's figure for q4_0.


@pytest.mark.parametrize("grammar", ["", GRAMMAR], ids=["free", "grammar"])
def test_writes_at_a_rate(model: TransformersModel, grammar: str) -> None:
    write(model, tokens=8, grammar=grammar)  # Kernels are chosen at first use.
    completion, seconds = write(model, tokens=256, grammar=grammar)
    rate = completion.usage.completion_tokens / seconds
    print(f"\n{'grammar' if grammar else 'free'}: {rate:.1f} tokens a second")
    assert completion.usage.completion_tokens > 100


def test_reads_a_long_prompt(model: TransformersModel) -> None:
    import torch

    torch.cuda.reset_peak_memory_stats()
    completion, seconds = write(model, tokens=1, text="the otter sleeps " * 500)
    peak = torch.cuda.max_memory_allocated()
    print(f"\n{completion.usage.prompt_tokens} tokens read in {seconds:.2f} s, peak {peak / 1e9:.2f} GB")
    assert completion.usage.prompt_tokens > 1000


def test_a_seed_gives_the_same_text_again(model: TransformersModel) -> None:
    first: Any = write(model, tokens=32)[0]
    assert write(model, tokens=32)[0] == first


def test_prompts_written_together_are_faster_than_one_after_the_other(model: TransformersModel) -> None:
    # Without seeds: prompts that have one share no passes.
    prompts = [Prompt(f"otter {n}", sampling=Sampling(max_tokens=96)) for n in range(8)]

    async def together() -> list[Completion]:
        return list(await asyncio.gather(*(complete(model, prompt) for prompt in prompts)))

    asyncio.run(together())
    started = time.perf_counter()
    for prompt in prompts:
        asyncio.run(complete(model, prompt))
    alone = time.perf_counter() - started
    started = time.perf_counter()
    written = asyncio.run(together())
    batch = time.perf_counter() - started
    tokens = sum(completion.usage.completion_tokens for completion in written)
    print(
        f"\n8 prompts: one by one {alone:.2f} s, together {batch:.2f} s ({alone / batch:.1f}x), "
        f"{tokens / batch:.0f} tokens a second"
    )
    assert batch < alone


def test_what_plan_prompts_begin_with_is_read_once(model: TransformersModel) -> None:
    described = "Search looks through a library of documents and gives the passages that speak of it. " * 24
    few = Sampling(temperature=0, max_tokens=2)
    seconds = []
    for purpose in ("answer", "plan"):  # Only what plan prompts begin with is kept.
        prompts = [Prompt(f"{described} Question {n}?", purpose, sampling=few) for n in range(4)]
        asyncio.run(complete(model, prompts[0]))
        started = time.perf_counter()
        for prompt in prompts[1:]:
            asyncio.run(complete(model, prompt))
        seconds.append(time.perf_counter() - started)
    length = model.count_tokens(described)
    print(
        f"\n3 plan prompts of {length} tokens: read anew {seconds[0]:.2f} s, what they share read once "
        f"{seconds[1]:.2f} s ({seconds[0] / seconds[1]:.1f}x)"
    )
    assert seconds[1] < seconds[0]


def test_looking_ahead_writes_the_same_and_what_it_gains(model: TransformersModel) -> None:
    loop = 'start: ("Plan: look it up\\n:evidence0: = Search[where do otters sleep at night]\\n"){6}'
    seconds = []
    texts = []
    for seed in (1, None):  # With a seed nothing is tried ahead.
        prompt = Prompt("otter", grammar=loop, sampling=Sampling(temperature=0, max_tokens=600, seed=seed))
        asyncio.run(complete(model, prompt))
        started = time.perf_counter()
        texts.append(asyncio.run(complete(model, prompt)).text)
        seconds.append(time.perf_counter() - started)
    print(f"\na given text: {seconds[0]:.2f} s; looking ahead {seconds[1]:.2f} s ({seconds[0] / seconds[1]:.1f}x)")
    assert texts[0] == texts[1]
