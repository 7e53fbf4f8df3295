"""The list of runs and their pages, served to this machine's own browser and nobody else.

Bound to 127.0.0.1. A request must name this server as its host, which keeps out a page whose name was made to point
here; one that says it comes from elsewhere (``Origin``, ``Sec-Fetch-Site``) is refused; the browser must hold the
cookie that the printed address gives it, which keeps out other users of the machine; and what changes anything also
needs the token that stands in this server's own pages. No path of a request is ever a path of a file.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import json
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airoagent.agent import Agent
from airoagent.errors import AiroError, StoreError, UsageError
from airoagent.records.run_record import Run
from airoagent.records.store import Store
from airoagent.view.following import Driver, driven, messages, recorded
from airoagent.view.page import assemble, render_page

__all__ = ["ViewServer"]

_LIMIT = 200  # runs in the list
_LARGEST_BODY = 256 * 1024  # bytes
_MOST_CONNECTIONS = 64  # each has a thread
_LONGEST_REQUEST = 30.0  # seconds that a client may take to send one, or to take the next piece of an answer
_RUN = re.compile(r"/runs/([\w.-]{1,80})(/events|/stop|/fork)?")

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    view: ViewServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._guard = threading.Lock()
        self._strangers: dict[Any, None] = {}  # open connections that have not shown the key, oldest first
        self._known: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection; where there are too many, the oldest that has not shown the key makes room for it.

        So nobody else on the machine can keep the user out, and the user's own pages are not cut off.
        """
        with self._guard:
            if len(self._strangers) + len(self._known) >= _MOST_CONNECTIONS:
                if not self._strangers:
                    self.shutdown_request(request)
                    return
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._strangers[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._strangers.pop(request, None)
        self._known.discard(request)
        super().shutdown_request(request)

    def let_stay(self, request: Any) -> None:
        """The client of this connection has the key."""
        with self._guard:
            if request in self._strangers:
                del self._strangers[request]
                self._known.add(request)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up, which may ask the network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        # A browser that goes away in the middle of an answer is no news; anything else is a bug to be seen.
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Timed(io.RawIOBase):
    """What comes in over a connection; TimeoutError where a whole request is not there by ``ends``.

    A timeout of the socket alone starts again with every byte.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ends = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request was not sent in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class ViewServer:
    """Serves the runs of a store on 127.0.0.1.

    ``make_agent`` gives the agent for questions asked on the page; it is called at the first one. ``port`` 0 takes
    any free port. UsageError if the port is taken. Use it as a context manager, or call `close`.
    """

    def __init__(self, store: Store, make_agent: Callable[[], Agent], *, port: int = 0, model: str = "") -> None:
        self.store, self.model = store, model
        self.key, self.token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.closing = threading.Event()
        try:
            self._listener = _Listener(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used: {error}", "choose another with --port") from error
        self._listener.view = self
        self.port: int = self._listener.server_address[1]
        self.hosts = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        self.driver = Driver(make_agent)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.1}, name="airo-view", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to open: it holds the key."""
        return f"http://127.0.0.1:{self.port}/?key={self.key}"

    def close(self) -> None:
        """Stop the runs that were started here, each with its end on record, and stop serving."""
        self.driver.close()
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> ViewServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # else an answer to a bad request line would have no status
    server_version, sys_version = "airo", ""
    rfile: io.BufferedReader
    raw_requestline: bytes

    def setup(self) -> None:
        super().setup()
        self._sent = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._sent)

    def handle_one_request(self) -> None:
        self._sent.ends = time.monotonic() + _LONGEST_REQUEST
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Read the request; one without a version (HTTP/0.9) is refused before headers that never come are awaited."""
        if len(self.raw_requestline.split()) > 2:
            return super().parse_request()
        self.command, self.requestline, self.request_version = "", "", self.default_request_version
        self.send_error(400)
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not a request that this server knows, without repeating any of it."""
        self._error(code, HTTPStatus(code).description or HTTPStatus(code).phrase)

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: the terminal belongs to the user."""

    # Who is asking -----------------------------------------------------------------------------------------------

    def _answer(self, act: Callable[[], None]) -> None:
        try:
            self.connection.settimeout(_LONGEST_REQUEST)  # for what is written: a reader who stops reading is cut off
            self._check_origin()
            act()
        except _Refused as refused:
            self._error(refused.status, refused.message)
        except StoreError as error:
            self._error(404 if "there is no run" in error.message else 500, error.message, error.hint)
        except AiroError as error:
            self._error(400, error.message, error.hint)

    def _check_origin(self) -> None:
        view = self.server.view
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in view.hosts:
            raise _Refused(403, "this server answers only to its own name")
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{hosts[0].lower()}":
            raise _Refused(403, "requests from other pages are refused")
        if self.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site") and not self._is_visit():
            raise _Refused(403, "requests from other pages are refused")

    def _is_visit(self) -> bool:
        """Whether somebody follows a link to a page here: that reads nothing and is let through."""
        return self.command == "GET" and self.headers.get("Sec-Fetch-Mode") == "navigate"

    def _check_key(self) -> None:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        given = cookies.get(self._cookie)
        if given is None or not _same(given.value, self.server.view.key):
            raise _Refused(403, "open the address that `airo view` printed: it contains the key to this page")
        self.server.let_stay(self.request)

    @property
    def _cookie(self) -> str:
        return f"airo-{self.server.view.port}"  # cookies know no ports: two servers must not share one

    # What is asked -----------------------------------------------------------------------------------------------

    def _get(self) -> None:
        view = self.server.view
        try:
            address = urlsplit(self.path)
        except ValueError:  # e.g. half an IPv6 address
            raise _Refused(400, "this is not a valid address") from None
        if address.netloc and address.netloc.lower() not in view.hosts:
            raise _Refused(403, "this server answers only to its own name")
        query = parse_qs(address.query)
        if address.path == "/" and "key" in query:
            self._let_in(query["key"][0])
            return
        self._check_key()
        if address.path == "/":
            data = {"token": view.token, "model": view.model}
            page = assemble("list.html", ("common.js", "list.js"), data, title="airo", connect=True)
            self._send(200, "text/html; charset=utf-8", page.encode())
        elif address.path == "/api/runs":
            rows = view.store.list(_LIMIT, query.get("q", [""])[0][:200])
            runs = [{name: getattr(row, name) for name in row.__dataclass_fields__} for row in rows]
            self._json(200, {"runs": runs, "limit": _LIMIT})
        elif (match := _RUN.fullmatch(address.path)) and match[2] in (None, "/events"):
            if match[2]:
                self._follow(match[1], self._start(query))
            else:
                self._page(match[1])
        else:
            raise _Refused(404, "there is no such page")

    def _let_in(self, key: str) -> None:
        if not _same(key, self.server.view.key):
            raise _Refused(403, "this key belongs to another server: open the address that `airo view` printed")
        cookie = f"{self._cookie}={self.server.view.key}; Path=/; HttpOnly; SameSite=Lax"
        self._send(303, "text/plain", b"", {"Location": "/", "Set-Cookie": cookie})

    def _start(self, query: dict[str, list[str]]) -> int:
        word = self.headers.get("Last-Event-ID") or query.get("after", ["0"])[0]
        if not re.fullmatch(r"\d{1,9}", word):
            raise _Refused(400, "`after` must be the number of events already received")
        return int(word)

    def _page(self, id: str) -> None:
        view = self.server.view
        own = view.driver.driven.get(id)
        events = own.events() if own is not None else view.store.events(id)
        run = Run.from_events(events)
        live = run.status == "running" and (own is not None or view.store.status(id) == "running")
        page = render_page(
            run,
            home="/",
            follow=f"/runs/{id}/events?after={len(events)}" if live else "",
            token=view.token,
            own=own is not None,
        )
        self._send(200, "text/html; charset=utf-8", page.encode())

    def _follow(self, id: str, start: int) -> None:
        view = self.server.view
        own = view.driver.driven.get(id)
        past = (own.events() if own is not None else view.store.events(id))[:start]
        fresh = driven(own, start, view.closing) if own is not None else recorded(view.store, id, start, view.closing)
        self._head(200, "text/event-stream", {"Connection": "close"})
        self.close_connection = True
        number = start
        for message in messages(past, fresh):
            if message is None:
                self.wfile.write(b": still here\n\n")
            else:
                number += "event" in message
                self.wfile.write(f"id: {number}\ndata: {json.dumps(message)}\n\n".encode())
            self.wfile.flush()

    def _post(self) -> None:
        view = self.server.view
        self._check_key()
        if not _same(self.headers.get("X-Airo-Token", ""), view.token):
            raise _Refused(403, "this page belongs to an earlier server: reload it")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(415, "the body must be JSON")
        body = self._body()
        match = _RUN.fullmatch(self.path)
        if self.path == "/api/runs":
            question = body.get("question")
            if not isinstance(question, str):
                raise _Refused(400, "there is no question")
            self._json(201, {"run": view.driver.ask(question)})
        elif match and match[2] == "/stop":
            if not view.driver.stop(match[1]):
                raise _Refused(409, "this run was not started here, or has ended")
            self._json(200, {"stopped": match[1]})
        elif match and match[2] == "/fork":
            edit, given = _texts(body, "edit"), _texts(body, "set")
            parent = Run.from_events(view.store.events(match[1]))
            self._json(201, {"run": view.driver.fork(parent, edit, given)})
        else:
            raise _Refused(404, "there is no such page")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,9}", length) or int(length) > _LARGEST_BODY:
            self.close_connection = True
            raise _Refused(413, f"the request must state the length of its body, at most {_LARGEST_BODY} bytes")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise _Refused(400, "the body must be a JSON object")
        return value

    # What is answered --------------------------------------------------------------------------------------------

    def _head(self, status: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **_HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"Content-Length": str(len(body)), **(more or {})})
        self.wfile.write(body)

    def _json(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _error(self, status: int, message: str, hint: str = "") -> None:
        self.close_connection = True  # what is left of a refused request is not read as another
        with contextlib.suppress(ConnectionError):
            self._json(status, {"error": message, "hint": hint})


def _texts(body: dict[str, Any], name: str) -> dict[str, str]:
    """A JSON object of texts by step."""
    value = body.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _Refused(400, f"`{name}` must be an object of texts")
    return value


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
