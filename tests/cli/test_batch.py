"""``airo batch``: questions from a file, one JSON line for each, going on where it was stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Airo

LIBRARY = str(Path(__file__).parents[2] / "examples" / "library")
QUESTIONS = 'How deep is Lake Baikal?\n\n{"id": "otters", "question": "Where do otters sleep?"}\n'


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in map(json.loads, text.splitlines())}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.txt"
    file.write_text(QUESTIONS, encoding="utf-8")
    return file


def test_each_question_gets_its_line(airo: Airo, questions: Path) -> None:
    result = airo("batch", str(questions), "--docs", LIBRARY)
    assert result.code == 0
    found = rows(result.out)
    assert set(found) == {"1", "otters"}
    assert "1,642" in found["1"]["answer"] and found["1"]["sources"]
    assert all(row["status"] == "done" and row["run"] for row in found.values())
    assert "2/2" in result.err


def test_it_goes_on_where_it_was_stopped(airo: Airo, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    kept = {"id": "1", "question": "How deep is Lake Baikal?", "status": "done", "answer": "kept", "run": "r"}
    failed = {"id": "otters", "question": "Where do otters sleep?", "status": "failed"}
    out.write_bytes(f'{json.dumps(kept)}\n{json.dumps(failed)}\n{{"id": "ä'.encode()[:-1])  # cut inside a character
    result = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out))
    assert (result.code, result.out) == (0, "") and "1 of 2 questions are done" in result.err
    *before, half, new = out.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in before] == ["1", "otters"] and half.startswith(b'{"id": "')
    assert json.loads(new)["id"] == "otters" and json.loads(new)["status"] == "done"
    again = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out))
    assert again.code == 0 and out.read_bytes().endswith(new + b"\n")


def test_a_question_without_an_answer_gives_the_exit_code_and_the_others_theirs(
    airo: Airo, script: Any, tools: str, tmp_path: Path
) -> None:
    file = tmp_path / "q.txt"
    file.write_text("one\ntwo\n", encoding="utf-8")
    model = script(":evidence0: = echo[one]\nAnswer: :evidence0:")  # plans one question, and has nothing for the other
    result = airo("batch", str(file), "--at-once", "1", "--quiet", "-m", model, "--tools", tools)
    assert result.code == 3 and result.err == ""
    assert [row["status"] for row in rows(result.out).values()] == ["done", "failed"]
    assert rows(result.out)["2"]["failure"]["message"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n \n", "no question"),
        ('{"id": 1}\n', ":1: this is no JSON object with a question"),
        ("a\n{broken\n", ":2: this is no JSON object"),
        ('{"question": 5}\n', ":1: the question is no text"),
        ('{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}\n', ":2: the id 'a' is there twice"),
    ],
)
def test_a_line_that_is_no_question_is_told_before_anything_is_asked(
    airo: Airo, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "q.txt"
    file.write_text(text, encoding="utf-8")
    result = airo("batch", str(file))
    assert result.code == 2 and told in result.err and result.out == ""


def test_a_folder_that_is_not_there_is_told(airo: Airo, questions: Path, tmp_path: Path) -> None:
    result = airo("batch", str(questions), "--out", str(tmp_path / "none" / "out.jsonl"))
    assert result.code == 2 and "cannot be written" in result.err
    assert airo("batch", str(tmp_path / "missing.txt")).code == 2


def test_a_store_that_cannot_be_used_is_one_sentence(airo: Airo, questions: Path, tmp_path: Path) -> None:
    store = Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(b"this is no database" * 100)
    result = airo("batch", str(questions), "--docs", LIBRARY)
    assert result.code == 6 and result.err.count("error:") == 1 and "Traceback" not in result.err
