"""Weights that are not those that the config describes are refused by name, before anything is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import ModelError
from airoagent.models.local.architecture import is_out_of_memory, reason_of
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_llama import make_tiny_llama

QUERY = "model.layers.0.self_attn.q_proj.weight"


def configured(**settings: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")

    return change


def weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return rewrite


def halved(tensors: dict[str, Any]) -> None:
    tensors[QUERY] = tensors[QUERY][:, :64].contiguous()


def added(name: str) -> Callable[[dict[str, Any]], None]:
    def add(tensors: dict[str, Any]) -> None:
        tensors[name] = tensors[QUERY].clone()

    return add


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (weights(halved), f"{QUERY} of tiny is 128 x 64, and config.json has it 128 x 128"),
        (configured(hidden_size=256), r" of tiny is \d+ x 128, and config.json has it \d+ x 256"),
        (configured(num_key_value_heads=2), "k_proj.weight of tiny is 128 x 128, and config.json has it 64 x 128"),
        (configured(vocab_size=500), "is 586 x 128, and config.json has it 500 x 128"),
        (configured(num_hidden_layers=1), "weights of layers that config.json does not count: model.layers.1."),
        (configured(num_hidden_layers=5), r"lacks weights that its config asks for: model.layers.2.* and 26 more"),
        (weights(lambda tensors: tensors.pop(QUERY)), f"lacks weights that its config asks for: {QUERY}$"),
        (weights(lambda tensors: tensors.pop("lm_head.weight")), "asks for: lm_head.weight$"),
        (weights(lambda tensors: tensors.pop("model.norm.weight")), "asks for: model.norm.weight$"),
        (configured(num_attention_heads=3, head_dim=None), "config.json of tiny cannot be used: .*not a multiple"),
        (configured(model_type="unheard-of"), "config.json of tiny cannot be used: .*unheard-of"),
        (configured(eos_token_id="2"), "config.json of tiny cannot be used: .*eos_token_id"),
        (configured(quantization_config={"quant_method": "zork"}), "quantised by zork, which is not supported"),
    ],
)
def test_what_does_not_belong_together_is_one_sentence_and_nothing_is_loaded(
    tmp_path: Path, tiny_llama: Path, break_it: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    break_it(folder)
    model = TransformersModel(folder, name="tiny", device="cpu", wrapper="none")
    with pytest.raises(ModelError, match=message) as caught:
        model.check()
    assert "\n" not in caught.value.message
    assert caught.value.hint
    with pytest.raises(ModelError, match=message):  # And before loading as well, not only when doctor asks.
        model._ready_model(lambda: pytest.fail("it began to load"))


def test_a_bin_file_is_compared_too(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "bin", safetensors=False)
    model = TransformersModel(folder, name="tiny", device="cpu")
    model.check()
    configured(hidden_size=256)(folder)
    with pytest.raises(ModelError, match=r"config.json has it"):
        model.check()


@pytest.mark.parametrize(
    "change",
    [
        configured(architectures=None),
        configured(architectures="LlamaForCausalLM"),
        weights(added("model.layers.0.self_attn.rotary_emb.inv_freq")),
        weights(added("value_head.weight")),
    ],
    ids=["no-architecture", "one-architecture", "tables-of-2023", "what-was-trained-beside-it"],
)
def test_what_is_harmless_is_let_through(tmp_path: Path, tiny_llama: Path, change: Callable[[Path], None]) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    change(folder)
    TransformersModel(folder, device="cpu").check()


def test_tied_embeddings_are_stored_once(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "tied", config={"tie_word_embeddings": True})
    model = TransformersModel(folder, device="cpu")
    model.check()
    loaded = model._ready_model(lambda: False)
    assert loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight


def test_what_only_the_loader_can_see_missing_is_said(tmp_path: Path, tiny_llama: Path) -> None:
    """Names without the model's prefix are mended by the loader; what is missing then is not filled with chance."""

    def unprefixed(tensors: dict[str, Any]) -> None:
        for name in list(tensors):
            tensors[name.removeprefix("model.")] = tensors.pop(name)
        del tensors["layers.1.mlp.up_proj.weight"]

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    weights(unprefixed)(folder)
    model = TransformersModel(folder, name="tiny", device="cpu")
    model.check()
    with pytest.raises(ModelError, match=r"asks for: model.layers.1.mlp.up_proj.weight"):
        model._ready_model(lambda: False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("one line", "one line"),
        ("\n first \nsecond", "first"),
        ("Validation error for 'x':\n    it is no number\nmore", "Validation error for 'x': it is no number"),
        ("only this:", "only this:"),
        ("", "ValueError"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_it_is_one_line(said: str, told: str) -> None:
    assert reason_of(ValueError(said)) == told


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        OSError("unable to mmap 393235136 bytes from file <x>: Cannot allocate memory (12)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_the_words_for_no_memory_are_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError("memory of an elephant"))
