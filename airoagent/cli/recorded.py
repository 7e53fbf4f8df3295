"""What the verbs for recorded runs share: the agent that goes on with a run, by default with the model it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airoagent.cli.options import make_agent

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.engine.record import Run
    from airoagent.settings import Settings

__all__ = ["agent_for", "named_values"]


def agent_for(
    run: Run, flags: dict[str, Any], *, display: str | None = None, color: str | None = None
) -> tuple[Agent, Settings]:
    """The agent that the options describe; where they name no model, with the one on record."""
    flags = dict(flags)
    flags["model"] = flags["model"] or run.model
    return make_agent(flags, display=display, color=color)


def named_values(pairs: tuple[str, ...], what: str) -> dict[str, str]:
    """``name=value`` arguments; a value ``@file`` is the text of that file. UsageError for one without ``=``."""
    from airoagent.cli.run import read_text
    from airoagent.errors import UsageError

    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{what} {pair!r} is not of the form NAME=VALUE", f"e.g. {what} evidence2=text, or =@file")
        text = read_text(value[1:]).removesuffix("\n") if value.startswith("@") else value
        values[name.strip()] = text
    return values
