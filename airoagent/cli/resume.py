"""``airo resume``: finish an interrupted run."""

from __future__ import annotations

from typing import Any

import click

from airoagent.cli.options import agent_options, complete, display_options


@click.command("resume")
@click.argument("run_id", metavar="ID", default="@last", shell_complete=complete(lambda: ("@last",)))
@agent_options()
@display_options
def command(run_id: str, as_json: bool, display: str | None, color: str | None, **flags: Any) -> int:
    """Finish a run that was interrupted, or try again what failed in it; what finished is not done again.

    It goes on with the model, tools, documents and limits that the run had; options given here win. A call whose end is
    not known is made again only if its tool says it may be.
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.recorded import agent_for
    from airoagent.cli.runs import load_run
    from airoagent.cli.watch import make_watch
    from airoagent.errors import UsageError

    if run_id.endswith(".jsonl"):
        raise UsageError("a trace is not resumed but a run of the store", f"airo runs import {run_id}, then resume it")
    past = load_run(run_id)
    agent, settings = agent_for(past, flags, display=display, color=color)
    run = agent.resume(past.id, watch=make_watch(settings))
    return print_run(run, as_json=as_json, settings=settings)
