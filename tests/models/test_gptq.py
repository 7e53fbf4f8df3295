"""Checkpoints quantised by GPTQ as those of 2023: told from their config, and loaded where the extra is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airoagent.cli import main
from airoagent.errors import MissingExtra, ModelError
from airoagent.models.local.checkpoint import missing_libraries, read_checkpoint
from airoagent.models.local.loading import load
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_gptq import make_tiny_gptq

installed = pytest.mark.skipif(
    bool(missing_libraries("gptq")), reason=f"the extra gptq is not installed ({', '.join(missing_libraries('gptq'))})"
)
missing = pytest.mark.skipif(not missing_libraries("gptq"), reason="the extra gptq is installed")


@pytest.fixture(scope="module")
def pair(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A quantised checkpoint, and the same weights in 16 bits."""
    return make_tiny_gptq(tiny_llama, tmp_path_factory.mktemp("gptq"))


@pytest.fixture
def early(tiny_llama: Path, tmp_path: Path) -> Path:
    """One whose settings are in a file of their own."""
    return make_tiny_gptq(tiny_llama, tmp_path, old=True)[0]


def change(folder: Path, **settings: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def test_what_it_is_and_takes_is_told_from_its_config_and_headers(pair: tuple[Path, Path]) -> None:
    quantised, plain = (read_checkpoint(folder) for folder in pair)
    assert (quantised.quantization, quantised.bits) == ("gptq", 4)
    assert (plain.quantization, plain.bits) == ("", 16)
    linear = 2 * (4 * 128 * 128 + 3 * 128 * 256)
    groups = linear // 128
    indices = 2 * (6 * 128 + 256)
    assert plain.stored - quantised.stored == 2 * linear - (linear // 2 + groups * 2 + groups // 2 + 4 * indices)
    assert quantised.four_bit == quantised.stored


def test_settings_in_a_file_of_their_own_are_found(early: Path) -> None:
    found = read_checkpoint(early)
    assert (found.quantization, found.bits) == ("gptq", 4)


def test_weights_under_another_name_are_said(early: Path) -> None:
    (early / "model.safetensors").rename(early / "gptq_model-4bit-128g.safetensors")
    with pytest.raises(ModelError, match="have a name that no loader looks for: gptq_model-4bit-128g") as caught:
        read_checkpoint(early, "tiny")
    assert caught.value.hint == "rename the file to model.safetensors"


def test_quantised_weights_without_settings_are_said(early: Path) -> None:
    (early / "quantize_config.json").unlink()
    with pytest.raises(ModelError, match=r"are quantised .by gptq, it seems., and its config does not say how"):
        read_checkpoint(early, "tiny")


def test_settings_over_plain_weights_are_said(tiny_llama: Path, tmp_path: Path) -> None:
    _, plain = make_tiny_gptq(tiny_llama, tmp_path)
    for method in ("gptq", "bitsandbytes"):
        change(plain, quantization_config={"quant_method": method, "bits": 4, "load_in_4bit": True})
        with pytest.raises(ModelError, match=f"says that its weights are quantised by {method}, and they are not"):
            read_checkpoint(plain, "tiny")


@missing
def test_without_the_extra_it_is_named_before_anything_is_loaded(pair: tuple[Path, Path]) -> None:
    with pytest.raises(
        MissingExtra, match="GPTQ, which needs gptqmodel and optimum, which are not installed"
    ) as caught:
        TransformersModel(pair[0], name="tiny", device="cpu").check()
    assert caught.value.hint.startswith("pip install '.[gptq]', or ")


@pytest.mark.parametrize("command", ["show", "doctor"])
def test_the_commands_tell_what_it_is_and_whether_the_extra_is_there(
    pair: tuple[Path, Path], command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    absent = missing_libraries("gptq")
    with pytest.raises(SystemExit) as ended:
        main(["models", "show", str(pair[0])] if command == "show" else ["doctor", "--json", "-m", str(pair[0])])
    out = capfd.readouterr().out
    if command == "show":
        shown = json.loads(out)
        assert (shown["quantization"], shown["bits"], shown["missing"]) == ("gptq", 4, ", ".join(absent))
        assert shown["bytes_in_memory"] == read_checkpoint(pair[0]).stored
        assert shown["note"].startswith("quantised by gptq to 4 bits")
        return
    line = next(found for each in out.splitlines() if (found := json.loads(each))["subject"].startswith("model "))
    assert (line["well"], ended.value.code) == (not absent, 3 if absent else 0)
    assert (".[gptq]" in line["cure"]) == bool(absent)


@installed
@pytest.mark.parametrize("settings", ["in-config", "in-a-file"])
def test_it_computes_what_its_dequantised_weights_do(
    pair: tuple[Path, Path], early: Path, settings: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import torch

    scores = []
    for folder in (pair[0] if settings == "in-config" else early, pair[1]):
        checkpoint = read_checkpoint(folder)
        loaded = load(checkpoint, device="cpu", bits=16, check_memory=True, progress=None, stopped=lambda: False)
        kinds = {type(module).__module__.partition(".")[0] for module in loaded.model.modules()}
        assert ("gptqmodel" in kinds) == (checkpoint.quantization == "gptq")
        with torch.no_grad():
            scores.append(loaded.model(torch.arange(5, 60)[None]).logits.float())
    quantised, plain = scores
    # Its kernel rounds scales and zero points to 16 bits; zero points wrong by one are off by more than the whole.
    assert ((quantised - plain).norm() / plain.norm()).item() < 0.08
    assert (quantised.argmax(-1) == plain.argmax(-1)).float().mean().item() > 0.8
    assert capfd.readouterr() == ("", "")


@installed
def test_layers_that_are_missing_or_too_wide_are_said(tiny_llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder, _ = make_tiny_gptq(tiny_llama, tmp_path)
    change(folder, intermediate_size=512)
    with pytest.raises(ModelError, match="its weights have other widths than config"):
        TransformersModel(folder, device="cpu")._ready_model(lambda: False)
    change(folder, intermediate_size=256)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if "layers.1.mlp.up_proj" not in name},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ModelError, match=r"lacks weights that its config asks for: model.layers.1.mlp.up_proj"):
        TransformersModel(folder, device="cpu")._ready_model(lambda: False)


@installed
def test_it_plans_and_answers_through_the_command_with_the_answer_alone_on_stdout(pair: tuple[Path, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airoagent", "plan", "Where do otters sleep?", "--model", str(pair[0]), "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Plan:")
    assert "\nAnswer: " in done.stdout


@installed
@pytest.mark.gpu
def test_it_writes_on_a_gpu_what_its_dequantised_weights_do(pair: tuple[Path, Path]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    scores = []
    for folder in pair:
        checkpoint = read_checkpoint(folder)
        loaded = load(checkpoint, device="cuda", bits=16, check_memory=True, progress=None, stopped=lambda: False)
        with torch.no_grad():
            scores.append(loaded.model(torch.arange(5, 60, device=loaded.device)[None]).logits.float())
    quantised, plain = scores
    assert ((quantised - plain).norm() / plain.norm()).item() < 0.08
