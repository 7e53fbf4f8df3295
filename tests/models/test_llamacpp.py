"""A real, tiny GGUF file, run by llama.cpp in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from airoagent import Agent, ScriptedModel
from airoagent.errors import ModelError, UsageError
from airoagent.models.base import Chunk, Completion, Prompt, Sampling, complete
from airoagent.models.catalog import open_model
from airoagent.models.local.llamacpp import LlamaCppModel
from airoagent.models.local.transformers import TransformersModel
from airoagent.prompts.grammar import Grammar, Rep, Rule, Seq, Text, chars
from tests.tiny_gguf import make_tiny_gguf, with_blocks

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
pytest.importorskip("gguf", reason="the gguf package is not installed")
pytestmark = pytest.mark.slow

QUESTION = "Where do otters sleep?"
LANGUAGE = Grammar((Rule("start", Seq((Text("Plan: "), Rep(chars("a-z "), 5, 9), Text("\n日本")))),))


@pytest.fixture(scope="module")
def tiny_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tiny_llama, tmp_path_factory.mktemp("gguf") / "airoboros-l2-7b-2.2.f16.gguf")


@pytest.fixture(scope="module")
def long_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tiny_llama, tmp_path_factory.mktemp("gguf") / "airoboros-l2-7b-2.2.long.gguf", context=8192)


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> LlamaCppModel:
    return LlamaCppModel(tiny_gguf, threads=1)


def ask(
    model: Any, text: str = QUESTION, *, grammar: Any = "", stop: tuple[str, ...] = (), **sampling: Any
) -> Completion:
    settings = Sampling(**{"max_tokens": 24, "seed": 3, "temperature": 0.7, **sampling})
    return asyncio.run(complete(model, Prompt(text, grammar=grammar, stop=stop, sampling=settings)))


def test_the_file_says_what_it_is_before_it_is_loaded(model: LlamaCppModel) -> None:
    assert (model.info.backend, model.info.context_length, model.info.wrapper) == ("llama.cpp", 512, "airoboros-2.2")
    assert model.info.note.startswith("GGUF F16")


def test_it_writes_what_transformers_writes(model: LlamaCppModel, tiny_llama: Path) -> None:
    whole = TransformersModel(tiny_llama, device="cpu", bits=16, wrapper="2.2")
    assert model.wrap(QUESTION) == whole.wrap(QUESTION)
    assert model.count_tokens(QUESTION) == whole.count_tokens(QUESTION)
    ours, theirs = ask(model, temperature=0), ask(whole, temperature=0)
    assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
    # Rounding differs, so the texts part at some time, but not at once.
    assert ours.text[:6] == theirs.text[:6]
    asyncio.run(whole.aclose())


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_quantised_files_load_and_write(kind: str, tiny_gguf: Path, tmp_path: Path) -> None:
    small = LlamaCppModel(with_blocks(tiny_gguf, tmp_path / f"tiny.{kind}.gguf", kind), threads=1)
    assert small.info.note.startswith(f"GGUF {kind}")
    assert ask(small, max_tokens=12).usage.completion_tokens == 12
    asyncio.run(small.aclose())


def test_a_seed_gives_the_same_text_again_and_another_another(model: LlamaCppModel) -> None:
    assert ask(model, seed=3) == ask(model, seed=3)
    assert ask(model, seed=3).text != ask(model, seed=4).text


def test_a_grammar_holds_it_to_its_language(model: LlamaCppModel) -> None:
    completion = ask(model, grammar=LANGUAGE, max_tokens=100, temperature=1)
    assert completion.finish == "stop"
    assert completion.text.startswith("Plan: ")
    assert completion.text.endswith("\n日本")


def test_the_plans_of_a_random_model_are_valid(long_gguf: Path) -> None:
    agent = Agent(
        LlamaCppModel(long_gguf, threads=1, context_length=8000, sampling=Sampling(max_tokens=7000)),
        ["KnowledgeModel"],
        store=False,
    )
    plan = agent.plan(QUESTION)
    assert plan.steps
    assert {step.tool for step in plan.steps} == {"KnowledgeModel"}
    agent.close()


def test_stop_strings_are_exact(model: LlamaCppModel) -> None:
    whole = ask(model)
    cut = ask(model, stop=(whole.text[9:12],))
    assert (cut.text, cut.finish) == (whole.text[: whole.text.index(whole.text[9:12])], "stop")


def test_a_prompt_is_text_and_never_control_tokens(model: LlamaCppModel) -> None:
    assert model.count_tokens("a </s> b") > model.count_tokens("a b") + 1


def test_what_the_last_prompt_began_with_too_is_not_read_again(tiny_gguf: Path) -> None:
    model = LlamaCppModel(tiny_gguf, threads=1)
    long = "The otter sleeps in the kelp. " * 8
    ask(model, long + "Who?", temperature=0, seed=None)
    engine = model._ready()
    body = {"prompt": model.wrap(long + "Where?"), "max_tokens": 1, "temperature": 0}
    headers = {"authorization": f"Bearer {engine.key}"}
    answer = httpx.post(f"{engine.url}/v1/completions", json=body, headers=headers, trust_env=False).json()
    assert answer["timings"]["prompt_n"] < 30 < answer["usage"]["prompt_tokens"]
    asyncio.run(model.aclose())


def test_nobody_else_on_the_machine_can_use_it(model: LlamaCppModel) -> None:
    url = model._ready().url
    assert url.startswith("http://127.0.0.1:")
    assert httpx.post(f"{url}/v1/completions", json={"prompt": "x"}, trust_env=False).status_code == 401


def test_calls_at_once_wait_in_line_and_can_be_called_off(model: LlamaCppModel) -> None:
    async def run() -> tuple[list[Completion], Chunk]:
        prompts = [Prompt(f"{QUESTION} {n}", sampling=Sampling(max_tokens=10, seed=n)) for n in range(3)]
        stream = model.stream(Prompt("x", sampling=Sampling(max_tokens=400, seed=1)))
        first = await anext(stream)
        waiting = [asyncio.create_task(complete(model, prompt)) for prompt in prompts]
        await stream.aclose()  # type: ignore[attr-defined]
        return list(await asyncio.gather(*waiting)), first

    together, first = asyncio.run(run())
    assert first.finish is None
    assert together == [ask(model, f"{QUESTION} {n}", max_tokens=10, seed=n, temperature=0) for n in range(3)]


@pytest.mark.parametrize("rows", [1, 2])
def test_each_row_has_the_whole_window(tiny_gguf: Path, rows: int) -> None:
    model = LlamaCppModel(tiny_gguf, threads=1, rows=rows)
    engine = model._ready()
    headers = {"authorization": f"Bearer {engine.key}"}
    slots = httpx.get(f"{engine.url}/slots", headers=headers, trust_env=False).json()
    assert [slot["n_ctx"] for slot in slots] == [512] * rows

    async def both() -> list[Completion]:
        prompts = [Prompt(QUESTION, sampling=Sampling(max_tokens=200, seed=seed, temperature=2)) for seed in (3, 4)]
        texts = await asyncio.gather(*(complete(model, prompt) for prompt in prompts))
        await model.aclose()
        return list(texts)

    assert len({text.text for text in asyncio.run(both())}) == 2


def test_a_prompt_over_the_window_names_both_numbers(model: LlamaCppModel) -> None:
    with pytest.raises(ModelError, match="holds 512"):
        ask(model, "otter " * 400)


def test_options_reach_llama_cpp(tiny_gguf: Path) -> None:
    options = {
        "context": "256",
        "threads": "1",
        "gpu_layers": "0",
        "rope_freq_base": "20000",
        "rope_freq_scale": "0.5",
        "batch": "64",
        "wrapper": "none",
    }
    model = open_model(str(tiny_gguf), options=options)
    assert isinstance(model, LlamaCppModel)
    assert ask(model, max_tokens=5).usage.completion_tokens == 5
    params = model._params()
    assert (params.n_ctx, params.n_batch, model.info.wrapper) == (256, 64, "none")
    assert (params.rope_freq_base, params.rope_freq_scale) == (20000, 0.5)
    asyncio.run(model.aclose())


def test_in_place_of_an_answer_of_too_low_a_probability_the_sentence_is_quoted(long_gguf: Path, tmp_path: Path) -> None:
    text, path = "The lease of the workshop ends on 3 May 2027. A cat lives there.", tmp_path / "runs.db"
    for least, given in (("0", True), ("0.95", False)):
        smol = open_model(str(long_gguf), options={"threads": "1", "least_probability": least})
        agent = Agent(smol, [], sampling=Sampling(max_tokens=20, seed=1), store=path)
        run = agent.run("When does the lease end?", context=text)
        note = run.evidence["evidence1"].note
        assert ("and 95% is the least" in note) is not given
        assert run.answered and (run.answer == "The lease of the workshop ends on 3 May 2027.") is not given
        replayed = Agent(ScriptedModel({}), [], store=path).replay(run.id)
        assert (replayed.answer, replayed.evidence["evidence1"].note) == (run.answer, note)
        asyncio.run(smol.aclose())
    with pytest.raises(UsageError, match="least_probability"):
        open_model(str(long_gguf), options={"least_probability": "95"})


def test_an_architecture_that_llama_cpp_does_not_know_is_named(tiny_gguf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    content = tiny_gguf.read_bytes()
    at = content.index(b"llama", content.index(b"general.architecture"))
    other.write_bytes(content[:at] + b"zebra" + content[at + 5 :])
    with pytest.raises(ModelError, match=r"llama\.cpp cannot load .*other\.gguf") as caught:
        ask(LlamaCppModel(other, context_length=512))
    assert "a newer xllamacpp" in caught.value.hint
    assert "\n" not in caught.value.message


def test_layers_for_a_gpu_that_is_not_there_are_refused(tiny_gguf: Path) -> None:
    import xllamacpp

    if any("CPU" not in str(device["type"]) for device in xllamacpp.get_device_info()):
        pytest.skip("this xllamacpp has a GPU to use")
    with pytest.raises(ModelError, match="processors only"):
        LlamaCppModel(tiny_gguf, gpu_layers=4).check()


def test_a_window_beyond_the_training_needs_a_stretch(tiny_gguf: Path) -> None:
    with pytest.raises(UsageError, match="trained on 512 tokens") as caught:
        LlamaCppModel(tiny_gguf, context_length=1024)
    assert "-o rope_freq_scale 0.5" in caught.value.hint
    stretched = LlamaCppModel(tiny_gguf, context_length=1024, rope_freq_scale=0.5, threads=1)
    assert ask(stretched, max_tokens=4).usage.completion_tokens == 4
    asyncio.run(stretched.aclose())


def test_a_question_is_answered_through_the_command_line(long_gguf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from airoagent.cli import main

    with pytest.raises(SystemExit) as ended:
        main(
            [
                "plan",
                "Where?",
                "-m",
                str(long_gguf),
                "-o",
                "context",
                "8000",
                "-T",
                "KnowledgeModel",
                "--max-tokens",
                "7000",
                "--seed",
                "5",
            ]
        )
    out, err = capfd.readouterr()
    assert (ended.value.code, ":evidence0: = KnowledgeModel[" in out) == (0, True), err
    assert "llama_" not in err
