"""file_analytics counts what is in a file, and reads only files that the user pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent, Run, ScriptedModel, load_functions
from tests.source import ROOT

SPEC = ROOT / "tools" / "file_analytics.yaml"
NOTES = "I like Python.\npython is a language; Python too.\nnothing here\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "notes.txt").write_text(NOTES, encoding="utf-8")
    (folder / ".secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("outside", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    monkeypatch.chdir(folder)
    return folder


def run(question: str, params: dict[str, Any], **options: Any) -> Run:
    import json

    text = json.dumps({"function": "file_analytics", "params": params})
    return Agent(ScriptedModel({"call": [text]}), store=False, **options).call(question, functions=SPEC, retries=0)


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        (
            {"action": "count_occurrences", "filters": {"keyword": "Python"}},
            '"Python" occurs twice in notes.txt (lines 1, 2); 3 times if upper and lower case count as one.',
        ),
        ({"action": "count_occurrences", "filters": {"keyword": "zebra"}}, '"zebra" does not occur in notes.txt.'),
        ({"action": "find_line", "filters": {"keyword": "nothing"}}, "notes.txt:3: nothing here"),
        ({"action": "find_line", "filters": {"keyword": "zebra"}}, 'No line of notes.txt holds "zebra".'),
        ({"action": "count_lines"}, "notes.txt has 3 lines."),
        ({"action": "count_words"}, "notes.txt has 11 words."),
        ({"action": "count_characters"}, f"notes.txt has {len(NOTES)} characters."),
    ],
)
def test_it_counts_and_finds(params: dict[str, Any], answer: str) -> None:
    assert run("what about notes.txt?", {**params, "file": "notes.txt"}).answer == answer


@pytest.mark.parametrize(
    ("question", "file", "said"),
    [
        ("count the lines of my file", "notes.txt", "the question does not name it"),
        ("count the lines of mynotes.txt", "notes.txt", "the question does not name it"),
        ("count the lines of notes.txt.bak", "notes.txt", "the question does not name it"),
        ("count the lines of .secret.txt", ".secret.txt", "hidden"),
        ("count the lines of ../outside.txt", "../outside.txt", "only files below this folder"),
        ("count the lines of /etc/hostname", "/etc/hostname", "only files below this folder"),
        ("count the lines of link.txt", "link.txt", "leads out of this folder"),
        ("count the lines of gone.txt", "gone.txt", "there is no file"),
    ],
)
def test_a_file_the_user_did_not_point_at_is_not_read(question: str, file: str, said: str) -> None:
    done = run(question, {"action": "count_lines", "file": file})
    assert (done.status, done.answer) == ("failed", None)
    assert said in str(done.error)


def test_a_documents_folder_may_be_read_without_being_named(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    done = run("how many lines?", {"action": "count_lines", "file": "a.txt"}, docs=docs)
    assert done.answer == "a.txt has 2 lines."
    assert done.sources[0].url.endswith("/a.txt")


def test_a_keyword_is_needed_to_look_for_one() -> None:
    done = run("what is in notes.txt?", {"action": "find_line", "file": "notes.txt"})
    assert "needs a keyword" in str(done.error)


def test_the_specification_beside_it_is_that_of_the_tool() -> None:
    (spec,) = load_functions(SPEC)
    assert spec.name == "file_analytics"
    assert [param.name for param in spec.params] == ["action", "file", "filters"]


def test_the_built_in_model_calls_it_from_a_sentence() -> None:
    agent = Agent(store=False)
    done = agent.call("how many times does Python occur in notes.txt", functions=SPEC)
    assert done.answer is not None
    assert done.answer.startswith('"Python" occurs twice in notes.txt')
