"""Tools of MCP servers: a real server process, over its standard input and output."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airoagent import Agent, Run, ScriptedModel, ToolError, UsageError, load_functions
from airoagent.settings import McpServer, load_settings
from airoagent.toolbox.arguments import bound
from airoagent.toolbox.mcp_servers import Servers, open_servers

pytest.importorskip("mcp", reason="the extra mcp is not installed")

SERVER = '''
import os, pathlib, sys, time
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("zoo")
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def count_words(text: str) -> str:
    """Counts the words of a text."""
    unit, secret = os.environ.get("ZOO_UNIT", "no unit"), os.environ.get("SECRET", "no secret")
    return f"{len(text.split())} words, {unit}, {secret}"

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int = 10) -> int:
    """Adds two numbers."""
    return a + b

@server.tool()
def write(text: str) -> str:
    """Writes something."""
    return "written"

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def fails(text: str) -> str:
    """Fails."""
    raise ToolError("no such animal")

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def dies(text: str) -> str:
    """Ends the server."""
    with pathlib.Path(sys.argv[1]).with_name("deaths").open("a") as deaths:
        deaths.write(text)
    os._exit(3)

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def hangs(text: str) -> str:
    """Hangs."""
    time.sleep(60)
    return "late"

if len(sys.argv) > 2:
    server.run("streamable-http", port=int(sys.argv[2]))
else:
    server.run()
'''


def zoo(folder: Path, **options: object) -> McpServer:
    file = folder / "zoo.py"
    file.write_text(SERVER)
    return McpServer("zoo", (sys.executable, "-W", "ignore", str(file), str(folder / "pid")), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The tools of a running server."""
    found = open_servers([zoo(tmp_path_factory.mktemp("zoo"))])
    assert found.broken == ()
    yield found
    found.close()


def run(opened: Servers, call: str, **options: object) -> Run:
    model = ScriptedModel({"plan": [f"Plan: a\n:evidence0: = {call}\nAnswer: :evidence0:"]})
    return Agent(model, opened.tools, store=False, **options).run("q")  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_tools_of_a_server_bear_its_name_and_its_specification(opened: Servers) -> None:
    tools = {tool.name: tool for tool in opened.tools}
    assert list(tools) == ["zoo.count_words", "zoo.add", "zoo.write", "zoo.fails", "zoo.dies", "zoo.hangs"]
    assert tools["zoo.add"].description == "Adds two numbers."
    assert tools["zoo.add"].origin == "MCP server zoo"
    (function,) = load_functions([tools["zoo.add"]])
    assert [(one.name, one.kind, one.required) for one in function.params] == [
        ("a", "integer", True),
        ("b", "integer", False),
    ]
    assert (tools["zoo.write"].side_effects, tools["zoo.add"].side_effects) == (True, False)


def test_they_are_called_from_a_plan_with_text_or_json(opened: Servers) -> None:
    assert run(opened, "zoo.count_words[how many are these]").answer == "4 words, no unit, no secret"
    assert run(opened, 'zoo.add[{"a": 3, "b": 4}]').answer == "7"
    found = run(opened, "zoo.add[3]")
    assert found.answer == "13"
    assert found.evidence["evidence0"].untrusted


def test_a_call_that_fails_is_a_failed_step_with_the_servers_words(opened: Servers) -> None:
    failed = run(opened, "zoo.fails[x]").failure
    assert failed is not None and "no such animal" in failed.message and failed.exit_code == 5


def test_a_tool_that_may_write_asks_first(opened: Servers) -> None:
    failed = run(opened, "zoo.write[x]").failure
    assert failed is not None and failed.kind == UsageError.__name__


def test_a_server_that_dies_by_a_call_fails_its_step_and_is_started_again(tmp_path: Path) -> None:
    opened = open_servers([zoo(tmp_path)])
    failed = run(opened, "zoo.dies[x]").failure
    assert failed is not None and failed.exit_code == 5 and "ended during the call" in failed.message
    assert run(opened, "zoo.add[1]").answer == "11"
    opened.close()


def test_calls_to_a_server_that_died_meanwhile_are_made_to_a_new_one(tmp_path: Path) -> None:
    async def yes(*asked: object) -> bool:
        return True

    opened = open_servers([zoo(tmp_path)])
    for call, found in (("zoo.add[1]", "11"), ("zoo.write[x]", "written")):
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while not gone(pid):
            os.sched_yield()
        assert run(opened, call, approve=yes).answer == found
    pid = int((tmp_path / "pid").read_text())
    opened.close()
    assert gone(pid)


def test_a_call_with_side_effects_that_a_server_dies_of_is_not_made_twice(tmp_path: Path) -> None:
    async def yes(*asked: object) -> bool:
        return True

    opened = open_servers([zoo(tmp_path, side_effects=True)])
    first = int((tmp_path / "pid").read_text())
    failed = run(opened, "zoo.dies[x]", approve=yes).failure
    assert failed is not None and "whether the call was carried out is unknown" in failed.hint
    assert run(opened, "zoo.add[1]", approve=yes).answer == "11"
    assert int((tmp_path / "pid").read_text()) != first
    assert (tmp_path / "deaths").read_text() == "x"
    opened.close()


def test_a_server_that_cannot_be_started_again_is_told_and_hangs_nobody(tmp_path: Path) -> None:
    opened = open_servers([zoo(tmp_path)])
    (tmp_path / "zoo.py").write_text("import sys; sys.exit('the zoo is closed')")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    plan = "".join(f":evidence{n}: = zoo.add[{n}]\n" for n in range(5)) + "Answer: :evidence0:"
    model = ScriptedModel({"plan": [plan]})
    failed = Agent(model, opened.tools, store=False).run("q").failure
    assert failed is not None and "cannot be started again" in failed.message and "the zoo is closed" in failed.message
    opened.close()


def test_a_call_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    from airoagent import Policy

    opened = open_servers([zoo(tmp_path)])
    failed = run(opened, "zoo.hangs[x]", policy=Policy(tool_timeout=0.5, retries=0)).failure
    assert failed is not None and "did not answer within 0.5 s" in failed.message
    opened.close()


def test_a_server_gets_little_of_the_environment_and_what_its_table_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("UNIT", "litres")
    found = open_servers([zoo(tmp_path, env=(("ZOO_UNIT", "in $UNIT"),))])
    assert run(found, "zoo.count_words[a]").answer == "1 words, in litres, no secret"
    found.close()


def test_closing_ends_the_server_and_forgetting_it_does_too(tmp_path: Path) -> None:
    for ends in ("close", "forget"):
        found: Servers | None = open_servers([zoo(tmp_path)])
        assert found is not None
        pid = int((tmp_path / "pid").read_text())
        assert not gone(pid)
        tool = found.tools[1]
        if ends == "close":
            found.close()
            with pytest.raises(ToolError):
                import asyncio

                asyncio.run(bound(tool)("1", None))  # type: ignore[arg-type]
        found = None
        gc.collect()
        assert gone(pid)


def test_a_server_is_reached_by_its_address(tmp_path: Path) -> None:
    import socket
    import subprocess

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*zoo(tmp_path).command, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server = McpServer("far", url=f"http://127.0.0.1:{port}/mcp")
        found = open_servers([server])
        while found.broken and process.poll() is None:  # it is still starting
            found.close()
            found = open_servers([server])
        assert run(found, "far.add[4]").answer == "14"
        process.kill()
        process.wait()
        failed = run(found, "far.add[4]").failure
        assert failed is not None and "cannot be started again" in failed.message
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run(found, "far.add[4]").answer != "14" and process.poll() is None:  # it is still starting
            continue
        assert run(found, "far.add[5]").answer == "15"
        found.close()
    finally:
        process.kill()
        process.wait()


def test_a_server_that_cannot_be_used_is_told_and_the_others_are_used(tmp_path: Path) -> None:
    servers = [
        McpServer("missing", ("no-such-program-here",)),
        McpServer("loud", (sys.executable, "-c", "import sys; sys.exit('the zoo is closed')")),
        zoo(tmp_path, side_effects=False),
    ]
    found = open_servers(servers)
    told = {one.origin: one.error for one in found.broken}
    assert set(told) == {"MCP server missing", "MCP server loud"}
    assert "no-such-program-here" in told["MCP server missing"]
    assert "the zoo is closed" in told["MCP server loud"]
    assert len(found.tools) == 6 and not any(tool.side_effects for tool in found.tools)
    found.close()


def test_a_silent_server_is_given_up_in_time() -> None:
    found = open_servers([McpServer("silent", (sys.executable, "-c", "import time; time.sleep(60)"))], seconds=0.5)
    assert found.tools == () and "did not answer within 0.5 s" in found.broken[0].error
    found.close()


# A server that says whatever it is told to: its own name, a file for its process ids, its tools as JSON.
ODD_SERVER = """
import json, os, sys
open(sys.argv[2], "a").write(f"{os.getpid()}\\n")
print("noise of the server", file=sys.stderr, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {"jsonrpc": "2.0", "id": asked["id"]}
    if asked["method"] == "initialize":
        server = {"name": sys.argv[1], "version": "1"}
        answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server}
    elif asked["method"] == "tools/list":
        first, tools = int((asked.get("params") or {}).get("cursor") or 0), json.loads(sys.argv[3])
        answer["result"] = {"tools": tools[first : first + 200]}
        if first + 200 < len(tools):
            answer["result"]["nextCursor"] = str(first + 200)
    elif asked["method"] == "tools/call":
        text = f"{asked['params']['name']} {json.dumps(asked['params']['arguments'])}"
        text += " \\ud83d" * (asked["params"]["name"] == "half")
        answer["result"] = {"content": [{"type": "text", "text": text}]}
        if asked["params"]["name"] == "new":
            answer["result"]["content"].append({"type": "hologram", "data": 3})
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    os.write(1, b"this line is not JSON, nor \\xff UTF-8\\n")
    print(json.dumps(answer), flush=True)
"""


def listed(name: object, schema: object = None, **more: object) -> dict[str, object]:
    text = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    return {"name": name, "description": "Does it.", "inputSchema": text if schema is None else schema, **more}


def odd(folder: Path, *tools: object, name: str = "odd") -> McpServer:
    file = folder / "odd.py"
    file.write_text(ODD_SERVER)
    command = (sys.executable, str(file), name, str(folder / f"{name}.pids"), json.dumps(tools))
    return McpServer(name, command, side_effects=False)


def of_properties(properties: object, **more: object) -> dict[str, object]:
    return listed("bad", {"type": "object", "properties": properties, **more})


FANNING = {"properties": {str(n): {"$ref": "#/$defs/a"} for n in range(30)}}
BAD = [
    *({**listed("bad"), "inputSchema": schema} for schema in (True, False, None, [], ["a"], "object", 3)),
    {"name": "bad", "description": "No schema."},
    *(of_properties(properties) for properties in (["a"], "a", {"a": None}, {"a": ["x"]}, {"a": 1}, {"a": False})),
    *(of_properties({"a": {"anyOf": choices}}) for choices in ([None], {"b": 1}, 5, [[]])),
    of_properties({"a": {"type": "object", "properties": {"b": {"properties": {"c": None}}}}}),
    of_properties({"a": {"enum": 5}}),
    of_properties({"a": {}}, required="a"),
    of_properties({"a": {"$ref": "#/$defs/x"}}, **{"$defs": {"x": None}}),
    of_properties({"a": {}}, **{"$defs": [1]}),
    listed(""),
    listed(None),
    listed(["x"]),
    listed("good"),
    None,
    True,
    [],
    "bad",
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: json.dumps(bad)[:60])
def test_a_bad_tool_costs_that_tool_alone_and_is_told_once(bad: object, tmp_path: Path) -> None:
    found = open_servers([odd(tmp_path, listed("good"), bad, listed("last"))])
    assert [tool.name for tool in found.tools] == ["odd.good", "odd.last"]
    (broken,) = found.broken
    assert broken.origin == "MCP server odd" and "\n" not in broken.error and len(broken.error) < 200
    assert run(found, "odd.good[x]").answer == 'good {"text": "x"}'
    found.close()


def config_of(folder: Path, server: McpServer) -> str:
    """A config file that names the server."""
    file = folder / "servers.toml"
    command = ", ".join(f"'{item}'" for item in server.command)
    file.write_text(f"[mcp.servers.{server.name}]\ncommand = [{command}]\nside_effects = false\n")
    return str(file)


def test_tools_beyond_the_first_five_hundred_are_left_out_and_said_to_be(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airoagent.cli.app import run as airo
    from airoagent.settings import config_folder

    many = odd(tmp_path, *({"name": f"t{n}", "inputSchema": {"properties": {"a": {}}}} for n in range(703)))
    found = open_servers([many])
    assert [tool.name for tool in found.tools] == [f"odd.t{n}" for n in range(500)]
    assert [broken.error for broken in found.broken] == ["it offers 703 tools, of which the first 500 are used"]
    found.close()
    (tmp_path / "a.plan").write_text(":evidence0: = odd.t7[x]\n:evidence1: = odd.t8[x]\nAnswer: :evidence1:\n")
    assert airo(["run", str(tmp_path / "a.plan"), "--config", config_of(tmp_path, many)]) == 0
    assert capfd.readouterr().err.count("tools of MCP server odd are left out: it offers 703 tools") == 1
    config_folder().mkdir(parents=True)
    (config_folder() / "config.toml").write_text(Path(config_of(tmp_path, many)).read_text())
    assert airo(["tools"]) == 0
    assert capfd.readouterr().out.count("it offers 703 tools, of which the first 500 are used") == 1
    full = open_servers([odd(tmp_path, *(listed(f"t{n}") for n in range(500)))])
    assert len(full.tools) == 500 and full.broken == ()
    full.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("sys.exit()", "it ended, or closed the connection, before it had listed its tools"),
        ("sys.exit('no animals today')", "it last wrote: no animals today"),
        ("os.kill(os.getpid(), 9)", "it ended"),
        ("os.close(1); time.sleep(60)", "it did not answer within 1 s"),
        ("time.sleep(60)", "it did not answer within 1 s"),
        ("sys.stdin.readline(); print('{}', flush=True); time.sleep(60)", "it did not answer within 1 s"),
        ("print('noise\\n' * 1000, flush=True); time.sleep(60)", "it did not answer within 1 s"),
        ("os.write(1, b'x' * 1_000_000); time.sleep(60)", "it did not answer within 1 s"),
        ("os.write(1, bytes(range(256)) * 100); time.sleep(60)", "it did not answer within 1 s"),
        ("while os.fstat(2).st_size < 10**6: os.write(2, b'noise\\n')", "it last wrote: noise"),
    ],
)
def test_a_server_that_does_not_start_costs_its_own_tools_alone_in_one_sentence(
    program: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = McpServer("bad", (sys.executable, "-c", f"import os, sys, time\n{program}"))
    hangs = "within 1 s" in reason  # then a busy machine may not start another one in time
    found = open_servers([bad], seconds=1) if hangs else open_servers([bad, odd(tmp_path, listed("good"))])
    assert [tool.name for tool in found.tools] == ([] if hangs else ["odd.good"])
    (broken,) = found.broken
    assert broken.origin == "MCP server bad" and reason in broken.error and "\n" not in broken.error
    found.close()
    assert capfd.readouterr() == ("", "")


def test_what_is_only_odd_in_a_tool_is_no_reason_to_leave_it_out(tmp_path: Path) -> None:
    tools = [
        listed("any", {"type": "object", "properties": {"text": True}}),
        listed("fans", {"type": "object", "properties": {"text": {"$ref": "#/$defs/a"}}, "$defs": {"a": FANNING}}),
        listed("repo/search-code.v2"),
        {**listed("count words"), "description": None},
        {**of_properties({"a": json.loads('{"properties": {"a": ' * 150 + "{}" + "}}" * 150)}), "name": "deep"},
        {**listed("half"), "description": "Half a \ud83d character.", "title": "\x00\x1b"},
        {**listed("marked"), "annotations": ["x"], "outputSchema": True, "title": 3, "_meta": "x", "icons": 1},
    ]
    names = ["odd.any", "odd.fans", "odd.repo_search-code.v2", "odd.count_words", "odd.deep", "odd.half", "odd.marked"]
    found = open_servers([odd(tmp_path, *tools)])
    assert [tool.name for tool in found.tools] == names and not found.broken
    assert run(found, "odd.any[x]").answer == 'any {"text": "x"}'
    assert found.tools[3].description == "Count words (a tool of odd)."
    assert run(found, "odd.repo_search-code.v2[x]").answer == 'repo/search-code.v2 {"text": "x"}'
    assert run(found, "odd.half[x]").answer == 'half {"text": "x"} \ufffd'
    assert run(found, "odd.marked[x]").answer == 'marked {"text": "x"}'
    found.close()


def test_a_block_of_an_unknown_kind_is_named_and_the_text_is_read(tmp_path: Path) -> None:
    found = open_servers([odd(tmp_path, listed("new"))])
    assert run(found, "odd.new[x]").answer == 'new {"text": "x"}\n(a block of the type hologram was left out)'
    found.close()


def test_a_tool_whose_name_is_taken_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import airoagent\n@airoagent.tool('one.good')\ndef good(text: str) -> str:\n    'Mine.'\n    return 'mine'\n"
    )
    twins = [odd(tmp_path, listed("good"), listed("rest"), name="one")] * 2
    agent = Agent(ScriptedModel([]), tool_paths=[tmp_path / "own.py"], mcp_servers=twins, store=False)
    assert agent.toolbox["one.good"].description == "Mine." and "one.rest" in agent.toolbox
    told = [broken.error for broken in agent.broken_tools]
    assert len(told) == 3 and all("another tool called one." in error for error in told)
    agent.close()


def test_servers_are_started_only_when_a_plan_may_call_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from airoagent.cli.app import run as airo

    monkeypatch.setenv("AIRO_HOME", str(tmp_path / "home"))
    server = odd(tmp_path, listed("good"), listed("bad", False))
    (tmp_path / "home" / "config").mkdir(parents=True)
    command = ", ".join(f"'{item}'" for item in server.command)
    (tmp_path / "home" / "config" / "config.toml").write_text(
        f"[mcp.servers.odd]\ncommand = [{command}]\nside_effects = false\n"
    )
    for name, call in (("own", "KnowledgeModel[x]"), ("theirs", "odd.good[x]")):
        (tmp_path / f"{name}.plan").write_text(f":evidence0: = {call}\nAnswer: :evidence0:\n")
    scripted = tmp_path / "model.yaml"
    scripted.write_text("- words\n- words\n- words\n")
    model = ["-m", f"scripted:{scripted}"]
    (tmp_path / "text").write_text("Otters sleep on their backs.")
    starts: list[list[str]] = [
        ["run", str(tmp_path / "own.plan"), *model],
        ["think", "x", *model],
        ["code", "x", *model],
        ["ask", "--context", str(tmp_path / "text"), "Where do otters sleep?"],
        ["tools", "run", "Calculator", "1 + 1"],
        ["tools", "show", "Calculator"],
        ["plan", "--check", str(tmp_path / "own.plan")],
        *(
            [verb, *more]
            for verb, *more in (
                ["runs"],
                ["replay"],
                ["why"],
                ["rerun"],
                ["resume"],
                ["config"],
                ["tools", "show", "Today"],
            )
        ),
        ["ask", "-T", "Calculator", "Where do otters sleep?"],
    ]
    for arguments in starts:
        airo(arguments)
        assert not (tmp_path / "odd.pids").exists(), arguments
    capfd.readouterr()
    assert airo(["run", str(tmp_path / "theirs.plan")]) == 0
    assert len((tmp_path / "odd.pids").read_text().split()) == 1
    shown = capfd.readouterr()
    assert shown.out == 'good {"text": "x"}\n' and "noise" not in shown.err and "not JSON" not in shown.err
    assert shown.err.count("note: a tool of MCP server odd is left out: the tool 'bad'") == 1
    assert airo(["tools", "list"]) == 0
    assert "odd.good" in capfd.readouterr().out


def test_servers_start_side_by_side(tmp_path: Path) -> None:
    # Each waits until all have been started: one after another, none of them would ever answer.
    (tmp_path / "odd.py").write_text(
        "import os, sys, time\nopen(sys.argv[2], 'a').close()\n"
        "while len(os.listdir(os.path.dirname(sys.argv[2]))) < 4: time.sleep(0.01)\n" + ODD_SERVER
    )
    text = (tmp_path / "odd.py").read_text()
    servers = [odd(tmp_path, listed("good"), name=name) for name in ("one", "two", "three")]
    (tmp_path / "odd.py").write_text(text)
    found = open_servers(servers)
    assert [tool.name for tool in found.tools] == ["one.good", "two.good", "three.good"]
    found.close()


def test_no_server_costs_nothing() -> None:
    code = "import sys; from airoagent.toolbox.mcp_servers import open_servers; open_servers([]); assert 'mcp' not in sys.modules"  # noqa: E501 - one program
    import subprocess

    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_config_file_names_servers_and_the_command_line_uses_them(tmp_path: Path) -> None:
    from airoagent.cli.app import run as airo

    server = zoo(tmp_path)
    config = tmp_path / "config.toml"
    command = ", ".join(f"'{item}'" for item in server.command)
    config.write_text(f"[mcp.servers.zoo]\ncommand = [{command}]\n")
    assert load_settings(config_file=config).mcp_servers == (server,)
    assert airo(["tools", "run", "zoo.add", '{"a": 1}', "--config", str(config), "--no-store"]) == 0


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("mcp = 1", "write"),
        ("[mcp]\nserver = 1", "write"),
        ("[mcp.servers]\nzoo = 1", "must be a table"),
        ("[mcp.servers.zoo]", "needs either `command` or `url`"),
        ("[mcp.servers.zoo]\ncommand = 'ls'", "`command` must be a list"),
        ("[mcp.servers.zoo]\ncommand = ['ls']\nurl = 'http://a.example/'", "needs either"),
        ("[mcp.servers.zoo]\nurl = 'ftp://a.example/'", "`url` must start with http"),
        ("[mcp.servers.zoo]\ncommand = ['ls']\nenv = {A = 1}", "`env` must map names to strings"),
        ("[mcp.servers.zoo]\ncommand = ['ls']\nside_effects = 'no'", "`side_effects` must be true or false"),
        ("[mcp.servers.zoo]\ncomand = ['ls']", "unknown key 'comand'"),
        ("[mcp.servers.'a b']\ncommand = ['ls']", "name"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, table: str, reason: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(table)
    with pytest.raises(UsageError) as caught:
        load_settings(config_file=config)
    assert reason in f"{caught.value.message} {caught.value.hint}"


def test_private_text_is_held_back_from_every_tool_of_a_server(opened: Servers) -> None:
    model = ScriptedModel({})
    agent = Agent(model, opened.tools, store=False)
    for name in ("zoo.count_words", "zoo.write"):
        plan = (
            f"Plan: a\n:evidence0: = GivenText[stdin]\nPlan: b\n:evidence1: = {name}[:evidence0:]\nAnswer: :evidence1:"
        )
        given = ScriptedModel({"answer": ["x"]})
        run = Agent(given, [*opened.tools], store=False).run("q", context={"stdin": "the codeword"})
        failed = agent.fork(run, plan=plan).failure
        assert failed is not None and failed.kind == "PrivateText" and "evidence0 (stdin)" in failed.message
