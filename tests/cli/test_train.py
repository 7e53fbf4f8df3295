"""`airo train`: made data on stdout, and one sentence for what cannot be trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Airo

LINE = '{"instruction": "Where do otters sleep?", "response": "In the kelp."}\n'


def test_made_data_are_lines_that_a_training_takes(airo: Airo) -> None:
    made = airo("train", "--make-data", "12", "--seed", "3")
    assert made.code == 0 and made.err == ""
    rows = [json.loads(line) for line in made.out.splitlines()]
    assert len(rows) == 12 and all(row["instruction"] and row["response"] and row["kind"] for row in rows)
    assert airo("train", "--make-data", "12", "--seed", "3").out == made.out
    assert airo("train", "--make-data", "12", "--seed", "4").out != made.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "there is nothing to train on"),
        (("{data}",), "--base is missing"),
        (("{data}", "--base", "x"), "--out is missing"),
        (("missing.jsonl", "--base", "x", "--out", "y"), "missing.jsonl"),
        (("{data}", "--base", "no-such-model", "--out", "y"), "there is no model no-such-model"),
        (("{data}", "--base", "smollm2", "--out", "y"), "airo pull smollm2"),
        (("{data}", "--base", "someone/model", "--out", "y"), "someone/model is not downloaded"),
        (("--from-runs", "--base", "x", "--out", "y"), "no run has an answer to learn from"),
        (("--from-runs", "otters", "--base", "x", "--out", "y"), "no run with 'otters' has an answer"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(airo: Airo, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    (tmp_path / "data.jsonl").write_text(LINE)
    result = airo("train", *(arg.format(data=tmp_path / "data.jsonl") for arg in args))
    assert result.code in (2, 3) and said in result.err and result.out == ""


@pytest.mark.slow
def test_a_folder_with_other_files_is_left_alone(airo: Airo, tmp_path: Path, tiny_llama: Path) -> None:
    (tmp_path / "data.jsonl").write_text(LINE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    train = ("train", str(tmp_path / "data.jsonl"), "--base", str(tiny_llama), "--out", str(tmp_path / "mine"))
    result = airo(*train, "--bits", "16", "--device", "cpu")
    assert result.code == 2 and "is not empty" in result.err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    short = airo(*train[:-1], str(tmp_path / "new"), "--bits", "16", "--device", "cpu", "--max-tokens", "8")
    assert short.code == 2 and "no example has at most 8 tokens" in short.err
    wrong = airo(*train[:-1], str(tmp_path / "new"), "--bits", "16", "--device", "cpu", "--targets", "nose")
    odd = airo(
        *train[:-1], str(tmp_path / "new"), "--device", "cpu", "--targets", "lm_head", "--gguf", str(tmp_path / "a")
    )
    assert odd.code == 3 and "llama.cpp does not support an adapter for lm_head" in odd.err
    assert wrong.code == 2 and "no layers called nose" in wrong.err and "q_proj" in wrong.err


@pytest.mark.slow
def test_own_runs_are_trained_on(
    airo: Airo, script: Callable[..., str], tools: str, tmp_path: Path, tiny_llama: Path
) -> None:
    airo("-m", script(":evidence0: = echo[hello]\nAnswer: :evidence0:"), "--tools", tools, "say hello")
    out = tmp_path / "mine"
    train = ("--base", str(tiny_llama), "--out", str(out), "--bits", "16", "--device", "cpu", "--steps", "1")
    result = airo("train", "--from-runs", "hello", *train)
    assert (result.code, result.out) == (0, f"{out}\n") and "loss own" in result.err
    assert (out / "adapter_model.safetensors").is_file()
