"""Training for real on the tiny Llama: what it learns, what it writes, and that it goes on after being killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airoagent.models.base import Prompt, Sampling, complete
from airoagent.models.catalog import open_model
from tests.cli.conftest import Airo, airo, shell
from tests.source import ROOT

__all__ = ["airo", "shell"]

pytest.importorskip("peft", reason="peft is not installed")
pytestmark = pytest.mark.slow

PAIRS = [
    ("Where do otters sleep?", "In the kelp.", "where"),
    ("What does the otter hold?", "The paw of another otter.", "what"),
    ("Who wrote the book?", "The page does not say.", "who"),
]
FAST = ("--batch", "3", "--accumulate", "1", "--lr", "0.01", "--device", "cpu")


@pytest.fixture
def data(tmp_path: Path) -> str:
    lines = [json.dumps({"instruction": ask, "response": say, "kind": kind}) for ask, say, kind in PAIRS]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "data.jsonl")


@pytest.fixture(scope="module")
def tiny_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_gguf import make_tiny_gguf

    return make_tiny_gguf(tiny_llama, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def written(model: str, question: str, **options: str) -> str:
    async def ask() -> str:
        opened = open_model(model, options=options)
        sampling = Sampling(temperature=0, repetition_penalty=1, max_tokens=24, seed=1)
        try:
            return (await complete(opened, Prompt(question, sampling=sampling))).text
        finally:
            if hasattr(opened, "aclose"):
                await opened.aclose()

    return asyncio.run(ask())


@pytest.mark.parametrize("bits", ["4", "16"])
def test_the_adapter_writes_what_it_was_taught_on_its_base_and_through_llama_cpp(
    airo: Airo, data: str, tiny_llama: Path, tiny_gguf: Path, tmp_path: Path, bits: str
) -> None:
    out, file = tmp_path / "adapter", tmp_path / "adapter.gguf"
    result = airo(
        "train", data, "--base", str(tiny_llama), "--out", str(out), "--gguf", str(file), "--bits", bits,
        "--steps", "60", *FAST,
    )  # fmt: skip
    assert (result.code, result.out) == (0, f"{out}\n")
    last = result.err.splitlines()[-1]
    assert "step 60/60" in last and "tokens/s" in last and all(f"{kind} 0.0" in last for _, _, kind in PAIRS)
    for question, answer, _ in PAIRS:
        assert written(str(out), question, device="cpu") == answer
        assert written(str(tiny_llama), question, device="cpu") != answer
    if bits == "16":  # The GGUF file holds the same 16-bit weights.
        pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
        wrapper = {"wrapper": "airoboros-2.0"}
        for question, answer, _ in PAIRS:
            assert written(str(tiny_gguf), question, adapter=str(file), **wrapper) == answer
            assert written(str(tiny_gguf), question, **wrapper) != answer


def test_a_gguf_base_is_trained_on_in_its_own_4_bits(airo: Airo, data: str, tiny_gguf: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    from tests.tiny_gguf import with_blocks

    base = str(with_blocks(tiny_gguf, tmp_path / "tiny.Q4_0.gguf", "Q4_0"))
    out = tmp_path / "adapter"
    result = airo("train", data, "--base", base, "--out", str(out), "--steps", "80", *FAST)
    assert (result.code, result.out) == (0, f"{out / 'adapter.gguf'}\n")
    assert all(line.startswith("step ") for line in result.err.splitlines())
    right = [written(base, ask, adapter=result.out.strip()) == say for ask, say, _ in PAIRS]
    plain = [written(base, ask) == say for ask, say, _ in PAIRS]
    assert sum(right) >= 2 and not any(plain)


def test_an_adapter_trained_by_turns_holds_in_llama_cpp_and_in_nf4(
    airo: Airo, data: str, tiny_llama: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    out = tmp_path / "adapter"
    train = ("train", data, "--base", str(tiny_gguf), "--out", str(out), "--steps", "80", *FAST)
    refused = airo(*train, "--bits", "16")
    assert refused.code == 2 and "--bits 4" in refused.err
    assert airo(*train, "--bits", "4").code == 0
    for question, answer, _ in PAIRS:
        assert written(str(tiny_gguf), question, adapter=str(out / "adapter.gguf"), wrapper="airoboros-2.0") == answer
        assert written(str(out), question, base=str(tiny_llama), device="cpu") == answer


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


def command(data: str, base: Path, out: Path, *more: str) -> list[str]:
    own = [sys.executable, "-m", "airoagent", "train", data, "--base", str(base), "--out", str(out)]
    return [*own, "--steps", "24", "--save-every", "4", *FAST, *more]


def test_a_training_killed_by_force_goes_on_and_ends_as_one_that_was_not(
    data: str, tiny_llama: Path, tmp_path: Path
) -> None:
    import torch

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(command(data, tiny_llama, killed), cwd=ROOT, stderr=subprocess.PIPE) as process:
        while not (killed / "checkpoint.pt").is_file():
            assert process.poll() is None
            os.sched_yield()
        os.kill(process.pid, signal.SIGKILL)
    assert not (killed / "adapter_model.safetensors").exists()
    resumed = subprocess.run(command(data, tiny_llama, killed), cwd=ROOT, capture_output=True, text=True)
    assert resumed.returncode == 0
    first = int(resumed.stderr.split("step ")[1].split("/")[0])
    assert first > 4
    subprocess.run(command(data, tiny_llama, whole), cwd=ROOT, check=True, capture_output=True)
    ours, theirs = weights(killed), weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not (killed / "checkpoint.pt").exists()


def test_two_processes_train_what_one_does(data: str, tiny_llama: Path, tmp_path: Path) -> None:
    import torch

    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run(command(data, tiny_llama, one, "--bits", "16"), cwd=ROOT, check=True, capture_output=True)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    own = command(data, tiny_llama, two, "--bits", "16")[1:]
    done = subprocess.run([*start, *own], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{two}\n"
    ours, theirs = weights(one), weights(two)
    # The order of sums differs, so the weights agree but for rounding.
    near = [torch.cosine_similarity(ours[name].flatten(), theirs[name].flatten(), dim=0) for name in ours]
    assert min(near) > 0.9


def test_the_same_command_again_trains_nothing_and_another_one_is_refused(
    airo: Airo, data: str, tiny_llama: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    train = ("train", data, "--base", str(tiny_llama), "--out", str(out), "--bits", "16", *FAST)
    assert airo(*train, "--steps", "2").code == 0
    before = (out / "adapter_model.safetensors").stat().st_mtime_ns
    again = airo(*train, "--steps", "2")
    assert (again.code, again.out, again.err) == (0, f"{out}\n", "")
    assert (out / "adapter_model.safetensors").stat().st_mtime_ns == before
    other = airo(*train, "--steps", "3")
    assert other.code == 2 and "trained by another command" in other.err and "--restart" in other.err
    assert airo(*train, "--steps", "3", "--restart").code == 0
    assert json.loads((out / "training.json").read_text())["steps"] == 3
    file = tmp_path / "later.gguf"
    assert airo(*train, "--steps", "3", "--gguf", str(file)).code == 0 and file.is_file()


def test_a_training_starts_from_another_adapter_and_keeps_its_shape(
    airo: Airo, data: str, tiny_llama: Path, tmp_path: Path
) -> None:
    import torch

    one, two = tmp_path / "one", tmp_path / "two"
    train = ("train", data, "--base", str(tiny_llama), "--bits", "16", *FAST)
    assert airo(*train, "--out", str(one), "--steps", "4", "--rank", "4", "--layers", "1-1").code == 0
    once, file = ("--steps", "1", "--lr", "1e-9"), str(tmp_path / "adapter.gguf")
    assert airo(*train, "--out", str(two), "--start", str(one), *once).code == 0
    ours, theirs = weights(one), weights(two)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)
    assert airo(*train, "--out", str(two), "--start", str(one), *once, "--gguf", file).code == 0
    assert airo(*train, "--out", str(tmp_path / "g2"), "--start", file, *once).code == 0
    theirs = weights(tmp_path / "g2")
    assert all(torch.allclose(ours[name], theirs[name], atol=2e-3) for name in ours)
    missing = airo(*train, "--out", str(tmp_path / "four"), "--start", str(tmp_path), "--steps", "1")
    assert missing.code == 2 and "not an adapter" in missing.err


def test_an_adapter_taught_in_the_compact_style_is_asked_in_it_and_only_the_chosen_blocks_are_adapted(
    airo: Airo, tiny_llama: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made.jsonl"
    made.write_text(airo("train", "--make-data", "6", "--style", "compact").out)
    for base, more in (str(tiny_llama), ("--bits", "16")), (str(tiny_gguf), ()):
        out = tmp_path / Path(base).name
        train = ("train", str(made), "--base", base, "--out", str(out), "--steps", "1", "--max-tokens", "4096", *more)
        done = airo(*train, "--layers", "1-1", *FAST)
        assert done.code == 0, done.err
        assert all(".layers.1." in name for name in weights(out))
    assert open_model(str(tmp_path / tiny_llama.name)).info.style == "compact"
    adapted = open_model(str(tiny_gguf), options={"adapter": str(tmp_path / tiny_gguf.name / "adapter.gguf")})
    assert adapted.info.style == "compact"
    for blocks, says in ("7-9", "its layers are 0 to"), ("1", "not a range"):
        wrong = airo(*train, "--layers", blocks, "--restart", *FAST)
        assert wrong.code == 2 and says in wrong.err
