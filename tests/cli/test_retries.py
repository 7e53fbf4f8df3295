"""`--retries`, and prose in place of a plan, as they are seen on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Airo


def script(folder: Path, *plans: str) -> str:
    lines = [json.dumps({"purpose": "plan", "text": plan}) for plan in plans]
    (folder / "model.jsonl").write_text("\n".join(lines))
    return f"scripted:{folder / 'model.jsonl'}"


WRONG = ":evidence0: = Calculator[1 + 1]\n:evidence1: = Abacus[2 + 2]\nAnswer: :evidence1:"
RIGHT = ":evidence0: = Calculator[2 + 2]\nAnswer: :evidence0:"


def test_a_plan_is_asked_for_again_as_often_as_said(
    airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ("-m", script(tmp_path, WRONG, RIGHT), "-T", "Calculator")
    done = airo("ask", "q", *model)
    assert (done.code, done.out) == (0, "4\n")
    assert "No tool is called 'Abacus'" in done.err
    assert "the model is asked again" in done.err
    planned = airo("plan", "q", *model)
    assert (planned.code, planned.out) == (0, f"{RIGHT}\n"), "what can be run, not what was refused"
    assert json.loads(airo("plan", "q", "--json", *model).out)["written"] == RIGHT
    for verb in ("ask", "plan"):
        refused = airo(verb, "q", *model, "--retries", "0")
        assert (refused.code, refused.out) == (4, "")
        assert "asked again" not in refused.err
    monkeypatch.setenv("AIRO_RETRIES", "0")
    assert airo("ask", "q", *model).code == 4
    assert airo("ask", "q", *model, "--retries", "-1").code == 2


@pytest.mark.parametrize(
    ("prose", "code"), [("It is four, as everybody knows.", 0), ("The text does not say.", 8), ("Abacus[2 + 2]", 4)]
)
def test_prose_in_place_of_a_plan_is_shown_and_said_to_be_that(
    airo: Airo, tmp_path: Path, prose: str, code: int
) -> None:
    model = ("-m", script(tmp_path, prose), "-T", "Calculator", "--retries", "0")
    shown = airo("ask", "What is 2 + 2?", *model)
    assert shown.code == code
    assert ("The model answered without a plan." in shown.err) == (code != 4)
    if code != 4:
        assert shown.out == f"{prose}\n"
        assert airo("replay", "@last").out == shown.out
        assert airo("rerun", "@last").out == shown.out
    assert airo("plan", "What is 2 + 2?", *model).code == 4
