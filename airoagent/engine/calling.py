"""Calls one tool once: sync or async, in time, and whatever it does wrong becomes one clear error."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from airoagent.errors import AiroError, ToolError, ToolTimeout
from airoagent.toolbox.background import in_thread
from airoagent.toolbox.tool import Tool, ToolContext, ToolOutput

__all__ = ["call_tool", "failure_of"]

_log = logging.getLogger("airoagent")


async def call_tool(tool: Tool, text: str, context: ToolContext, timeout: float) -> ToolOutput:
    """What the tool found. ``timeout`` is in seconds (0: none).

    Raises ToolTimeout, ToolError for a result that is not text, and whatever the tool raises. A sync tool that does
    not return in time is left behind in its daemon thread, since a thread cannot be stopped; it can no longer affect
    the run.
    """
    call = tool.bind(text, context)
    try:
        async with asyncio.timeout(timeout or None) as deadline:
            result = await (call() if tool.is_async else in_thread(call))
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise ToolTimeout(
            f"{tool.name} did not answer within {timeout:g} s", "raise the limit with --timeout", retryable=False
        ) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # the run is being stopped
        raise ToolError(f"{tool.name} cancelled itself") from error
    except SystemExit as error:  # a tool may not end the program
        raise ToolError(f"{tool.name} tried to exit the program") from error
    return _output(tool, result)


def _output(tool: Tool, result: Any) -> ToolOutput:
    if isinstance(result, ToolOutput):
        output = result
    elif isinstance(result, str):
        output = ToolOutput(result)
    elif isinstance(result, int | float):
        output = ToolOutput(str(result))
    else:
        raise ToolError(
            f"{tool.name} returned {type(result).__name__}; a tool returns text",
            "return a str, or an airoagent.ToolOutput with its sources",
        )
    if not isinstance(output.text, str):
        raise ToolError(f"{tool.name} returned a ToolOutput whose text is {type(output.text).__name__}, not str")
    return output


def failure_of(error: Exception, tool: str) -> AiroError:
    """The error to show for what a tool raised; the place in the tool's code is the hint."""
    if isinstance(error, AiroError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    _log.debug("%s raised", tool, exc_info=error)
    text = " ".join(str(error).split())[:500]
    failure = ToolError(
        f"{tool} raised {type(error).__name__}{': ' + text if text else ''}", place and f"raised at {place}"
    )
    failure.__cause__ = error
    return failure
