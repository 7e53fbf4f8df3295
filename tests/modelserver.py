"""A real HTTP server on the loopback interface that answers as a model's server would, or as badly as it is told to.

with serving({"/v1/completions": said(" In the kelp.")}) as served:
    ServerModel(served.url)
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Handler", "Served", "as_json", "events", "failing", "first", "piece", "plain", "said", "serving"]


@dataclass
class Served:
    """A running server: its address, and the requests it got, as (path, body, headers)."""

    url: str
    requests: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        return self.requests[-1][1]


Handler = BaseHTTPRequestHandler
Answer = Callable[[Handler, int], None]
"""Writes an answer; the number says how often this path has been asked before."""


@contextmanager
def serving(routes: dict[str, Answer], context: ssl.SSLContext | None = None) -> Iterator[Served]:
    """The server while it runs; with a ``context`` it speaks https."""
    served = Served("")
    asked: dict[str, int] = {}

    class Asked(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            headers = {key.lower(): value for key, value in self.headers.items()}
            served.requests.append((self.path, body, headers))
            times = asked.get(self.path, 0)
            asked[self.path] = times + 1
            routes.get(self.path, failing(404))(self, times)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plain(status: int, content: bytes, kind: str = "application/json", **headers: str) -> Answer:
    def send(handler: Handler, times: int) -> None:
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return send


def failing(status: int, **headers: str) -> Answer:
    return plain(status, b'{"error": {"message": "it is so"}}', **headers)


def as_json(value: Any) -> Answer:
    return plain(200, json.dumps(value).encode())


def events(*lines: str) -> Answer:
    """Server-sent events; the connection is closed after the last."""

    def send(handler: Handler, times: int) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream; charset=utf-8")
        handler.end_headers()
        for line in lines:
            handler.wfile.write(f"{line}\n\n".encode())
            handler.wfile.flush()

    return send


def piece(text: str, finish: str | None = None) -> str:
    return "data: " + json.dumps({"choices": [{"text": text, "finish_reason": finish}]})


def said(*texts: str, finish: str = "stop") -> Answer:
    return events(*map(piece, texts), piece("", finish), "data: [DONE]")


def first(failure: Answer, then: Answer, *, times: int = 1) -> Answer:
    return lambda handler, number: (failure if number < times else then)(handler, number)
