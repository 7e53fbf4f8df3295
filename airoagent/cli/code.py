"""``airo code``: a program, and nothing but the program."""

from __future__ import annotations

from typing import Any

import click

from airoagent.cli.options import agent_options, make_agent
from airoagent.cli.stdin import words_or_stdin


@click.command("code")
@click.argument("prompt", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the code as one JSON object.")
@agent_options("model", "output", without=("free",), also=("limit_seconds",))
def command(prompt: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Let the model write what PROMPT asks for, and print the code alone. `-` reads standard input.

    \b
    Example:
      airo code -m jondurbin/airoboros-l2-13b-gpt4-2.0 "a websocket application in node.js" > app.js
    """
    import json

    from airoagent.cli.display import plain
    from airoagent.cli.watch import make_watch

    agent, settings = make_agent(flags)
    code = agent.code(words_or_stdin(prompt), watch=make_watch(settings))
    click.echo(json.dumps({"code": code}) if as_json else plain(code), nl=as_json)
    return 0
