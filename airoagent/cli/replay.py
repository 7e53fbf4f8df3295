"""``airo replay``: a recorded run again, from its record alone."""

from __future__ import annotations

import click

from airoagent.cli.options import complete, display_options


@click.command("replay")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@display_options
def command(run_id: str, as_json: bool, display: str | None, color: str | None) -> int:
    """Replay a recorded run: no model, no tool, no network; the same answer to the byte.

    It fails (exit 6) and names the step if this version of airo would do anything else than what is on record.

    \b
    Examples:
      airo replay @last
      airo replay plans/nobel-literature.jsonl
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.display import make_display
    from airoagent.cli.runs import load_run
    from airoagent.recorded.replaying import replay
    from airoagent.settings import load_settings

    settings = load_settings({"display": display, "color": color})
    run = replay(load_run(run_id), watch=make_display(settings.display, settings.color))
    return print_run(run, as_json=as_json, settings=settings, recorded=False)
