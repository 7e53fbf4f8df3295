"""``airo tools``: what a plan can call."""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.display import plain
from airoagent.cli.inputs import words_or_stdin
from airoagent.cli.launch import make_agent
from airoagent.cli.options import agent_options, display_options, json_lines_option, list_group, setting_option
from airoagent.cli.output import echo, print_run
from airoagent.errors import UsageError
from airoagent.settings import config_folder, load_settings, private_folder
from airoagent.textfiles import expanded

if TYPE_CHECKING:
    from airoagent.errors import Diagnostic
    from airoagent.toolbox.loader import Found
    from airoagent.toolbox.tool import Tool


def _find(tools: tuple[str, ...], name: str = "") -> Found:
    """All tools; given a name, MCP servers are started only if no other tool has it."""
    from airoagent.toolbox.loader import Found, find_tools
    from airoagent.toolbox.mcp_servers import Servers
    from airoagent.toolbox.tool import Toolbox

    settings = load_settings({"tools": tools})
    found = find_tools(settings.tools, config_folder=config_folder())
    if name in found.toolbox:
        return found
    servers = Servers(settings.mcp_servers)
    whole = Toolbox([*found.toolbox.values(), *servers.start(found.toolbox)])
    servers.close()
    return Found(whole, (*found.broken, *servers.broken))


@list_group("tools", setting_option("tools"), json_lines_option)
def tools_command(tools: tuple[str, ...], as_json: bool) -> None:
    """List the tools: name, description, file; and the files that could not be loaded."""
    found = _find(tools)
    for tool in found.toolbox.values():
        lines = [f"{tool.name:<20} {plain(tool.description, 110)}", f"{'':<20} {tool.origin}"]
        for one in _findings(tool):
            repair = f" ({one.repair})" if one.repair else ""
            lines.append(f"{'':<20} line {one.line}: {plain(one.message + repair, 300)}")
        echo(_record(tool), "\n".join(lines), as_json)
    for broken in found.broken:
        text = f"{'(broken)':<20} {plain(broken.error, 110)}\n{'':<20} {broken.origin}"
        echo({"origin": broken.origin, "error": broken.error}, text, as_json)


def _findings(tool: Tool) -> tuple[Diagnostic, ...]:
    """What of the tool's specification was left out."""
    return tool.specification.diagnostics if tool.specification else ()


def _record(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": [
            {"name": p.name, "type": getattr(p.annotation, "__name__", str(p.annotation)), "required": p.required}
            for p in tool.parameters
        ],
        "side_effects": tool.side_effects,
        "timeout": tool.timeout,
        "origin": tool.origin,
        "findings": [asdict(found) for found in _findings(tool)],
    }


@tools_command.command("show")
@click.argument("name")
@setting_option("tools")
def show(name: str, tools: tuple[str, ...]) -> None:
    """Show one tool as JSON."""
    from airoagent.toolbox.offering import named_tool

    click.echo(json.dumps(_record(named_tool(name, _find(tools, name).toolbox)), indent=2))


@tools_command.command("new")
@click.argument("name")
@click.option("--output", metavar="PATH", help="Write to this file or folder instead of your tools folder.")
def new(name: str, output: str | None) -> None:
    """Write a tool to start from: twelve lines of Python that run as they are.

    \b
    Example:
      airo tools new WordCount
      airo tools run WordCount "how many words are these"
    """
    file, usual = write_tool(name, output)
    where = "" if usual else f" --tools {file}"
    click.echo(str(file))
    click.echo(f'Edit it and try it: airo tools run {name}{where} "some text"', err=True)


@tools_command.command("run")
@click.argument("name")
@click.argument("input")
@agent_options(
    "model", "tools", "limits", "output", without=("web", "replan", "retries", "concurrency", "on_error", "spans")
)
@display_options
def run(name: str, input: str, as_json: bool, **flags: Any) -> int:
    """Call one tool with INPUT (`-`: standard input) and print the result.

    \b
    Example:
      airo tools run DocumentSearch --docs examples/library "otters sleep"
    """
    from airoagent.plan.plans import Plan
    from airoagent.plan.steps import Ref, Step
    from airoagent.toolbox.offering import named_tool

    agent, settings = make_agent(flags)
    tool = named_tool(name, agent.tools_for(name))
    text = words_or_stdin((input,))
    plan = Plan((Step("evidence0", "", tool.name, (text,)),), (Ref("evidence0"),))
    return print_run(agent.execute(plan), as_json=as_json, settings=settings)


_FILE = '''\
"""{name}: a tool of your own. Try it: airo tools run {name} "some text"."""

from airoagent import ToolError, tool


@tool("{name}")
def {function}(text: str) -> str:
    """Counts the words of a text. (The model reads this paragraph: say what the tool finds, and when to use it.)"""
    if not text.strip():
        raise ToolError("there is no text to count the words of", "give it some")
    words = text.split()
    return f"{{len(words)}} words"
'''


def write_tool(name: str, output: str | None) -> tuple[Path, bool]:
    """Write the file; return its path, and whether tools in that place are found automatically.

    ``output`` is a file (``.py``) or a folder; None is the tools folder of the settings. UsageError for a name no tool
    can have or that another tool has, and for a file that exists.
    """
    from airoagent.toolbox.loader import find_tools

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
        raise UsageError(f"{name!r} is not a valid tool name", "use letters, digits and _, for example WordCount")
    other = find_tools(config_folder=config_folder()).toolbox.get(name)
    if other is not None:
        raise UsageError(f"a tool called {name} already exists: {other.origin}", "choose another name")
    function = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    function += "_" if keyword.iskeyword(function) or function == "tool" else ""
    usual = output is None
    place = config_folder() / "tools" if output is None else expanded(output)
    file = place if place.suffix == ".py" and not place.is_dir() else place / f"{function}.py"
    if file.exists():
        raise UsageError(f"{file} already exists", "choose another name, or another place with --output")
    try:
        if usual:
            private_folder(file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            if usual:
                file.chmod(0o600)
            stream.write(_FILE.format(name=name, function=function))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "choose another place with --output") from error
    return file, usual
