"""What a newcomer tries next: every small thing that was in the way once."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from airoagent.cli.app import VERBS, cli
from airoagent.errors import NOT_ANSWERED
from tests.cli.conftest import LIBRARY, REPO, Airo, on_terminal

Script = Callable[..., str]
ECHO = "Plan: say it\n:evidence0: = echo[hello]\nAnswer: :evidence0:"
BAIKAL = ("--docs", LIBRARY, "How deep is Lake Baikal?")


@pytest.mark.parametrize("columns", [20, 80, 200, 0])
def test_a_line_of_a_step_fits_a_terminal_that_has_room_for_one(columns: int) -> None:
    shown = on_terminal("--display", "plain", *BAIKAL, columns=columns)[1]
    steps = [re.sub(r"\x1b\[\d*m", "", line).rstrip() for line in shown.splitlines() if line.startswith("  evidence")]
    lines = [line for line in steps if line.endswith((" s", "quoted"))]
    assert len(lines) == 4 and "1,642 m" in shown
    assert all(len(line) <= (columns or 120) for line in lines) or columns == 20


def test_no_color_is_obeyed_by_errors_and_lists_too() -> None:
    def shown(*args: str, **env: str) -> str:
        return on_terminal(*args, **env)[1]

    assert "\x1b[" in shown("rnus") and "\x1b[" in shown("doctor")
    for env in ({"NO_COLOR": "1"}, {"AIRO_COLOR": "never"}, {"TERM": "dumb"}):
        assert "\x1b[" not in shown("rnus", **env) + shown("doctor", **env)
    assert "\x1b[" in shown("--color", "always", "--docs", "/no/such", "q", NO_COLOR="1")
    assert "\x1b[" not in shown("--color=never", "--docs", "/no/such", "q")
    assert "\x1b[" in shown("-v", *BAIKAL) and "\x1b[" not in shown("-v", *BAIKAL, TERM="dumb")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_no_error(closed: str) -> None:
    command = f"{sys.executable} -m airoagent --no-store --docs {LIBRARY} 'How deep is Lake Baikal?' {closed}"
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0 and "error" not in done.stderr
    assert "1,642 m" in done.stdout or ">&-" in closed.replace("2>&-", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_that_is_full_is_one_sentence() -> None:
    command = f"{sys.executable} -m airoagent --help >/dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=REPO, timeout=60)
    assert done.returncode == 1 and "the output cannot be written: No space left on device" in done.stderr
    assert "bug" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("language", [{"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}])
def test_any_language_setting_prints_any_letter(language: dict[str, str]) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [sys.executable, "-m", "airoagent", "--docs", LIBRARY, "Who won the Nobel Prize in Literature in 2020?"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, cwd=REPO, env={**env, **language}, timeout=60
    )
    assert "Louise Glück" in done.stdout.decode().partition("Sources:")[0], done.stderr.decode()


@pytest.mark.parametrize(
    "question",
    [
        "Where do otters\nsleep?",
        'Where do "otters" sleep 🦦?',
        "Where do otters sleep? " * 4400,
        "[:evidence0:] ]] #E1 = x",
    ],
)
def test_a_question_may_hold_anything(airo: Airo, question: str) -> None:
    assert airo("--docs", LIBRARY, question).code in (0, NOT_ANSWERED)


def test_a_question_that_no_document_speaks_of_is_answered_with_that(airo: Airo) -> None:
    result = airo("--docs", LIBRARY, "水獭在哪里睡觉？")
    assert result.code == NOT_ANSWERED and result.out == "No document matches: 水獭在哪里睡觉？\n"


def test_help_knows_verbs_exit_codes_and_completion(airo: Airo) -> None:
    assert airo("help").out == airo("--help").out
    assert airo("help", "resume").out == airo("resume", "--help").out
    assert airo("help", "exit-codes").out.startswith("0 answered, 1 output could not be written, or a bug, 2 usage")
    assert "_AIRO_COMPLETE=fish_source airo | source" in airo("help", "completion").out
    assert airo("version").out == airo("--version").out


def test_a_question_may_begin_with_a_word_like_a_verb(airo: Airo, script: Script, tools: str) -> None:
    for words in (("help", "me", "please"), ("plane", "tickets")):
        assert airo(*words, "-m", script(ECHO), "--tools", tools).out == "hello\n", words
    assert airo("rnus", "list").code == 2


def test_last_is_the_last_run_with_and_without_its_sign(airo: Airo, script: Script, tools: str) -> None:
    airo("-m", script(ECHO), "--tools", tools, "q")
    assert airo("replay", "last").out == airo("replay", "@last").out == "hello\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("airo --do", "plain,--docs"),
        ("airo --on-error s", "plain,stop plain,skip"),
        ("airo --docs ex", "file,ex"),
        ("airo run x", "file,x"),
        ("airo plan --format m", "plain,mermaid"),
        ("airo replay @", "plain,@last"),
        ("airo -m ext", "plain,extractive"),
        ("airo help exi", "plain,exit-codes"),
        ("airo runs sh", "plain,show"),
    ],
)
def test_tab_completes_options_and_values(line: str, offered: str) -> None:
    env = {**os.environ, "_AIRO_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run([sys.executable, "-m", "airoagent"], env=env, capture_output=True, text=True, cwd=REPO)
    assert (done.stdout.split(), done.stderr) == (offered.split(), "")


def test_the_script_for_bash_completes_verbs(tmp_path: Path) -> None:
    airo = tmp_path / "airo"
    airo.write_text(f'#!/bin/sh\ncd {REPO}\nexec {sys.executable} -m airoagent "$@"\n')
    airo.chmod(0o755)
    text = (
        'eval "$(_AIRO_COMPLETE=bash_source airo)"; COMP_WORDS=(airo repl); COMP_CWORD=1; _airo_completion airo; '
        'echo "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("replay\n", "")


def test_a_broken_tool_file_of_the_users_own_is_told_when_it_matters(airo: Airo, own_home: Path) -> None:
    file = own_home / "airo" / "config" / "tools" / "broken.py"
    file.parent.mkdir(parents=True)
    file.write_text("import no_such_module\n")
    result = airo(*BAIKAL)
    assert result.code == 0 and f"note: the tools of {file} are left out: ModuleNotFoundError" in result.err
    assert airo("--display", "none", *BAIKAL).err == ""


def test_where_stderr_is_json_lines_an_error_is_one_too(airo: Airo, script: Script, tools: str) -> None:
    result = airo("-m", script(ECHO.replace("echo", "fails")), "--tools", tools, "--display", "json", "q")
    assert [json.loads(line) for line in result.err.splitlines()][-1]["error"]["exit_code"] == 5


@pytest.mark.parametrize(
    ("content", "told", "hint"),
    [
        (b"this is no database, only text", "file is not a database", "airo runs repair"),
        (None, "unable to open", "AIRO_HOME"),
    ],
)
def test_a_store_that_is_none_is_told_with_a_way_out(
    airo: Airo, own_home: Path, content: bytes | None, told: str, hint: str
) -> None:
    file = own_home / "airo" / "state" / "runs.sqlite3"
    file.parent.mkdir(parents=True)
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content * 100)
    for args in (("runs",), BAIKAL):
        result = airo(*args)
        assert result.code == 6 and told in result.err and hint in result.err and "--no-store" in result.err
    assert airo("--no-store", *BAIKAL).code == 0


def test_a_home_that_cannot_be_written_is_told(airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIRO_HOME", str(tmp_path / "file"))
    result = airo(*BAIKAL)
    assert result.code == 6 and "cannot be opened: Not a directory\n" in result.err and "Errno" not in result.err
    assert "1,642 m" in airo("--no-store", *BAIKAL).out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("plan", "--fix", "q"), "airo plan --check FILE --fix"),
        (("replay", "/no/such.jsonl"), "the trace /no/such.jsonl cannot be read: No such file or directory"),
        (("help", "nonsense"), "no help on 'nonsense'"),
    ],
)
def test_what_cannot_be_done_is_told(airo: Airo, args: tuple[str, ...], told: str) -> None:
    result = airo(*args)
    assert result.code in (2, 6) and told in result.err


def test_folders_without_a_document_say_what_one_is(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4\n")
    result = airo("--docs", tmp_path, "q")
    assert result.code == 2 and "contains no document that can be read" in result.err
    assert ".md" in result.err and "pip install '.[pdf]'" in result.err


def test_a_folder_that_holds_itself_is_read_once(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "otters.md").write_text("Otters sleep in dens.\n")
    (tmp_path / "self").symlink_to(tmp_path)
    assert airo("--docs", tmp_path, "Where do otters sleep?").out.startswith("Otters sleep in dens.\n")


def options_of(command: click.Command) -> set[str]:
    """All options of a verb and of its own verbs."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(options_of, command.commands.values())) if isinstance(command, click.Group) else own


def test_every_option_that_a_hint_or_a_page_names_is_there() -> None:
    known = {"--help", "--version", "--traceback", "--root", "--query-gpu"}  # the last two are other programs'
    known |= {"--no-build-isolation", "--force-reinstall", "--no-cache-dir"}  # pip's, and what `airo pull` gives it
    known |= {"--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary", "--dest", "--hash"}
    known |= {"--nproc-per-node", "--head"}  # torchrun's, Ray's
    for verb in VERBS:
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        known |= options_of(command)
    pages = (REPO / "README.md", REPO / "SECURITY.md", *(REPO / "docs").glob("*.md"))
    texts = [page.read_text(encoding="utf-8") for page in pages]
    for file in (*(REPO / "airoagent").rglob("*.py"), *(REPO / "tools").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    named = {word for text in texts for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
    assert len(named) > 40 and named - known == set()


def test_a_limit_of_the_run_can_be_set_where_its_hint_says(airo: Airo, script: Script, tools: str) -> None:
    plan = ":evidence0: = echo[one]\n:evidence1: = echo[:evidence0: two]\nAnswer: :evidence1:"
    result = airo("-m", script(plan), "--tools", tools, "--max-calls", "1", "q")
    assert result.code in (5, 7) and "--max-calls" in result.err
    assert airo("-m", script(plan), "--tools", tools, "--max-calls", "2", "q").code == 0


# What Windows or macOS lacks is removed once Python's own modules, which take care of themselves, are loaded.
ELSEWHERE = """
import asyncio, multiprocessing, os, select, signal, socket, ssl, subprocess, sys, tempfile
for module, names in {
    os: "O_CLOEXEC O_NOFOLLOW O_NONBLOCK fchmod getloadavg getpgid killpg sched_getaffinity set_blocking sysconf",
    select: "poll epoll kqueue",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios", "tty"), None))
from airoagent.cli import main
main(sys.argv[1:])
"""


def test_the_commands_do_without_what_only_linux_or_posix_has(tmp_path: Path) -> None:
    def airo(*args: str) -> str:
        command = [sys.executable, "-c", ELSEWHERE, *args]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPO, stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "1,642" in airo("-q", *BAIKAL)
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.jsonl"
    questions.write_text("How deep is Lake Baikal?\n")
    airo("batch", str(questions), "--docs", LIBRARY, "--out", str(answers))
    assert "1,642" in json.loads(answers.read_text())["answer"]
    assert "done" in airo("runs", "list") and "1,642" in airo("replay", "@last")
