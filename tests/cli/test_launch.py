"""What a run was begun with is taken up again by resume, rerun and fork; options on their command line win."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from airoagent.settings import state_folder
from tests.cli.conftest import LIBRARY, Airo

Script = Callable[..., str]
TOOL = 'from airoagent import tool\n\n@tool\ndef shout(text: str) -> str:\n    """Shouts."""\n    return text.upper()\n'


@pytest.fixture
def tool_file(tmp_path: Path) -> Path:
    file = tmp_path / "shouting.py"
    file.write_text(TOOL)
    return file


@pytest.fixture
def plan(tmp_path: Path) -> str:
    file = tmp_path / "two.plan"
    file.write_text(
        ":evidence0: = DocumentSearch[otters sleep]\n:evidence1: = shout[:evidence0:]\nAnswer: :evidence1:\n"
    )
    return str(file)


def test_rerun_and_fork_have_the_tools_and_documents_of_the_run_from_any_folder(
    airo: Airo, tool_file: Path, plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tool_file.parent)
    first = airo("run", "--tools", tool_file.name, "--docs", LIBRARY, plan)
    assert first.code == 0, first.err
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    again = airo("rerun", "@last")
    assert (again.code, again.out) == (0, first.out)
    assert airo("fork", "--edit", "evidence1=quiet").out.startswith("QUIET\n")


def test_resume_has_them_too_and_tells_nothing_where_nothing_has_changed(
    airo: Airo, tool_file: Path, plan: str, script: Script
) -> None:
    tool_file.write_text(TOOL.replace("return", "import sys; sys.exit()\n    return"))
    assert airo("run", "--tools", tool_file, "--docs", LIBRARY, plan).code == 5
    told = airo("resume")
    assert told.code == 5 and "note:" not in told.err, "the same tool fails again"
    tool_file.write_text(TOOL)
    done = airo("resume")
    assert done.code == 0 and "OTTERS" in done.out
    assert f"note: the tools file {tool_file} has changed since the run" in done.err


def test_limits_sampling_and_named_tools_are_taken_up_and_an_option_given_now_wins(
    airo: Airo, tool_file: Path, script: Script
) -> None:
    model = script(":evidence0: = shout[x]\nAnswer: :evidence0:")
    begun = ("-m", model, "--tools", tool_file, "-T", "shout", "--timeout", "7", "--on-error", "skip", "--seed", "5")
    assert airo(*begun, "q").code == 0

    def settings(*args: str) -> dict[str, str]:
        run = json.loads(airo("rerun", "@last", "--json", *args).out)
        return dict(run["events"][0]["settings"])

    same = settings()
    assert (same["tool_timeout"], same["on_error"]) == ("7.0", "skip") and same["offered"] == "shout, KnowledgeModel"
    other = settings("--timeout", "8")
    assert (other["tool_timeout"], other["on_error"]) == ("8.0", "skip")
    assert settings()["tool_timeout"] == "8.0", "what a rerun was begun with is kept in its turn"


def test_a_tools_file_that_is_gone_is_told_in_a_sentence(airo: Airo, tool_file: Path, plan: str) -> None:
    airo("run", "--tools", tool_file, "--docs", LIBRARY, plan)
    moved = tool_file.rename(tool_file.with_name("moved.py"))
    gone = airo("rerun")
    assert gone.code == 2 and f"the tools file {tool_file} of this run no longer exists" in gone.err
    assert "--tools" in gone.err
    assert airo("rerun", "--tools", moved).code == 0


def test_a_documents_folder_that_is_gone_matters_only_to_what_needs_it(airo: Airo, tmp_path: Path) -> None:
    docs = tmp_path / "notes"
    docs.mkdir()
    (docs / "lease.md").write_text("The lease of the workshop ends on 3 May 2027.\n")
    assert airo("--docs", docs, "When does the lease of the workshop end?").code == 0
    docs.rename(tmp_path / "old")
    result = airo("fork", "--set", "evidence0=The lease ends on 9 June 2030.")
    assert f"the documents folder {docs} of this run no longer exists" in result.err


def test_nothing_of_it_leaves_the_machine(airo: Airo, tool_file: Path, plan: str, tmp_path: Path) -> None:
    airo("run", "--tools", tool_file, "--docs", LIBRARY, "--allow-private", "box.example", plan)
    page = tmp_path / "run.html"
    airo("view", "@last", "-o", page, "--no-open")
    shown = airo("runs", "export", "@last").out + airo("runs", "show", "--json", "@last").out + page.read_text()
    assert str(tool_file) not in shown and LIBRARY not in shown and "box.example" not in shown
    row = sqlite3.connect(state_folder() / "runs.sqlite3").execute("SELECT body FROM beside").fetchone()
    assert str(tool_file) in row[0]
    assert airo("runs", "rm", "@last").code == 0
    assert sqlite3.connect(state_folder() / "runs.sqlite3").execute("SELECT count(*) FROM beside").fetchone() == (0,)


def test_a_trace_that_bears_the_id_of_a_run_of_ours_names_no_tools(
    airo: Airo, tool_file: Path, tmp_path: Path, script: Script
) -> None:
    airo("-m", script(":evidence0: = shout[x]\nAnswer: :evidence0:"), "--tools", tool_file, "q")
    trace = tmp_path / "forged.jsonl"
    trace.write_text(airo("runs", "export", "@last").out)
    assert airo("rerun", trace).code == 0, "our own trace is our own run"
    trace.write_text(trace.read_text().replace("shout[x]", "shout[y]"))
    forged = airo("rerun", trace, "-m", "extractive")
    assert forged.code == 2 and "the plan calls shout, which is not among the tools" in forged.err


def test_a_trace_does_not_say_which_server_gets_what_was_found(
    airo: Airo, tool_file: Path, tmp_path: Path, script: Script
) -> None:
    airo("-m", script(":evidence0: = shout[x]\nAnswer: :evidence0:"), "--tools", tool_file, "q")
    lines = airo("runs", "export", "@last").out.splitlines()
    started = json.loads(lines[1])
    trace = tmp_path / "theirs.jsonl"
    trace.write_text("\n".join([lines[0], json.dumps({**started, "model": "http://127.0.0.1:9"}), *lines[2:]]))
    for word in (trace, "@last"):
        result = airo("rerun", word, "--tools", tool_file)
        assert result.code == 2 and "recorded elsewhere, with the model server" in result.err
        assert "-m http://127.0.0.1:9" in result.err
        airo("runs", "rm", started["run"])
        airo("runs", "import", trace)


def test_a_store_of_the_version_before_opens_and_knows_nothing_of_its_runs(
    airo: Airo, tool_file: Path, script: Script
) -> None:
    airo("-m", script(":evidence0: = shout[x]\nAnswer: :evidence0:"), "--tools", tool_file, "q")
    store = sqlite3.connect(state_folder() / "runs.sqlite3")
    store.executescript("DROP TABLE beside; PRAGMA user_version = 3;")
    store.close()
    assert airo("rerun", "--tools", tool_file).out == "X\n"


def test_what_may_leave_the_machine_is_kept_for_resuming_a_run_and_is_in_no_trace(
    airo: Airo, tmp_path: Path, script: Script
) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lease.md").write_text("The codeword of the lease is Zimtstern.")
    results = tmp_path / "results.json"
    results.write_text('[{"query": "*", "results": [{"title": "T", "url": "https://a.example/", "snippet": "found"}]}]')
    model = script(":evidence0: = DocumentSearch[codeword]\n:evidence1: = DuckDuckGo[:evidence0:]\nAnswer: :evidence1:")
    search = ("--docs", tmp_path / "papers", "--web", "--search", f"fixture:{results}")
    held = airo("-m", model, *search, "q")
    assert held.code == 5 and "evidence1 calls DuckDuckGo, which would send text of evidence0" in held.err
    assert "--share-private" in held.err and held.out == ""
    assert airo("resume").code == 5
    allowed = airo("resume", "--share-private")
    assert allowed.code == 0 and "found" in allowed.out
    assert airo("-m", model, *search, "--share-private", "q").code == 0
    assert airo("rerun").code == 0
    trace = tmp_path / "theirs.jsonl"
    trace.write_text(airo("runs", "export", "@last").out.replace("codeword", "codewords"))
    assert airo("rerun", trace, *search).code == 5
