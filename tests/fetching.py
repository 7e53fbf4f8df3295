"""A fetcher, a route, and what comes of it: what most tests of fetching begin with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from airoagent import Completion, Evidence, Fetcher, FetchError, Response, ToolContext
from airoagent.models.base import Purpose
from tests.loopback import Asked, Loopback, Route, Send

T = TypeVar("T")
PLAIN = b"Otters sleep afloat, holding paws."


class FakeClock:
    """A clock that jumps: sleeping takes no time and is written down."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def run(server: Loopback, action: Callable[[Fetcher], Awaitable[T]], **options: Any) -> T:
    """Do something with a fetcher that may reach this server."""
    options.setdefault("allow_private", [server.host])
    options.setdefault("timeout", 10.0)

    async def main() -> T:
        async with Fetcher(**options) as fetch:
            return await action(fetch)

    return asyncio.run(main())


def get(server: Loopback, route: Route, **options: Any) -> Response:
    """The answer of one route."""
    server.routes["/x"] = route
    return run(server, lambda fetch: fetch.fetch(server.url("/x")), **options)


def refused(server: Loopback, route: Route, **options: Any) -> FetchError:
    """The error that one route leads to."""
    with pytest.raises(FetchError) as caught:
        get(server, route, **options)
    assert caught.value.exit_code == 5
    assert not caught.value.message.endswith("."), caught.value.message
    return caught.value


def forever(piece: bytes, start: bytes = b"") -> Route:
    """Sends a piece again and again until the client hangs up."""

    def route(asked: Asked, send: Send) -> None:
        send(start)
        while True:
            send(piece)

    return route


def silent(start: bytes = b"") -> tuple[Route, threading.Event]:
    """Sends a beginning and then nothing, until the event is set."""
    wake = threading.Event()

    def route(asked: Asked, send: Send) -> None:
        send(start)
        wake.wait(30)

    return route, wake


def fetcher(server: Loopback | None = None, **options: Any) -> Fetcher:
    """A fetcher that may reach this server."""
    return Fetcher(allow_private=[server.host] if server else [], **{"timeout": 10.0, **options})


async def never_asked(prompt: str, purpose: Purpose) -> Completion:
    """A model for tools that have no business asking one."""
    raise AssertionError("this tool asks no model")


def make_context(*parts: str | Evidence, fetch: Fetcher | None = None, **settings: str) -> ToolContext:
    """What a tool is given for a step with this input."""
    return ToolContext("evidence9", "the question", parts, never_asked, fetch or fetcher(), settings=settings)
