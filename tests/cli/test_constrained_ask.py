"""`airo ask` with random weights: the plan is always one over the tools that are offered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Airo
from tests.tiny_llama import make_tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_llama(tmp_path_factory.mktemp("model") / "tiny", window=4096))


@pytest.mark.parametrize("seed", ["1", "2"])
def test_random_weights_write_a_plan_over_the_tools_that_can_be_run(
    airo: Airo, folder: str, tools: str, seed: str
) -> None:
    result = airo(
        "ask",
        "-m",
        folder,
        "--tools",
        tools,
        "-T",
        "echo",
        "-T",
        "fails",
        "--no-store",
        "--json",
        "--seed",
        seed,
        "--max-tokens",
        "150",
        "--temperature",
        "1",
        "--display",
        "none",
        "Where do otters sleep?",
    )
    # Its steps may fail; the plan is one.
    assert result.code in (0, 5), result.err
    run = json.loads(result.out)
    steps = run["plan"]["steps"]
    assert steps
    assert {step["tool"] for step in steps} <= {"echo", "fails", "KnowledgeModel"}


def test_free_lets_random_weights_write_what_is_no_plan(airo: Airo, folder: str, tools: str) -> None:
    result = airo(
        "ask",
        "-m",
        folder,
        "--tools",
        tools,
        "-T",
        "echo",
        "--seed",
        "1",
        "--max-tokens",
        "20",
        "--free",
        "--display",
        "none",
        "Where do otters sleep?",
    )
    assert result.code == 4, result.err
    assert "plan:1:1: " in result.err and "^" in result.err and "hint: " in result.err
    record = json.loads(airo("runs", "show", "--json", "@last").out)
    assert record["status"] == "failed" and any(event["type"] == "plan_written" for event in record["events"])


def test_verbatim_answers_are_words_of_the_evidence(airo: Airo, folder: str, tmp_path: Path) -> None:
    plan = tmp_path / "read.plan"
    plan.write_text(
        ":evidence0: = DocumentSearch[otters]\n"
        ":evidence1: = KnowledgeModel[Where do otters sleep, given :evidence0:?]\nAnswer: :evidence1:\n"
    )
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "otters.md").write_text("# Otters\n\nOtters sleep afloat in the kelp and hold paws.\n")
    result = airo(
        "run",
        str(plan),
        "-m",
        folder,
        "--docs",
        str(docs),
        "--answers",
        "verbatim",
        "--no-store",
        "--json",
        "--seed",
        "7",
        "--max-tokens",
        "120",
        "--temperature",
        "1",
        "--display",
        "none",
    )
    assert result.code == 0, result.err
    run = json.loads(result.out)
    evidence = {one["id"]: one for one in run["evidence"]} if isinstance(run["evidence"], list) else run["evidence"]
    answer, found = evidence["evidence1"]["text"], evidence["evidence0"]["text"]
    assert answer
    assert answer in found or answer == "The context does not say."
