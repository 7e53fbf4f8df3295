"""The pages of runs, as their server answers and as a real browser shows them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent, Run, ScriptedModel, StoreError, UsageError, tool
from airoagent.documents.library import Documents
from airoagent.errors import UserAwaited
from airoagent.events import Event, RunStarted, StepFinished
from airoagent.plan.steps import Step
from airoagent.records.store import Store
from airoagent.serving.driver import Driven, Offer
from airoagent.serving.pages import make_page_app
from airoagent.toolbox.tool import Tool
from tests.serving.running import PLAN, Browser, Gate, browsing, follow, page_of, running, shout, start
from tests.source import ROOT
from tests.view.chromium import Chromium

Make = Callable[..., Agent]


@pytest.fixture
def make(store: Store, gate: Gate) -> Make:
    def agent(plans: int = 3) -> Agent:
        return Agent(ScriptedModel({"plan": [PLAN] * plans}), [gate.gate, shout], store=store)

    return agent


@pytest.fixture
def server(store: Store, make: Make, gate: Gate) -> Iterator[Browser]:
    with browsing(store, make) as browser:
        yield browser
        gate.opened.set()


def stored(store: Store, id: str) -> Run:
    return Run.from_events(store.events(id))


# Runs ----------------------------------------------------------------------------------------------------------------


def test_a_run_is_started_listed_and_shown(server: Browser, gate: Gate, store: Store) -> None:
    gate.opened.set()
    id = start(server)
    lines = follow(server, id)
    assert lines[-1] == {"end": True, "answered": True}
    rows = json.loads(server.ask("GET", "/api/runs?q=otters")[2])["runs"]
    assert [(row["id"], row["status"], row["answer"]) for row in rows] == [(id, "done", "KELP FOR OTTERS")]
    assert json.loads(server.ask("GET", "/api/runs?q=nothing")[2])["runs"] == []
    assert "KELP FOR OTTERS" in server.ask("GET", f"/runs/{id}")[2]


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


def test_what_happens_while_a_reader_is_slow_is_not_missed() -> None:
    async def read() -> tuple[Event, ...]:
        driven = Driven(("scripted", ""))
        reader = driven.follow(0)
        assert await anext(reader) == ()
        driven.take(RunStarted("r", "q", "m"))
        await asyncio.sleep(0)  # the reader is woken before it waits
        return await asyncio.wait_for(anext(reader), 5)

    assert len(asyncio.run(read())) == 1


def test_a_run_of_another_process_is_followed_from_the_record(store: Store, make: Make, gate: Gate) -> None:
    """The server has its own hold of the file and drives nothing: all it can know is what is on record."""
    other = Store(store.path)
    with browsing(other, make) as server:
        run = threading.Thread(target=make().run, args=("Where?",))
        run.start()
        assert gate.entered.wait(30)
        id = store.list()[0].id
        assert f'"follow": "/runs/{id}/events?after=' in server.ask("GET", f"/runs/{id}")[2]
        lines: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: lines.extend(follow(server, id)))
        reader.start()
        gate.opened.set()
        run.join(30)
        reader.join(30)
        assert [line["event"]["type"] for line in lines if "event" in line] == [e.type for e in store.events(id)]
        assert '"follow": ""' in server.ask("GET", f"/runs/{id}")[2]
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
        assert server.ask("POST", f"/runs/{id}/stop", {}, x_airo_token="wrong")[0] == 403
        assert server.ask("POST", f"/runs/{id}/stop", {})[0] == 200
        assert follow(server, id)[-1] == {"end": True, "answered": False}
        assert stored(store, id).status == "interrupted"
        assert server.ask("POST", f"/runs/{id}/stop", {})[0] == 409


def test_closing_the_server_ends_its_runs_on_record(store: Store) -> None:
    with browsing(store, lambda: waiting(store)) as server:
        id = start(server)
    assert stored(store, id).status == "interrupted"


def test_an_agent_that_cannot_be_made_is_told_in_a_sentence(store: Store) -> None:
    def broken() -> Agent:
        raise UsageError("there is no such model", "choose another")

    with browsing(store, broken) as server:
        status, _, text = server.ask("POST", "/api/runs", {"question": "q"})
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
    status, _, text = server.ask("POST", f"/runs/{parent}/fork", change)
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
    status, _, text = server.ask("POST", f"/runs/{parent}/fork", change)
    assert status == 400 and json.loads(text)["error"]
    assert len(store.list()) == 1


def done(server: Browser, question: str = "Where do otters sleep?") -> str:
    """A run that has ended."""
    follow(server, id := start(server, question))
    return id


def test_the_list_is_filtered_by_words_and_by_status(server: Browser, gate: Gate) -> None:
    def listed(query: str) -> list[str]:
        return [row["id"] for row in json.loads(server.ask("GET", f"/api/runs?{query}")[2])["runs"]]

    running = start(server)
    assert gate.entered.wait(30)
    assert (listed("status=running"), listed("status=done")) == ([running], [])
    gate.opened.set()
    follow(server, running)
    assert (listed("status=done"), listed("status=running")) == ([running], [])
    assert listed("status=done&q=otters") == [running] and listed("status=failed&q=otters") == []
    assert listed("status=none") == []


def test_a_run_is_deleted_once_it_has_ended(server: Browser, gate: Gate, store: Store) -> None:
    id = start(server)
    assert gate.entered.wait(30)
    status, _, text = server.ask("POST", f"/runs/{id}/delete", {})
    assert status == 400 and "still going" in json.loads(text)["error"]["message"]
    gate.opened.set()
    follow(server, id)
    assert server.ask("POST", f"/runs/{id}/delete", {}, x_airo_token=None)[0] == 403
    assert server.ask("POST", f"/runs/{id}/delete", {})[0] == 200
    assert store.list() == () and server.ask("GET", f"/runs/{id}")[0] == 404
    with pytest.raises(StoreError, match="there is no run"):
        store.events(id)
    assert server.ask("POST", f"/runs/{id}/delete", {})[0] == 404


def test_two_runs_are_compared_as_airo_diff_compares_them(server: Browser, gate: Gate) -> None:
    gate.opened.set()
    a = done(server)
    b = json.loads(server.ask("POST", f"/runs/{a}/fork", {"set": {"evidence0": "sand"}})[2])["run"]
    follow(server, b)
    found = json.loads(server.ask("GET", f"/api/diff?a={a}&b={b}")[2])
    assert not found["same"] and {"-kelp for otters", "+sand", "+SAND"} <= set(found["lines"])
    assert json.loads(server.ask("GET", f"/api/diff?a={a}&b={a}")[2])["same"]
    assert server.ask("GET", f"/api/diff?a={a}&b=nothing")[0] == 404


def test_a_question_may_choose_a_model_and_a_folder_that_the_server_was_started_with(
    store: Store, make: Make, gate: Gate
) -> None:
    gate.opened.set()
    made: list[tuple[str, str]] = []

    @cache
    def choose(model: str, folder: str) -> Agent:
        made.append((model, folder))
        return make()

    app = make_page_app(store, Offer(choose, ("one", "two"), ("books", "letters")))
    with running(app) as server:
        browser = Browser(page_of(server, app))
        parent = done(browser)
        for choice in ({"model": "two"}, {"model": "two", "folder": "letters"}, {"model": "two"}):
            assert browser.ask("POST", "/api/runs", {"question": "q", **choice})[0] == 201
        assert made == [("one", ""), ("two", ""), ("two", "letters")]
        assert browser.ask("POST", f"/runs/{parent}/follow", {"question": "Why?"})[0] == 201
        assert len(made) == 3, "a follow-up goes to the model that answered"
        for choice in ({"model": "three"}, {"folder": "/etc"}, {"folder": "../books"}, {"model": 3}):
            status, _, text = browser.ask("POST", "/api/runs", {"question": "q", **choice})
            assert status == 400 and json.loads(text)["error"]["message"]


@pytest.fixture
def reading(store: Store, make: Make, gate: Gate, tmp_path: Path) -> Iterator[Browser]:
    """A server that was started with a folder of documents, one of them hostile."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "bad.html").write_text(
        "<p>Otters &lt;script&gt;window.pwned = 1&lt;/script&gt; &lt;img src=x&gt; sleep.</p>"
    )
    (tmp_path / "secret.txt").write_text("secret")
    documents = Documents([ROOT / "examples" / "library", folder], tmp_path / "cache")
    with browsing(store, make, documents=documents) as browser:
        yield browser


def test_a_document_is_shown_as_text(reading: Browser, chromium: Chromium) -> None:
    _, headers, page = reading.ask("GET", "/document?url=docs://library/lake-baikal.html")
    assert "1,642 metres" in page and "<script" not in page and headers["content-type"].startswith("text/html")
    chromium.look()
    chromium.open(reading.url)
    chromium.open(f"http://127.0.0.1:{reading.port}/document?url=docs://folder/bad.html")
    shown = chromium.run("document.querySelector('main').innerText")
    assert "Otters <script>window.pwned = 1</script> <img src=x> sleep." in shown
    assert chromium.run("document.querySelectorAll('script, img').length") == 0
    assert chromium.problems == []


@pytest.mark.parametrize(
    "url",
    ["docs://folder/../secret.txt", "docs://folder/%2e%2e/secret.txt", "docs://other/x", "file:///etc/passwd", "", "x"],
)
def test_only_documents_of_the_servers_folders_are_shown(reading: Browser, url: str) -> None:
    status, _, text = reading.ask("GET", f"/document?url={url}")
    assert status in (400, 404) and "secret" not in text.replace("secret.txt", "") and "root:" not in text


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
    assert server.ask("POST", f"/runs/{parent}/follow", body)[0] == 400
    assert server.ask("POST", "/runs/none/follow", {"question": "Why?"})[0] == 404


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


def test_a_run_that_waits_for_an_answer_in_a_chat_shows_its_question_and_can_be_answered_on_the_page(
    chromium: Chromium, asking: Browser, store: Store
) -> None:
    async def later(step: Step, tool: Tool, input: str) -> bool:
        raise UserAwaited(input)

    plan = ":evidence0: = AskUser[Which city?]\nAnswer: :evidence0:"
    waits = Agent(ScriptedModel([plan]), ["AskUser"], store=store, approve=later).run("Where?")
    assert waits.status == "interrupted"
    chromium.look()
    chromium.open(asking.url)
    chromium.until("document.querySelector('#list .a')?.textContent.includes('waits for the user: Which city?')")
    chromium.open(f"http://127.0.0.1:{asking.port}/runs/{waits.id}")
    chromium.until("document.querySelector('.asked .said')?.textContent === 'Which city?'")
    assert chromium.run("document.querySelector('.pill').textContent") == "waiting for you"
    assert chromium.run("document.querySelectorAll('form').length") == 1  # no follow-up before there is an answer
    chromium.run("document.querySelector('.asked textarea').value = 'Oslo'")
    chromium.run("document.querySelector('.asked').requestSubmit()")
    chromium.until("document.querySelector('.pill')?.textContent === 'done'")
    assert chromium.run("document.querySelector('.said').textContent") == "Oslo"
    assert chromium.problems == []


def test_a_call_that_is_refused_on_the_page_is_not_made(asking: Browser, store: Store) -> None:
    id = start(asking)
    assert asking.ask("POST", f"/runs/{id}/asked", {"step": "evidence7", "reply": True})[0] == 409
    assert asking.ask("POST", f"/runs/{id}/asked", {"step": "evidence0", "reply": 3})[0] == 400
    for step, said in (("evidence0", "Oslo"), ("evidence1", False)):
        while not any(one["step"] == step for one in json.loads(asking.ask("GET", f"/runs/{id}/asked")[2])["asked"]):
            pass
        assert asking.ask("POST", f"/runs/{id}/asked", {"step": step, "reply": said})[0] == 200
    follow(asking, id)
    run = stored(store, id)
    assert run.status == "failed" and "was not approved" in run.failed["evidence1"].message
    assert json.loads(asking.ask("GET", f"/runs/{id}/asked")[2]) == {"asked": []}


CHOICES = "[...document.querySelectorAll('.list input')]"


def test_runs_are_chosen_compared_and_deleted_in_the_browser(
    chromium: Chromium, server: Browser, gate: Gate, store: Store
) -> None:
    gate.opened.set()
    first, second = done(server), done(server, "Where do <b>seals</b> sleep?")
    chromium.look(width=390)
    chromium.open(server.url)
    chromium.until(f"{CHOICES}.length === 2")
    assert chromium.run("document.getElementById('choices').offsetHeight") > 0, "which model answers is in sight"
    assert chromium.run("[...document.querySelectorAll('.list a')].every((one) => one.scrollWidth <= one.clientWidth)")
    assert chromium.run("document.getElementById('delete').disabled && document.getElementById('compare').disabled")
    chromium.run(f"{CHOICES}.forEach((one) => one.click())")
    chromium.run("document.getElementById('compare').click()")
    chromium.until("document.getElementById('difference').open")
    added = "[...document.querySelectorAll('.diff .add')].map((one) => one.textContent)"
    assert chromium.run(added) == ["+Where do <b>seals</b> sleep?"]
    assert chromium.run("document.documentElement.scrollWidth") <= 390
    chromium.press("Escape")
    chromium.run(f"{CHOICES}[1].click()")  # the older one stays
    chromium.run("document.getElementById('delete').click()")
    assert "Delete 1 run?" in chromium.run("document.getElementById('sure').innerText")
    assert len(store.list()) == 2, "nothing is deleted before the answer"
    chromium.run("document.getElementById('yes').click()")
    chromium.until(f"{CHOICES}.length === 1")
    assert [row.id for row in store.list()] == [first] and second != first
    chromium.run("document.getElementById('status').value = 'failed'")
    chromium.run("document.getElementById('status').dispatchEvent(new Event('change'))")
    chromium.until("document.querySelector('.list').textContent === 'no run matches'")
    assert chromium.problems == []


def test_a_fork_is_compared_with_its_parent_from_its_page(chromium: Chromium, server: Browser, gate: Gate) -> None:
    gate.opened.set()
    parent = done(server)
    fork = json.loads(server.ask("POST", f"/runs/{parent}/fork", {"set": {"evidence0": "sand"}})[2])["run"]
    follow(server, fork)
    chromium.look()
    chromium.open(server.url)
    chromium.open(f"http://127.0.0.1:{server.port}/runs/{fork}")
    chromium.run("[...document.querySelectorAll('#record a')].find((one) => one.textContent === 'compare').click()")
    chromium.until("document.getElementById('difference')?.open")
    assert "+SAND" in chromium.run("document.querySelector('.diff').innerText")
    assert chromium.problems == []


def test_sources_link_to_the_documents_that_the_server_reads_and_to_no_others(
    chromium: Chromium, store: Store, tmp_path: Path
) -> None:
    library = ROOT / "examples" / "library"
    run = Agent(docs=library, store=store).run("How deep is Lake Baikal?")
    (tmp_path / "other.txt").write_text("Nothing about lakes.")
    links = "[...document.querySelectorAll('#answer a')].map((one) => one.getAttribute('href'))"
    for folder, linked in ((library, True), (tmp_path, False)):
        documents = Documents([folder], tmp_path / "cache")
        with browsing(store, lambda: Agent(store=store), documents=documents) as server:
            chromium.look()
            chromium.open(server.url)
            chromium.open(f"http://127.0.0.1:{server.port}/runs/{run.id}")
            found = chromium.run(links)
            assert bool(found) is linked
            if linked:
                assert found[0].startswith("/document?url=docs%3A%2F%2Flibrary%2Flake-baikal.html#:~:text=")
                chromium.open(f"http://127.0.0.1:{server.port}{found[0]}")
                assert "1,642 metres" in chromium.run("document.body.innerText")
            assert chromium.problems == []
