"""``airo plan``: only the plan for a question, as the model writes it."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from airoagent.cli.options import agent_options, make_agent


@click.command("plan")
@click.argument("question", nargs=-1)
@agent_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
def command(question: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Write the plan for QUESTION and run nothing; `airo run -` takes it from there.

    \b
    Example:
      airo plan --docs examples/library "How deep is Lake Baikal?" | airo run --docs examples/library -
    """
    from airoagent.engine.record import plan_json
    from airoagent.events import Event, PlanWritten

    written: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, PlanWritten):
            written.append(event.text)

    agent, _ = make_agent(flags)
    plan = agent.plan(sys.stdin.read() if question == ("-",) else " ".join(question), watch=watch)
    if as_json:
        click.echo(json.dumps({"written": written[0], **plan_json(plan)}, indent=2))
    else:
        click.echo(written[0].rstrip("\n"))
        for found in plan.diagnostics:
            repair = f": {found.repair}" if found.repair else ""
            click.echo(f"line {found.line}, column {found.column}: {found.message}{repair}", err=True)
    return 0
