"""A tool that counts its calls, a plan of ten steps, and an agent that keeps records: for the tests of recorded runs"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from airoagent import Agent, tool
from airoagent.toolbox.tool import Tool
from tests.running import make_agent

TEN_STEPS = (
    "\n".join(
        f":evidence{n}: = count[{n}{'' if n < 3 else f' :evidence{n - 1}: :evidence{n - 3}:'}]" for n in range(10)
    )
    + "\nAnswer: :evidence9:\n"
)


def counting(name: str = "count", **options: Any) -> tuple[Tool, list[str]]:
    """A tool that tells its input back in brackets, and the list of inputs it was called with."""
    calls: list[str] = []

    @tool(name, **options)
    async def count(text: str) -> str:
        """Counts."""
        calls.append(text)
        return f"({text})"

    return count, calls


def recording(plan: str, path: Path, *tools: Tool | Callable[..., Any], **options: Any) -> Agent:
    """An agent whose model writes this plan and whose runs are kept in this file."""
    return make_agent(plan, *tools, store=path, **options)
