"""``airo eval``: figures on stdout, a line for each question in a file, and a comparison."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from tests.cli.conftest import Airo


def test_the_command_prints_the_figures_writes_the_rows_and_compares(airo: Airo, tmp_path: Path) -> None:
    file, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    rows = [
        {"question": "How deep is Lake Baikal?", "answers": ["1,642"], "source": "baikal"},
        {"question": "When does the lease end?", "answers": ["3 May 2027"], "context": "The lease ends on 3 May 2027."},
        {"question": "What colour is the door?", "context": "The lease ends on 3 May 2027."},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    told = airo("eval", file, "--docs", "examples/library", "--out", out)
    assert told.code == 0 and "3 questions, extractive" in told.out and "holds" in told.out
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["id"] for row in written} == {"1", "2", "3"} and all(row["holds"] for row in written[:2])
    again = airo("eval", file, "--docs", "examples/library", "--against", out, "--json")
    assert again.code == 0 and json.loads(again.out)["against"]["out"]["gain_in_holds"]["mean"] == 0
    assert airo("eval", file, "--against", file).code == 2


def test_what_cannot_be_read_or_written_is_refused_before_anything_is_asked(airo: Airo, tmp_path: Path) -> None:
    file, earlier = tmp_path / "q.jsonl", tmp_path / "earlier.jsonl"
    file.write_text('{"question": "How deep is Lake Baikal?", "answers": ["1,642"]}')
    for option in ("--out", "--html"):
        assert "is the file of questions" in airo("eval", file, option, file).err
        assert airo("eval", file, option, tmp_path / "none" / "x").code == 2
    assert "the same file" in airo("eval", file, "--out", earlier, "--html", earlier).err
    assert "1,642" in file.read_text() and airo("runs").out == ""
    assert airo("eval", file, "--docs", "examples/library", "--out", earlier).code == 0
    good = json.loads(earlier.read_text())
    wrong = [{"holds": "x"}, {"f1": None}, {"tokens": 1e999}, {"answer": 5}, {"wanted": 5}, {"wanted": [5]}, {"id": []}]
    for change in wrong:
        earlier.write_text(json.dumps({**good, **change}))
        refused = airo("eval", file, "--against", earlier)
        assert refused.code == 2 and "is not the --out file of an evaluation" in refused.err, change


def test_results_of_an_evaluation_of_any_size_can_be_compared_with(airo: Airo, tmp_path: Path) -> None:
    file, earlier = tmp_path / "q.jsonl", tmp_path / "earlier.jsonl"
    file.write_text('{"question": "How deep is Lake Baikal?", "answers": ["1,642"]}')
    assert airo("eval", file, "--docs", "examples/library", "--out", earlier).code == 0
    other = json.loads(earlier.read_text()) | {"id": "other", "answer": "x" * 17 * 1024**2}
    earlier.write_text(earlier.read_text() + json.dumps(other) + "\n")
    again = airo("eval", file, "--docs", "examples/library", "--against", earlier, "--json")
    assert again.code == 0 and json.loads(again.out)["against"]["earlier"]["questions"] == 2


def test_the_results_are_written_as_a_log_of_inspect_ai(airo: Airo, tmp_path: Path) -> None:
    file, log = tmp_path / "q.jsonl", tmp_path / "log.json"
    rows = [{"question": "How deep is Lake Baikal?", "answers": ["1,642"]}, {"question": "Who was mayor of Mars?"}]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert airo("eval", file, "--docs", "examples/library", "--inspect-log", log).code == 0
    written = json.loads(log.read_text())
    assert (written["version"], written["status"], written["eval"]["model"]) == (2, "success", "airo/extractive")
    means = {one["name"]: one["metrics"]["mean"]["value"] for one in written["results"]["scores"]}
    assert means["holds"] == 1.0 and means["declined"] == 0.5 and "hit" not in means
    first, second = written["samples"]
    assert (first["id"], first["target"], first["scores"]["holds"]["value"]) == ("1", ["1,642"], 1.0)
    assert "1,642" in first["output"]["completion"] and second["target"] == []
    assert airo("runs", "show", first["metadata"]["run"]).code == 0
    if importlib.util.find_spec("inspect_ai"):
        read = importlib.import_module("inspect_ai.log").read_eval_log(str(log))
        assert [one.scores["declined"].value for one in read.samples] == [0.0, 1.0]
    refused = airo("eval", file, "--inspect-log", tmp_path / "log.eval")
    assert refused.code == 2 and "is not a .json file" in refused.err


def test_several_sets_stand_side_by_side_in_the_table_and_on_the_page(airo: Airo, tmp_path: Path) -> None:
    file, one, page = tmp_path / "q.csv", tmp_path / "one.jsonl", tmp_path / "page.html"
    file.write_text('question,answer\nHow deep is Lake Baikal?,"1,642"\nWhere do otters sleep?,kelp\n')
    assert airo("eval", file, "--docs", "examples/library", "--out", one).code == 0
    told = airo("eval", file, "--docs", "examples/library", "--against", one, "--against", one, "--html", page)
    assert told.code == 0 and "gain" in told.out and "compared with one (2)" in told.out
    assert told.out.splitlines()[1].split() == ["one", "one", "(2)", "planned"]
    html = page.read_text()
    file.write_text('{"id": "other", "question": "Who?", "answers": ["Ann"]}')
    assert "no question in common" in airo("eval", file, "--against", one).err
    assert html.count("<details class=") == 2 and "HyperlinkExtractor" in html and "There is no record" not in html


def test_a_baseline_needs_a_model_that_can_follow_it_and_questions_to_look_up(airo: Airo, tmp_path: Path) -> None:
    file, script = tmp_path / "q.jsonl", tmp_path / "model.jsonl"
    file.write_text(json.dumps({"question": "Who?", "answers": ["Ann"], "context": "Ann did."}))
    script.write_text("\n".join([json.dumps({"purpose": "call", "text": "Final Answer: Ann"})] * 2))
    assert "built-in model" in airo("eval", file, "--baseline", "react", "--without-context").err
    assert "--without-context" in airo("eval", file, "--baseline", "react", "-m", f"scripted:{script}").err
    told = airo("eval", file, "--baseline", "react", "--without-context", "-m", f"scripted:{script}", "--json")
    found = json.loads(told.out)
    assert found["exact"]["mean"] == 1 and found["tokens"]["mean"] == found["call"]["mean"] > 0
