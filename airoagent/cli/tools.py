"""``airo tools``: what a plan can call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent
from airoagent.cli.stdin import words_or_stdin

if TYPE_CHECKING:
    from airoagent.toolbox.loader import Found
    from airoagent.toolbox.tool import Tool

_paths = click.option(
    "--tools", "paths", multiple=True, type=click.Path(), metavar="PATH", help="A tool file, or a folder of them."
)


def _find(paths: tuple[str, ...], name: str = "") -> Found:
    """All tools; with a name those of MCP servers only where it is not among the others."""
    from airoagent.settings import config_folder, load_settings
    from airoagent.toolbox.loader import Found, find_tools
    from airoagent.toolbox.mcp_servers import Servers
    from airoagent.toolbox.tool import Toolbox

    settings = load_settings({"tools": paths})
    found = find_tools(settings.tools, config_folder=config_folder())
    if name in found.toolbox:
        return found
    servers = Servers(settings.mcp_servers)
    tools = Toolbox([*found.toolbox.values(), *servers.tools(found.toolbox)])
    servers.close()
    return Found(tools, (*found.broken, *servers.broken))


@click.group("tools", invoke_without_command=True)
@_paths
@click.option("--json", "as_json", is_flag=True, help="One JSON object a tool, one a line.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], as_json: bool) -> None:
    """List the tools: name, the sentence the model reads, the file; and the files that could not be loaded."""
    if ctx.invoked_subcommand is None:
        _list(paths, as_json)


@command.command("list")
@_paths
@click.option("--json", "as_json", is_flag=True, help="One JSON object a tool, one a line.")
def list_(paths: tuple[str, ...], as_json: bool) -> None:
    """List the tools."""
    _list(paths, as_json)


def _list(paths: tuple[str, ...], as_json: bool) -> None:
    from airoagent.cli.display import plain

    found = _find(paths)
    for tool in found.toolbox.values():
        if as_json:
            click.echo(json.dumps(_record(tool)))
        else:
            click.echo(f"{tool.name:<20} {plain(tool.description, 110)}\n{'':<20} {tool.origin}")
    for broken in found.broken:
        if as_json:
            click.echo(json.dumps({"origin": broken.origin, "error": broken.error}))
        else:
            click.echo(f"{'(broken)':<20} {plain(broken.error, 110)}\n{'':<20} {broken.origin}")


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
    }


@command.command("show")
@click.argument("name")
@_paths
def show(name: str, paths: tuple[str, ...]) -> None:
    """Show one tool as JSON."""
    from airoagent.toolbox.offering import named_tool

    click.echo(json.dumps(_record(named_tool(name, _find(paths, name).toolbox)), indent=2))


@command.command("new")
@click.argument("name")
@click.option("--output", metavar="PATH", help="The file or folder to write to, in place of your own tools folder.")
def new(name: str, output: str | None) -> None:
    """Write a tool of your own to begin with: twelve lines of Python, which load and run as they are.

    \b
    Example:
      airo tools new WordCount
      airo tools run WordCount "how many words are these"
    """
    from airoagent.cli.newtool import write_tool

    file, usual = write_tool(name, output)
    where = "" if usual else f" --tools {file}"
    click.echo(str(file))
    click.echo(f'Change it as you like, and try it: airo tools run {name}{where} "some text"', err=True)


@command.command("run")
@click.argument("name")
@click.argument("input")
@agent_options("model", "tools", "limits", "output", without=("web", "replan", "concurrency", "on_error", "spans"))
@display_options
def run(name: str, input: str, as_json: bool, display: str | None, color: str | None, **flags: Any) -> int:
    """Call one tool with INPUT (`-`: standard input) and print what it finds.

    \b
    Example:
      airo tools run DocumentSearch --docs examples/library "otters sleep"
    """
    from airoagent.cli.answer import print_run
    from airoagent.plan.plans import Plan
    from airoagent.plan.steps import Ref, Step
    from airoagent.toolbox.offering import named_tool

    agent, settings = make_agent(flags, display=display, color=color)
    tool = named_tool(name, agent.tools_for(name))
    text = words_or_stdin((input,))
    plan = Plan((Step("evidence0", "", tool.name, (text,)),), (Ref("evidence0"),))
    return print_run(agent.execute(plan), as_json=as_json, settings=settings)
