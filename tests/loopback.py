"""A web server on the loopback interface that behaves as badly as it is told to.

    with Loopback({"/slow": drip(b"x"), "/": page("<p>Hello</p>")}) as server:
        Fetcher(allow_private=[server.host]) ... server.url("/slow")

A route is a function of the request and of ``send``, which writes raw bytes; what it sends is what goes out. The
connection is closed when the route returns. Every request is kept in ``server.requests``.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Send = Callable[[bytes], None]


@dataclass(frozen=True)
class Asked:
    """A request as it came: its path with the query, and its headers by small-letter name."""

    path: str
    headers: dict[str, str]


Route = Callable[[Asked, Send], None]


@dataclass
class Loopback:
    """A running server; ``gone`` is set when it is being stopped, for routes that wait."""

    routes: dict[str, Route]
    port: int = 0
    requests: list[Asked] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def paths(self) -> list[str]:
        """The paths asked for, without robots.txt."""
        return [asked.path for asked in self.requests if asked.path != "/robots.txt"]


@contextmanager
def loopback(routes: dict[str, Route]) -> Iterator[Loopback]:
    """Serve these routes; any other path is 404."""
    state = Loopback(routes)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = []
            while (line := self.rfile.readline(65536)) not in (b"\r\n", b""):
                head.append(line.decode("latin-1").rstrip("\r\n"))
            if not head:
                return
            path = head[0].split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            asked = Asked(path, headers)
            state.requests.append(asked)
            route = state.routes.get(path) or state.routes.get(path.partition("?")[0]) or answer(404, b"no such page")
            try:
                route(asked, self._send)
            except (BrokenPipeError, ConnectionResetError):
                # Hanging up on us is what a careful client does.
                return

        def _send(self, data: bytes) -> None:
            if state.gone.is_set():
                raise BrokenPipeError
            self.request.sendall(data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            state.gone.set()
            server.shutdown()
            thread.join()


def head(status: int, **headers: str | int) -> bytes:
    """A status line and headers; underscores in names are hyphens."""
    lines = [f"HTTP/1.1 {status} Said So", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status: int, body: bytes = b"", **headers: str | int) -> Route:
    """A whole answer with the right length, unless the headers say otherwise."""
    full = {"Content_Type": "text/plain", "Content_Length": len(body), **headers}
    sent = head(status, **{name: value for name, value in full.items() if value != ""}) + body
    return lambda asked, send: send(sent)


def page(html: str, content_type: str = "text/html; charset=utf-8") -> Route:
    """A page of HTML."""
    return answer(200, html.encode(), Content_Type=content_type)


def redirect(target: str, status: int = 302) -> Route:
    """An answer that sends the client elsewhere."""
    return answer(status, b"", Location=target)


def in_turn(*routes: Route) -> Route:
    """The first route for the first request, and so on; the last one for all that follow."""
    left = list(routes)

    def route(asked: Asked, send: Send) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(asked, send)

    return route
