"""A real server on the loopback interface, for the tests of the API and of the pages."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.applications import Starlette

from airoagent import Agent
from airoagent.records.store import Store
from airoagent.serving.driver import Offer
from airoagent.serving.http_server import Server
from airoagent.serving.pages import make_page_app

Reply = tuple[int, dict[str, str], str]


@contextmanager
def running(app: Starlette) -> Iterator[Server]:
    """A server of this application, which answers until the block ends."""
    server = Server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(20)
        server.socket.close()
        assert not thread.is_alive()


def page_of(server: Server, app: Starlette) -> str:
    """The address of the list of runs, with the key of the pages."""
    return f"{server.url}/?key={quote(app.state.page_key)}"


class Browser:
    """Asks a server as its own pages do, with the cookie and the token that they have."""

    def __init__(self, url: str) -> None:
        self.url, parts = url, urlsplit(url)
        self.port, self.key = parts.port or 0, parse_qs(parts.query)["key"][0]
        self.cookie = self.token = ""
        self.cookie = self.ask("GET", f"/?key={quote(self.key)}")[1]["set-cookie"].partition(";")[0]
        data = self.ask("GET", "/")[2].partition('id="data">')[2].partition("<")[0]
        self.token = str(json.loads(data)["token"])

    def ask(self, method: str, path: str, body: object = None, **headers: str | None) -> Reply:
        """A request; ``headers`` change or (None) leave out one."""
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            sent |= {"Content-Type": "application/json", "X-Airo-Token": self.token}
            sent["Origin"] = f"http://127.0.0.1:{self.port}"
        for name, value in headers.items():
            key = name.replace("_", "-").title()
            sent.pop(key, None)
            if value is not None:
                sent[key] = value
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            if method == "POST" and "Transfer-Encoding" not in sent:
                sent.setdefault("Content-Length", str(len(data)))
            for key, value in sent.items():
                connection.putheader(key, value)
            connection.endheaders(data)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode()
        finally:
            connection.close()


@contextmanager
def browsing(store: Store, make: Callable[[], Agent], **offer: Any) -> Iterator[Browser]:
    """A browser that has opened the pages of a server."""
    app = make_page_app(store, Offer(cache(lambda model, folder: make()), ("scripted",), **offer))
    with running(app) as server:
        yield Browser(page_of(server, app))


PLAN = "Plan: Look.\n:evidence0: = gate[otters]\nPlan: Read.\n:evidence1: = shout[:evidence0:]\nAnswer: :evidence1:"


class Gate:
    """A tool that does not answer before it is let; a test then sees a run half-way without waiting by the clock."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def gate(self, text: str) -> str:
        """Waits to be opened."""
        self.entered.set()
        assert self.opened.wait(30)
        return f"kelp for {text}"


def shout(text: str) -> str:
    """Makes it loud."""
    return text.upper()


def start(browser: Browser, question: str = "Where do otters sleep?") -> str:
    status, _, text = browser.ask("POST", "/api/runs", {"question": question})
    assert status == 201, text
    return str(json.loads(text)["run"])


def follow(browser: Browser, id: str, after: int = 0, **headers: str) -> list[dict[str, Any]]:
    """All messages of a run's stream, to its end."""
    status, head, text = browser.ask("GET", f"/runs/{id}/events?after={after}", **headers)
    assert status == 200 and head["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
