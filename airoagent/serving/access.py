"""Access control and refusals, shared by the API and the pages.

A browser on this machine can reach a loopback port on behalf of any page, so a request must name this server as its
host and must not come from a page of another host. The API takes its key as a bearer token. The pages, which show and
delete all runs, have a key of their own: the address ``/?key=KEY`` gives the browser a cookie, and requests that change
anything also need the token in this server's own pages.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from airoagent.errors import AiroError

KNOWN: Final = "airo.known"
"""Set in the scope of a request whose client has sent the key."""

LONGEST_REQUEST: Final = 30.0  # seconds that a client may take to send one, or to take the next piece of an answer

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind


class Access:
    """The keys of a server. ``key`` is what clients of the API must send ("": none); ``hosts`` are names, in addition
    to the loopback ones, that a request may be addressed to."""

    def __init__(self, key: str = "", hosts: Iterable[str] = ()) -> None:
        self.hosts = frozenset(map(_name_of, ("127.0.0.1", "localhost", "::1", *hosts)))
        self.key, self.page_key = key, secrets.token_urlsafe(24)
        self.token, self._cookie = secrets.token_urlsafe(24), secrets.token_urlsafe(24)

    def check_client(self, request: Request) -> None:
        """Refuse a request to the API from a page of another host, or without the key."""
        self._check_host(request)
        origin = request.headers.get("origin", "")
        if origin and _host_of(origin) not in self.hosts:
            raise Refused(403, "requests from pages of another origin are refused")
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self.key and not _same(sent, self.key):
            raise Refused(401, "the API key is missing or wrong", "authentication_error")
        request.scope[KNOWN] = True

    def let_in(self, request: Request) -> Response:
        """Give the browser the cookie for the key in the address."""
        self._check_page(request)
        if not _same(request.query_params.get("key", ""), self.page_key):
            raise Refused(403, "this key is wrong, or belongs to another server")
        reply = RedirectResponse("/", 303)
        reply.set_cookie(self._cookie_name(request), self._cookie, httponly=True, samesite="lax")
        return reply

    def check_browser(self, request: Request) -> None:
        """Refuse what does not come from this server's own pages, opened with the key."""
        self._check_page(request)
        if not _same(request.cookies.get(self._cookie_name(request), ""), self._cookie):
            raise Refused(403, "open the address that `airo view` or `airo serve` printed, with the key in it")
        request.scope[KNOWN] = True
        if request.method == "POST" and not _same(request.headers.get("x-airo-token", ""), self.token):
            raise Refused(403, "this page belongs to an earlier server: reload it")

    def _check_page(self, request: Request) -> None:
        self._check_host(request)
        headers = request.headers
        if headers.get("origin", own := f"{request.url.scheme}://{headers['host']}").lower() != own.lower():
            raise Refused(403, "requests from other pages are refused")
        # Following a link to a page here shows the other page nothing, so it is allowed.
        visit = request.method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not visit:
            raise Refused(403, "requests from other pages are refused")

    def _check_host(self, request: Request) -> None:
        names = request.headers.getlist("host")
        host = names[0].lower() if len(names) == 1 else ""
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if name not in self.hosts:
            raise Refused(403, f"{name[:100]!r} is not a host name of this server")

    def _cookie_name(self, request: Request) -> str:
        return f"airo-{request.scope['server'][1]}"  # cookies ignore ports: two servers must not share one


def _name_of(host: str) -> str:
    """A host as requests name it: an IPv6 address is in brackets there."""
    return f"[{host.lower()}]" if ":" in host and not host.startswith("[") else host.lower()


def _host_of(origin: str) -> str:
    try:
        return _name_of(urlsplit(origin).hostname or "")
    except ValueError:  # e.g. half an IPv6 address
        return ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


async def json_body(request: Request, most: int) -> dict[str, Any]:
    """The JSON object in a request, of at most so many bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "the request must be application/json")
    held = b""
    large = Refused(413, f"the request is larger than {most // 1024} kB")
    if int(request.headers.get("content-length", "0")) > most:
        raise large
    try:
        async with asyncio.timeout(LONGEST_REQUEST):
            async for piece in request.stream():
                held += piece
                if len(held) > most:
                    raise large
        value = json.loads(held)
    except ClientDisconnect:
        raise Refused(499, "the client has gone") from None
    except TimeoutError:
        raise Refused(408, "the request was not sent in time") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the request is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(400, "the request is not a JSON object")
    return value


class JsonReply(JSONResponse):
    """JSON in ASCII: half a surrogate pair, which a client may send and a model may write, has no other form."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


def sealed(reply: Response) -> Response:
    """The reply with headers that forbid browsers to store it, frame it or guess its type."""
    reply.headers.update(HEADERS)
    return reply


def error_reply(status: int, message: str, kind: str = "invalid_request_error", hint: str = "") -> Response:
    """An error in one sentence, in the form that OpenAI's clients read."""
    return sealed(JsonReply({"error": {"message": message, "type": kind, "code": None, "hint": hint}}, status))


async def _refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return error_reply(error.status, error.message, error.kind)
    assert isinstance(error, AiroError)
    missing = error.message.startswith("there is no run")
    return error_reply(404 if missing else 400, error.message, error.kind, error.hint)


async def _not_found(request: Request, error: Exception) -> Response:
    return error_reply(404, f"there is no {request.method} {request.url.path[:200]} here")


def application(
    routes: Sequence[BaseRoute],
    access: Access,
    stop: Callable[[], Awaitable[None]] | None,
    within: Callable[[Starlette], AbstractAsyncContextManager[Any]] | None = None,
) -> Starlette:
    """The routes as an application whose errors are one sentence.

    ``stop`` is awaited when it ends, and may be awaited before (``app.state.stop``); it runs inside ``within``.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with within(app) if within else nullcontext():
            yield
            if stop is not None:
                await stop()

    handlers: dict[Any, Any] = {Refused: _refusal, AiroError: _refusal, 404: _not_found, 405: _not_found}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.page_key, app.state.stop = access.page_key, stop
    return app
