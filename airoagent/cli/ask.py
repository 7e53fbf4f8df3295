"""``airo ask``: a question, a plan, tools, an answer."""

from __future__ import annotations

import sys
from typing import Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent


@click.command("ask")
@click.argument("question", nargs=-1)
@agent_options
@display_options
def command(question: tuple[str, ...], as_json: bool, display: str | None, color: str | None, **flags: Any) -> int:
    """Answer QUESTION: plan, run the steps, tell the answer with its sources.

    The answer goes to stdout; the plan and the steps are shown on stderr. `-` reads the question from standard input.

    \b
    Examples:
      airo ask --docs examples/library "Where do otters sleep?"
      airo ask -m jondurbin/airoboros-l2-13b-gpt4-2.0 "Who won the 2020 Nobel Prize in Literature?"
      airo ask --json --display none "..." | jq .answer
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.display import make_display
    from airoagent.settings import state_folder

    text = sys.stdin.read() if question == ("-",) else " ".join(question)
    first_run = not (state_folder() / "runs.sqlite3").exists()
    agent, settings = make_agent(flags, display=display, color=color)
    watch = make_display(settings.display, settings.color)
    if first_run and watch is not None and settings.display != "json" and agent.model.info.note:
        click.echo(f"model: {agent.model.info.name} - {agent.model.info.note}", err=True)
    run = agent.run(text, watch=watch)
    return print_run(run, as_json=as_json, recorded=settings.store)
