"""Tools declared in YAML: a command that is an argument list whatever its values hold, or an address."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from airoagent import Evidence, ToolError, ToolOutput, UsageError
from airoagent.toolbox.arguments import bound
from airoagent.toolbox.commands import MOST_OUTPUT, run_command
from airoagent.toolbox.declared import declared_tools
from airoagent.toolbox.loader import find_tools, load_tools
from airoagent.toolbox.tool import Tool
from tests.fetching import fetcher, make_context
from tests.loopback import Asked, Loopback, Send, answer
from tests.running import run_plan

PYTHON = json.dumps(sys.executable)
SHOW = '"import sys, json; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"'
ECHO = f"""
echo:
  description: Shows what it is given.
  params:
    text: What to show.
    count: {{type: integer, required: false}}
  command: [{PYTHON}, -c, {SHOW}, [-n, "{{count}}"], "--text={{text}}", --, "{{text}}", "{{{{x}}}}"]
  stdin: "{{text}}"
  side_effects: false
"""


def one(text: str, folder: Path = Path()) -> Tool:
    """The only tool of a YAML text."""
    (tool,) = declared_tools(text, folder / "t.yaml")
    return tool


def call(tool: Tool, *parts: str | Evidence, server: Loopback | None = None) -> ToolOutput:
    async def main() -> ToolOutput:
        async with fetcher(server) if server else fetcher() as fetch:
            made: ToolOutput = await bound(tool)(
                "".join(map(str, parts)), make_context(*parts, fetch=fetch), tuple(parts)
            )
            return made

    return asyncio.run(main())


def command(*arguments: str, params: str = "{text: What.}", more: str = "") -> Tool:
    return one(f"t:\n  description: D.\n  params: {params}\n  command: {json.dumps(list(arguments))}\n{more}")


# Commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["plain", "a b", "$(touch x); `id` | rm -rf * && \"'\\", "--help", "{text}", "", "zwei\nZeilen", "{count}"]
)
def test_a_value_is_one_argument_whatever_it_holds(value: str, tmp_path: Path) -> None:
    assert json.loads(call(one(ECHO), value).text) == [[f"--text={value}", "--", value, "{x}"], value]


def test_several_params_are_json_in_the_brackets_and_a_group_goes_with_its_param() -> None:
    found = call(one(ECHO), '{"count": 3, "text": "', Evidence("evidence0", "t", 'x", "count": 9'), '"}')
    assert json.loads(found.text)[0][:2] == ["-n", "3"]
    assert json.loads(found.text)[0][-2] == 'x", "count": 9'


def test_a_list_is_several_arguments_and_a_default_is_used() -> None:
    params = "{words: {type: array}, end: {type: string, default: '!'}}"
    tool = command(sys.executable, "-c", "import sys; print(sys.argv[1:])", "--", "{words}", "{end}", params=params)
    assert call(tool, '{"words": ["a", "b c"]}').text == "['--', 'a', 'b c', '!']"


REFUSED = "begins with '-'"


@pytest.mark.parametrize("value", ["-1", "--help", "-rf", "-", "--", "-0.5", "--files0-from=/etc/passwd"])
def test_a_value_cannot_become_an_option_of_a_real_program(value: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=REFUSED):
        call(command("wc", "-w", "{text}"), value)
    with pytest.raises(ToolError, match=REFUSED):
        call(command("wc", "{text}", params="{text: {type: array}}"), json.dumps({"text": ["/dev/null", value]}))
    with pytest.raises(ToolError, match=REFUSED):
        call(command("wc", "{text}{more}", params="{text: A., more: B.}"), json.dumps({"text": "", "more": value}))
    (tmp_path / value.replace("/", "_")).write_text("two words")
    found = call(command("ls", "--", "{text}"), f"{tmp_path}/{value.replace('/', '_')}")
    assert found.text.endswith(value.replace("/", "_"))
    assert call(command("printf", "--", "%s|", "{text}"), value).text == f"{value}|"
    assert call(command("grep", "-c", "--regexp={text}", "/dev/stdin", more=f"  stdin: 'a {value}'"), value).text == "1"


@pytest.mark.parametrize(("kind", "value"), [("integer", -1), ("number", -0.5), ("number", -1e300)])
def test_nor_can_a_number(kind: str, value: float) -> None:
    params = f"{{n: {{type: {kind}}}}}"
    given = json.dumps({"n": value})
    with pytest.raises(ToolError, match=REFUSED):
        call(command("head", "{n}", "/etc/hostname", params=params), given)
    with pytest.raises(ToolError, match=REFUSED):
        call(command("head", "-{n}", "/etc/hostname", params=params), given)
    assert call(command("printf", "--", "%s", "{n}", params=params), given).text == str(value)


def test_dashes_that_a_value_brings_along_end_no_options() -> None:
    with pytest.raises(ToolError, match=REFUSED):
        call(command("echo", "{words}", params="{words: {type: array}}"), '{"words": ["--", "-n"]}')


@pytest.mark.parametrize("start", [("find", "--"), ("env", "--", "ls"), ("xargs", "--", "ls"), ("/usr/bin/nice", "--")])
def test_dashes_do_not_count_for_programs_that_have_options_after_them(start: tuple[str, ...]) -> None:
    with pytest.raises(ToolError, match=REFUSED):
        call(command(*start, "{text}"), "-delete")


@pytest.mark.parametrize("argument", ["-{text}", "--{text}", "--no-{text}", "--{text}=1"])
def test_no_value_chooses_which_option_is_meant(argument: str) -> None:
    with pytest.raises(UsageError, match="lets text choose"):
        command("ls", argument)


def test_values_that_the_file_itself_lists_may_be_options() -> None:
    params = "{how: {enum: [-w, -l]}, n: {type: integer, default: -1}}"
    show = command(sys.executable, "-c", "import sys; print(sys.argv[1:])", "{how}", "{n}", params=params)
    assert call(show, '{"how": "-l"}').text == "['-l', '-1']"
    with pytest.raises(ToolError, match=REFUSED):
        call(show, '{"how": "-w", "n": -2}')
    assert call(command("head", "-{n}", params="{n: {type: integer}}", more="  stdin: '{n}'"), '{"n": 3}').text == "3"


def test_a_line_break_in_a_value_begins_no_argument() -> None:
    show = command(sys.executable, "-c", "import sys; print(sys.argv[1:])", "{text}")
    assert call(show, "a\n-rf\r-x").text == "['a\\n-rf\\r-x']"


@pytest.mark.parametrize("value", ["a\0b", "x" * 200_000, "\u6f22" * 40_000, "\ud83d"])
def test_a_value_that_no_command_can_take_is_refused(value: str) -> None:
    with pytest.raises(ToolError, match="cannot be passed"):
        call(command(sys.executable, "{text}"), value)


def test_a_command_has_side_effects_unless_its_file_says_otherwise() -> None:
    assert command("true").side_effects and not command("true").repeatable
    assert not one(ECHO).side_effects
    assert not one("t: {description: D., http: 'http://a.example/'}").side_effects


def test_a_failing_command_says_why() -> None:
    tool = command(sys.executable, "-c", "import sys; print('first\\nlast words', file=sys.stderr); sys.exit(3)")
    with pytest.raises(ToolError, match="t ended with status 3: last words"):
        call(tool, "x")
    with pytest.raises(ToolError, match="'no-such-program-here' cannot be run: No such file"):
        call(command("no-such-program-here"), "x")


def test_output_is_cut_and_the_command_stopped() -> None:
    tool = command(sys.executable, "-c", "import sys\nwhile True: sys.stdout.write('x' * 65536)")
    found = call(tool, "x")
    assert len(found.text) == MOST_OUTPUT
    assert "cut" in found.note


def test_a_script_beside_the_file_is_found_from_anywhere(tmp_path: Path) -> None:
    script = tmp_path / "hello"
    script.write_text("#!/bin/sh\necho hello $1\n")
    script.chmod(0o755)
    text = "t: {description: D., params: {who: W.}, command: [./hello, '{who}'], side_effects: false}"
    assert call(one(text, tmp_path), "you").text == "hello you"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


SPAWN = (
    "import os, subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "open(sys.argv[1], 'w').write(f'{os.getpid()} {p.pid}'); os.rename(sys.argv[1], sys.argv[2]);"
)


def test_cancelling_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def main() -> None:
        arguments = [sys.executable, "-c", SPAWN + "time.sleep(60)", str(tmp_path / "new"), str(pids)]
        task = asyncio.ensure_future(run_command(arguments))
        while not pids.exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    wait_until_gone(pids)


def wait_until_gone(pids: Path) -> None:
    """Fails by the test's own time limit where a process stays."""
    for pid in map(int, pids.read_text().split()):
        while alive(pid):
            time.sleep(0.01)


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = asyncio.run(run_command([sys.executable, "-c", SPAWN, str(tmp_path / "new"), str(pids)]))
    assert ended.status == 0
    wait_until_gone(pids)


def test_a_commands_timeout_is_a_failed_step() -> None:
    text = f"slow: {{description: D., command: [{PYTHON}, -c, 'import time; time.sleep(60)'], timeout: 0.2, side_effects: false}}"  # noqa: E501 - one line of YAML
    run = run_plan("Plan: a\n:evidence0: = slow[]\nAnswer: :evidence0:", one(text))
    assert run.failure is not None and "did not answer within 0.2 s" in run.failure.message


# Addresses ---------------------------------------------------------------------------------------------------------


def http(server: Loopback, rest: str, params: str = "{city: C., days: {required: false}}") -> Tool:
    return one(f"weather:\n  description: D.\n  params: {params}\n  http: {rest.replace('HOST', server.host)}\n")


def test_values_are_percent_encoded_and_the_answer_names_its_source(server: Loopback) -> None:
    server.routes["/v1/a%2Fb%3Fc%26d"] = answer(200, b'{"temp": 3}', Content_Type="application/json")
    tool = http(server, '{url: "http://HOST/v1/{city}", query: {d: "{days}", q: "={city}", units: metric}}')
    found = call(tool, "a/b?c&d", server=server)
    assert server.paths() == ["/v1/a%2Fb%3Fc%26d?q=%3Da%2Fb%3Fc%26d&units=metric"]
    assert "temp" in found.text and found.sources[0].url == server.url(server.paths()[0])


def test_headers_take_keys_from_the_environment_and_never_from_a_value(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Asked] = []

    def route(asked: Asked, send: Send) -> None:
        heard.append(asked)
        answer(200, b"ok")(asked, send)

    server.routes["/"] = route
    tool = http(server, '{url: "http://HOST/", headers: {X-Key: "k ${THE_KEY}", X-City: "{city}"}}')
    with pytest.raises(ToolError, match="needs the environment variable THE_KEY"):
        call(tool, "x", server=server)
    monkeypatch.setenv("THE_KEY", "s3cret")
    assert call(tool, "${THE_KEY}", server=server).text == "ok"
    assert (heard[0].headers["x-key"], heard[0].headers["x-city"]) == ("k s3cret", "${THE_KEY}")
    with pytest.raises(ToolError, match="line break"):
        call(tool, "a\r\nX-Evil: 1", server=server)


def test_a_value_cannot_climb_out_of_its_place(server: Loopback) -> None:
    tool = http(server, '"http://HOST/v1/{city}/now"')
    for value in ("..", "."):
        with pytest.raises(ToolError, match="cannot be part of an address"):
            call(tool, value, server=server)


def test_an_error_status_is_a_failed_step_that_may_be_tried_again(server: Loopback) -> None:
    server.routes["/"] = answer(429, b"", Retry_After=7)
    with pytest.raises(ToolError, match="answers with status 429") as caught:
        call(http(server, '"http://HOST/"'), "x", server=server)
    assert caught.value.retryable and caught.value.retry_after == 7


def test_it_goes_through_the_one_door() -> None:
    with pytest.raises(ToolError, match="private"):
        call(one("t: {description: D., http: 'http://10.0.0.1/'}"), "")


# Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("command: ls -l", "not a list of arguments"),
        ("command: []", "not a list of arguments"),
        ("command: ['{text}']", "not fixed"),
        ("command: [ls, '{txet}']", "not one of its params"),
        ("command: [ls, {a: b}]", "not text"),
        ("command: [ls]\n  http: http://a.example/", "both command and http"),
        ("http: ftp://a.example/", "http:// or https://"),
        ("http: 'https://{text}.example/'", "fixed host"),
        ("http: 'https://a.example:{text}/'", "fixed host"),
        ("http: {query: {}}", "no url"),
        ("http: {url: 'http://a.example/', body: x}", "has 'body'"),
        ("http: http://a.example/\n  stdin: x", "stdin"),
        ("command: [ls]\n  timeout: soon", "timeout"),
        ("command: [ls]\n  timeout: -1", "timeout"),
        ("command: [ls]\n  side_effects: perhaps", "not true or false"),
        ("command: [ls]\n  shell: true", "neither a description nor parameters"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(body: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(f"t:\n  description: D.\n  params: {{text: T.}}\n  {body}\n")
    with pytest.raises(UsageError, match=reason):
        load_tools(file)
    (broken,) = find_tools([write_python(tmp_path)], config_folder=None).broken
    assert broken.origin == str(file) and reason in broken.error


def write_python(folder: Path) -> Path:
    text = 'from airoagent import tool\n@tool\ndef ant(x: str) -> str:\n    "Ants."\n    return x\n'
    (folder / "a.py").write_text(text)
    return folder


def test_a_specification_without_a_command_is_no_tool_and_not_broken(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("f:\n  description: D.\n  params: {a: A.}\n")
    (tmp_path / "echo.yaml").write_text(ECHO)
    found = find_tools([write_python(tmp_path)], config_folder=None)
    assert found.broken == ()
    assert {"ant", "echo"} <= set(found.toolbox) and "f" not in found.toolbox
    assert found.toolbox["echo"].origin == str((tmp_path / "echo.yaml").resolve())
    assert [tool.name for tool in load_tools(tmp_path)] == ["ant", "echo"]
    with pytest.raises(UsageError, match="neither command nor http"):
        load_tools(spec)


def test_the_model_sees_the_specification_as_it_was_written() -> None:
    from airoagent import load_functions

    (function,) = load_functions([one(ECHO)])
    assert [(param.name, param.kind, param.required) for param in function.params] == [
        ("text", "any", True),
        ("count", "integer", False),
    ]
    assert function.params[0].description == "What to show."


def test_a_declared_tool_answers_a_function_call() -> None:
    from airoagent import Agent, ScriptedModel

    text = '{"function": "echo", "params": {"text": "--x", "count": 2}}'
    run = Agent(ScriptedModel({"call": [text]}), [one(ECHO)], store=False).call("show it")
    assert run.answer is not None and json.loads(run.answer)[0][:3] == ["-n", "2", "--text=--x"]


def test_params_of_any_name_reach_the_command() -> None:
    params = "{context: A., self: B., function: C.}"
    code = "import sys; print(sys.argv[1:])"
    tool = command(sys.executable, "-c", code, "{context}", "{self}", "{function}", params=params)
    assert call(tool, '{"context": "1", "self": "2", "function": "3"}').text == "['1', '2', '3']"
