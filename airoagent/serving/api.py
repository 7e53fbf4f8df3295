"""An agent as an OpenAI-compatible chat API.

    app = make_app(agent, key="...")        # a Starlette application, for uvicorn or any other ASGI server

``POST /v1/chat/completions`` asks the last message of the user, as a run like any other: planned, executed, on record.
The plan and its steps come as reasoning text (``reasoning_content``), the answer as content (streamed: as the model
writes it), its sources as ``url_citation`` annotations; the run's id is the completion's. ``GET /v1/models`` lists
``airo`` and, if there are several, the models by name. ``/mcp`` is the MCP server of `mcp_tools` over HTTP, if the
extra ``mcp`` is installed, and ``/`` is the list of runs and their pages (`pages`), if runs are recorded. `access`
checks who may ask.
Source: OpenAI's API reference, chat completions and its streaming form.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from airoagent.agent import Agent
from airoagent.conversation import completed, standalone
from airoagent.engine.approval import ASK_USER
from airoagent.engine.recorder import StartingPoint
from airoagent.engine.results import record_of
from airoagent.engine.session import Watch
from airoagent.engine.sync import streamed
from airoagent.errors import AiroError, LimitReached, ModelError, PlanError, ToolError, UsageError, UserAwaited
from airoagent.events import (
    AnswerText,
    Event,
    Failure,
    PlanParsed,
    PlanRefused,
    PlanText,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from airoagent.extras import has
from airoagent.plan.steps import Step
from airoagent.recorded.forking import fork
from airoagent.recorded.resuming import resume
from airoagent.serving.access import Access, JsonReply, Refused, application, error_reply, json_body
from airoagent.serving.chat_request import Asked, Talk, read_request
from airoagent.serving.driver import Offer
from airoagent.serving.pages import Pages
from airoagent.toolbox.tool import Tool

MCP_PATH: Final = "/mcp"

MODEL: Final = "airo"
"""The name of the first model in the API; it also answers if a client sends a name that is not listed."""

_LARGEST_BODY: Final = 1024 * 1024  # bytes
_MOST_TURNS: Final = 50  # of a conversation, the last ones: each is completed from all before it
_LONGEST_QUOTE: Final = 300  # characters of an earlier answer
_STATUS: Final[Mapping[int, int]] = {  # by exit code
    UsageError.default_exit_code: 400,
    ModelError.default_exit_code: 503,
    PlanError.default_exit_code: 502,
    ToolError.default_exit_code: 502,
    LimitReached.default_exit_code: 429,
}


@dataclass(slots=True)
class _Server:
    """What the routes share. ``places`` are the runs at once, ``most_waiting`` how many may wait for one."""

    agent: Agent
    access: Access
    places: asyncio.Semaphore
    most_waiting: int
    offer: Offer
    waiting: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        """The names that are listed."""
        return tuple(dict.fromkeys((MODEL, *(self.offer.models if len(self.offer.models) > 1 else ()))))


@dataclass(slots=True)
class _Progress:
    """What the events of a run have shown so far."""

    id: str = ""
    calls: dict[str, str] = field(default_factory=dict)  # what each step calls, in words
    end: RunFinished | None = None
    error: AiroError | None = None  # raised in place of an end on record
    planning: bool = False
    held: str = ""  # lines of steps that ended while the plan was still being written
    sent: str = ""  # of the answer
    withdrawn: bool = False
    asks: tuple[str, str] = ("", "")  # the step whose question the user is to answer, and the question

    @property
    def outcome(self) -> RunFinished | Failure:
        """The end of a run with an answer or a question to the user, or why there is neither."""
        if self.error is not None or self.end is None:
            return record_of(self.error or AiroError("the run has no answer"))
        if self.end.status == "interrupted" and self.asks[1]:
            return replace(self.end, answer=self.asks[1])
        return self.end if self.end.answer is not None else self.end.failure or Failure("AiroError", "no answer")

    def reasoning(self, event: Event) -> str:
        """What a watcher reads of this event: the plan as it is written, then a line for each step."""
        if isinstance(event, PlanText):
            self.planning = True
            return event.text
        if isinstance(event, PlanParsed | PlanRefused):
            held, self.planning, self.held = self.held, False, ""
            return f"\n\n{held}"
        line = self._line(event)
        if self.planning:
            self.held += line
            return ""
        return line

    def _line(self, event: Event) -> str:
        match event:
            case RunStarted():
                self.id = event.run
                said = next((value for name, value in event.settings if name == "said"), "")
                return f"Asked: {event.question}\n\n" if said else ""
            case RunResumed():
                self.id = event.run
            case StepStarted():
                self.calls[event.step] = f"{event.step}: {event.tool}[{' '.join(event.input.split())[:120]}]"
            case StepFinished():
                return f"{self.calls.pop(event.step, event.step)} {event.seconds:.1f} s\n"
            case StepFailed():
                self.calls.pop(event.step, None)
                if event.failure.kind == UserAwaited.__name__:
                    return f"{event.step}: {event.tool} waits for your answer\n"
                return f"{event.step}: {event.tool} failed: {event.failure.message}\n"
            case StepSkipped():
                return f"{event.step}: {event.tool} not run: no {', '.join(event.because)}\n"
            case RunFinished():
                self.end = event
        return ""

    def deltas(self, event: Event) -> list[dict[str, Any]]:
        """What a stream sends for this event. Clients show reasoning before the answer, so none is sent after it."""
        text = self.reasoning(event)
        if not isinstance(event, AnswerText):
            return [{"reasoning_content": text}] if text and not self.sent else []
        self.withdrawn = self.withdrawn or event.withdrawn
        if self.withdrawn:
            return []
        steps = "" if self.sent else "".join(f"{call}\n" for call in self.calls.values())
        self.sent += event.text
        return [*([{"reasoning_content": steps}] if steps else []), {"content": event.text}]

    def rest(self, answer: str) -> str:
        """What is still to be sent of the answer; what has been sent cannot be taken back."""
        if answer.startswith(self.sent):
            return answer.removeprefix(self.sent)
        return f"\n\n(The text above is not the answer.)\n\n{answer}"


def make_app(
    agent: Agent,
    *,
    key: str = "",
    hosts: tuple[str, ...] = (),
    at_once: int = 8,
    most_waiting: int = 1000,
    offer: Offer | None = None,
) -> Starlette:
    """The API over this agent, and the pages of its runs where it records them; the agent is the caller's to close.

    ``key`` is what clients must send as their API key ("": none); ``app.state.page_key`` is another, of the pages.
    ``hosts`` are names, in addition to the loopback ones, that a request may be addressed to. ``at_once`` runs are
    concurrent; ``most_waiting`` requests may wait for a place, and the next one gets status 429. ``offer`` is what
    clients and questions on the pages may choose from (None: this agent). ``app.state.stop`` ends the pages' runs.
    """
    access, places = Access(key, hosts), asyncio.Semaphore(at_once)
    offer = offer or Offer(lambda model, folder: agent, (agent.model.info.name,), (), agent.documents)
    server = _Server(agent, access, places, most_waiting, offer)

    models = partial(_listing, server=server)
    routes: list[BaseRoute] = [
        Route("/v1/chat/completions", partial(_answering, server=server), methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{id:path}", models, methods=["GET"]),
    ]
    driver, within = None, None
    if has("mcp"):
        mcp, within = _mcp_over_http(server)
        routes.append(Route(MCP_PATH, mcp))
    if (store := agent.session.records.open()) is not None:
        pages = Pages(store, offer, access, places)
        routes += pages.routes()
        driver = pages.driver
    return application(routes, access, driver.close if driver else None, within)


class _Checked:
    """An ASGI application as a route's endpoint: not a function, so Starlette calls it as one."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._access.check_client(Request(scope))
        await self._app(scope, receive, send)


def _mcp_over_http(server: _Server) -> tuple[Any, Any]:
    """The MCP server as an ASGI application, and the lifespan that it needs."""
    from mcp.server.transport_security import TransportSecuritySettings

    from airoagent.serving.mcp_tools import make_mcp

    mcp = make_mcp(server.agent, server.places)
    app = mcp.streamable_http_app(
        streamable_http_path=MCP_PATH,
        max_request_body_size=_LARGEST_BODY,
        # `Access` looks at host, origin and key.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return _Checked(app, server.access), lambda _: mcp.session_manager.run()


async def _listing(request: Request, server: _Server) -> Response:
    server.access.check_client(request)
    found = [{"id": name, "object": "model", "created": 0, "owned_by": "airoagent"} for name in server.models]
    found[0]["description"] = server.agent.model.info.name
    wanted = request.path_params.get("id")
    if wanted is None:
        return JsonReply({"object": "list", "data": found})
    if wanted not in server.models:
        raise Refused(404, f"there is no model {wanted[:200]!r} here: it has {', '.join(server.models)}")
    return JsonReply(found[server.models.index(wanted)])


async def _answering(request: Request, server: _Server) -> Response:
    server.access.check_client(request)
    body = await json_body(request, _LARGEST_BODY)
    asked = read_request(body)
    if asked.model not in server.models:
        asked = replace(asked, model=MODEL)
    if server.waiting >= server.most_waiting:
        raise Refused(429, f"too many requests are waiting ({server.waiting})", "rate_limit_error")
    if body.get("stream"):
        options = body.get("stream_options")
        pieces = _streamed(server, asked, isinstance(options, dict) and bool(options.get("include_usage")))
        return StreamingResponse(pieces, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
    task = asyncio.create_task(_whole(server, asked))
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():  # the client has gone
            task.cancel()
            await asyncio.wait({task})
            return error_reply(499, "the client has gone")
        status, value = task.result()
        return JsonReply(value, status)
    finally:
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while not await request.is_disconnected():  # noqa: ASYNC110 - ASGI has no event for it
        await asyncio.sleep(0.25)


async def _events(server: _Server, asked: Asked, progress: _Progress) -> AsyncIterator[Event]:
    """The events of the run, once there is a place for it; an error is left in ``progress``."""
    server.waiting += 1
    try:
        await server.places.acquire()
    finally:
        server.waiting -= 1
    try:
        async with aclosing(streamed(lambda watch: _run(server, asked, progress, watch))) as events:
            async for event in events:
                yield event
    except AiroError as error:
        progress.error = error
    finally:
        server.places.release()


async def _run(server: _Server, asked: Asked, progress: _Progress, watch: Watch) -> None:
    """Run a question, completed from what was said before it; or go on with the run that waits for this answer.

    A run whose plan asks the user (`ASK_USER`) is interrupted with the question. The next message is the answer: the
    run goes on with it. Another answer to the same question is a fork, so that nothing is called twice.
    """
    agent = server.agent
    if asked.model not in (MODEL, server.offer.models[0]):
        agent = await asyncio.to_thread(server.offer.make, asked.model, "")
    store = agent.session.records.open()
    run, _, waiting = store.beside(_said_until(asked.before)).partition(" ") if store and asked.before else ("", "", "")

    async def approve(step: Step, tool: Tool, input: str) -> bool | str:
        if tool.name != ASK_USER or store is None:
            return await agent.session.approve(step, tool, input)
        if step.id == waiting:
            return asked.said
        progress.asks = progress.asks if progress.asks[1] else (step.id, input)
        raise UserAwaited(input, f"answer in the conversation, on the page, or with: airo resume {progress.id}")

    session = replace(agent.session, approve=approve, form=asked.form)
    if run and store and store.status(run) == "interrupted" and waiting not in session.load(run).evidence:
        await resume(session, run, watch=watch)
    elif run:
        await fork(session, run, set={waiting: asked.said}, watch=watch)
    else:
        question = await _standalone(agent, asked)
        await session.run(question, watch=watch, start=StartingPoint(said="" if question == asked.said else asked.said))
    if store and isinstance(end := progress.outcome, RunFinished) and end.answer == progress.asks[1]:
        talk = (*asked.before, (asked.said, end.answer.strip()))
        store.put_beside(_said_until(talk), f"{progress.id} {progress.asks[0]}")


def _said_until(talk: Talk) -> str:
    """The key under which the store keeps which run and step wait for an answer to the last question of a talk.

    It is kept there so that the answer can come after the server was started again, or come twice.
    """
    return f"talk:{hashlib.sha256(json.dumps(talk).encode()).hexdigest()}"


async def _standalone(agent: Agent, asked: Asked) -> str:
    """The question, understandable without what was said before; where private text could leave, without answers."""
    if not asked.before:
        return asked.said
    held = agent.documents is not None and any(tool.network is True for tool in agent.toolbox.values())
    before: list[tuple[str, str]] = []
    for said, answer in asked.before[-_MOST_TURNS:]:
        before.append((completed(said, before), "" if held else answer.partition("\n")[0][:_LONGEST_QUOTE]))
    return await standalone(agent.model, asked.said, before)


async def _whole(server: _Server, asked: Asked) -> tuple[int, dict[str, Any]]:
    """The status and the completion as one object."""
    progress, reasoning = _Progress(), ""
    async with aclosing(_events(server, asked, progress)) as events:  # type: ignore[type-var]
        async for event in events:
            reasoning += progress.reasoning(event)
    end = progress.outcome
    if isinstance(end, Failure):
        return _STATUS.get(end.exit_code, 500), _failed(end)
    message = {"role": "assistant", "content": end.answer, "reasoning_content": reasoning, **_annotations(end)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = _head(progress.id, "chat.completion", asked.model)
    return 200, {**head, "choices": [choice], "usage": _usage(end)}


async def _streamed(server: _Server, asked: Asked, with_usage: bool) -> AsyncIterator[str]:
    """The completion as server-sent events: the reasoning while the run goes on, then the answer."""
    progress, first = _Progress(), True

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _line({**_head(progress.id, "chat.completion.chunk", asked.model), "choices": [choice]})

    async with aclosing(_events(server, asked, progress)) as events:  # type: ignore[type-var]
        async for event in events:
            deltas = progress.deltas(event)
            if first and progress.id:
                first = False
                yield chunk({"role": "assistant", "content": ""})
            for delta in deltas:
                yield chunk(delta)
    end = progress.outcome
    if isinstance(end, Failure):
        yield _line(_failed(end))
        return
    if (last := {"content": progress.rest(end.answer or ""), **_annotations(end)}) != {"content": ""}:
        yield chunk(last)
    yield chunk({}, "stop")
    if with_usage:
        yield _line({**_head(progress.id, "chat.completion.chunk", asked.model), "choices": [], "usage": _usage(end)})
    yield "data: [DONE]\n\n"


def _line(value: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _head(run: str, kind: str, model: str) -> dict[str, Any]:
    return {"id": run, "object": kind, "created": int(time.time()), "model": model}


def _annotations(end: RunFinished) -> dict[str, Any]:
    """The sources as OpenAI's annotations; they back the whole answer."""
    length = len(end.answer or "")
    cited = [
        {"url": one.url, "title": one.title, "start_index": 0, "end_index": length, "quote": one.quote}
        for one in end.sources
    ]
    return {"annotations": [{"type": "url_citation", "url_citation": one} for one in cited]} if cited else {}


def _usage(end: RunFinished) -> dict[str, int]:
    read, written = end.usage.prompt_tokens, end.usage.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _failed(failure: Failure) -> dict[str, Any]:
    message = f"{failure.message} ({failure.hint})" if failure.hint else failure.message
    return {"error": {"message": message, "type": "server_error", "code": failure.kind}}
