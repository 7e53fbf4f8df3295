"""Asks the user before a tool with side effects is called; never where there is no terminal to ask at."""

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


def approver() -> Approve | None:
    """Who is asked: the person at the terminal; None (every such call is refused) without one."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


async def _ask(step: Step, tool: Tool, input: str) -> bool:
    from airoagent.cli.display import plain

    head = plain(input, 500)
    question = f"{step.id} calls {tool.name}, which changes something outside, with:\n  {head}\nCall it?"
    return await asyncio.to_thread(click.confirm, question, default=False, err=True)
