"""``airo call``, ``airo think`` and ``airo code``: the result alone on stdout, exit codes as in the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Airo

SPEC = str(REPO / "tools" / "file_analytics.yaml")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("Python here\nand Python there\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def scripted(folder: Path, purpose: str, *texts: str) -> str:
    file = folder / "model.jsonl"
    file.write_text("".join(json.dumps({"purpose": purpose, "text": text}) + "\n" for text in texts), encoding="utf-8")
    return f"scripted:{file}"


def test_a_sentence_becomes_a_call_and_its_result(airo: Airo) -> None:
    done = airo("call", "how many times does Python occur in notes.txt", "--functions", SPEC)
    assert (done.code, done.out) == (0, '"Python" occurs twice in notes.txt (lines 1, 2).\n')
    assert "evidence0" in done.err


def test_a_dry_run_prints_the_call(airo: Airo) -> None:
    done = airo("call", "count the lines of notes.txt", "--functions", SPEC, "--dry-run", "--format", "yaml")
    assert (done.code, done.out) == (0, "function: file_analytics\nparams:\n  action: count_lines\n  file: notes.txt\n")


def test_json_prints_the_whole_run(airo: Airo) -> None:
    done = airo("call", "count the lines of notes.txt", "--functions", SPEC, "--json", "--display", "none")
    assert json.loads(done.out)["answer"] == "notes.txt has 2 lines."


def test_a_call_that_cannot_be_used_ends_in_4_with_the_place(airo: Airo, tmp_path: Path) -> None:
    model = scripted(tmp_path, "call", '{"function": "file_analytic"}', '{"function": "file_analytic"}')
    done = airo("call", "-m", model, "count notes.txt", "--functions", SPEC)
    assert (done.code, done.out) == (4, "")
    assert "call:1:14: There is no function called 'file_analytic'; did you mean file_analytics?" in done.err
    assert "hint: " in done.err


def test_a_missing_functions_file_ends_in_2(airo: Airo) -> None:
    done = airo("call", "x", "--functions", "none.yaml")
    assert (done.code, done.out) == (2, "")
    assert "none.yaml cannot be read" in done.err


def test_think_prints_the_best_answer_alone(airo: Airo, tmp_path: Path) -> None:
    text = "Solution 1:\nA.\nFinal answer: 3\n\nRanking of solutions from best to worst:\n1. Solution 1: x\n\n"
    text += "Best and final answer: 3 it is"
    assert airo("think", "-m", scripted(tmp_path, "think", text), "How many?").out == "3 it is\n"
    everything = airo("think", "--all", "-m", scripted(tmp_path, "think", text), "How many?").out
    assert everything.startswith("Solution 1:\nA.\nFinal answer: 3\n")
    told = json.loads(airo("think", "--json", "-m", scripted(tmp_path, "think", text), "How many?").out)
    assert told["ranking"] == [{"solution": 1, "reason": "x"}]


def test_code_prints_the_code_alone(airo: Airo, tmp_path: Path) -> None:
    done = airo("code", "-m", scripted(tmp_path, "code", "```py\nprint(1)\n```\n"), "print one")
    assert (done.code, done.out) == (0, "print(1)\n")


@pytest.mark.parametrize(("verb", "what"), [("think", "weigh several answers"), ("code", "write code")])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_built_in_model_writes_nothing_where_it_cannot(airo: Airo, verb: str, what: str, form: tuple[str]) -> None:
    done = airo(verb, *form, "hello world in python")
    assert (done.code, done.out) == (3, "")
    assert f"the model extractive cannot {what}" in done.err and "-m " in done.err


def test_a_step_that_asks_the_built_in_model_for_code_fails(airo: Airo, tmp_path: Path) -> None:
    plan = tmp_path / "a.plan"
    plan.write_text(":evidence0: = CodeWriter[hello world in python]\nAnswer: :evidence0:\n")
    done = airo("run", plan)
    assert (done.code, done.out) == (3, "") and "cannot write code" in done.err


def test_what_is_left_out_of_a_specification_is_printed_once_with_its_place(airo: Airo, tmp_path: Path) -> None:
    port = {"type": "integer", "minimum": "x", "description": "A port."}
    spec = tmp_path / "tides.json"
    spec.write_text(json.dumps([{"name": "tides", "parameters": {"type": "object", "properties": {"port": port}}}]))
    model = scripted(tmp_path, "call", '{"function": "tides", "params": {"port": 3}}')
    asked = ("call", "--dry-run", "-m", model, "--functions", spec, "tides")
    done = airo(*asked)
    assert done.code == 0
    assert done.err.count('tides.json:1:1: The minimum of port is "x", which cannot be one.') == 1
    assert "repair: left out" in done.err
    assert airo(*asked, "--display", "none").err == ""


def test_the_list_of_tools_shows_what_is_left_out_of_a_specification(airo: Airo, tmp_path: Path) -> None:
    file = tmp_path / "tides.yaml"
    file.write_text(
        'tides:\n  description: Tides.\n  command: [echo, "{port}"]\n  params:\n    port:\n      type: integer\n'
        "      minimum: x\n      description: A port.\n"
    )
    message = 'The minimum of port is "x", which cannot be one.'
    assert f"{message} (left out)" in airo("tools", "--tools", file).out
    assert json.loads(airo("tools", "show", "tides", "--tools", file).out)["findings"][0]["message"] == message
