"""``airo think``: several solutions, their ranking, and the best answer."""

from __future__ import annotations

import json
from typing import Any

import click

from airoagent.cli.options import agent_options, make_agent
from airoagent.cli.stdin import words_or_stdin


@click.command("think")
@click.argument("question", nargs=-1)
@click.option("--all", "show_all", is_flag=True, help="Print the solutions and their ranking, too.")
@click.option("--json", "as_json", is_flag=True, help="Print solutions, ranking and best answer as one JSON object.")
@agent_options("model", "output", without=("free",), also=("limit_seconds",))
def command(question: tuple[str, ...], show_all: bool, as_json: bool, **flags: Any) -> int:
    """Let the model give several answers to QUESTION, rank them, and print the best. `-` reads standard input.

    \b
    Example:
      airo think -m jondurbin/airoboros-l2-13b-gpt4-2.0 "45 games were played, each against each. How many players?"
    """
    from airoagent.cli.display import plain
    from airoagent.cli.watch import make_watch

    agent, settings = make_agent(flags)
    thought = agent.think(words_or_stdin(question), watch=make_watch(settings))
    if as_json:
        click.echo(json.dumps(thought.to_json(), indent=2))
        return 0
    if show_all:
        for solution in thought.solutions:
            click.echo(plain(f"Solution {solution.number}:\n{solution.text}\nFinal answer: {solution.answer}\n"))
        for place, ranked in enumerate(thought.ranking, 1):
            click.echo(plain(f"{place}. Solution {ranked.solution}: {ranked.reason}"))
    click.echo(plain(thought.best if thought.best is not None else thought.text))
    return 0
