"""Asks the user before a tool is called, if there is a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import click

from airoagent.cli.display import plain, suspended
from airoagent.cli.inputs import edited_text
from airoagent.errors import UsageError

if TYPE_CHECKING:
    import asyncio

    from airoagent.engine.policy import Approve
    from airoagent.plan.steps import Step
    from airoagent.toolbox.tool import Tool

_SHOWN = 500  # characters of an input
_KEYS = "y: yes, n: no, a: always (do not ask about {tool} again), e: edit the input first"


def approver() -> Approve | None:
    """Asks at the terminal; None without one, and every call that needs approval is refused."""
    return _Asker() if _terminal() else None


def agreed(question: str) -> bool:
    """Whether the user says yes to it at the terminal; False without one."""
    if not _terminal():
        return False
    with suspended():
        return _answer(f"{plain(question)} [y/n]: ").lower() in ("y", "yes")


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


class _Asker:
    """Asks about one call at a time, and remembers the tools that need not be asked about again."""

    def __init__(self) -> None:
        self._always: set[tuple[str, bool]] = set()
        # By event loop, since a lock belongs to one, and the debugger has a new one for each of its commands.
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def __call__(self, step: Step, tool: Tool, input: str) -> bool | str:
        import asyncio

        from airoagent.background import in_thread
        from airoagent.engine.approval import ASK_USER

        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if (tool.name, bool(tool.warning)) in self._always:
                return True
            return await in_thread(_question if tool.name == ASK_USER else self._ask, step.id, tool, input)

    def _ask(self, step: str, tool: Tool, input: str) -> bool | str:
        with suspended():
            effect = ", which has side effects" if tool.side_effects else ""
            effect += f", {plain(tool.warning, _SHOWN)}" if tool.warning else ""
            shown = plain(input, _SHOWN)
            if len(input) > _SHOWN:  # what is left out may be what matters
                shown += f"\n  (the first of {len(input):,} characters; e shows all)"
            click.echo(f"{step} calls {tool.name}{effect}, with:\n  {shown}", err=True)
            while True:
                key = _answer("Call it? [y/n/a/e]: ").lower()
                if key in ("y", "yes"):
                    return True
                if key in ("", "n", "no"):
                    return False
                if key in ("a", "always"):
                    self._always.add((tool.name, bool(tool.warning)))
                    return True
                if key in ("e", "edit"):
                    try:
                        return edited_text(input, "answer with y, n or a")
                    except UsageError as error:
                        click.echo(plain(f"{error.message}; {error.hint}"), err=True)
                else:
                    click.echo(_KEYS.format(tool=tool.name), err=True)


def _question(step: str, tool: Tool, question: str) -> str:
    """What the user answers to a question of the plan; "" for nothing."""
    with suspended():
        click.echo(plain(question, 2000), err=True)
        return _answer("> ")


def _answer(question: str) -> str:
    """The line that is typed; "" for none, also at the end of input.

    Read past `sys.stdin`: a thread that waits in it when Ctrl-C ends the program would make Python abort.
    """
    click.echo(question, err=True, nl=False)
    return os.read(sys.stdin.fileno(), 4096).decode("utf-8", "replace").strip()
