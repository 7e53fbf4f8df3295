"""An agent as an MCP server: other programs' models can ask it, have it plan, search its documents, look at its runs.

server = make_mcp(agent)
server.run()                       # over stdin and stdout; `api.make_app` serves the same over HTTP
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
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
from airoagent.recorded.forking import fork
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

_ABOUT = "Answers questions by running a plan of tool calls."
_MOST_FOUND = 8
_MOST_MADE = 1000  # runs that clients over HTTP can look at
_REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Answer"}},
    "required": ["answer"],
}

Work = Callable[[Session], Awaitable[Run]]


def make_mcp(agent: Agent, place: AbstractAsyncContextManager[Any] | None = None) -> MCPServer[Any]:
    """The server; the agent is the caller's to close. Raises MissingExtra without the `mcp` package.

    Tools: ``ask``, ``plan``, ``run``, ``get_run``, and ``search_documents`` where the agent has documents. A run that
    fails is an error of the tool, in one sentence. Over HTTP there is a ``place``, which each run holds, to limit those
    at once; ``get_run`` then returns only runs made through this server: its clients' key does not open other records.
    A question of a plan to the user goes to the client, if it can ask (`_Dialogue`).
    """
    require("an MCP server", "mcp", "mcp")
    from mcp.server import MCPServer

    server: MCPServer[Any] = MCPServer("airo", instructions=_ABOUT, version=__version__, log_level="ERROR")
    offer = partial(server.tool, structured_output=False)  # a result is a text, which need not be sent twice
    made: deque[str] = deque(maxlen=_MOST_MADE)

    async def finished(context: Context, work: Work) -> Any:
        return await _finished(_Dialogue(agent, context, place), work, made)

    @offer()
    @_given_context
    async def ask(question: str, context: Context) -> Any:
        """Answer a question: write a plan, run it, and return the answer with its sources and the id of the run."""
        return await finished(context, lambda session: session.run(question))

    @offer()
    async def plan(question: str) -> str:
        """Write the plan for a question without running it."""
        async with _turn(place):
            return (await agent.aplan(question)).to_text()

    @offer()
    @_given_context
    async def run(plan: str, context: Context) -> Any:
        """Run a plan, such as `plan` writes, and return the answer with its sources and the id of the run."""

        async def work(session: Session) -> Run:
            parsed = parse_plan(plan, await asyncio.to_thread(agent.tools_for, plan))
            return await session.run(parsed.question or parsed.steps[0].thought, parsed)

        return await finished(context, work)

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


def _given_context(tool: Callable[..., Any]) -> Callable[..., Any]:
    """The tool, whose parameter ``context`` the library fills in: it goes by the type, which is imported only here."""
    from mcp.server.mcpserver import Context

    tool.__annotations__["context"] = Context
    return tool


async def _finished(dialogue: _Dialogue, work: Work, made: deque[str]) -> Any:
    """The text of the run that the work gives, or the question to the client."""
    async with _turn():
        run = await dialogue.run(work)
        if not isinstance(run, Run):
            return run
        made.append(run.id)
        return _text_of(run.raise_for_status())


class _Dialogue:
    """A call of a tool whose run may ask the user, by way of the client.

    A run ends with its question, and is forked with the answer. Since version 2026-07-28 of MCP the question is the
    result of the call, and the client makes the call again with the answer; before, it is a request to the client.
    Calls with side effects are not put to clients, since a model may answer there.
    """

    def __init__(self, agent: Agent, context: Context, place: AbstractAsyncContextManager[Any] | None) -> None:
        from mcp.types.version import MODERN_PROTOCOL_VERSIONS

        self._context, self._place, self._before = context, place, agent.session.approve
        self._as_result = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        offered = context.client_capabilities.elicitation if context.client_capabilities else None
        able = offered is not None and (offered.form is not None or offered.url is None)
        self._can_ask = able and not (self._as_result and agent.session.records.open() is None)
        self._session = replace(agent.session, approve=self._approve)
        self._asked: list[tuple[str, str]] = []

    async def _approve(self, step: Step, tool: Tool, input: str) -> bool | str:
        if tool.name != ASK_USER or not self._can_ask:
            return await self._before(step, tool, input)
        self._asked.append((step.id, input))
        return False

    async def run(self, work: Work) -> Any:
        """The run that the work gives, or the question to the client."""
        from mcp.shared.exceptions import MCPError
        from mcp.types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

        if state := self._context.request_state:  # sealed by the library
            id, _, step = state.partition(" ")
            run = await self._forked(id, step, (self._context.input_responses or {}).get("user"))
        else:
            async with self._place or nullcontext():
                run = await work(self._session)
        while run.status == "failed" and self._asked:
            step, question = self._asked[0]
            if self._as_result:
                request = ElicitRequest(params=ElicitRequestFormParams(message=question, requested_schema=_REPLY))
                return InputRequiredResult(input_requests={"user": request}, request_state=f"{run.id} {step}")
            self._asked.clear()
            reply = None
            with suppress(MCPError):  # the client has no user to ask after all
                reply = await self._context.session.elicit_form(question, _REPLY, self._context.request_id)
            run = await self._forked(run, step, reply)
        return run

    async def _forked(self, run: str | Run, step: str, reply: Any) -> Run:
        """The run with the user's reply as the evidence of the step; the run itself if there is none."""
        said = (reply.content or {}).get("answer") if reply is not None and reply.action == "accept" else None
        if not isinstance(said, str) or not said.strip():
            return self._session.load(run)
        async with self._place or nullcontext():
            return await fork(self._session, run, set={step: said})


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
    lines = [run.answer or ""]
    if run.sources:
        titles = {one.url: one.title or one.url for one in run.sources}
        lines += ["", "Sources:", *(f"- {title} ({url})" for url, title in titles.items())]
    return "\n".join([*lines, "", f"Run: {run.id}"])
