"""``airo mcp``: the MCP servers whose tools a plan can call."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from airoagent.cli.display import plain
from airoagent.cli.options import config_option, json_lines_option
from airoagent.cli.output import echo
from airoagent.errors import UsageError
from airoagent.settings import config_folder, load_settings, mcp_server, private_file
from airoagent.textfiles import expanded, in_place_of, read_text

if TYPE_CHECKING:
    from airoagent.settings import McpServer

_NONE = "There are no MCP servers; add one: airo mcp add NAME COMMAND"
_CREDENTIALS = re.compile("//[^/@]*@")


@click.group("mcp")
def mcp_command() -> None:
    """Add, list and check MCP servers. Their tools are called SERVER.tool in a plan."""


@mcp_command.command("add", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("server", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...|URL")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set a variable for the server (repeatable).")
@click.option("--side-effects/--no-side-effects", default=None, help="Ask before each call of its tools, or never.")
@config_option
def add(
    name: str, server: tuple[str, ...], env: tuple[str, ...], side_effects: bool | None, config_file: str | None
) -> None:
    """Add the server that COMMAND starts, or that answers at URL, to the config file. Options come before NAME.

    \b
    Examples:
      airo mcp add files files-server --root /srv/docs
      airo mcp add --env 'KEY=$TEAM_KEY' team https://mcp.example/mcp
      airo mcp check files
    """
    file = (expanded(config_file) if config_file else config_folder() / "config.toml").resolve()
    if file.exists() and not file.is_file():  # a device, say, whose place the new file would take
        raise UsageError(f"{file} is not a regular file", "name another file with --config")
    given = server[1:] if server[0] == "--" else server
    is_address = len(given) == 1 and given[0].startswith(("http://", "https://"))
    table: dict[str, object] = {"url": given[0]} if is_address else {"command": list(given)}
    pairs = [one.partition("=") for one in env]
    if any(not key or not sign for key, sign, _ in pairs):
        raise UsageError("--env takes NAME=VALUE", "for example --env 'KEY=$TEAM_KEY'")
    if pairs:
        table["env"] = {key: value for key, _, value in pairs}
    if side_effects is not None:
        table["side_effects"] = side_effects
    made = mcp_server(name, table, "airo mcp add")
    before = read_text(file, f"the config file {file}") if file.exists() else ""
    if any(made.name == other.name for other in load_settings(config_file=file if file.exists() else None).mcp_servers):
        raise UsageError(f"a server called {name} is already in {file}", "choose another name, or edit the file")
    text = f"{before.rstrip()}\n\n{_table(made)}".lstrip("\n")
    try:
        tomllib.loads(text)
        if not file.exists():
            private_file(file)
        with in_place_of(file) as half:
            private_file(half)
            half.write_text(text, encoding="utf-8")
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the server cannot be added to {file}: {error}", "add its table by hand") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "name another file with --config") from error
    click.echo(str(file))
    click.echo(f"Try it: airo mcp check {name}", err=True)


def _table(server: McpServer) -> str:
    """The server's table; a JSON string is a TOML string, too."""
    lines = [f"[mcp.servers.{server.name if server.name.isascii() else json.dumps(server.name, ensure_ascii=False)}]"]
    if server.command:
        lines.append(f"command = {json.dumps(server.command, ensure_ascii=False)}")
    else:
        lines.append(f"url = {json.dumps(server.url)}")
    if server.env:
        pairs = ", ".join(f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in server.env)
        lines.append(f"env = {{ {pairs} }}")
    if server.side_effects is not None:
        lines.append(f"side_effects = {str(server.side_effects).lower()}")
    return "\n".join(lines) + "\n"


@mcp_command.command("list")
@json_lines_option
@config_option
def list_(as_json: bool, config_file: str | None) -> None:
    """List the servers of the config file, without starting any. Values of variables and passwords are not shown."""
    servers = load_settings(config_file=config_file).mcp_servers
    for server in servers:
        server = replace(server, url=_CREDENTIALS.sub("//", server.url))
        record = asdict(server) | {"env": [key for key, _ in server.env]}
        record = {key: value for key, value in record.items() if value not in ("", None, [], ())}
        echo(record, f"{server.name:<20} {plain(server.url or ' '.join(server.command), 110)}", as_json)
    if not servers:
        click.echo(_NONE, err=True)


@mcp_command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@json_lines_option
@config_option
def check(names: tuple[str, ...], as_json: bool, config_file: str | None) -> int:
    """Start the servers (all, or those named), list their tools, and say what is wrong. Exit code 5 if one fails."""
    from airoagent.toolbox.mcp_servers import open_servers

    servers = load_settings(config_file=config_file).mcp_servers
    if unknown := sorted(set(names) - {server.name for server in servers}):
        known = ", ".join(server.name for server in servers)
        raise UsageError(f"there is no MCP server called {unknown[0]}", f"known: {known}" if known else "airo mcp add")
    wanted = [server for server in servers if not names or server.name in names]
    opened = open_servers(wanted)
    failed = False
    for server in wanted:
        origin = f"MCP server {server.name}"
        tools = [tool for tool in opened.tools if tool.origin == origin]
        problems = [broken for broken in opened.broken if broken.origin == origin]
        failed = failed or any(broken.part == "all" for broken in problems)
        lines = [f"{server.name}: {len(tools)} tool{'' if len(tools) == 1 else 's'}"]
        for tool in tools:
            asks = " (asks first)" if tool.side_effects else ""
            parameters = ", ".join(one.name for one in tool.parameters)
            lines.append(f"  {tool.name}({plain(parameters, 60)}){asks}  {plain(tool.description, 80)}")
        lines += [f"  problem: {plain(broken.error, 300)}" for broken in problems]
        record = {"tools": [tool.name for tool in tools], "problems": [broken.error for broken in problems]}
        echo({"server": server.name, **record}, "\n".join(lines), as_json)
    opened.close()
    if not wanted:
        click.echo(_NONE, err=True)
    return 5 if failed else 0
