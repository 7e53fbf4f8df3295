"""A real checkpoint, really loaded in 4 bits by bitsandbytes, writing (nonsense) through the Model protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import ModelError, UsageError
from airoagent.models.base import Chunk, Completion, Model, Prompt, Sampling, complete
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.loading import load, load_tokenizer
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_llama import make_tiny_llama

QUESTION = "Where do otters sleep?"


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> TransformersModel:
    return TransformersModel(tiny_llama, device="cpu")


def ask(
    model: Model, text: str = QUESTION, *, stop: tuple[str, ...] = (), grammar: str = "", **sampling: Any
) -> Completion:
    settings = Sampling(**{"max_tokens": 24, "seed": 3, **sampling})
    return asyncio.run(complete(model, Prompt(text, stop=stop, grammar=grammar, sampling=settings)))


def counting(model: TransformersModel) -> list[int]:
    """One entry for each forward pass from now on."""
    passes: list[int] = []
    assert model._loaded is not None
    model._loaded.model.register_forward_hook(lambda *_: passes.append(1))
    return passes


# Loading


def test_the_layers_are_nf4_with_double_quantisation(tiny_llama: Path) -> None:
    import bitsandbytes
    import torch

    loaded = load(
        read_checkpoint(tiny_llama), device="cpu", bits=4, check_memory=True, progress=None, stopped=lambda: False
    )
    layers = {n: m for n, m in loaded.model.named_modules() if isinstance(m, torch.nn.Linear)}
    assert len(layers) == 2 * 7 + 1
    assert not isinstance(layers.pop("lm_head"), bitsandbytes.nn.Linear4bit)
    for name, layer in layers.items():
        assert isinstance(layer, bitsandbytes.nn.Linear4bit), name
        assert (layer.weight.quant_state.quant_type, layer.weight.quant_state.nested) == ("nf4", True)
        assert layer.compute_dtype == torch.bfloat16
    assert loaded.ends == (2,)


def test_constructing_is_cheap_and_the_first_use_loads_with_progress(tiny_llama: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    model = TransformersModel(tiny_llama, name="tiny", device="cpu", progress=lambda *a: seen.append(a))
    assert (model._loaded, seen) == (None, [])
    ask(model, max_tokens=1)
    assert seen[0] == ("loading tiny", 0, 21)
    assert seen[-1] == ("loading tiny", 21, 21)


def test_info_tells_what_it_is(model: TransformersModel, tiny_llama: Path) -> None:
    info = model.info
    assert (info.name, info.backend) == (str(tiny_llama), "transformers")
    assert (info.context_length, info.wrapper) == (4096, "airoboros-2.0")
    assert info.note.startswith("NF4")
    assert isinstance(model, Model)


@pytest.mark.parametrize(
    "shape",
    [{"hidden": 96, "intermediate": 160}, {"safetensors": False}, {"shard_size": "200KB"}],
    ids=["widths-no-multiple-of-64", "pytorch-bin-of-2023", "shards"],
)
def test_every_form_of_checkpoint_loads_and_writes(tmp_path: Path, shape: dict[str, Any]) -> None:
    folder = make_tiny_llama(tmp_path / "tiny", **shape)
    assert ask(TransformersModel(folder, device="cpu"), max_tokens=4).usage.completion_tokens == 4


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config.json": {"unk_token": ""}},
        {"tokenizer_config.json": {"unk_token": "", "pad_token": ""}, "special_tokens_map.json": {"unk_token": ""}},
        {"special_tokens_map.json": {"unk_token": {"content": "", "lstrip": False, "normalized": False}}},
        {"config.json": {}},
        {"tokenizer_config.json": {}, "tokenizer.json": {}},
    ],
    ids=[
        "empty token",
        "empty tokens in both files",
        "empty token with its settings",
        "byte order mark",
        "byte order marks of the tokenizer",
    ],
)
def test_files_as_people_edit_them_are_read(files: dict[str, Any], tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    for name, more in files.items():
        path = folder / name
        content = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(content | more), encoding="utf-8" if more else "utf-8-sig")
    assert ask(TransformersModel(folder, device="cpu"), max_tokens=4).usage.completion_tokens == 4


def test_a_value_that_transformers_does_not_know_is_named_with_its_place(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_scaling": {"type": "superhot", "factor": 2}}))
    with pytest.raises(ModelError, match="'superhot' of rope_scaling is not known to transformers"):
        ask(TransformersModel(folder, device="cpu"))
    (folder / "config.json").write_text(json.dumps(config | {"rope_scaling": {"type": "linear"}}))
    with pytest.raises(ModelError, match=r"cannot be used: Missing required keys in .*linear.*'factor'}$"):
        ask(TransformersModel(folder, device="cpu"))


def test_an_mpt_checkpoint_loads_and_writes(tmp_path: Path) -> None:
    import bitsandbytes
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import MptConfig, MptForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["the otter sleeps"],
        trainers.BpeTrainer(
            vocab_size=280, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
        ),
    )
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>").save_pretrained(tmp_path)
    config = MptConfig(
        d_model=128, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=256, vocab_size=288, eos_token_id=0
    )
    MptForCausalLM(config).to(torch.bfloat16).save_pretrained(tmp_path)
    model = TransformersModel(tmp_path, device="cpu")
    assert (model.info.wrapper, model.info.context_length) == ("airoboros-1", 256)
    assert ask(model, grammar='start: "日本 otters."').text == "日本 otters."
    assert model._loaded is not None
    assert any(isinstance(module, bitsandbytes.nn.Linear4bit) for module in model._loaded.model.modules())


def test_a_checkpoint_saved_in_4_bits_is_taken_as_it_is(
    model: TransformersModel, tiny_llama: Path, tmp_path: Path
) -> None:
    whole = read_checkpoint(tiny_llama)
    loaded = load(whole, device="cpu", bits=4, check_memory=True, progress=None, stopped=lambda: False)
    loaded.model.save_pretrained(tmp_path / "small")
    load_tokenizer(whole).save_pretrained(tmp_path / "small")
    small = TransformersModel(tmp_path / "small", device="cpu")
    assert small.info.note.startswith("quantised by bitsandbytes")
    assert read_checkpoint(tmp_path / "small").four_bit < whole.stored
    assert ask(small, temperature=0) == ask(model, temperature=0)


def test_16_bits_on_request(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu", bits=16)
    ask(model, max_tokens=1)
    assert model._loaded is not None
    assert not any("4bit" in type(module).__name__ for module in model._loaded.model.modules())


def test_a_model_larger_than_the_memory_is_refused_before_loading(tmp_path: Path, tiny_llama: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "huge"))
    size = 4 * 10**12
    header = json.dumps(
        {"model.embed_tokens.weight": {"dtype": "F16", "shape": [size // 2, 1], "data_offsets": [0, size]}}
    ).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)  # A hole: takes no room on the disk.
    message = r"needs about 4000\.4 GB of memory at 4 bits, and [\d.]+ GB are free"
    with pytest.raises(ModelError, match=message) as caught:
        ask(TransformersModel(folder, name="huge", device="cpu"))
    with pytest.raises(ModelError, match=message):
        TransformersModel(folder, name="huge", device="cpu").check()
    assert "-o memory ignore" in caught.value.hint


def test_a_device_that_is_not_there_is_said(tiny_llama: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ModelError, match="no CUDA device"):
        ask(TransformersModel(tiny_llama, device="cuda"))


def test_a_model_that_would_load_passes_the_check_without_loading(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu")
    model.check()
    assert model._loaded is None


def test_a_model_not_fetched_yet_does_not_pass_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(ModelError, match="owner/name is not downloaded"):
        TransformersModel("owner/name").check()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("tokenizer.json", "{}", "the tokenizer of odd cannot be read"),
        ("config.json", '{"model_type": "unheard-of"}', "config.json of odd cannot be used"),
        (
            "config.json",
            '{"model_type": "x", "auto_map": {"AutoModelForCausalLM": "x.X"}}',
            "config.json of odd cannot be used",
        ),
    ],
)
def test_what_the_loader_refuses_is_one_sentence(
    tmp_path: Path, tiny_llama: Path, file: str, content: str, message: str
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (folder / file).write_text(content, encoding="utf-8")
    model = TransformersModel(folder, name="odd", device="cpu", wrapper="none")
    with pytest.raises(ModelError, match=message) as caught:
        ask(model)
    assert "\n" not in caught.value.message


def test_a_tokenizer_of_another_model_is_said_before_loading(tmp_path: Path, tiny_llama: Path) -> None:
    folder = make_tiny_llama(tmp_path / "small", vocabulary=400)
    shutil.copy2(tiny_llama / "tokenizer.json", folder)
    model = TransformersModel(folder, name="odd", device="cpu")
    for use in (model.check, lambda: ask(model)):
        with pytest.raises(ModelError, match=r"the tokenizer of odd has 586 tokens, its model 400") as caught:
            use()
        assert "of the model it was made from" in caught.value.hint
    assert model._loaded is None


def test_a_tokenizer_without_its_config_still_begins_the_text(tmp_path: Path, tiny_llama: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "bare"))
    (folder / "tokenizer_config.json").unlink()
    bare, whole = TransformersModel(folder, wrapper="none"), TransformersModel(tiny_llama, wrapper="none")
    assert bare.encode(Prompt("a </s> b"))[0] == whole.encode(Prompt("a </s> b"))[0]
    assert bare.encode(Prompt("x"))[0][0] == 1


def test_a_tokenizer_model_that_is_none_is_said(tmp_path: Path, tiny_llama: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"tokenizer.model of odd is not a SentencePiece model"):
        TransformersModel(folder, name="odd", device="cpu").check()


@pytest.mark.parametrize("template", ["{% for x in %}", "{{ nothing.there }}"])
def test_a_chat_template_that_does_not_work_is_said_with_the_way_round_it(tmp_path: Path, template: str) -> None:
    folder = make_tiny_llama(tmp_path / "t", chat_template=template)
    with pytest.raises(UsageError, match="chat template cannot be used") as caught:
        TransformersModel(folder, device="cpu").wrap("x")
    assert "-o wrapper" in caught.value.hint
    assert TransformersModel(folder, device="cpu", wrapper="airoboros-2.0").wrap("x").endswith("ASSISTANT: ")


def test_damaged_weights_are_said_and_the_model_stays_usable(tmp_path: Path, tiny_llama: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = TransformersModel(folder, device="cpu")
    for _ in range(2):
        with pytest.raises(ModelError, match="NaN"):
            ask(model)


# Writing


def test_streaming_gives_the_text_that_plain_generate_gives(tiny_llama: Path) -> None:
    import torch

    model = TransformersModel(tiny_llama, device="cpu")
    ask(model, max_tokens=1)
    assert model._loaded is not None
    # No byte tokens: random ones are no UTF-8, and tokenizers differ in how many U+FFFD they make of those.
    model._loaded.model.lm_head.weight.data[3:259] = 0
    completion = ask(model, temperature=0, repetition_penalty=1, max_tokens=40)
    tokenizer = model._ready_tokenizer()
    read = tokenizer(model.wrap(QUESTION), return_tensors="pt")
    written = model._loaded.model.generate(**read, max_new_tokens=40, do_sample=False, pad_token_id=0, eos_token_id=2)[
        0, read["input_ids"].shape[1] :
    ]
    plain = tokenizer.decode(torch.cat([read["input_ids"][0], written]), skip_special_tokens=True)
    assert plain.startswith(model.wrap(QUESTION))
    assert completion.text == plain.removeprefix(model.wrap(QUESTION)).removeprefix(" ")
    assert completion.usage.completion_tokens == len(written)
    assert completion.usage.prompt_tokens == read["input_ids"].shape[1]


def test_pieces_come_while_it_writes(model: TransformersModel) -> None:
    async def pieces() -> list[Chunk]:
        prompt = Prompt(QUESTION, sampling=Sampling(max_tokens=24, seed=3))
        return [chunk async for chunk in model.stream(prompt)]

    chunks = asyncio.run(pieces())
    assert len(chunks) > 10
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish == "length"
    assert chunks[-1].usage is not None
    assert "".join(chunk.text for chunk in chunks) == ask(model).text


def test_a_seed_gives_the_same_text_again_and_another_another(model: TransformersModel) -> None:
    assert ask(model, seed=3, temperature=1.0) == ask(model, seed=3, temperature=1.0)
    assert ask(model, seed=3, temperature=1.0).text != ask(model, seed=4, temperature=1.0).text
    assert ask(model, seed=None, temperature=1.0).text != ask(model, seed=None, temperature=1.0).text


def test_a_stop_string_ends_the_text_and_is_not_in_it(model: TransformersModel) -> None:
    whole = ask(model)
    stop = whole.text[9:12]
    cut = ask(model, stop=("never written", stop))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"
    assert cut.usage.completion_tokens < whole.usage.completion_tokens


def test_the_end_token_ends_the_text(model: TransformersModel) -> None:
    completion = ask(model, grammar='start: "An otter."')
    assert (completion.text, completion.finish) == ("An otter.", "stop")


def test_multi_byte_text_is_never_cut_in_a_character(model: TransformersModel) -> None:
    text = "日本語と🦦、👨‍👩‍👧 é"

    async def pieces() -> list[str]:
        prompt = Prompt(QUESTION, grammar=f'start: "{text}"', sampling=Sampling(max_tokens=200, seed=1))
        return [chunk.text async for chunk in model.stream(prompt)]

    written = asyncio.run(pieces())
    assert "".join(written) == text
    assert len(written) > 8
    assert not any("\ufffd" in piece for piece in written)


def test_a_grammar_holds_a_random_model_to_its_language(model: TransformersModel) -> None:
    import re

    grammar = (
        'start: " "? step{1,2} "Answer: :evidence0:"\n'
        'step: "Plan: " /[a-z ]{1,20}/ "\\n" /:evidence[0-9]:/ " = Search[" /[a-z]{1,9}/ "]\\n"'
    )
    for seed in range(4):
        completion = ask(model, grammar=grammar, seed=seed, temperature=1, max_tokens=200)
        assert completion.finish == "stop"
        assert re.fullmatch(
            r"(Plan: [a-z ]{1,20}\n:evidence\d: = Search\[[a-z]{1,9}\]\n){1,2}Answer: :evidence0:", completion.text
        )


def test_a_grammar_that_is_none_is_said(model: TransformersModel) -> None:
    with pytest.raises(ModelError, match="grammar for this completion cannot be used"):
        ask(model, grammar="start: nowhere")


# The prompt and the window


def test_end_of_text_in_a_prompt_is_text(model: TransformersModel) -> None:
    assert model.count_tokens("a </s> b") > model.count_tokens("a b")
    assert ask(model, "a </s><s> b").usage.completion_tokens == 24


def test_half_a_character_in_a_prompt_is_read_as_a_question_mark(model: TransformersModel) -> None:
    assert model.count_tokens("a \udcff b") == model.count_tokens("a ? b")
    assert ask(model, "a \udcff b", max_tokens=2).usage.completion_tokens == 2


def test_wraps_as_the_wrapper_says(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, wrapper="2.2", system="Be brief.")
    assert model.wrap("Hi") == "Be brief.\nUSER: Hi\nASSISTANT: "


def test_uses_the_tokenizers_own_template_where_there_is_one(tmp_path: Path) -> None:
    template = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "[{{ m.content }}]{{ eos_token }}{% endfor %}:"
    )
    model = TransformersModel(make_tiny_llama(tmp_path / "t", chat_template=template), device="cpu")
    assert model.info.wrapper == "template"
    assert model.wrap("Hi </s>") == "<s>[Hi </s>]</s>:"
    plain = model.count_tokens("[Hi </s>]") + model.count_tokens(":")
    assert ask(model, "Hi </s>", max_tokens=1).usage.prompt_tokens == plain + 2


def test_a_prompt_over_the_window_names_both_numbers(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, name="tiny", device="cpu", wrapper="none", context_length=64)
    length = model.count_tokens("otter " * 100) + 1
    with pytest.raises(ModelError, match=f"the prompt is {length} tokens long, and the window of tiny holds 64"):
        ask(model, "otter " * 100)
    assert model._loaded is None


def test_a_prompt_over_the_checkpoints_own_window_is_said_once(
    tiny_llama: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)  # Else the log is not seen here.
    with pytest.raises(ModelError, match=r"and the window of .* holds 4096"):
        ask(TransformersModel(tiny_llama, device="cpu"), "otter " * 5000)
    assert [record for record in caplog.records if "sequence length" in record.message] == []


def test_the_completion_ends_where_the_window_does(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu", wrapper="none", context_length=32)
    completion = ask(model, max_tokens=500)
    assert completion.usage.prompt_tokens + completion.usage.completion_tokens == 32
    assert completion.finish == "length"


def test_senseless_figures_are_refused_before_anything_runs(model: TransformersModel) -> None:
    with pytest.raises(UsageError, match="top_p"):
        ask(model, top_p=2)


# Cancelling, several at once, closing


def _begin(model: TransformersModel, **sampling: Any) -> AsyncIterator[Chunk]:
    return model.stream(Prompt(QUESTION, sampling=Sampling(**{"max_tokens": 600, "seed": 3, **sampling})))


def test_closing_the_stream_stops_within_one_token(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu")
    ask(model, max_tokens=1)
    passes = counting(model)
    reached, go = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        if len(passes) == 10:
            reached.set()
            go.wait(60)

    assert model._loaded is not None
    model._loaded.model.register_forward_hook(hold)

    async def run() -> None:
        stream = _begin(model)
        await anext(stream)
        await asyncio.to_thread(reached.wait, 60)
        closing = asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
        await asyncio.sleep(0)  # Lets it say "stop", no more.
        assert not closing.done()
        go.set()
        await closing

    asyncio.run(run())
    assert len(passes) == 10
    ask(model, max_tokens=5)
    assert len(passes) == 15


def test_cancelling_the_task_leaves_the_thread_free(model: TransformersModel) -> None:
    ask(model, max_tokens=1)

    async def run() -> None:
        begun = asyncio.Event()

        async def consume() -> None:
            async for _ in _begin(model):
                begun.set()

        task = asyncio.create_task(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    passes = counting(model)
    asyncio.run(run())
    before = len(passes)
    assert before < 600
    ask(model, max_tokens=3)
    assert len(passes) == before + 3


def test_closing_while_it_loads_stops_the_load(tiny_llama: Path) -> None:
    reached, go = threading.Event(), threading.Event()

    def progress(what: str, done: int, total: int) -> None:
        reached.set()
        go.wait(60)

    model = TransformersModel(tiny_llama, device="cpu", progress=progress)

    async def run() -> None:
        consuming = asyncio.create_task(complete(model, Prompt(QUESTION)))
        await asyncio.to_thread(reached.wait, 60)
        consuming.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await consuming

    asyncio.run(run())
    assert model._loaded is None
    assert ask(model, max_tokens=2).usage.completion_tokens == 2


def test_two_models_load_and_write_at_once(tiny_llama: Path, model: TransformersModel) -> None:
    alone = ask(model)

    async def together() -> list[Completion]:
        models = [TransformersModel(tiny_llama, device="cpu") for _ in range(2)]
        prompt = Prompt(QUESTION, sampling=Sampling(max_tokens=24, seed=3))
        completions = await asyncio.gather(*(complete(each, prompt) for each in models))
        await asyncio.gather(*(each.aclose() for each in models))
        return list(completions)

    assert asyncio.run(together()) == [alone, alone]


def test_calls_made_at_once_give_what_they_give_alone(model: TransformersModel) -> None:
    questions = ["Who?", "Where?", "When, and why not before?"]
    alone = [ask(model, question, seed=n) for n, question in enumerate(questions)]

    async def together() -> list[Completion]:
        prompts = [Prompt(q, sampling=Sampling(max_tokens=24, seed=n)) for n, q in enumerate(questions)]
        return list(await asyncio.gather(*(complete(model, prompt) for prompt in prompts)))

    assert asyncio.run(together()) == alone


def test_a_call_that_waits_in_line_can_be_called_off(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu", rows=1)
    ask(model, max_tokens=1)
    passes = counting(model)

    async def run() -> None:
        first = _begin(model, max_tokens=30)
        await anext(first)
        waiting = asyncio.create_task(complete(model, Prompt("other")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [chunk.finish async for chunk in first][-1] == "length"

    asyncio.run(run())
    assert len(passes) == 30


def test_closing_the_model_ends_its_thread_and_its_streams(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, name="tiny", device="cpu")

    async def run() -> None:
        stream = _begin(model)
        await anext(stream)
        waiting = asyncio.create_task(complete(model, Prompt("other")))
        await asyncio.sleep(0)
        await model.aclose()
        with pytest.raises(ModelError, match="tiny was closed"):
            async for _ in stream:
                pass
        with pytest.raises(ModelError, match="tiny was closed"):
            await waiting
        with pytest.raises(ModelError, match="tiny was closed"):
            await complete(model, Prompt("late"))

    names = {thread.name for thread in threading.enumerate()}
    asyncio.run(run())
    assert model._loaded is None
    assert {t.name for t in threading.enumerate() if t.name.startswith("airo-model")} <= names


@pytest.mark.slow
def test_loading_and_writing_print_nothing(tiny_llama: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from airoagent.models.base import Prompt, Sampling, complete\n"
        "from airoagent.models.local.transformers import TransformersModel\n"
        "assert not {'torch', 'transformers', 'bitsandbytes'} & set(sys.modules)\n"
        f"model = TransformersModel({str(tiny_llama)!r}, device='cpu')\n"
        "assert not {'torch', 'transformers', 'bitsandbytes'} & set(sys.modules), model.info\n"
        "asyncio.run(complete(model, Prompt('x', sampling=Sampling(max_tokens=5))))\n"
        "asyncio.run(model.aclose())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
