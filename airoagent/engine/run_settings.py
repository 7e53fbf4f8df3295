"""What a run was started with, as its record keeps it, and what follows from that for its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airoagent.engine.policy import Policy
from airoagent.events import Event, Replanned, RunStarted, StepFailed, StepFinished
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool

__all__ = ["PRIVATE_PLAN", "UNTRUSTED_PLAN", "plan_is_private", "plan_is_trusted", "setting", "settings_rows"]

UNTRUSTED_PLAN = "untrusted_plan"
"""The setting on record of a run that took over a plan which was written after tools had answered."""


PRIVATE_PLAN = "private_plan"
"""The setting on record of a run that took over a plan which was written after private text had been read."""


def setting(run: Run, name: str, default: str = "") -> str:
    """A setting that the run was begun with."""
    for event in run.events:
        for key, value in getattr(event, "settings", ()):
            if key == name:
                return str(value)
    return default


def settings_rows(policy: Policy, offered: Iterable[str], addresses: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The settings that a run is begun with, as `setting` reads them: the policy, the tools on offer, the folders."""
    rows = {name: str(getattr(policy, name)) for name in policy.__dataclass_fields__}
    rows["offered"] = ", ".join(offered)  # the names that the plan's text is read with
    if addresses:
        rows["docs"] = ", ".join(addresses)
    return tuple(rows.items())


def plan_is_trusted(run: Run) -> bool:
    """Whether the run's plan was written before any tool had answered, in this run or the one it is made from."""
    return setting(run, UNTRUSTED_PLAN) != "True" and not any(isinstance(event, Replanned) for event in run.events)


def plan_is_private(events: Iterable[Event], tools: Mapping[str, Tool]) -> bool:
    """Whether the plan was written after private text had been read, in this run or the one it is made from."""
    read = False
    for event in events:
        if isinstance(event, RunStarted):
            read = read or (PRIVATE_PLAN, "True") in event.settings
            if read:
                return True
        elif isinstance(event, StepFinished | StepFailed):
            sources = event.sources if isinstance(event, StepFinished) else ()
            private = isinstance(event, StepFinished) and event.private
            local = event.tool in tools and tools[event.tool].private
            read = read or private or local or any(source.url.startswith("docs://") for source in sources)
        elif isinstance(event, Replanned) and read:
            return True
    return False
