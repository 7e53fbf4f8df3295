"""``airo call``: one function call: chosen by the model, checked, made."""

from __future__ import annotations

from typing import Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent
from airoagent.cli.stdin import words_or_stdin


@click.command("call")
@click.argument("input", nargs=-1)
@click.option(
    "--functions",
    "functions",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="A file of functions: YAML, JSON or Python (repeatable).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "yaml"]),
    default="json",
    show_default=True,
    help="The form the model is asked for.",
)
@click.option("--dry-run", is_flag=True, help="Print the call and do not make it.")
@click.option("--retries", type=int, default=1, show_default=True, help="Rounds of asking again for a usable call.")
@agent_options(without=("replan",))
@display_options
def command(
    input: tuple[str, ...],
    functions: tuple[str, ...],
    form: Any,
    dry_run: bool,
    retries: int,
    as_json: bool,
    display: str | None,
    color: str | None,
    **flags: Any,
) -> int:
    """Choose one function for INPUT, check its parameters, call it, and print what it gives.

    Without --functions the functions are the tools on offer. A function is carried out by the tool of its name.
    `-` reads INPUT from standard input.

    \b
    Examples:
      airo call "how many times does Python occur in notes.txt" --functions tools/file_analytics.yaml
      airo call --dry-run --format yaml --functions tools/file_analytics.yaml "count the lines of notes.txt"
    """
    from pathlib import Path

    from airoagent.cli.answer import print_run
    from airoagent.cli.watch import make_watch

    text = words_or_stdin(input)
    agent, settings = make_agent(flags, display=display, color=color)
    run = agent.call(
        text,
        functions=[Path(file) for file in functions] or None,
        format=form,
        dry_run=dry_run,
        retries=retries,
        watch=make_watch(settings),
    )
    return print_run(run, as_json=as_json, settings=settings)
