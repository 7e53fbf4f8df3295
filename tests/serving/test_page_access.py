"""Who is let in to the pages: keys, hosts, origins, odd requests, and connections that do nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import select
import socket
import threading
from collections.abc import Iterator

import pytest

from airoagent import Agent, ScriptedModel, UsageError
from airoagent.records.store import Store
from airoagent.serving import access, http_server
from airoagent.serving.driver import Offer
from airoagent.serving.http_server import Server
from airoagent.serving.pages import make_page_app
from tests.serving.running import PLAN, Browser, Gate, browsing, running, shout, start


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which nothing is ever recorded."""
    store = Store(tmp_path_factory.mktemp("store") / "runs.sqlite3")
    yield store
    assert store.list() == ()
    store.close()


@pytest.fixture(scope="module")
def server(kept: Store) -> Iterator[Browser]:
    """One server for all requests that are refused."""
    with browsing(kept, lambda: Agent(ScriptedModel([PLAN]), [], store=kept)) as browser:
        yield browser


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1@evil.example", "", None]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_refused(server: Browser, method: str, host: str | None) -> None:
    status, _, text = server.ask(method, "/api/runs", {"question": "q"}, host=host and host.format(port=server.port))
    assert status == (400 if host is None else 403) and "question" not in text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(server: Browser, method: str, origin: str) -> None:
    status, _, _ = server.ask(method, "/api/runs", {"question": "q"}, origin=origin.format(port=server.port))
    assert status == 403


def test_a_request_that_another_page_makes_is_refused_and_a_followed_link_is_not(server: Browser) -> None:
    assert server.ask("GET", "/api/runs", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert server.ask("GET", "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200


@pytest.mark.parametrize("cookie", [None, "airo-{port}=wrong", "airo-{port}=", "x", "other={key}"])
def test_without_the_key_nothing_is_shown(server: Browser, cookie: str | None) -> None:
    for path in ("/", "/api/runs", "/runs/x", "/runs/x/events"):
        status, _, text = server.ask("GET", path, cookie=cookie and cookie.format(port=server.port, key=server.key))
        assert status == 403 and server.token not in text and "airo view" in text


def test_the_printed_address_gives_the_key_and_a_wrong_one_does_not(server: Browser) -> None:
    status, headers, _ = server.ask("GET", server.url.partition(str(server.port))[2], cookie=None)
    assert (status, headers["location"]) == (303, "/")
    assert server.cookie in headers["set-cookie"] and "HttpOnly" in headers["set-cookie"]
    assert server.key not in headers["set-cookie"], "a key that the user has chosen is not handed out"
    status, headers, _ = server.ask("GET", "/?key=wrong", cookie=None)
    assert status == 403 and "set-cookie" not in headers


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_question_without_the_token_is_not_asked(server: Browser, kept: Store, token: str | None) -> None:
    assert server.ask("POST", "/api/runs", {"question": "q"}, x_airo_token=token)[0] == 403
    assert kept.list() == ()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[1]", {}, 400),
        (b"[" * 100_000, {}, 400),
        ({}, {}, 400),
        ({"question": 1}, {}, 400),
        ({"question": "  "}, {}, 400),
        ({"question": "q"}, {"content_type": "text/plain"}, 415),
        (None, {"content_length": "999999999"}, 413),
        (b"493e0\r\n" + b"x" * 300_000 + b"\r\n0\r\n\r\n", {"transfer_encoding": "chunked"}, 413),
        (None, {"content_length": "-1"}, 400),
        (None, {"content_length": "x"}, 400),
    ],
)
def test_a_wrong_body_gets_a_sentence(
    server: Browser, kept: Store, body: object, headers: dict[str, str], status: int
) -> None:
    got, _, text = server.ask("POST", "/api/runs", body, **headers)
    assert got == status and json.loads(text)["error"]
    assert kept.list() == ()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/runs/../../etc/passwd",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/..",
        "/page.js",
        "//etc/passwd",
        "/runs/",
        "/runs/x/../../server.py",
        "/runs/no-such-run",
        "/runs/no-such-run/events",
        "/runs/%00",
        "/runs/x/stop",
    ],
)
def test_a_path_that_is_no_page_is_not_found(server: Browser, path: str) -> None:
    status, _, text = server.ask("GET", path)
    assert status == 404 and "root:" not in text and json.loads(text)["error"]


ODD_LINES = [
    b"GET http://[x HTTP/1.1",
    b"GET //[ HTTP/1.1",
    b"GET",
    b"\x00\xff\xfe",
    b"GET / HTTP/9.9",
    b"GET / HTTP/1.\xb2",
    b"GET / HTTP/1.1 x",
    b"POST /",
    b"PRI * HTTP/2.0",
    b"\x16\x03\x01\x02",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    b"GET /runs/%ff%fe/events?after=\xb2 HTTP/1.1",
    b"GET /api/runs?q=%00%ff&q=\x80 HTTP/1.1",
    b"GET http://user:pw@[::1]:99999999/ HTTP/1.1",
    b"GET http://other.example/ HTTP/1.1",
    b"",
    b" / HTTP/1.1",
    b"/",
    b"GET /",
    b"GET / HTTP/1.-1",
    b"GET / HTTP/1." + b"9" * 6000,
    b"DELETE / HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT other.example:443 HTTP/1.1",
    b"__class__ / HTTP/1.1",
    b"GET /nothing HTTP/1.1\r\nX: " + b"a" * 70_000,
    b"GET /nothing HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"Y: b",
]


@pytest.mark.parametrize("line", ODD_LINES, ids=lambda line: repr(line[:30]))
def test_an_odd_request_gets_an_answer_and_no_traceback(
    server: Browser, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    good = f"Host: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}\r\n".encode()
    for head in (b"", good, b"Host: \xff\r\nContent-Length: \xb2\r\n: x\r\n  y\r\n"):
        answer = send(server, line + b"\r\n" + head + b"\r\n")
        assert re.match(rb"HTTP/1\.1 (200|4\d\d) ", answer) or (line + head == b"" and answer == b""), answer[:200]
        assert b"x-frame-options: deny" in answer.lower() or not answer
    assert server.ask("GET", "/")[0] == 200
    assert capfd.readouterr().err == ""


def send(server: Browser, data: bytes) -> bytes:
    """What comes back for these bytes, up to the end of the connection: a reset, if not all of them were read."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    return answer


def test_many_silent_connections_do_not_keep_the_user_out_and_take_no_threads(server: Browser) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(300)]
    assert server.ask("GET", "/")[0] == 200
    assert threading.active_count() - before < 20
    for connection in silent:
        connection.close()


def test_the_oldest_silent_connections_make_room_and_one_that_has_shown_the_key_stays(
    store: Store, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 20)
    agent = Agent(ScriptedModel({"plan": [PLAN]}), [gate.gate, shout], store=store)
    with browsing(store, lambda: agent) as server:
        _crowd(server, gate)


def _crowd(server: Browser, gate: Gate) -> None:
    id = start(server)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as reader:
        reader.request("GET", f"/runs/{id}/events", headers={"Cookie": server.cookie})
        stream = reader.getresponse()  # the server has seen the key
        silent = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(60)]
        assert server.ask("GET", "/")[0] == 200
        with contextlib.suppress(ConnectionError):
            assert silent[0].recv(1) == b"", "the oldest was closed to make room"
        gate.opened.set()
        assert stream.read().endswith(b'data: {"end": true, "answered": true}\n\n')
    for connection in silent:
        connection.close()


def test_a_request_that_trickles_in_is_cut_off(server: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, each in time: what counts is the time of the whole."""
    monkeypatch.setattr(access, "LONGEST_REQUEST", 0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        try:
            while not select.select([connection], [], [], 0.02)[0]:
                connection.sendall(b"x")
                sent += 1
                assert sent < 1000
            assert connection.recv(1) == b""
        except ConnectionError:
            pass
    assert server.ask("GET", "/")[0] == 200


def test_every_answer_forbids_frames_sniffing_and_storing(server: Browser) -> None:
    for path in ("/", "/api/runs", "/nothing"):
        headers = server.ask("GET", path)[1]
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"


def test_it_listens_on_this_machine_alone(kept: Store) -> None:
    app = make_page_app(kept, Offer(lambda model, folder: Agent(store=kept), ("scripted",)))
    with running(app) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        with pytest.raises(UsageError, match=f"port {server.port} cannot be used"):
            Server(app, "127.0.0.1", server.port)
