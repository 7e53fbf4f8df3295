"""Asks the user before a tool is called; never where there is no terminal to ask at."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from airoagent.engine.policy import Approve
    from airoagent.language.plan import Step
    from airoagent.toolbox.tool import Tool

__all__ = ["approver"]

_KEYS = "y: call it, n: refuse, a: call it and do not ask about {tool} again, e: change the input first"


def approver() -> Approve | None:
    """Who is asked: the person at the terminal; None (every call that needs approval is refused) without one."""
    return _Asker() if sys.stdin.isatty() and sys.stderr.isatty() else None


class _Asker:
    """Asks about one call at a time, and remembers the tools that need not be asked about again."""

    def __init__(self) -> None:
        self._always: set[str] = set()
        self._turn = asyncio.Lock()

    async def __call__(self, step: Step, tool: Tool, input: str) -> bool | str:
        from airoagent.toolbox.background import in_thread

        async with self._turn:
            if tool.name in self._always:
                return True
            return await in_thread(self._ask, step.id, tool, input)

    def _ask(self, step: str, tool: Tool, input: str) -> bool | str:
        from airoagent.cli.display import plain, suspended

        with suspended():
            effect = ", which changes something outside" if tool.side_effects else ""
            click.echo(f"{step} calls {tool.name}{effect}, with:\n  {plain(input, 500)}", err=True)
            while True:
                key = click.prompt("Call it? [y/n/a/e]", default="n", show_default=False, err=True).strip().lower()
                if key in ("y", "yes"):
                    return True
                if key in ("n", "no"):
                    return False
                if key in ("a", "always"):
                    self._always.add(tool.name)
                    return True
                if key in ("e", "edit"):
                    edited = click.edit(input)
                    return True if edited is None else edited.rstrip("\n")
                click.echo(_KEYS.format(tool=tool.name), err=True)
