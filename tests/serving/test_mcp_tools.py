"""The agent as an MCP server, asked by the MCP library's own client over a real process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.source import ROOT

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def with_server(home: Path, use: Callable[[ClientSession], Awaitable[None]], *options: str) -> None:
    """Start ``airo serve --mcp`` with these options and let a client use it."""

    async def run() -> None:
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "airoagent", "serve", "--mcp", *options],
            env={**os.environ, "AIRO_HOME": str(home)},
            cwd=ROOT,
        )
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            await use(session)

    asyncio.run(asyncio.wait_for(run(), 60))


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content)


def test_a_client_asks_plans_searches_and_looks_at_the_run(tmp_path: Path) -> None:
    async def use(session: ClientSession) -> None:
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert names == {"ask", "plan", "get_run", "search_documents"}
        answer = text_of(await session.call_tool("ask", {"question": "How deep is Lake Baikal?"}))
        assert "1,642" in answer and "docs://library/lake-baikal.html" in answer
        run = json.loads(text_of(await session.call_tool("get_run", {"run": answer.rpartition("Run: ")[2]})))
        assert run["question"] == "How deep is Lake Baikal?" and run["status"] == "done" and "events" not in run
        plan = text_of(await session.call_tool("plan", {"question": "Where do otters sleep?"}))
        assert "DocumentSearch[" in plan
        found = text_of(await session.call_tool("search_documents", {"query": "otters sleep"}))
        assert "docs://library/otters.html" in found

    with_server(tmp_path, use, "--docs", "examples/library")


def test_what_goes_wrong_is_an_error_of_the_tool_in_one_sentence(tmp_path: Path) -> None:
    async def use(session: ClientSession) -> None:
        assert {tool.name for tool in (await session.list_tools()).tools} == {"ask", "plan", "get_run"}
        for tool, arguments, told in (
            ("get_run", {"run": "nothing"}, "no run"),
            ("ask", {"question": " "}, "there is no question"),
            ("plan", {"question": ""}, "there is no question"),
        ):
            result = await session.call_tool(tool, arguments)
            text = text_of(result)
            assert result.is_error and told in text and "Traceback" not in text, text

    with_server(tmp_path, use)
