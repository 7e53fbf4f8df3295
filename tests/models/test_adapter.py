"""A QLoRA adapter made here by peft, on the tiny Llama in 4 bits."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import MissingExtra, ModelError
from airoagent.models.base import Prompt, Sampling, complete
from airoagent.models.catalog import open_model, show_folder
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_adapter import make_tiny_adapter

pytest.importorskip("peft", reason="peft is not installed")


@pytest.fixture(scope="module")
def adapter(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter whose layers are not zero, as a trained one's are not."""
    return make_tiny_adapter(tiny_llama, tmp_path_factory.mktemp("adapter") / "airoboros-7b-gpt4-1.4-qlora")


def write(model: Any, **sampling: Any) -> str:
    prompt = Prompt("Where do otters sleep?", sampling=Sampling(temperature=0, max_tokens=16, seed=1, **sampling))
    return asyncio.run(complete(model, prompt)).text


def test_an_adapter_folder_loads_on_its_base_in_4_bits_and_changes_what_is_written(
    adapter: Path, tiny_llama: Path
) -> None:
    import bitsandbytes

    model, plain = TransformersModel(adapter, device="cpu"), TransformersModel(tiny_llama, device="cpu")
    assert write(model) != write(plain)
    assert model._loaded is not None
    layers = [type(layer).__module__ for layer in model._loaded.model.modules()]
    assert any("peft" in module for module in layers)
    assert sum(isinstance(layer, bitsandbytes.nn.Linear4bit) for layer in model._loaded.model.modules()) >= 14


def test_the_layers_are_what_peft_computes_from_the_same_files(adapter: Path, tiny_llama: Path) -> None:
    import torch
    from peft import PeftModel

    ours, base = TransformersModel(adapter, device="cpu", bits=16), TransformersModel(tiny_llama, device="cpu", bits=16)
    write(ours), write(base)
    assert ours._loaded is not None
    assert base._loaded is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = PeftModel.from_pretrained(base._loaded.model, str(adapter))
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert torch.equal(ours._loaded.model(ids).logits, theirs(ids).logits)


def test_the_wrapper_is_the_adapters_own_and_the_sizes_add_up(adapter: Path, tiny_llama: Path) -> None:
    model = TransformersModel(adapter, device="cpu")
    assert model.info.wrapper == "airoboros-1.4.1"
    assert model.info.context_length == 4096
    size = (adapter / "adapter_model.safetensors").stat().st_size
    assert read_checkpoint(adapter).four_bit == read_checkpoint(tiny_llama).four_bit + size


def test_the_base_can_be_named_where_the_config_names_another_machines(
    adapter: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    moved = based_on("someone/llama-2-7b-hf", adapter, tmp_path)
    assert open_model(str(moved), options={"base": str(tiny_llama)}).info.context_length == 4096


def based_on(base: str, adapter: Path, place: Path) -> Path:
    """A copy of the adapter whose config names this base model."""
    folder = Path(shutil.copytree(adapter, place / "moved"))
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
    path.write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_base_that_is_not_here_is_said_at_once_where_the_hub_is_switched_off(adapter: Path, tmp_path: Path) -> None:
    moved = based_on("someone/llama-2-7b-hf", adapter, tmp_path)
    with pytest.raises(ModelError, match=r"is based on someone/llama-2-7b-hf, which is not downloaded, and") as caught:
        open_model(str(moved))
    assert "(HF_HUB_OFFLINE)" in caught.value.message
    assert "hf download someone/llama-2-7b-hf" in caught.value.hint
    assert "-o base FOLDER" in caught.value.hint


def test_a_base_that_is_not_here_is_fetched_by_the_first_use_and_not_before(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    moved = based_on("someone/llama-2-7b-hf", adapter, tmp_path)
    model = open_model(str(moved))
    assert model.info.context_length is None
    with pytest.raises(ModelError, match="someone/llama-2-7b-hf, which is not downloaded") as caught:
        model.check()  # type: ignore[attr-defined]
    assert caught.value.hint.startswith("its first use fetches it, or run: hf download someone/llama-2-7b-hf; or name")
    assert show_folder(str(moved), {})["missing"] == "the base model someone/llama-2-7b-hf"


@pytest.mark.parametrize("base", ["/mnt/models/llama", "", "../llama-7b"])
def test_a_base_that_is_a_folder_elsewhere_is_asked_for(adapter: Path, tmp_path: Path, base: str) -> None:
    with pytest.raises(ModelError, match=r"which is not downloaded$") as caught:
        open_model(str(based_on(base, adapter, tmp_path)))
    assert caught.value.hint == "name the base model's folder or its name on the hub: -o base FOLDER"


def test_an_adapter_on_an_adapter_is_refused(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="which is also an adapter"):
        open_model(str(based_on(str(adapter), adapter, tmp_path)))
    with pytest.raises(ModelError, match="which is also an adapter"):
        open_model(str(adapter), options={"base": str(adapter)})


def test_an_adapter_of_another_shape_is_said(adapter: Path, tmp_path: Path) -> None:
    from tests.tiny_llama import make_tiny_llama

    other = make_tiny_llama(tmp_path / "other", hidden=256)
    model = TransformersModel(adapter, name="qlora", device="cpu", base=other)
    with pytest.raises(ModelError, match="the adapter qlora does not go with other") as caught:
        write(model)
    assert "\n" not in caught.value.message


def test_an_adapter_without_weights_is_said(adapter: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(adapter / "adapter_config.json", bare)
    with pytest.raises(ModelError, match="has no weights"):
        read_checkpoint(bare)


def test_without_peft_the_extra_is_named(adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "peft" else found(name))
    monkeypatch.delitem(sys.modules, "peft", raising=False)
    with pytest.raises(MissingExtra) as caught:
        TransformersModel(adapter, device="cpu").check()
    assert caught.value.hint == "pip install '.[peft]'"
