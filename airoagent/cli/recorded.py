"""What the verbs for recorded runs share: the agent that goes on with a run, by default made as the one it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import all_flags, make_agent

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.records.run_record import Run
    from airoagent.settings import Settings

__all__ = ["agent_for", "named_values"]


def agent_for(
    run: Run, flags: dict[str, Any], *, display: str | None = None, color: str | None = None
) -> tuple[Agent, Settings]:
    """The agent that goes on with a run: made as the run's was, but for what the options say otherwise.

    What has changed since is told on stderr.
    """
    from airoagent.cli.display import plain
    from airoagent.cli.runs import begun_of
    from airoagent.errors import UsageError

    flags = all_flags(flags)
    begun = begun_of(run)
    mixed = begun.flags_for(flags)
    if not mixed["model"] and run.model.startswith(("http://", "https://")):
        raise UsageError(
            f"the model on record is the server {run.model}, and it was not this machine that put it there",
            f"if you trust it with what the run has found: -m {run.model}",
        )
    mixed["model"] = mixed["model"] or run.model
    agent, settings = make_agent(mixed, display=display, color=color)
    if settings.display not in ("none", "json"):
        for change in begun.changes(flags):
            click.echo(f"note: {plain(change)}", err=True)
    return agent, settings


def named_values(pairs: tuple[str, ...], what: str) -> dict[str, str]:
    """``name=value`` arguments; a value ``@file`` is the text of that file. UsageError for one without ``=``."""
    from airoagent.cli.run import text_of
    from airoagent.errors import UsageError

    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{what} {pair!r} is not of the form NAME=VALUE", f"e.g. {what} evidence2=text, or =@file")
        text = text_of(value[1:]).removesuffix("\n") if value.startswith("@") else value
        values[name.strip()] = text
    return values
