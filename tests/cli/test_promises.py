"""The twenty behaviours that airoagent promises its users; each has a test that fails when it breaks.

Those that other tests cover in full are named here, and the last test checks that they are there. The others follow.

 1 stdout is the answer         test_ask.py::test_stdout_holds_the_answer_alone_and_stderr_nothing_without_display; here
 2 piped text is the context    test_stdin.py::test_piped_text_is_the_closed_context_of_the_question
                                test_stdin.py::test_empty_and_closed_input_and_the_null_device_change_nothing
                                test_ask.py::test_a_question_may_be_several_words_come_from_stdin_or_look_like_a_verb
 3 help and Tab are light       here
 4 works without a model        here
 5 the plan as written          test_verbs.py::test_plan_prints_what_the_model_wrote_and_tells_repairs_on_stderr
                                test_verbs.py::test_plan_piped_into_run_is_ask
                                test_verbs.py::test_run_takes_a_file_and_refuses_a_bad_one_with_its_place
                                test_check.py::test_the_plan_for_a_question_is_drawn_too
 6 a malformed plan             test_ask.py::test_a_plan_that_cannot_be_read_is_exit_4_with_line_column_caret_hint_and_on_record
                                here (the file, and `airo plan`)
 7 nearest names                here
 8 steps on stderr              test_ask.py::test_steps_are_shown_with_tool_input_and_seconds_and_what_ran_together_together
                                test_display.py::test_on_a_terminal_running_steps_are_shown_live_and_taken_away_at_the_end
                                here (not a terminal)
 9 Ctrl-C and resume            test_recorded.py::test_ctrl_c_tells_how_to_go_on_and_resume_repeats_nothing
                                test_ask.py::test_a_second_interrupt_ends_the_program_at_once_whatever_still_runs
10 replay                       test_recorded.py::test_replay_needs_no_tool_model_or_network
                                test_recorded.py::test_a_replay_that_differs_names_the_step_and_exits_6
11 fork and diff                test_recorded.py::test_fork_opens_the_editor
                                test_recorded.py::test_fork_edits_a_step_and_diff_shows_it
                                ../recorded/test_forking.py::test_an_edit_calls_only_what_depends_on_it
12 debug                        test_recorded.py::test_debug_is_scripted_from_a_pipe
                                test_recorded.py::test_debug_of_a_recorded_run_and_of_a_plan_file; here (the prompt's bytes)
13 runs                         test_recorded.py::test_runs_are_searched_by_the_words_of_their_evidence; here
14 the page of a run            test_view.py::test_a_run_is_written_as_a_page_and_its_path_printed
                                ../view/test_page.py::test_the_file_holds_every_evidence_and_prompt_and_nothing_to_load
                                ../view/test_page.py::test_the_page_draws_the_run_and_asks_nothing_of_the_network
                                ../view/test_page.py::test_ten_thousand_lines_are_all_there_in_a_bounded_number_of_elements
15 tools                        test_verbs.py::test_tools_are_listed_with_their_file_and_broken_ones_told
                                test_verbs.py::test_one_tool_is_shown_and_tried
                                test_tools_new.py::test_a_new_tool_is_twelve_lines_in_the_users_folder_and_runs_at_once
                                test_tools_new.py::test_it_can_be_written_elsewhere
16 private addresses, markup    ../test_security.py::test_a_page_cannot_turn_the_scraper_inward
                                ../test_security.py::test_a_page_is_never_read_as_anything_but_text
                                ../web/test_fetch_rules.py::test_a_redirect_to_where_nobody_may_go_is_refused
                                test_ask.py::test_evidence_with_terminal_codes_and_markup_is_shown_as_text
                                here (what the message says)
17 approval                     here
18 doctor                       test_verbs.py::test_doctor_is_well_with_the_built_in_model_and_names_the_cure_for_one_that_is_not_here
                                ../models/test_transformers.py::test_a_model_larger_than_the_memory_is_refused_before_loading
                                here (one line each)
19 notebooks                    ../test_agent.py::test_a_method_runs_where_a_loop_is_running
                                ../view/test_notebook.py::test_a_run_is_a_short_table_of_escaped_text
                                ../view/test_notebook.py::test_progress_is_drawn_in_one_place_by_a_watch_while_the_run_goes_on
                                here (the plan)
20 errors                       test_ask.py::test_bad_input_is_one_sentence_a_hint_and_a_stable_code
                                test_ask.py::test_errors_are_json_with_json
                                test_ask.py::test_a_bug_is_told_as_one_and_traceback_shows_it
"""  # noqa: E501 - the names of tests are as long as they are

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import LIBRARY, REPO, Airo, on_terminal

Script = Callable[..., str]
ECHO = "Plan: say it\n:evidence0: = echo[hello]\nAnswer: :evidence0:"
PRINT_HEAVY = (
    "import sys; heavy = {'torch', 'transformers', 'httpx', 'httpx2', 'mcp', 'rich.live', 'sqlite3', 'pydantic'}; "
    "print(*sorted(heavy & set(sys.modules)), 'end', file=sys.stderr)"
)


def test_1_a_pipe_gets_the_answer_and_a_newline(script: Script, tools: str) -> None:
    command = [sys.executable, "-m", "airoagent", "-m", script(ECHO), "--tools", tools, "say hello"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=REPO)
    assert (done.returncode, done.stdout) == (0, b"hello\n")


@pytest.mark.parametrize(
    "asked", ["--help", "ask --help", "Tab airo re", "Tab airo --do", "Tab airo replay @", "Tab airo -m air"]
)
def test_3_help_and_completion_import_nothing_heavy_and_leave_no_trace(
    asked: str, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = asked.split()
    if arguments[0] == "Tab":
        monkeypatch.setenv("_AIRO_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(arguments[1:]))
        monkeypatch.setenv("COMP_CWORD", str(len(arguments) - 2))
        arguments = []
    code = f"from airoagent.cli import main\ntry: main({arguments})\nexcept SystemExit as end: assert not end.code\n"
    done = subprocess.run(
        [sys.executable, "-c", code + PRINT_HEAVY], capture_output=True, text=True, timeout=60, cwd=REPO
    )
    assert (done.returncode, done.stderr) == (0, "end\n"), done.stderr
    assert len(done.stdout.split()) >= 1, "something is offered"
    assert list(own_home.iterdir()) == []


def test_4_without_extras_weights_or_network_questions_scripts_plans_and_replays_work(
    script: Script, tools: str
) -> None:
    block = (
        "import socket, sys\n"
        "for name in ('torch', 'transformers', 'accelerate', 'bitsandbytes', 'llguidance', 'sentencepiece',"
        " 'xllamacpp', 'mcp', 'trafilatura', 'pypdf', 'peft', 'opentelemetry', 'IPython'): sys.modules[name] = None\n"
        "def refused(*args): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = refused\n"
        "from airoagent.cli import main\n"
    )

    def airo(*args: str) -> str:
        command = [sys.executable, "-c", f"{block}main({list(args)})"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=REPO)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "1,642 m" in airo("--docs", LIBRARY, "How deep is Lake Baikal?").partition("Sources:")[0]
    assert airo("-m", script(ECHO), "--tools", tools, "q") == "hello\n"
    assert airo("run", "--docs", LIBRARY, "plans/nobel-literature.plan").startswith("Louise Glück: On 8 October 2020")
    assert airo("replay", "plans/nobel-literature.jsonl").startswith("Louise Glück: On 8 October 2020")


def test_6_the_file_of_a_malformed_plan_is_named_and_what_a_model_wrote_is_shown_whole(
    airo: Airo, script: Script, tmp_path: Path
) -> None:
    text = (
        "Plan: look\n:evidence0: = DukDukGo[x]\n:evidence1: = KnowledgeModel[y, given :evidence7:]\nAnswer: :evidence1:"
    )
    file = tmp_path / "bad.plan"
    file.write_text(text)
    told = airo("run", str(file))
    assert told.code == 4 and told.out == ""
    assert f"{file}:2:15: No tool is called 'DukDukGo'; did you mean DuckDuckGo?\n    :evidence0: = Duk" in told.err
    assert f"\n{'^':>19}\n" in told.err and f"{file}:3:39: " in told.err
    planned = airo("plan", "-m", script(text), "q")
    assert (planned.code, planned.out) == (4, "") and text in planned.err and "plan:2:15" in planned.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("-T", "DukDuckGo", "q"), "did you mean DuckDuckGo"),
        (("tools", "show", "textscraper"), "did you mean TextScraper"),
        (("-m", "airoboros-l2-13b-gpt4-2.9", "q"), "did you mean airoboros-l2-13b-gpt4-2.0"),
        (("doctor", "-m", "airoborus-l2-7b-2.1"), "did you mean airoboros-l2-7b-2.1"),
        (("fork", "@last", "--edit", "evidnce0=x"), "did you mean evidence0?"),
        (("ask", "--tmeout", "3", "q"), "'--timeout'?"),
        (("repaly", "@last"), "did you mean `airo replay`?"),
        (("help", "debg"), "did you mean `airo help debug`?"),
    ],
)
def test_7_what_is_unknown_is_told_with_the_nearest_name(
    airo: Airo, script: Script, tools: str, args: tuple[str, ...], told: str
) -> None:
    airo("-m", script(ECHO), "--tools", tools, "q")
    result = airo(*args)
    assert result.code in (2, 3) and told in result.err + result.out


def test_7_keys_of_the_config_file_and_variables_too(
    airo: Airo, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = own_home / "airo" / "config" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("timout = 3\n")
    result = airo("config")
    assert (
        result.code == 2 and f"{file}: unknown setting 'timout'" in result.err and "did you mean timeout" in result.err
    )
    file.unlink()
    monkeypatch.setenv("AIRO_TIMOUT", "3")
    assert "AIRO_TIMOUT is not a setting; did you mean AIRO_TIMEOUT?" in airo("config").err


def test_8_elsewhere_than_on_a_terminal_an_event_is_a_plain_line(shell: Airo, script: Script, tools: str) -> None:
    err = shell("-m", script(ECHO), "--tools", tools, "q", input="").err
    assert "\x1b" not in err and "\r" not in err
    (line,) = (line for line in err.splitlines() if line.startswith("  evidence0"))
    assert re.fullmatch(r"  evidence0  echo +hello +\d+\.\d\d s", line)


def test_12_the_prompt_that_debug_shows_is_the_prompt_byte_for_byte(shell: Airo) -> None:
    asked = ("--docs", LIBRARY, "How deep is Lake Baikal?")
    shell(*asked)
    events = json.loads(shell("runs", "show", "--json", "@last").out)["events"]
    prompts = {event["step"]: event["prompt"] for event in events if event["type"] == "model_called"}
    listed = shell("debug", "@last").out
    for step, name in (("", "plan"), ("evidence3", "3")):
        assert shell("debug", "@last", input=f"prompt {name}\n").out == f"{listed}{prompts[step]}\n"


def test_13_runs_tell_id_age_status_seconds_and_question(airo: Airo, script: Script, tools: str) -> None:
    for question in ("a green one", "a blue one"):
        airo("-m", script(ECHO), "--tools", tools, question)
    lines = airo("runs").out.splitlines()
    assert re.fullmatch(r"\d{8}-\d{6}-\w{5} +\d+s  done +\d+\.\d s  a blue one", lines[0]) and len(lines) == 2
    assert [json.loads(line)["question"] for line in airo("runs", "-q", "green", "--json").out.splitlines()] == [
        "a green one"
    ]
    assert Path(airo("runs", "path", lines[0].split()[0]).out.strip()).is_file()


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("verb", ["runs", "--help", "models", "view @last -o -"])
def test_13_a_reader_that_goes_away_early_sees_no_traceback(
    airo: Airo, script: Script, tools: str, verb: str, lines: int
) -> None:
    airo("-m", script(ECHO), "--tools", tools, "q")
    command = f"{sys.executable} -m airoagent {verb} | head -{lines}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=REPO, timeout=60)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "2130706433"]
)
def test_16_a_private_address_is_refused_with_the_option_that_opens_it(airo: Airo, host: str) -> None:
    result = airo("tools", "run", "TextScraper", f"http://{host}/")
    assert result.code == 5 and result.out == "" and "--allow-private" in result.err


@pytest.mark.parametrize(
    ("key", "code", "told"),
    [
        ("y", 0, "hello"),
        ("n", 5, "was not approved"),
        ("a", 0, "hello"),
        ("e", 0, "goodbye"),
        ("?\ny", 0, "y: yes, n: no"),
    ],
)
def test_17_approve_asks_before_a_call(script: Script, tools: str, key: str, code: int, told: str) -> None:
    args = ["-m", script(ECHO), "--tools", tools, "--approve", "--display", "plain", "say hello"]
    ended, shown = on_terminal(*args, keys=[("[y/n/a/e]", key)], EDITOR="sed -i s/hello/goodbye/")
    assert ended == code and told in shown and "echo, with:" in shown


def test_17_always_is_asked_once_for_a_tool(script: Script, tools: str) -> None:
    plan = ":evidence0: = echo[one]\n:evidence1: = echo[:evidence0: two]\nAnswer: :evidence1:"
    args = ["-m", script(plan), "--tools", tools, "--approve", "q"]
    ended, shown = on_terminal(*args, keys=[("[y/n/a/e]", "a")])
    assert ended == 0 and shown.count("[y/n/a/e]") == 1


def test_17_where_nobody_can_be_asked_it_ends_in_2(shell: Airo, script: Script, tools: str) -> None:
    result = shell("-m", script(ECHO), "--tools", tools, "--approve", "q")
    assert result.code == 2 and "needs your approval; nobody can be asked here" in result.err


def test_18_doctor_prints_a_line_a_requirement_with_the_cure(airo: Airo) -> None:
    lines = airo("doctor").out.splitlines()
    assert all(re.match(r"(ok|no)  \w+ ", line) for line in lines)
    assert {
        "python",
        "torch",
        "bitsandbytes",
        "xllamacpp",
        "trafilatura",
        "protego",
        "gpu",
        "models",
        "model",
        "network",
        "tools",
        "records",
    } <= {line.split()[1] for line in lines}
    for found in map(json.loads, airo("doctor", "--json", "-m", "no/such-model").out.splitlines()):
        assert found["well"] or found["cure"] or found["subject"] == "gpu"


def test_19_a_plan_is_drawn_in_a_notebook_without_network() -> None:
    import airoagent

    plan = airoagent.parse_plan(":evidence0: = Search[otters]\nAnswer: :evidence0:", tools=["Search"])
    shown = plan._repr_mimebundle_()["text/html"]
    assert "Search[otters]" in shown
    assert not re.search(r"(src|href|url\()\W*(https?:)?//", shown)


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"([\w./]+\.py)::(\w+)", __doc__ or "")
    assert len(named) > 30
    for file, test in named:
        tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
        assert test in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    numbers = {int(number) for number in re.findall(r"^ ?(\d+) ", __doc__ or "", re.MULTILINE)}
    assert numbers == set(range(1, 21))
