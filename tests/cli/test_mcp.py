"""`airo mcp`: servers are added to the config file, listed, and checked by starting them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from airoagent.settings import config_folder
from tests.cli.conftest import Airo

pytest.importorskip("mcp", reason="the extra mcp is not installed")

SERVER = r"""
import json, sys
print("Welcome!", flush=True)
print("noise", file=sys.stderr, flush=True)
sys.stdout.buffer.write(b"\xff\xfe\n")
sys.stdout.flush()
hints = {"readOnlyHint": True}
fields = {"city": {"type": "string"}, "days": {"type": "integer"}}
tools = [
    {"name": "repo/search-code", "inputSchema": {"properties": {"q": {"type": "string"}}}, "annotations": hints},
    {"name": "weather", "description": None, "inputSchema": {"properties": fields, "required": ["city"]},
     "annotations": hints},
    {"name": "chart", "description": "Draws.", "inputSchema": {}, "annotations": hints},
    {"name": "odd"},
]
for line in sys.stdin:
    print("a line that is not a message", flush=True)
    asked, result = json.loads(line), {}
    if asked["method"] == "initialize":
        result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}}}
        result["serverInfo"] = {"name": "zoo", "version": "1"}
    elif asked["method"] == "tools/list":
        result = {"tools": tools}
    elif asked["method"] == "tools/call":
        given = asked["params"]
        result = {"content": [{"type": "text", "text": json.dumps([given["name"], given["arguments"]])}]}
        if given["name"] == "chart":
            result = {"content": [{"type": "image", "data": "aGk=", "mimeType": "image/png"}]}
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@pytest.fixture
def server(tmp_path: Path) -> Path:
    file = tmp_path / "zoo server.py"
    file.write_text(SERVER)
    return file


def test_a_server_is_added_listed_checked_and_called_without_its_noise(airo: Airo, server: Path) -> None:
    added = airo("mcp", "add", "--env", "ZOO_KEY=$SECRET", "zoo", sys.executable, server, "--unit", "c")
    file = config_folder() / "config.toml"
    assert (added.code, added.out) == (0, f"{file}\n") and file.stat().st_mode & 0o77 == 0
    assert json.loads(airo("mcp", "list", "--json").out) == {
        "name": "zoo",
        "command": [sys.executable, str(server), "--unit", "c"],
        "env": ["ZOO_KEY"],
    }
    checked = airo("mcp", "check")
    assert checked.code == 0 and checked.err == ""
    assert checked.out.splitlines() == [
        "zoo: 3 tools",
        "  zoo.repo_search-code(q)  Repo search code (a tool of zoo).",
        "  zoo.weather(city, days)  Weather (a tool of zoo).",
        "  zoo.chart()  Draws.",
        "  problem: the tool 'odd' cannot be used: its inputSchema is not an object",
    ]
    for call, printed in {
        ("zoo.weather", "Oslo, days=3"): '["weather", {"city": "Oslo", "days": 3}]\n',
        ("zoo.weather", "days: 3, city: New York"): '["weather", {"days": 3, "city": "New York"}]\n',
        ("zoo.repo_search-code", "q=x"): '["repo/search-code", {"q": "x"}]\n',
        ("zoo.chart", "x"): "(left out, since it is not text: image)\n",
    }.items():
        result = airo("tools", "run", *call, "--no-store")
        assert (result.code, result.out) == (0, printed)
        assert "noise" not in result.err and "Welcome" not in result.err


def test_only_a_regular_file_is_written_to(airo: Airo, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    added = airo("mcp", "add", "--config", pipe, "files", "files-server")
    assert added.code == 2 and "is not a regular file" in added.err
    assert pipe.is_fifo()


def test_what_stands_in_the_config_file_is_kept_and_a_name_is_used_once(airo: Airo, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('# mine\nmodel = "extractive"\n')
    for name, more in (("team", ["https://mcp.example/mcp?a=1"]), ("files", ["--", "files-server", '--say="é"'])):
        assert airo("mcp", "add", "--no-side-effects", "--config", file, name, *more).code == 0
    again = airo("mcp", "add", "--config", file, "team", "x")
    assert again.code == 2 and "already" in again.err
    assert file.read_text(encoding="utf-8").startswith('# mine\nmodel = "extractive"\n\n[mcp.servers.team]\n')
    listed = airo("mcp", "list", "--config", file).out
    assert "https://mcp.example/mcp?a=1" in listed and 'files-server --say="é"' in listed


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["add", "a b", "x"], "name of letters"),
        (["add", "a", ""], "command"),
        (["add", "--env", "K", "a", "x"], "NAME=VALUE"),
        (["check", "nope"], "no MCP server called nope"),
        (["add", "a"], "COMMAND"),
    ],
)
def test_a_mistake_is_one_sentence(airo: Airo, args: list[str], reason: str) -> None:
    result = airo("mcp", *args)
    assert result.code == 2 and reason in result.err and not (config_folder() / "config.toml").exists()


def test_a_server_that_does_not_start_is_a_problem_and_exit_5(airo: Airo, server: Path) -> None:
    airo("mcp", "add", "zoo", sys.executable, server)
    airo("mcp", "add", "gone", "no-such-program-here")
    (record,) = map(json.loads, airo("mcp", "check", "--json", "gone").out.splitlines())
    assert record == {"server": "gone", "tools": [], "problems": ["there is no program no-such-program-here"]}
    both = airo("mcp", "check")
    assert both.code == 5 and "zoo: 3 tools" in both.out and "gone: 0 tools" in both.out


def test_a_linked_config_file_stays_linked_and_passwords_are_not_listed(airo: Airo, tmp_path: Path) -> None:
    own, link = tmp_path / "own.toml", tmp_path / "link.toml"
    own.write_text("")
    link.symlink_to(own)
    assert airo("mcp", "add", "--config", link, "wörter", "https://ann:secret@mcp.example/mcp").code == 0
    assert link.is_symlink() and "ann:secret@" in own.read_text()
    for listed in (airo("mcp", "list", "--config", link), airo("mcp", "list", "--config", link, "--json")):
        assert "https://mcp.example/mcp" in listed.out and "secret" not in listed.out
        assert "command" not in listed.out
