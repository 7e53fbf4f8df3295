"""``airo run``: a plan from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent


@click.command("run")
@click.argument("file")
@agent_options
@display_options
def command(file: str, as_json: bool, display: str | None, color: str | None, **flags: Any) -> int:
    """Run the plan in FILE (`-`: standard input) and tell the answer.

    The plan may be in any form a model writes; what is wrong with it is told with line and column before anything runs.

    \b
    Example:
      airo run --docs examples/library my.plan
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.display import make_display
    from airoagent.language.parse import parse_plan

    text = read_text(file)
    agent, settings = make_agent(flags, display=display, color=color)
    plan = parse_plan(text, agent.known_tools)
    run = agent.execute(plan, watch=make_display(settings.display, settings.color))
    return print_run(run, as_json=as_json, recorded=settings.store)


def read_text(file: str) -> str:
    """The text of a file, or of standard input for ``-``; UsageError says why there is none."""
    from airoagent.errors import UsageError

    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{file} cannot be read: {reason}", "check the path; `-` reads standard input") from error
