"""The list of runs and their pages, for a browser that has the key.

    app = make_page_app(store, Offer(make_agent, ("extractive",)))

Runs are shown live, started, followed up, forked, stopped, compared and deleted there. No path of a request is ever a
path of a file; a document is read by its ``docs://`` address, as a step of a plan would read it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from airoagent.conversation import Conversation
from airoagent.documents.read_page import read_page
from airoagent.records.difference import diff, difference_lines
from airoagent.records.run_record import Run
from airoagent.records.store import Store
from airoagent.serving.access import Access, JsonReply, Refused, application, json_body, sealed
from airoagent.serving.driver import Driver, Offer, Work, stream_of
from airoagent.view.page import assemble, document_page, render_page

_LIMIT: Final = 200  # runs in the list
_AT_ONCE: Final = 8  # runs
_LARGEST_BODY: Final = 256 * 1024  # bytes

Json = dict[str, Any]
Act = Callable[..., Awaitable[Response]]


def make_page_app(store: Store, offer: Offer) -> Starlette:
    """The pages alone; ``app.state.page_key`` is their key."""
    access = Access()
    pages = Pages(store, offer, access, asyncio.Semaphore(_AT_ONCE))
    return application(pages.routes(), access, pages.driver.close)


class Pages:
    """The pages of a server; ``driver`` runs the questions asked there and is closed before the server ends."""

    def __init__(self, store: Store, offer: Offer, access: Access, places: asyncio.Semaphore) -> None:
        self.store, self.offer, self.access, self.driver = store, offer, access, Driver(offer, store, places)

    def routes(self) -> list[BaseRoute]:
        """All addresses; each function says who may use it."""
        shown: dict[str, Act] = {"/": self.home, "/api/runs": self.runs, "/api/diff": self.compare}
        shown |= {"/document": self.document, "/runs/{id}": self.run}
        shown |= {"/runs/{id}/events": self.events, "/runs/{id}/asked": self.asked}
        done: dict[str, Act] = {"/api/runs": self.ask, "/runs/{id}/follow": self.follow, "/runs/{id}/fork": self.fork}
        done |= {"/runs/{id}/resume": self.resume, "/runs/{id}/asked": self.reply}
        done |= {"/runs/{id}/stop": self.stop, "/runs/{id}/delete": self.delete}
        acts = [(act, path, "POST") for path, act in done.items()] + [(act, path, "GET") for path, act in shown.items()]
        return [Route(path, self._checked(act), methods=[method]) for act, path, method in acts]

    def _checked(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if request.url.path == "/" and "key" in request.query_params:
                return sealed(self.access.let_in(request))
            self.access.check_browser(request)
            body = [await json_body(request, _LARGEST_BODY)] if request.method == "POST" else []
            return sealed(await act(request, *body))

        return answer

    # What is shown -----------------------------------------------------------------------------------------------

    async def home(self, request: Request) -> Response:
        offer = self.offer
        data = {"token": self.access.token, "models": offer.models, "folders": offer.folders}
        return HTMLResponse(assemble("list.html", ("common.js", "list.js"), data, title="airo", connect=True))

    async def runs(self, request: Request) -> Response:
        query, status = (request.query_params.get(name, "")[:200] for name in ("q", "status"))
        rows = await asyncio.to_thread(self.store.list, _LIMIT, query, status)
        return JsonReply({"runs": [asdict(row) for row in rows], "limit": _LIMIT})

    async def run(self, request: Request) -> Response:
        return HTMLResponse(await asyncio.to_thread(self._page, request.path_params["id"]))

    def _page(self, id: str) -> str:
        own = self.driver.driven.get(id)
        events = tuple(own.events) if own is not None else self.store.events(id)
        run = Run.from_events(events)
        live = run.status == "running" and (own is not None or self.store.status(id) == "running")
        return render_page(
            run,
            home="/",
            follow=f"/runs/{id}/events?after={len(events)}" if live else "",
            token=self.access.token,
            own=own is not None,
            folders=() if self.offer.documents is None else self.offer.documents.addresses,
        )

    async def events(self, request: Request) -> Response:
        word = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not re.fullmatch(r"[0-9]{1,9}", word):
            raise Refused(400, "`after` must be the number of events already received")
        stream = stream_of(self.driver, request.path_params["id"], int(word))
        await anext(stream)  # an unknown run is an error before the reply starts
        return StreamingResponse(stream, media_type="text/event-stream")

    async def asked(self, request: Request) -> Response:
        return JsonReply({"asked": self.driver.asked(request.path_params["id"])})

    async def compare(self, request: Request) -> Response:
        a, b = [await self._recorded(request.query_params.get(name, "")) for name in ("a", "b")]
        found = await asyncio.to_thread(diff, a, b)
        return JsonReply({"same": found.same, "lines": list(difference_lines(found))})

    async def document(self, request: Request) -> Response:
        url, documents = request.query_params.get("url", ""), self.offer.documents
        if documents is None:
            raise Refused(404, "this server was not started with documents")
        page = await asyncio.to_thread(lambda: read_page(*documents.read(url), url))
        return HTMLResponse(document_page(page.title, url, page.text))

    async def _recorded(self, id: str) -> Run:
        return Run.from_events(await asyncio.to_thread(self.store.events, id))

    # What is done ------------------------------------------------------------------------------------------------

    async def ask(self, request: Request, body: Json) -> Response:
        choice = self.offer.choice(_text(body, "model", ""), _text(body, "folder", ""))
        question = _text(body, "question")
        return _started(await self.driver.start(lambda agent, watch: agent.arun(question, watch=watch), choice))

    async def follow(self, request: Request, body: Json) -> Response:
        question, past = _text(body, "question"), await self._recorded(request.path_params["id"])
        return await self._after(past, lambda agent, watch: Conversation(agent, past).aask(question, watch=watch))

    async def fork(self, request: Request, body: Json) -> Response:
        edit, given = _texts(body, "edit"), _texts(body, "set")
        past = await self._recorded(request.path_params["id"])
        return await self._after(past, lambda agent, watch: agent.afork(past, edit=edit, set=given, watch=watch))

    async def _after(self, past: Run, work: Work) -> Response:
        return _started(await self.driver.start(work, self.driver.choice_of(past)))

    async def resume(self, request: Request, body: Json) -> Response:
        answers = _texts(body, "answers")
        return _started(await self.driver.resume(await self._recorded(request.path_params["id"]), answers))

    async def reply(self, request: Request, body: Json) -> Response:
        step, said = body.get("step"), body.get("reply")
        if not isinstance(step, str) or not isinstance(said, bool | str):
            raise Refused(400, "`step` must be text, `reply` text, true or false")
        if not self.driver.reply(request.path_params["id"], step, said):
            raise Refused(409, "this run is not waiting for a reply")
        return JsonReply({"replied": step})

    async def stop(self, request: Request, body: Json) -> Response:
        if not self.driver.stop(id := request.path_params["id"]):
            raise Refused(409, "this run was not started here, or has ended")
        return JsonReply({"stopped": id})

    async def delete(self, request: Request, body: Json) -> Response:
        await asyncio.to_thread(self.store.remove, id := request.path_params["id"])
        self.driver.driven.pop(id, None)
        return JsonReply({"deleted": id})


def _started(run: str) -> Response:
    return JsonReply({"run": run}, 201)


def _text(body: Json, name: str, default: str | None = None) -> str:
    text = body.get(name, default)
    if not isinstance(text, str):
        raise Refused(400, f"there is no {name}" if name not in body else f"`{name}` must be text")
    return text


def _texts(body: Json, name: str) -> dict[str, str]:
    value = body.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Refused(400, f"`{name}` must be an object of texts")
    return value
