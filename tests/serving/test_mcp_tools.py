"""The agent as an MCP server, asked by the MCP library's own client over a real process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from airoagent import Agent
from tests.running import make_agent
from tests.serving.test_api import EchoModel, look, question, serving
from tests.source import ROOT

pytest.importorskip("mcp", reason="the extra mcp is not installed")

import httpx2
from mcp import ClientSession, StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult


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
        assert names == {"ask", "plan", "run", "get_run", "search_documents"}
        answer = text_of(await session.call_tool("ask", {"question": "How deep is Lake Baikal?"}))
        assert "1,642" in answer and answer.count("docs://library/lake-baikal.html") == 1
        run = json.loads(text_of(await session.call_tool("get_run", {"run": answer.rpartition("Run: ")[2]})))
        assert run["question"] == "How deep is Lake Baikal?" and run["status"] == "done" and "events" not in run
        plan = text_of(await session.call_tool("plan", {"question": "Where do otters sleep?"}))
        assert "DocumentSearch[" in plan
        assert "otter" in text_of(await session.call_tool("run", {"plan": plan})).lower()
        bare = "Plan: Find the otters.\n:evidence0: = DocumentSearch[otters]\nAnswer: :evidence0:"
        named = text_of(await session.call_tool("run", {"plan": bare})).rpartition("Run: ")[2]
        assert json.loads(text_of(await session.call_tool("get_run", {"run": named})))["question"] == "Find the otters."
        found = text_of(await session.call_tool("search_documents", {"query": "otters sleep"}))
        assert "docs://library/otters.html" in found

    with_server(tmp_path, use, "--docs", "examples/library")


def test_what_goes_wrong_is_an_error_of_the_tool_in_one_sentence(tmp_path: Path) -> None:
    async def use(session: ClientSession) -> None:
        assert {tool.name for tool in (await session.list_tools()).tools} == {"ask", "plan", "run", "get_run"}
        for tool, arguments, told in (
            ("get_run", {"run": "nothing"}, "no run"),
            ("ask", {"question": " "}, "there is no question"),
            ("plan", {"question": ""}, "there is no question"),
            ("run", {"plan": "not a plan"}, "plan"),
        ):
            result = await session.call_tool(tool, arguments)
            text = text_of(result)
            assert result.is_error and told in text and "Traceback" not in text, text

    with_server(tmp_path, use)


async def over_http(url: str, use: Callable[[ClientSession], Awaitable[None]], **headers: str) -> None:
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http,
        streamable_http_client(url, http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        await use(session)


def test_the_same_server_speaks_mcp_over_http() -> None:
    async def use(session: ClientSession) -> None:
        assert {tool.name for tool in (await session.list_tools()).tools} == {"ask", "plan", "run", "get_run"}
        answers = await asyncio.gather(*(session.call_tool("ask", {"question": f"number {n}?"}) for n in range(8)))
        assert ["number" in text_of(answer) and not answer.is_error for answer in answers] == [True] * 8

    agent = Agent(EchoModel(), [look], store=False)
    with serving(agent, key="secret", at_once=2) as url:
        asyncio.run(asyncio.wait_for(over_http(mcp_of(url), use, Authorization="Bearer secret"), 60))
        completions = httpx.post(
            f"{url}/chat/completions", json=question("q"), headers={"Authorization": "Bearer secret"}, trust_env=False
        )
        assert completions.status_code == 200


def test_over_http_only_runs_made_through_the_server_can_be_looked_at(tmp_path: Path) -> None:
    agent = Agent(EchoModel(), [look], store=tmp_path / "runs.sqlite3")
    other = agent.run("a private question").id

    async def use(session: ClientSession) -> None:
        for word in (other, other[:8], "@last", "@last~1"):
            refused = await session.call_tool("get_run", {"run": word})
            assert refused.is_error and "was made through this server" in text_of(refused)
        own = text_of(await session.call_tool("ask", {"question": "mine?"})).rpartition("Run: ")[2]
        for word in (own, "@last"):
            assert json.loads(text_of(await session.call_tool("get_run", {"run": word})))["question"] == "mine?"
        assert (await session.call_tool("get_run", {"run": other})).is_error

    with serving(agent) as url:
        asyncio.run(asyncio.wait_for(over_http(mcp_of(url), use), 60))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer secret", "Origin": "https://evil.example"}, 403),
        ({"Authorization": "Bearer secret", "Host": "evil.example"}, 403),
        ({"Authorization": "Bearer secret", "Origin": "http://localhost:3000"}, 200),
    ],
)
def test_mcp_over_http_refuses_whom_the_api_refuses(headers: dict[str, str], status: int) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    accept = {"Accept": "application/json, text/event-stream", **headers}
    with serving(make_agent(":evidence0: = look[x]\nAnswer: :evidence0:", look), key="secret") as url:
        assert httpx.post(mcp_of(url), json=hello, headers=accept, trust_env=False).status_code == status


def answering(action: str, asked: list[str]) -> Any:
    """What a client does with a question to the user."""

    async def answer(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        assert params.requested_schema["required"] == ["answer"]
        return ElicitResult(action=action, content={"answer": "Baikal"} if action == "accept" else None)

    return answer


ASKS = (
    ":evidence0: = look[lake]\n:evidence1: = AskUser[Which of :evidence0:]\n"
    ":evidence2: = AskUser[Is :evidence1: in metres?]\nAnswer: :evidence1:, :evidence2:"
)
ASKED = ["Which of lake: 1,642 m", "Is Baikal in metres?"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(
    ("action", "answer"),
    [("accept", "Baikal, Baikal"), ("decline", "the user did not answer: Which of"), ("", "nobody can be asked")],
)
def test_a_question_of_the_plan_goes_to_the_user_of_a_client_that_can_ask(
    tmp_path: Path, mode: str, action: str, answer: str
) -> None:
    asked: list[str] = []

    async def use(url: str) -> str:
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=30) as http,
            Client(
                streamable_http_client(url, http_client=http),
                mode=mode,
                elicitation_callback=answering(action, asked) if action else None,
            ) as client,
        ):
            return text_of(await client.call_tool("ask", {"question": "How deep?"}))

    agent = make_agent(ASKS, look, "AskUser", store=tmp_path / "runs.sqlite3")  # type: ignore[arg-type]
    with serving(agent) as url:
        assert answer in asyncio.run(asyncio.wait_for(use(mcp_of(url)), 60))
    assert asked == {"accept": ASKED, "decline": ASKED[:1], "": []}[action]
    agent.close()


def mcp_of(url: str) -> str:
    return url.removesuffix("/v1") + "/mcp"
