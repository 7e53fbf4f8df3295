"""An answer that only says that there is none: told in every form, and never a success."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airoagent import Run
from airoagent.events import from_json, to_json
from airoagent.records.run_record import read_trace
from tests.cli.conftest import LIBRARY, REPO, Airo

PLANS = [
    ("Answer: :evidence0:", {"evidence0": False}, False),
    ("Answer: :evidence0:", {"evidence0": True}, True),
    ("Answer: It is :evidence1:, says :evidence0:.", {"evidence0": False, "evidence1": True}, True),
    ("Answer: :evidence0: and :evidence1:", {"evidence0": False, "evidence1": False}, False),
    ("Answer: It is blue.", {"evidence0": False}, True),
    ("Answer: I do not know.", {"evidence0": True}, False),
]


@pytest.mark.parametrize(("answer", "tells", "answered"), PLANS)
def test_not_answered_is_not_success_in_any_form(
    airo: Airo, tmp_path: Path, answer: str, tells: dict[str, bool], answered: bool
) -> None:
    (tmp_path / "tell.py").write_text(
        "from airoagent import ToolOutput, tool\n@tool\ndef tell(text: str) -> ToolOutput:\n    'Tells.'\n"
        "    return ToolOutput(text, answered=text == 'True')\n"
    )
    steps = "".join(f":{id}: = tell[{value}]\n" for id, value in tells.items())
    (tmp_path / "a.plan").write_text(f"{steps}{answer}\n")
    line = json.dumps({"purpose": "plan", "text": steps + answer}) + "\n"
    (tmp_path / "model.jsonl").write_text(line * 2)
    (tmp_path / "questions").write_text("q\n")
    code = 0 if answered else 8
    tools = ("--tools", tmp_path / "tell.py")
    model = ("-m", f"scripted:{tmp_path / 'model.jsonl'}")
    asked = airo("ask", "q", *model, *tools)
    assert asked.code == code and asked.out
    told = airo("run", tmp_path / "a.plan", "--json", *tools)
    assert (told.code, json.loads(told.out)["answered"]) == (code, answered)
    replayed = airo("replay", "@last")
    assert (replayed.code, replayed.out) == (code, json.loads(told.out)["answer"] + "\n")
    lines = airo("batch", tmp_path / "questions", *model, *tools)
    assert (lines.code, json.loads(lines.out)["answered"]) == (code, answered)


def test_a_trace_from_before_evidence_said_so_counts_as_answered() -> None:
    old = [
        to_json(event) for event in read_trace((REPO / "plans" / "compare-two-lakes.jsonl").read_text().splitlines())
    ]
    for event in old:
        event.pop("answered", None)
    run = Run.from_events(from_json(event) for event in old)
    assert run.answered and run.to_json()["answered"]


def test_a_run_without_an_answer_is_not_answered(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "a.plan").write_text(":evidence0: = Calculator[1 / 0]\nAnswer: :evidence0:\n")
    failed = airo("run", tmp_path / "a.plan", "--json")
    assert failed.code == 5 and json.loads(failed.out)["answered"] is False


@pytest.mark.parametrize("verb", ["ask", "run", "call", "batch"])
@pytest.mark.parametrize("how", ["flag", "variable", "file"])
def test_a_search_provider_that_there_is_not_is_refused_before_any_work(
    airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, how: str
) -> None:
    (tmp_path / "q").write_text("Answer: 1\n")
    given: tuple[object, ...] = ("--docs", LIBRARY)
    if how == "flag":
        given += ("--search", "nobody")
    elif how == "variable":
        monkeypatch.setenv("AIRO_SEARCH", "nobody")
    else:
        (tmp_path / "c.toml").write_text('search = "nobody"\n')
        given += ("--config", tmp_path / "c.toml")
    done = airo(verb, tmp_path / "q", *given)
    assert (done.code, done.out) == (2, "")
    assert "'nobody' is not a search provider" in done.err and "searxng:" in done.err
