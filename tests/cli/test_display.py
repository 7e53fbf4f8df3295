"""What stderr shows while a run goes on: plain lines, and a live view on a real terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airoagent import PlanError, parse_plan
from airoagent.cli import display
from airoagent.cli.display import Display, located, plain
from airoagent.events import (
    Evidence,
    Failure,
    PlanParsed,
    PlanText,
    Progress,
    RunFinished,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    Usage,
)
from tests.cli.conftest import LIBRARY, REPO, Airo, on_terminal

Script = Callable[..., str]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b[31mred", "�[31mred"),
        ("a\u202eb\u200bc\x00", "a�b�c�"),
        ("lone \ud800", "lone �"),
        ("Glück 東京", "Glück 東京"),
    ],
)
def test_text_from_outside_can_do_nothing_to_a_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_limit_gives_one_line() -> None:
    assert plain("a\nb" * 100, 10) == "a ba ba b…"
    assert len(plain("x" * 10**6, 60)) == 60


def lines(*events: object) -> list[str]:
    stream = io.StringIO()
    display = Display(stream, color=False)
    for event in events:
        display(event)  # type: ignore[arg-type]
    return stream.getvalue().splitlines()


def started(step: str, at: float = 0.0) -> StepStarted:
    return StepStarted(step=step, tool="T", input="in", at=at)


def finished(step: str) -> StepFinished:
    return StepFinished(Evidence(step, "T", ""), attempt=1, seconds=1.0)


def test_the_plan_appears_as_it_is_written_and_lines_are_never_glued() -> None:
    assert lines(PlanText(text="Plan: a\n:evi"), PlanText(text="dence0: = T[x]"), PlanParsed(text="")) == [
        "Plan",
        "  Plan: a",
        "  :evidence0: = T[x]",
        "Steps",
    ]


def test_steps_that_ran_beside_each_other_are_bracketed_and_others_are_not() -> None:
    shown = lines(
        started("e0"),
        started("e1"),
        started("e2"),
        finished("e1"),
        finished("e0"),
        finished("e2"),
        started("e3"),
        finished("e3"),
    )
    assert [line[:4] for line in shown] == ["┌ e1", "│ e0", "└ e2", "  e3"]


def test_a_step_that_was_not_run_says_why() -> None:
    assert lines(StepSkipped(step="e1", tool="T", because=("e0",))) == [f"  e1  {'T':<18} skipped: e0 missing"]


def test_a_plan_of_thousands_of_findings_is_told_by_its_first_ones() -> None:
    plan = "".join(f":evidence{n}: = nobody{n}[x]\n" for n in range(3000))
    with pytest.raises(PlanError) as caught:
        parse_plan(plan, ["search"])
    shown = located(caught.value)
    assert len(shown) == 21 and shown[-1] == "... and 2,980 more"


def test_progress_is_shown_for_long_work_only() -> None:
    quick = [Progress(what="index", done=n, total=9, at=n / 10) for n in range(10)]
    assert lines(*quick) == []
    slow = [Progress(what="index", done=n, total=9, at=float(n)) for n in range(10)]
    assert lines(*slow) == ["  index: 1 of 9", "  index: 6 of 9"]


def test_what_is_still_waiting_to_be_shown_is_shown_at_the_end() -> None:
    end = RunFinished(status="failed", answer=None, sources=(), usage=Usage(), seconds=1.0)
    assert [line[:4] for line in lines(started("e0"), started("e1"), finished("e0"), end)] == ["  e0"]


FILLS = '''
import resource
from airoagent import tool

@tool
async def fills(text: str) -> str:
    """Leaves no room for anything that is written to a file from now on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
    return text
'''


def test_a_run_whose_end_could_not_be_recorded_leaves_no_open_line(script: Script, tmp_path: Path) -> None:
    (tmp_path / "fills.py").write_text(FILLS)
    plan = ":evidence0: = fills[x]\nPlan: " + "so " * 200 + "\n:evidence1: = fills[y]\nAnswer: :evidence1:"
    command = [sys.executable, "-m", "airoagent", "-m", script(plan), "--tools", str(tmp_path / "fills.py")]
    done = subprocess.run([*command, "q"], capture_output=True, text=True, timeout=60, cwd=REPO)
    assert done.returncode == 6
    assert "\nerror: the record cannot be written" in done.stderr


def test_on_a_terminal_running_steps_are_shown_live_and_taken_away_at_the_end(script: Script, tools: str) -> None:
    plan = ":evidence0: = hangs[forever and ever]\nAnswer: :evidence0:"
    command = [sys.executable, "-m", "airoagent", "-m", script(plan), "--tools", tools, "--timeout", "2", "q"]
    pieces: list[bytes] = []

    def read(terminal: int) -> bytes:
        pieces.append(os.read(terminal, 4096))
        return pieces[-1]

    here = Path.cwd()
    os.chdir(REPO)
    try:
        code = os.waitstatus_to_exitcode(pty.spawn(command, read))
    finally:
        os.chdir(here)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(pieces).decode())
    assert code == 5
    assert re.search(r"[⠀-⣿] evidence0  hangs\s+forever and ever", text), "the spinner's line"
    assert "did not answer within 2 s" in text


def test_on_a_terminal_the_plan_and_the_steps_take_one_moving_line_and_v_shows_them_all() -> None:
    code, shown = on_terminal("--docs", LIBRARY, "How deep is Lake Baikal?")
    assert code == 0 and "1,642 m" in shown and "Steps" not in shown and ":evidence0: =" not in shown
    code, shown = on_terminal("--docs", LIBRARY, "-v", "How deep is Lake Baikal?")
    assert code == 0 and "Steps" in shown and ":evidence0: =" in shown


@pytest.mark.parametrize("options", [[], ["--display", "rich"]])
def test_the_moving_line_spins_and_stays_one_line_however_long_the_input_is(
    script: Script, tools: str, options: list[str]
) -> None:
    plan = f":evidence0: = hangs[{'forever and ' * 20}ever]\nAnswer: :evidence0:"
    code, shown = on_terminal("-m", script(plan), "--tools", tools, "--timeout", "2", *options, "q", columns=50)
    lines = re.findall(r"([⠀-⣿]) evidence0([^\x1b]*)", shown)
    assert code == 5 and len({spinner for spinner, _ in lines}) > 1
    assert not any("\n" in line.strip() for _, line in lines)


def test_what_went_wrong_keeps_a_line_next_to_the_moving_one(script: Script, tools: str) -> None:
    plan = ":evidence0: = echo[x]\n:evidence1: = fails[:evidence0:]\nAnswer: :evidence1:"
    code, shown = on_terminal("-m", script(plan), "--tools", tools, "q")
    assert code == 5 and "evidence1  fails" in shown and "no luck" in shown


def test_quiet_is_the_answer_alone_and_sources_are_asked_for(airo: Airo) -> None:
    question = ("--docs", LIBRARY, "How deep is Lake Baikal?")
    result = airo("-q", *question)
    assert result.code == 0 and "1,642" in result.out and "docs://" not in result.out and result.err == ""
    assert "docs://" in airo("-q", "--sources", *question).out
    assert "docs://" in airo(*question).out
    assert "docs://" in on_terminal("-q", *question)[1]
    assert airo("-q", "-m", "nonexistent/model", "q").err.startswith("error: ")


@pytest.mark.parametrize("wrong", ["-q -v", "-q --display plain", "-v --display none", "--sources", "--sources --json"])
def test_options_of_the_display_that_do_nothing_together_are_refused(airo: Airo, wrong: str) -> None:
    result = airo(*wrong.split(), "--docs", LIBRARY, "How deep is Lake Baikal?")
    assert result.code == 2 and "has no effect with" in result.err


ANSWER = "Otters sleep afloat in the kelp, holding each other's paws. They do so all night, in rafts of many."


def test_on_a_terminal_the_answer_is_written_while_it_comes_and_only_once(script: Script, tools: str) -> None:
    plan = ":evidence0: = echo[kelp]\n:evidence1: = KnowledgeModel[Where, given :evidence0:?]\nAnswer: :evidence1:"
    options = ("-m", script(plan, ANSWER + "\nSource:\nurl: docs://a"), "-o", "chunk", "1", "--tools", tools, "q")
    code, shown = on_terminal(*options)
    assert (code, shown.count(ANSWER)) == (0, 1), shown
    for more in ("-q", "-v"):
        code, shown = on_terminal(more, *options)
        assert (code, shown.count(ANSWER)) == (0, 1)
    code, shown = on_terminal("--json", *options)
    assert json.loads(shown[shown.index("{\r\n") :])["answer"] == ANSWER and shown.index(ANSWER) > shown.index("{\r\n")


def test_an_answer_that_is_cut_off_is_said_to_be_none(script: Script, tmp_path: Path) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    plan = ":evidence0: = tells[x]\nAnswer: :evidence0:"
    code, shown = on_terminal("-m", script(plan, ANSWER), "--tools", str(tmp_path / "tells.py"), "q")
    before, _, after = shown.partition("(the text above is not the answer")
    assert code == 5 and "Otters sleep" in before and "the line broke" in after


TELLS = '''
from airoagent import ToolContext, ToolError, tool

@tool(outside=False, streams=True)
async def tells(text: str, context: ToolContext) -> str:
    """Tells."""
    await context.ask(text, "answer")
    raise ToolError("the line broke")
'''


@pytest.mark.parametrize("kind", ["auto", "rich", "plain"])
def test_nothing_is_drawn_over_a_question_to_the_user(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(display, "_on_screen", [])
    show = display.make_display(kind, "never")
    assert show is not None
    show(PlanText(at=1, text=":evidence0: = a[b]\n"))
    with display.suspended():
        before = stream.getvalue()
        show(PlanText(at=2, text=":evidence1: = c[d]\nAnswer: :evidence1:"))
        show(StepStarted(at=3, step="evidence1", tool="c", input="d", attempt=1))
        assert stream.getvalue() == before
    show(StepFailed(at=4, step="evidence1", tool="c", seconds=1, attempt=1, failure=Failure("tool", "it broke", "")))
    show(RunFinished(at=5, status="failed", answer="", sources=(), usage=Usage(), seconds=1))
    after = stream.getvalue().removeprefix(before)
    assert "it broke" in after and (kind == "auto") != (":evidence1: = c[d]" in after)
