"""An agent as an MCP server: other programs' models can ask it, have it plan, search its documents, look at its runs.

server = make_mcp(agent)
server.run()                       # over stdin and stdout; `api.make_app` serves the same over HTTP
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airoagent import __version__
from airoagent.agent import Agent
from airoagent.engine.approval import ASK_USER
from airoagent.engine.session import Session
from airoagent.errors import AiroError, UsageError
from airoagent.extras import require
from airoagent.plan.parser import parse_plan
from airoagent.plan.steps import Step
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

__all__ = ["make_mcp"]

_MOST_FOUND = 8
_MOST_MADE = 1000  # runs that clients over HTTP can look at
_PATIENCE = 600.0  # seconds that the user has for an answer: a run that waits holds its place
_REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}


def make_mcp(agent: Agent, place: AbstractAsyncContextManager[Any] | None = None) -> MCPServer[Any]:
    """The server; the agent is the caller's to close. Raises MissingExtra without the `mcp` package.

    Tools: ``ask``, ``plan``, ``run``, ``get_run``, and ``search_documents`` where the agent has documents. A run that
    fails is an error of the tool, in one sentence. Over HTTP there is a ``place``, which each run holds, to limit those
    at once; ``get_run`` then returns only runs made through this server: its clients' key does not open other records.
    A question of a plan to the user (`ASK_USER`) goes to a client that offers elicitation; calls with side effects are
    not put to clients, since a model may answer there.
    """
    require("an MCP server", "mcp", "mcp")
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

    # The library looks up the types of a tool's parameters by name, in the module.
    globals()["Context"] = Context

    about = "Answers questions by running a plan of tool calls."
    server: MCPServer[Any] = MCPServer("airo", instructions=about, version=__version__, log_level="ERROR")
    offer = partial(server.tool, structured_output=False)  # a result is a text, which need not be sent twice
    made: deque[str] = deque(maxlen=_MOST_MADE)

    def finished(run: Run) -> str:
        made.append(run.id)
        return _text_of(run.raise_for_status())

    @offer()
    async def ask(question: str, context: Context) -> str:
        """Answer a question: write a plan, run it, and return the answer with its sources and the id of the run."""
        async with _turn(place):
            return finished(await _asking(agent.session, context).run(question))

    @offer()
    async def plan(question: str) -> str:
        """Write the plan for a question without running it."""
        async with _turn(place):
            return (await agent.aplan(question)).to_text()

    @offer()
    async def run(plan: str, context: Context) -> str:
        """Run a plan, such as `plan` writes, and return the answer with its sources and the id of the run."""
        async with _turn(place):
            tools = await asyncio.to_thread(agent.tools_for, plan)
            parsed = parse_plan(plan, tools)
            return finished(await _asking(agent.session, context).run(parsed.question, parsed))

    @offer()
    async def get_run(run: str) -> str:
        """Return a recorded run as JSON: its question, plan, evidence, answer and sources. "@last" is the newest."""
        async with _turn():
            id = run if place is None else _made_here(run, made)
            whole = (await asyncio.to_thread(agent.session.load, id)).to_json()
            return json.dumps({name: value for name, value in whole.items() if name != "events"})

    if agent.documents is not None:
        documents = agent.documents

        @offer()
        async def search_documents(query: str) -> str:
            """Search the documents and return titles, addresses and matching passages."""
            async with _turn():
                found = await asyncio.to_thread(documents.search, query, _MOST_FOUND)
                return "\n\n".join(f"{one.title}\n{one.url}\n{one.snippet}" for one in found) or "nothing was found"

    return server


def _asking(session: Session, context: Context) -> Session:
    """The session, in which a plan's questions to the user go to the client, if it can ask."""
    from mcp.shared.exceptions import MCPError

    async def approve(step: Step, tool: Tool, input: str) -> bool | str:
        offered = context.client_capabilities
        if tool.name != ASK_USER or offered is None or offered.elicitation is None:
            return await session.approve(step, tool, input)
        try:
            async with asyncio.timeout(_PATIENCE):
                reply = await context.session.elicit_form(input, _REPLY, context.request_id)
        except (TimeoutError, MCPError):  # MCPError: it cannot be reached meanwhile, or will not ask
            return False
        said = (reply.content or {}).get("answer") if reply.action == "accept" else None
        return said if isinstance(said, str) else False

    return replace(session, approve=approve)


def _made_here(run: str, made: Sequence[str]) -> str:
    """The id of the run that a client over HTTP means, by its id or ``@last``."""
    run = made[-1] if run == "@last" and made else run
    if run not in made:
        raise UsageError(f"no run {run[:100]!r} was made through this server", "give the id that `ask` returned")
    return run


@asynccontextmanager
async def _turn(place: AbstractAsyncContextManager[Any] | None = None) -> AsyncIterator[None]:
    """Hold the place, and make an error of ours one of the tool, in one sentence."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        async with place or nullcontext():
            yield
    except AiroError as error:
        raise ToolError(f"{error.message} ({error.hint})" if error.hint else error.message) from error


def _text_of(run: Run) -> str:
    """The answer, its sources, and the run's id."""
    lines = [run.answer or ""]
    if run.sources:
        titles = {one.url: one.title or one.url for one in run.sources}
        lines += ["", "Sources:", *(f"- {title} ({url})" for url, title in titles.items())]
    return "\n".join([*lines, "", f"Run: {run.id}"])
