"""The server of runs: who is let in, what is answered, runs that are followed live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent, Run, ScriptedModel, UsageError, tool
from airoagent.events import StepFinished
from airoagent.records.store import Store
from airoagent.serving import access, http_server
from airoagent.serving.driver import Offer
from airoagent.serving.http_server import Server
from airoagent.serving.pages import make_page_app
from tests.serving.running import Browser, Reply, running
from tests.view.chromium import Chromium

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


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "runs.sqlite3")
    yield store
    store.close()


Make = Callable[..., Agent]


@pytest.fixture
def make(store: Store, gate: Gate) -> Make:
    def agent(plans: int = 3) -> Agent:
        return Agent(ScriptedModel({"plan": [PLAN] * plans}), [gate.gate, shout], store=store)

    return agent


@contextmanager
def browsing(store: Store, make: Callable[[], Agent], **offer: Any) -> Iterator[Browser]:
    """A browser that has opened the pages of a server."""
    app = make_page_app(store, Offer(lambda model, folder: make(), ("scripted",), **offer))
    with running(app) as server:
        yield Browser(server, app)


@pytest.fixture
def server(store: Store, make: Make, gate: Gate) -> Iterator[Browser]:
    with browsing(store, make) as browser:
        yield browser
        gate.opened.set()


def ask(server: Browser, method: str, path: str, body: object = None, **headers: str | None) -> Reply:
    return server.ask(method, path, body, **headers)


def start(server: Browser, question: str = "Where do otters sleep?") -> str:
    status, _, text = ask(server, "POST", "/api/runs", {"question": question})
    assert status == 201, text
    return str(json.loads(text)["run"])


def stored(store: Store, id: str) -> Run:
    return Run.from_events(store.events(id))


# Who is let in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1@evil.example", "", None]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_refused(server: Browser, method: str, host: str | None) -> None:
    status, _, text = ask(server, method, "/api/runs", {"question": "q"}, host=host and host.format(port=server.port))
    assert status == (400 if host is None else 403) and "question" not in text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(server: Browser, method: str, origin: str) -> None:
    status, _, _ = ask(server, method, "/api/runs", {"question": "q"}, origin=origin.format(port=server.port))
    assert status == 403


def test_a_request_that_another_page_makes_is_refused_and_a_followed_link_is_not(server: Browser) -> None:
    assert ask(server, "GET", "/api/runs", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert ask(server, "GET", "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200


@pytest.mark.parametrize("cookie", [None, "airo-{port}=wrong", "airo-{port}=", "x", "other={key}"])
def test_without_the_key_nothing_is_shown(server: Browser, cookie: str | None) -> None:
    for path in ("/", "/api/runs", "/runs/x", "/runs/x/events"):
        status, _, text = ask(server, "GET", path, cookie=cookie and cookie.format(port=server.port, key=server.key))
        assert status == 403 and server.token not in text and "airo view" in text


def test_the_printed_address_gives_the_key_and_a_wrong_one_does_not(server: Browser) -> None:
    status, headers, _ = ask(server, "GET", server.url.partition(str(server.port))[2], cookie=None)
    assert (status, headers["location"]) == (303, "/")
    assert server.cookie in headers["set-cookie"] and "HttpOnly" in headers["set-cookie"]
    assert server.key not in headers["set-cookie"], "a key that the user has chosen is not handed out"
    status, headers, _ = ask(server, "GET", "/?key=wrong", cookie=None)
    assert status == 403 and "set-cookie" not in headers


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_question_without_the_token_is_not_asked(server: Browser, store: Store, token: str | None) -> None:
    assert ask(server, "POST", "/api/runs", {"question": "q"}, x_airo_token=token)[0] == 403
    assert store.list() == ()


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
        (b"x" * 300_000, {"content_length": None, "transfer_encoding": "chunked"}, 400),
        (None, {"content_length": "-1"}, 400),
        (None, {"content_length": "x"}, 400),
    ],
)
def test_a_wrong_body_gets_a_sentence(
    server: Browser, store: Store, body: object, headers: dict[str, str], status: int
) -> None:
    got, _, text = ask(server, "POST", "/api/runs", body, **headers)
    assert got == status and json.loads(text)["error"]
    assert store.list() == ()


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
    status, _, text = ask(server, "GET", path)
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
    assert ask(server, "GET", "/")[0] == 200
    assert capfd.readouterr().err == ""


def send(server: Browser, data: bytes) -> bytes:
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_many_silent_connections_do_not_keep_the_user_out_and_take_no_threads(server: Browser) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(300)]
    assert ask(server, "GET", "/")[0] == 200
    assert threading.active_count() - before < 20
    for connection in silent:
        connection.close()


def test_the_oldest_silent_connections_make_room_and_one_that_has_shown_the_key_stays(
    server: Browser, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 20)
    id = start(server)
    told: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: told.extend(follow(server, id)))
    reader.start()
    assert gate.entered.wait(30)
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(60)]
    assert ask(server, "GET", "/")[0] == 200
    with contextlib.suppress(ConnectionError):
        assert silent[0].recv(1) == b"", "the oldest was closed to make room"
    gate.opened.set()
    reader.join(30)
    assert told[-1] == {"end": True, "answered": True}
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
    assert ask(server, "GET", "/")[0] == 200


def test_every_answer_forbids_frames_sniffing_and_storing(server: Browser) -> None:
    for path in ("/", "/api/runs", "/nothing"):
        headers = ask(server, "GET", path)[1]
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"


def test_it_listens_on_this_machine_alone(store: Store, make: Make) -> None:
    app = make_page_app(store, Offer(lambda model, folder: make(), ("scripted",)))
    with running(app) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        with pytest.raises(UsageError, match=f"port {server.port} cannot be used"):
            Server(app, "127.0.0.1", server.port)


# Runs ----------------------------------------------------------------------------------------------------------------


def test_a_run_is_started_listed_and_shown(server: Browser, gate: Gate, store: Store) -> None:
    gate.opened.set()
    id = start(server)
    lines = follow(server, id)
    assert lines[-1] == {"end": True, "answered": True}
    rows = json.loads(ask(server, "GET", "/api/runs?q=otters")[2])["runs"]
    assert [(row["id"], row["status"], row["answer"]) for row in rows] == [(id, "done", "KELP FOR OTTERS")]
    assert json.loads(ask(server, "GET", "/api/runs?q=nothing")[2])["runs"] == []
    assert "KELP FOR OTTERS" in ask(server, "GET", f"/runs/{id}")[2]


def follow(server: Browser, id: str, after: int = 0, **headers: str) -> list[dict[str, Any]]:
    """All messages of a run's stream, to its end."""
    status, head, text = ask(server, "GET", f"/runs/{id}/events?after={after}", **headers)
    assert status == 200 and head["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_the_stream_tells_every_event_live_ones_too_and_the_plan_while_it_grows(server: Browser, gate: Gate) -> None:
    id = start(server)
    assert gate.entered.wait(30)
    gate.opened.set()
    told = follow(server, id)
    types = [message["event"]["type"] for message in told if "event" in message]
    assert types[0] == "run_started" and types[-1] == "run_finished" and "plan_text" in types
    plans = [message["plan"]["steps"] for message in told if "plan" in message]
    assert len(plans[0]) <= len(plans[-1]) == 2
    number = types.index("step_finished")
    assert follow(server, id, number)[0]["event"]["type"] == "step_finished"
    assert follow(server, id, 0, last_event_id=str(number))[0]["event"]["type"] == "step_finished"


def test_a_run_of_another_process_is_followed_from_the_record(store: Store, make: Make, gate: Gate) -> None:
    """The server has its own hold of the file and drives nothing: all it can know is what is on record."""
    other = Store(store.path)
    with browsing(other, make) as server:
        run = threading.Thread(target=make().run, args=("Where?",))
        run.start()
        assert gate.entered.wait(30)
        id = store.list()[0].id
        assert f'"follow": "/runs/{id}/events?after=' in ask(server, "GET", f"/runs/{id}")[2]
        lines: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: lines.extend(follow(server, id)))
        reader.start()
        gate.opened.set()
        run.join(30)
        reader.join(30)
        assert [line["event"]["type"] for line in lines if "event" in line] == [e.type for e in store.events(id)]
        assert '"follow": ""' in ask(server, "GET", f"/runs/{id}")[2]
    other.close()


async def never(text: str) -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return ""


def waiting(store: Store) -> Agent:
    """An agent whose runs end only when they are stopped."""
    model = ScriptedModel({"plan": ["Plan: a\n:evidence0: = never[x]\nAnswer: :evidence0:"] * 3})
    return Agent(model, [never], store=store)


def test_a_run_can_be_stopped_and_its_record_says_so(store: Store) -> None:
    with browsing(store, lambda: waiting(store)) as server:
        id = start(server)
        assert ask(server, "POST", f"/runs/{id}/stop", {}, x_airo_token="wrong")[0] == 403
        assert ask(server, "POST", f"/runs/{id}/stop", {})[0] == 200
        assert follow(server, id)[-1] == {"end": True, "answered": False}
        assert stored(store, id).status == "interrupted"
        assert ask(server, "POST", f"/runs/{id}/stop", {})[0] == 409


def test_closing_the_server_ends_its_runs_on_record(store: Store) -> None:
    with browsing(store, lambda: waiting(store)) as server:
        id = start(server)
    assert stored(store, id).status == "interrupted"


def test_an_agent_that_cannot_be_made_is_told_in_a_sentence(store: Store) -> None:
    def broken() -> Agent:
        raise UsageError("there is no such model", "choose another")

    with browsing(store, broken) as server:
        status, _, text = ask(server, "POST", "/api/runs", {"question": "q"})
    error = json.loads(text)["error"]
    assert (status, error["message"], error["hint"]) == (400, "there is no such model", "choose another")


@pytest.mark.parametrize(
    ("change", "answer", "calls"),
    [
        ({"edit": {"evidence1": "softly, :evidence0:"}}, "SOFTLY, KELP FOR OTTERS", ["evidence1"]),
        ({"set": {"evidence0": "sand"}}, "SAND", ["evidence1"]),
    ],
)
def test_a_fork_runs_only_what_the_change_reaches(
    server: Browser, gate: Gate, store: Store, change: dict[str, Any], answer: str, calls: list[str]
) -> None:
    gate.opened.set()
    parent = start(server)
    follow(server, parent)
    status, _, text = ask(server, "POST", f"/runs/{parent}/fork", change)
    assert status == 201, text
    id = json.loads(text)["run"]
    follow(server, id)
    run = stored(store, id)
    assert (run.answer, run.parent) == (answer, parent)
    finished = [event for event in run.events if isinstance(event, StepFinished)]
    assert [event.step for event in finished if event.origin == "call"] == calls


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"edit": []},
        {"edit": {"evidence0": 1}},
        {"edit": {"evidence9": "x"}},
        {"edit": {"evidence0": ":evidence1:"}},
    ],
)
def test_a_fork_that_cannot_be_is_told(server: Browser, gate: Gate, store: Store, change: dict[str, Any]) -> None:
    gate.opened.set()
    parent = start(server)
    follow(server, parent)
    status, _, text = ask(server, "POST", f"/runs/{parent}/fork", change)
    assert status == 400 and json.loads(text)["error"]
    assert len(store.list()) == 1


# In a browser --------------------------------------------------------------------------------------------------------


def test_a_question_asked_in_the_browser_is_followed_live(chromium: Chromium, server: Browser, gate: Gate) -> None:
    chromium.look()
    chromium.open(server.url)
    chromium.until("document.getElementById('count').textContent === '0'")
    chromium.run("document.getElementById('question').value = 'Where do <b>otters</b> sleep?'")
    chromium.run("document.getElementById('ask').requestSubmit()")
    chromium.until("document.querySelector('#step-evidence0[data-status=running]') !== null")
    assert gate.entered.wait(30)
    assert chromium.run("document.querySelector('.pill').textContent") == "running"
    assert chromium.run("document.querySelector('.said') .textContent.includes('gate')")
    gate.opened.set()
    chromium.until("document.querySelector('.pill').textContent === 'done'")
    assert chromium.run("document.querySelector('.said').textContent") == "KELP FOR OTTERS"
    assert chromium.run("document.querySelector('h1').textContent") == "Where do <b>otters</b> sleep?"
    assert chromium.run("document.querySelectorAll('.step[data-status=done]').length") == 2
    assert chromium.problems == []
    own = f"http://127.0.0.1:{server.port}/"
    assert [url for url in chromium.requests if not url.startswith((own, "data:"))] == []
    chromium.run("document.getElementById('brand').click()")
    chromium.until("document.querySelectorAll('.list a').length === 1")
    assert chromium.problems == []


def test_a_step_is_forked_in_the_browser(chromium: Chromium, server: Browser, gate: Gate) -> None:
    gate.opened.set()
    id = start(server)
    follow(server, id)
    chromium.look()
    chromium.open(server.url)
    chromium.open(f"http://127.0.0.1:{server.port}/runs/{id}#step-evidence1")
    chromium.until("document.querySelector('#step-evidence1 textarea') !== null")
    chromium.run("document.querySelector('#step-evidence1 textarea').value = 'what, :evidence0:'")
    buttons = "[...document.querySelectorAll('#step-evidence1 button')]"
    chromium.run(f"{buttons}.find((one) => /run the/.test(one.textContent)).click()")
    chromium.until("document.querySelector('.said')?.textContent === 'WHAT, KELP FOR OTTERS'")
    assert chromium.run("document.querySelector('#record a').textContent") == id
    assert chromium.problems == []


def test_a_follow_up_is_asked_under_a_run(chromium: Chromium, server: Browser, gate: Gate, store: Store) -> None:
    gate.opened.set()
    parent = start(server, "Where does the Sea Otter sleep?")
    follow(server, parent)
    chromium.look()
    chromium.open(server.url)
    chromium.open(f"http://127.0.0.1:{server.port}/runs/{parent}")
    chromium.until("document.querySelector('.follow input') !== null")
    chromium.run("document.querySelector('.follow input').value = 'And what does it eat?'")
    chromium.run("document.querySelector('.follow').requestSubmit()")
    chromium.until("document.querySelector('h1')?.textContent === 'What does the Sea Otter eat?'")
    chromium.until("document.querySelector('.pill')?.textContent === 'done'")
    assert chromium.run("document.querySelector('.meta').textContent.includes('you said: And what does it eat?')")
    assert chromium.problems == []
    run = stored(store, store.list()[0].id)
    assert (run.parent, run.setting("said")) == (parent, "And what does it eat?")


@pytest.mark.parametrize("body", [{}, {"question": 3}, {"question": "  "}])
def test_a_follow_up_that_is_no_question_is_refused(server: Browser, gate: Gate, body: dict[str, Any]) -> None:
    gate.opened.set()
    parent = start(server)
    follow(server, parent)
    assert ask(server, "POST", f"/runs/{parent}/follow", body)[0] == 400
    assert ask(server, "POST", "/runs/none/follow", {"question": "Why?"})[0] == 404


ASKS = (
    ":evidence0: = AskUser[Which city do you live in?]\n:evidence1: = post[to :evidence0:]\n"
    "Answer: :evidence0:: :evidence1:"
)


@tool(side_effects=True)
def post(text: str) -> str:
    """Sends a letter."""
    return f"sent {text}"


@pytest.fixture
def asking(store: Store) -> Iterator[Browser]:
    """A server whose runs ask the user a question, and then for leave to send something."""
    with browsing(store, lambda: Agent(ScriptedModel([ASKS]), ["AskUser", post], store=store)) as browser:
        yield browser


def test_a_question_of_the_plan_and_a_call_with_side_effects_are_asked_about_on_the_page(
    chromium: Chromium, asking: Browser
) -> None:
    id = start(asking)
    chromium.look()
    chromium.open(asking.url)
    chromium.open(f"http://127.0.0.1:{asking.port}/runs/{id}")
    chromium.until("document.querySelector('.asked .said')?.textContent === 'Which city do you live in?'")
    chromium.run("document.querySelector('.asked textarea').value = 'Oslo'")
    chromium.run("document.querySelector('.asked').requestSubmit()")
    chromium.until("document.querySelector('.asked .said')?.textContent.includes('post, which has side effects')")
    assert chromium.run("document.querySelector('.asked textarea').value") == "to Oslo"
    chromium.run("document.querySelector('.asked').requestSubmit()")
    chromium.until("document.querySelector('.pill')?.textContent === 'done'")
    chromium.until("document.querySelector('.asked') === null")
    assert chromium.run("document.querySelector('.said').textContent") == "Oslo: sent to Oslo"
    assert chromium.run("document.querySelector('.answer .label').textContent") == "Answer"
    assert chromium.problems == []


def test_a_call_that_is_refused_on_the_page_is_not_made(asking: Browser, store: Store) -> None:
    id = start(asking)
    assert ask(asking, "POST", f"/runs/{id}/asked", {"step": "evidence7", "reply": True})[0] == 409
    assert ask(asking, "POST", f"/runs/{id}/asked", {"step": "evidence0", "reply": 3})[0] == 400
    for step, said in (("evidence0", "Oslo"), ("evidence1", False)):
        while not any(one["step"] == step for one in json.loads(ask(asking, "GET", f"/runs/{id}/asked")[2])["asked"]):
            pass
        assert ask(asking, "POST", f"/runs/{id}/asked", {"step": step, "reply": said})[0] == 200
    follow(asking, id)
    run = stored(store, id)
    assert run.status == "failed" and "was not approved" in run.failed["evidence1"].message
    assert json.loads(ask(asking, "GET", f"/runs/{id}/asked")[2]) == {"asked": []}
