"""A model saved in 4 bits is the model that was loaded in 4 bits, to the bit."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from airoagent.cli import main
from airoagent.errors import ModelError, UsageError
from airoagent.models.base import Prompt, Sampling, complete
from airoagent.models.local.quantize import quantize
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_gptq import make_tiny_gptq


def write(model: TransformersModel) -> str:
    prompt = Prompt("Where do otters sleep?", sampling=Sampling(temperature=0, max_tokens=16, seed=1))
    return asyncio.run(complete(model, prompt)).text


def test_what_is_saved_loads_as_it_is_and_writes_the_same(tiny_llama: Path, tmp_path: Path) -> None:
    import torch

    saved = quantize(tiny_llama, tmp_path / "small", device="cpu")
    assert saved.quantization == "bitsandbytes"
    assert saved.stored < sum(file.stat().st_size for file in tiny_llama.glob("*.safetensors")) * 0.8
    small, whole = TransformersModel(tmp_path / "small", device="cpu"), TransformersModel(tiny_llama, device="cpu")
    ids = torch.arange(5, 25)[None]
    logits = []
    for model in (small, whole):
        loaded = model._ready_model(lambda: False)
        with torch.no_grad():
            logits.append(loaded.model(ids).logits)
    assert torch.equal(*logits)
    assert write(small) == write(whole)
    assert small.wrap("x") == whole.wrap("x")


def test_the_wrapper_is_still_known_when_the_folder_is_called_otherwise(tiny_llama: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_llama, tmp_path / "airoboros-l2-7b-2.2"))
    quantize(source, tmp_path / "small", device="cpu")
    assert TransformersModel(tmp_path / "small", device="cpu").info.wrapper == "airoboros-2.2"


def test_a_place_that_is_taken_and_a_model_that_is_quantised_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already exists"):
        quantize(tiny_llama, tiny_llama)
    small, _ = make_tiny_gptq(tiny_llama, tmp_path)
    with pytest.raises(UsageError, match="already quantised, by gptq"):
        quantize(small, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_load_that_fails_leaves_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    odd = Path(shutil.copytree(tiny_llama, tmp_path / "odd"))
    (odd / "config.json").write_text('{"model_type": "unheard-of"}', encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be used"):
        quantize(odd, tmp_path / "out", device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd"]


def test_the_command_saves_and_says_what_it_did(
    tiny_llama: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "quantize", str(tiny_llama), str(tmp_path / "small")])
    out, err = capfd.readouterr()
    assert ended.value.code == 0, err
    assert out.strip() == str(tmp_path / "small")
    with pytest.raises(SystemExit) as ended:
        main(["models", "show", str(tmp_path / "small")])
    shown = json.loads(capfd.readouterr().out)
    assert shown["quantization"] == "bitsandbytes"
    assert shown["wrapper"] == "airoboros-2.0"
    assert shown["example"].endswith("USER: Where do otters sleep? ASSISTANT: ")
