"""``airo rerun``: call the steps of a recorded run again."""

from __future__ import annotations

from typing import Any

import click

from airoagent.cli.options import agent_options, complete, display_options


@click.command("rerun")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--from", "from_step", metavar="STEP", help="Only this step and what depends on it.")
@agent_options()
@display_options
def command(
    run_id: str, from_step: str | None, as_json: bool, display: str | None, color: str | None, **flags: Any
) -> int:
    """Run the plan of a recorded run again, calling its tools anew, as a new run.

    \b
    Example:
      airo rerun @last --from evidence2
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.recorded import agent_for
    from airoagent.cli.runs import load_run
    from airoagent.cli.watch import make_watch

    past = load_run(run_id)
    agent, settings = agent_for(past, flags, display=display, color=color)
    run = agent.rerun(past, from_step=from_step, watch=make_watch(settings))
    return print_run(run, as_json=as_json, settings=settings)
