"""What batching, shared prompts, looking ahead, grammars and the window gain or cost, against the plain way in one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_decoding.py [hidden [layers]]
    OMP_NUM_THREADS=1 python tests/benchmarks/bench_decoding.py FILE.gguf    against xllamacpp alone
    OMP_NUM_THREADS=1 python tests/benchmarks/bench_decoding.py FOLDER       in bf16 and NF4, against `generate` alone

The last two in processor time, on one thread; the bar is 1.05 a token.

The model has random weights in NF4 (by default 512 wide, 8 layers); on a GPU try ``4096 32``. Ratios, from interleaved
runs of which the median is taken, are what counts: the machine may be shared.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent import ContextBlock, Toolbox, plan_prompt, tool
from airoagent.models.base import Model, Prompt, Sampling, complete
from airoagent.models.local.transformers import TransformersModel
from airoagent.models.window import fit_to
from airoagent.plan.plan_grammar import plan_grammar
from tests.prompts.test_context_window import ANSWER, filler
from tests.tiny_llama import make_tiny_llama

TOKENS = 48
DECODED = 17
GREEDY = Sampling(temperature=0, repetition_penalty=1, max_tokens=TOKENS)
QUESTIONS = [
    f"Where do {animal} sleep at night, and who wrote of it?"
    for animal in ("otters", "seals", "herons", "eels", "mice", "owls", "bats", "hares")
]


def timed(*actions: Callable[[], object], rounds: int = 5, each: bool = False) -> list[float]:
    """The median seconds of each action, run in turns; with ``each`` those for one of the tokens it says it wrote."""
    seconds: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for action, found in zip(actions, seconds, strict=True):
            began = time.perf_counter()
            wrote = action()
            if number:  # The first round warms up.
                found.append((time.perf_counter() - began) / (int(str(wrote)) if each else 1))
    return [statistics.median(found) for found in seconds]


def plain(model: TransformersModel, texts: list[str], tokens: int = TOKENS) -> None:
    """One after the other, by transformers' own `generate`."""
    assert model._loaded is not None
    tokenizer = model._ready_tokenizer()
    for text in texts:
        read = tokenizer(model.wrap(text), return_tensors="pt").to(model._loaded.device)
        model._loaded.model.generate(
            **read, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0
        )


def ours(model: Model, prompts: list[Prompt], *, together: bool) -> int:
    """How many tokens were written."""

    async def run() -> int:
        if together:
            done = await asyncio.gather(*(complete(model, prompt) for prompt in prompts))
        else:
            done = [await complete(model, prompt) for prompt in prompts]
        return sum(completion.usage.completion_tokens for completion in done)

    return asyncio.run(run())


@tool
def Search(text: str) -> str:
    """Searches a library of documents for what is asked; gives the passages that speak of it, with their sources."""
    return text


def against(name: str, bare: Callable[[int], int], mine: Callable[[int], int], rounds: int = 4) -> None:
    """Processor time to the first token and of each further one: ours, and the library's own call, in turns.

    Both take how many tokens to write, and return how many they wrote. The best of the rounds counts.
    """
    first, further = [1e9, 1e9], [1e9, 1e9]
    for number in range(rounds + 1):
        for at, write in enumerate((bare, mine)):
            began = time.process_time()
            write(1)
            between = time.process_time()
            wrote = write(DECODED)
            ended = time.process_time()
            if number:  # the first round loads
                first[at] = min(first[at], between - began)
                further[at] = min(further[at], (ended - between - (between - began)) / (wrote - 1))
    shown = [
        f"{what} {base * 1e3:.1f} ms, ours {our * 1e3:.1f} ({our / base:.2f}x)"
        for what, (base, our) in (("first token", first), ("each further one", further))
    ]
    print(f"{name}: {'; '.join(shown)}", flush=True)


def gguf(file: str) -> None:
    """A GGUF file against xllamacpp's own call with the same settings."""
    import xllamacpp

    from airoagent.models.local.llamacpp import LlamaCppModel

    model = LlamaCppModel(file, threads=1)
    alone = xllamacpp.Server(model._params())
    request = {"prompt": model.wrap(QUESTIONS[0]), "temperature": 0}

    def bare(tokens: int) -> int:
        return int(alone.handle_completions({**request, "max_tokens": tokens})["usage"]["completion_tokens"])

    against(Path(file).name, bare, lambda tokens: ours(model, [greedy(tokens)], together=False))


def weights(folder: str) -> None:
    """A checkpoint in bf16 and in NF4 against transformers' own `generate`."""
    for bits, name in ((16, "bf16"), (4, "NF4")):
        model = TransformersModel(folder, bits=bits, look_ahead=False)
        asyncio.run(complete(model, greedy(1)))
        assert model._loaded is not None
        model._loaded.model.generation_config.eos_token_id = None

        def bare(tokens: int, model: TransformersModel = model) -> int:
            plain(model, QUESTIONS[:1], tokens)
            return tokens

        def mine(tokens: int, model: TransformersModel = model) -> int:
            return ours(model, [greedy(tokens)], together=False)

        against(f"{Path(folder).name} in {name}", bare, mine)


def greedy(tokens: int) -> Prompt:
    return Prompt(QUESTIONS[0], sampling=Sampling(temperature=0, repetition_penalty=1, max_tokens=tokens))


def main() -> None:
    hidden, layers = (int(each) for each in [*sys.argv[1:], "512", "8"][:2]) if len(sys.argv) != 2 else (512, 8)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny_llama(
            Path(folder), hidden=hidden, intermediate=hidden * 11 // 4 // 64 * 64, layers=layers, heads=8, spread=0.05
        )
        model = TransformersModel(Path(folder), look_ahead=False)
        eager = TransformersModel(Path(folder))
        for each in (model, eager):
            asyncio.run(complete(each, Prompt("x", sampling=Sampling(max_tokens=1))))
            assert each._loaded is not None
            each._loaded.model.generation_config.eos_token_id = None
        print(f"{layers} layers of {hidden}, NF4, on {model._loaded.device if model._loaded else '?'}")
        prompts = [Prompt(text, sampling=GREEDY) for text in QUESTIONS]
        base, single, batch = timed(
            lambda: plain(model, QUESTIONS),
            lambda: ours(model, prompts, together=False),
            lambda: ours(model, prompts, together=True),
        )
        print(
            f"8 prompts, {TOKENS} tokens each: generate one by one {base:.2f} s; ours one by one {single:.2f} s "
            f"({base / single:.2f}x); ours together {batch:.2f} s ({base / batch:.2f}x)"
        )
        shared_prompts(model)
        looking_ahead(model, eager)
        window(model)


def shared_prompts(model: TransformersModel) -> None:
    texts = [plan_prompt(text, [(f"Tool{n}", Search.description) for n in range(8)]) for text in QUESTIONS[:4]]
    few = Sampling(temperature=0, repetition_penalty=1, max_tokens=4)
    base, read, kept = timed(
        lambda: plain(model, texts, 4),
        lambda: ours(model, [Prompt(text, "answer", sampling=few) for text in texts], together=False),
        lambda: ours(model, [Prompt(text, "plan", sampling=few) for text in texts], together=False),
    )
    length = model.count_tokens(model.wrap(texts[0]))
    print(
        f"4 plan prompts of {length} tokens, 4 written: generate {base:.2f} s; read anew {read:.2f} s; "
        f"what they share read once {kept:.2f} s ({base / kept:.2f}x)"
    )


def looking_ahead(model: TransformersModel, eager: TransformersModel) -> None:
    grammar = plan_grammar(Toolbox([Search]))
    held = [Prompt(QUESTIONS[0], "call", sampling=Sampling(seed=None, max_tokens=160), grammar=grammar)]
    free, masked, ahead = timed(
        lambda: ours(model, [Prompt(QUESTIONS[0], sampling=Sampling(max_tokens=160), grammar="")], together=False),
        lambda: ours(model, held, together=False),
        lambda: ours(eager, held, together=False),
        each=True,
    )
    print(
        f"plans of up to 160 tokens, ms a token: free {free * 1e3:.2f}; held to the grammar {masked * 1e3:.2f} "
        f"({masked / free:.2f}x); looking ahead as well {ahead * 1e3:.2f} ({masked / ahead:.2f}x)"
    )
    loop = 'start: ("Plan: look it up\\n:evidence0: = Search[where do otters sleep at night]\\n" /[ab]/){3}'
    copied = [Prompt(QUESTIONS[0], sampling=Sampling(seed=None, max_tokens=160), grammar=loop)]
    masked, ahead = timed(
        lambda: ours(model, copied, together=False), lambda: ours(eager, copied, together=False), each=True
    )
    print(
        f"a text that is nearly given, ms a token: {masked * 1e3:.2f}; looking ahead {ahead * 1e3:.2f} "
        f"({masked / ahead:.2f}x)"
    )


def window(model: TransformersModel) -> None:
    half = filler(42_000)
    page = f"{half} {ANSWER} {filler(42_000, 2)}"
    question = "Who built the lighthouse of Varna?"
    blocks = [ContextBlock(page, (("url", "https://a.example/varna"),))]
    fitted = []

    def fit() -> None:
        fitted[:] = asyncio.run(fit_to(model, Sampling(max_tokens=500), blocks, question)).blocks

    whole, cut = timed(lambda: model.count_tokens(page), fit)
    assert ANSWER in fitted[0].text
    print(
        f"a page of {len(page) / 1e6:.1f} MB fitted to a window of 4096 tokens: {cut:.2f} s, the answer in it; to "
        f"count its tokens alone {whole:.2f} s ({cut / whole:.2f}x)"
    )


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".gguf"):
        gguf(sys.argv[1])
    elif sys.argv[1:] and Path(sys.argv[1]).is_dir():
        weights(sys.argv[1])
    else:
        main()
