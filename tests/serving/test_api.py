"""The API as its clients use it: a real server on the loopback interface, asked by the openai package and by hand."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from airoagent import Agent, Chunk, ModelInfo, Policy, ScriptedModel, ToolContext, ToolError, ToolOutput, tool
from airoagent.events import Source
from airoagent.serving.api import make_app
from airoagent.serving.driver import Offer
from tests.running import make_agent
from tests.serving.running import Browser, follow, page_of, running, start
from tests.source import ROOT

openai = pytest.importorskip("openai")

PLAN = "Plan: look it up\n:evidence0: = look[depth of the lake]\nAnswer: :evidence0:"


@tool
def look(text: str) -> ToolOutput:
    """Looks things up."""
    return ToolOutput(f"{text}: 1,642 m", (Source("docs://lakes/baikal.md", "Lake Baikal", "It is 1,642 m deep."),))


class EchoModel:
    """A model whose plan looks up the question."""

    info = ModelInfo("echo", "test", None, "none")

    def wrap(self, prompt: str) -> str:
        return prompt

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def stream(self, prompt: Any) -> Any:
        asked = prompt.text.rpartition("Question: ")[2].strip()
        yield Chunk(f":evidence0: = look[{asked}]\nAnswer: :evidence0:", "stop")

    async def aclose(self) -> None: ...


@contextmanager
def serving(agent: Agent, **options: Any) -> Iterator[str]:
    """The address of the API over this agent, while it runs."""
    with running(make_app(agent, **options)) as server:
        yield f"{server.url}/v1"


def client(url: str, key: str = "none") -> Any:
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0, http_client=httpx.Client(trust_env=False))


def ask(url: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/chat/completions", json=body, headers=headers, trust_env=False)


def question(text: str) -> dict[str, Any]:
    return {"model": "airo", "messages": [{"role": "user", "content": text}]}


def test_the_openai_package_gets_the_answer_the_steps_and_the_sources() -> None:
    with serving(make_agent(PLAN, look)) as url, client(url) as openai_client:
        completion = openai_client.chat.completions.create(**question("How deep is the lake?"))
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("depth of the lake: 1,642 m", "stop")
    assert "evidence0: look[depth of the lake]" in choice.message.reasoning_content
    (cited,) = choice.message.annotations
    assert (cited.type, cited.url_citation.url) == ("url_citation", "docs://lakes/baikal.md")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_it_streams_the_steps_as_reasoning_and_then_the_answer() -> None:
    with serving(make_agent(PLAN, look)) as url, client(url) as openai_client:
        stream = openai_client.chat.completions.create(
            **question("How deep?"), stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert reasoning.startswith("Plan: look it up") and "evidence0: look[" in reasoning
    assert "".join(delta.content or "" for delta in deltas) == "depth of the lake: 1,642 m"
    assert chunks[-1].usage is not None and len({chunk.id for chunk in chunks}) == 1


ANSWER = "It is 1,642 metres deep, which makes it the deepest lake of all; it is also the oldest one."
ASKED = ":evidence0: = look[lake]\n:evidence1: = KnowledgeModel[How deep, given :evidence0:?]\nAnswer: :evidence1:"


def test_the_answer_streams_as_the_model_writes_it_and_no_reasoning_comes_after_it() -> None:
    agent = make_agent(ASKED, look, answers=[f"{ANSWER}\nSource:\nurl: docs://lakes/baikal.md"])
    with serving(agent) as url, client(url) as openai_client:
        chunks = list(openai_client.chat.completions.create(**question("How deep?"), stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    pieces = [delta.content for delta in deltas if delta.content]
    assert len(pieces) > 5 and "".join(pieces) == ANSWER
    begun = next(place for place, delta in enumerate(deltas) if delta.content)
    reasoning = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert not any(reasoning[begun:]) and "evidence1: KnowledgeModel[How deep" in "".join(reasoning)
    (cited,) = deltas[-2].annotations
    assert cited["url_citation"]["url"] == "docs://lakes/baikal.md"


@pytest.mark.parametrize("again", [ANSWER, f"Well. {ANSWER}"])
def test_an_answer_whose_first_attempt_broke_continues_or_says_that_it_is_another(again: str) -> None:
    tries: list[int] = []

    @tool(outside=False, streams=True)
    async def retell(text: str, context: ToolContext) -> str:
        """Retells."""
        tries.append(1)
        written = (await context.ask(text, "answer")).text
        if len(tries) == 1:
            raise ToolError("the line broke", retryable=True, retry_after=0.0)
        return written

    agent = make_agent(":evidence0: = retell[x]\nAnswer: :evidence0:", retell, answers=[ANSWER, again])
    with serving(agent) as url, client(url) as openai_client:
        chunks = list(openai_client.chat.completions.create(**question("How deep?"), stream=True))
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert content == ANSWER if again == ANSWER else content.endswith(f"(The text above is not the answer.)\n\n{again}")


def test_a_step_that_failed_is_not_shown_as_running_when_the_answer_comes() -> None:
    @tool
    def broken(text: str) -> str:
        """Fails."""
        raise ToolError("the line broke")

    plans = [":evidence5: = broken[x]\nAnswer: :evidence5:", ASKED]
    agent = Agent(
        ScriptedModel({"plan": plans, "answer": [ANSWER]}), [broken, look], store=False, policy=Policy(replan=1)
    )
    with serving(agent) as url, client(url) as openai_client:
        chunks = list(openai_client.chat.completions.create(**question("How deep?"), stream=True))
    reasoning = "".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks)
    assert "broken failed: the line broke" in reasoning and "broken[x]\n" not in reasoning.partition("failed")[2]


def test_one_model_is_listed_as_airo() -> None:
    with serving(make_agent(PLAN, look)) as url, client(url) as openai_client:
        (listed,) = openai_client.models.list()
        assert (listed.id, listed.object, listed.owned_by) == ("airo", "model", "airoagent")
        assert openai_client.models.retrieve("airo") == listed
        with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-4o' here: it has airo"):
            openai_client.models.retrieve("gpt-4o")


def test_of_several_models_a_client_chooses_one_by_its_name_and_airo_is_the_first() -> None:
    def agent_of(name: str) -> Agent:
        return Agent(
            EchoModel(), [tool("look", description="Says it.")(lambda text: f"{name} says {text}")], store=False
        )

    agents = {name: agent_of(name) for name in ("one", "org/two")}
    offer = Offer(lambda model, folder: agents[model], tuple(agents))
    with serving(agents["one"], offer=offer) as url, client(url) as openai_client:
        assert [model.id for model in openai_client.models.list()] == ["airo", "one", "org/two"]
        assert openai_client.models.retrieve("org/two").id == "org/two"
        named = {"airo": ("one", "airo"), "one": ("one", "one"), "org/two": ("org/two", "org/two")}
        for model, (by, reported) in {**named, "gpt-4o": ("one", "airo")}.items():
            made = openai_client.chat.completions.create(**{**question("q"), "model": model})
            assert (made.choices[0].message.content, made.model) == (f"{by} says q", reported)


def test_the_completion_bears_the_id_of_its_run(tmp_path: Path) -> None:
    agent = make_agent(PLAN, look, store=tmp_path / "runs.sqlite3")
    with serving(agent) as url:
        run = ask(url, question("How deep?")).json()["id"]
    assert agent.replay(run).answer == "depth of the lake: 1,642 m"


def test_a_run_made_through_the_api_is_shown_on_the_page_which_has_a_key_of_its_own(tmp_path: Path) -> None:
    agent = make_agent(PLAN, look, store=tmp_path / "runs.sqlite3")
    app = make_app(agent, key="s3cr;t/&=")
    with running(app) as server:
        bearer = {"authorization": "Bearer s3cr;t/&="}
        run = ask(f"{server.url}/v1", question("How deep?"), **bearer).json()["id"]
        for path in ("/", f"/runs/{run}", "/api/runs", "/?key=wrong", "/?key=s3cr%3Bt/%26%3D"):
            assert httpx.get(f"{server.url}{path}", headers=bearer, trust_env=False).status_code == 403
        browser = Browser(page_of(server, app))
        assert "depth of the lake: 1,642 m" in browser.ask("GET", f"/runs/{run}")[2]
        follow(browser, start(browser, "Again?"))
        assert [row["question"] for row in json.loads(browser.ask("GET", "/api/runs")[2])["runs"]] == [
            "Again?",
            "How deep?",
        ]
    agent.close()


def test_without_a_key_the_api_is_open_to_this_machine_and_the_page_has_a_key_of_its_own(tmp_path: Path) -> None:
    agent = make_agent(PLAN, look, store=tmp_path / "runs.sqlite3")
    app = make_app(agent)
    with running(app) as server:
        assert ask(f"{server.url}/v1", question("How deep?")).status_code == 200
        for path in ("/", "/?key=", "/api/runs"):
            assert httpx.get(f"{server.url}{path}", trust_env=False).status_code == 403
        assert Browser(page_of(server, app)).ask("GET", "/")[0] == 200
    agent.close()


def test_the_last_message_is_asked_whose_parts_of_text_are_put_together() -> None:
    parts = [{"type": "text", "text": "How deep"}, {"type": "image_url"}, {"type": "text", "text": "is Lake Baikal?"}]
    with serving(Agent(EchoModel(), [look], store=False)) as url:
        answer = ask(url, {"messages": [{"role": "user", "content": parts}]}).json()
    assert content_of(answer) == "How deep\nis Lake Baikal?: 1,642 m"


def content_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def turns(*texts: str) -> dict[str, Any]:
    """A conversation, the user's turn and the assistant's by turns."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]}


def test_a_follow_up_is_completed_from_the_messages_before_it() -> None:
    with serving(Agent(EchoModel(), [look], store=False)) as url:
        first = content_of(ask(url, turns("How deep is Lake Baikal?")).json())
        second = ask(url, turns("How deep is Lake Baikal?", first, "And how old is it?")).json()
        third = ask(
            url, turns("How deep is Lake Baikal?", first, "And how old is it?", content_of(second), "How large is it?")
        )
    assert content_of(second) == "How old is Lake Baikal?: 1,642 m"
    assert second["choices"][0]["message"]["reasoning_content"].startswith("Asked: How old is Lake Baikal?")
    assert content_of(third.json()) == "How large is Lake Baikal?: 1,642 m"


def test_of_a_long_conversation_the_last_turns_count() -> None:
    """A body of 1 MB holds more than 12,000 turns, and each is completed from those before it."""
    near, far = ["How deep is Lake Baikal?", "1,642 m"], ["And it?", "x"] * 12_000
    with serving(Agent(EchoModel(), [look], store=False)) as url:
        answer = ask(url, turns(*far, *near, "How old is it?"))
    assert content_of(answer.json()) == "How old is Lake Baikal?: 1,642 m"


ASKS = (
    ":evidence0: = look[lake]\n:evidence1: = AskUser[Which of :evidence0:?]\n"
    ":evidence2: = AskUser[Is :evidence1: to be in metres?]\nAnswer: :evidence1:, :evidence2:"
)


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_to_the_user_is_the_answer_and_the_next_message_goes_on_with_the_run(
    tmp_path: Path, stream: bool
) -> None:
    looked: list[str] = []

    @tool("look")
    def counted(text: str) -> str:
        """Looks things up."""
        looked.append(text)
        return "five lakes"

    def said(url: str, *texts: str) -> str:
        with client(url) as openai_client:
            made = openai_client.chat.completions.create(model="airo", **turns(*texts), stream=stream)
            if stream:
                return "".join(chunk.choices[0].delta.content or "" for chunk in made if chunk.choices)
            return str(made.choices[0].message.content)

    agent = make_agent(ASKS, counted, "AskUser", store=tmp_path / "runs.sqlite3")  # type: ignore[arg-type]
    store = agent.session.records.open()
    assert store is not None
    with serving(agent) as url:
        talk = ["How deep is the lake?"]
        for asked, reply in (("Which of five lakes?", "Baikal"), ("Is Baikal to be in metres?", "yes")):
            assert said(url, *talk) == asked
            talk += [asked, reply]
            (row,) = store.list()  # one run for the whole conversation, which waits
            assert row.status == "interrupted"
        assert said(url, *talk) == "Baikal, yes"
        assert [row.status for row in store.list()] == ["done"]
        assert said(url, *talk[:2], "Garda") == "Is Garda to be in metres?"  # another answer is a fork
        assert [row.status for row in store.list()] == ["interrupted", "done"]
    assert looked == ["lake"]
    agent.close()


@contextmanager
def serve_process(home: Path, *options: str) -> Iterator[tuple[str, str]]:
    """The addresses of the API and the page of ``airo serve`` in a process of its own, killed at the end."""
    command = [sys.executable, "-m", "airoagent", "serve", "--port", "0", *options]
    environment = {**os.environ, "AIRO_HOME": str(home)}
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline().split()[2], process.stderr.readline().split()[1]
        finally:
            process.kill()


def test_a_question_to_the_user_can_be_answered_after_the_server_was_killed_and_more_than_once(tmp_path: Path) -> None:
    plan = ":evidence0: = AskUser[Which lake?]\n:evidence1: = Calculator[1 + 1]\nAnswer: :evidence0: :evidence1:"
    (tmp_path / "plan.txt").write_text(plan)
    options = ("-m", f"scripted:{tmp_path / 'plan.txt'}", "-T", "AskUser", "-T", "Calculator")
    with serve_process(tmp_path, *options) as (url, _):
        asked = ask(url, question("How deep?")).json()["choices"][0]["message"]["content"]
        assert asked == "Which lake?"
    with serve_process(tmp_path, *options) as (url, _):
        answers = [ask(url, turns("How deep?", asked, said)).json() for said in ("Baikal", "Baikal", "Garda")]
        assert [one["choices"][0]["message"]["content"] for one in answers] == ["Baikal 2", "Baikal 2", "Garda 2"]


def test_a_run_that_asks_on_the_page_is_resumed_there_after_the_server_was_killed(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text(":evidence0: = AskUser[Which lake?]\nAnswer: :evidence0:")
    options = ("-m", f"scripted:{tmp_path / 'plan.txt'}", "-T", "AskUser")

    def asked(browser: Browser) -> Any:
        while not (found := json.loads(browser.ask("GET", f"/runs/{run}/asked")[2])["asked"]):
            pass
        return found[0]["input"]

    with serve_process(tmp_path, *options) as (_, page):
        run = start(browser := Browser(page), "How deep?")
        assert asked(browser) == "Which lake?"
    with serve_process(tmp_path, *options) as (_, page):
        browser = Browser(page)
        (row,) = json.loads(browser.ask("GET", "/api/runs")[2])["runs"]
        assert (row["id"], row["status"]) == (run, "interrupted")
        assert json.loads(browser.ask("POST", f"/runs/{run}/resume", {})[2]) == {"run": run}
        assert asked(browser) == "Which lake?"
        assert browser.ask("POST", f"/runs/{run}/resume", {})[0] == 400  # it is in progress
        assert browser.ask("POST", f"/runs/{run}/asked", {"step": "evidence0", "reply": "Baikal"})[0] == 200
        assert follow(browser, run)[-1] == {"end": True, "answered": True}
        assert '"answer": "Baikal"' in browser.ask("GET", f"/runs/{run}")[2]
        assert f"the run {run} is done" in browser.ask("POST", f"/runs/{run}/resume", {})[2]


def test_a_run_that_asks_over_the_api_is_answered_on_the_page_or_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text(":evidence0: = AskUser[Which lake?]\nAnswer: :evidence0:")
    options = ("-m", f"scripted:{tmp_path / 'plan.txt'}", "-T", "AskUser")

    def airo(*args: str) -> str:
        command = [sys.executable, "-m", "airoagent", *args]
        environment = {**os.environ, "AIRO_HOME": str(tmp_path)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True).stdout

    with serve_process(tmp_path, *options) as (url, page):
        asked = ask(url, question("How deep?")).json()
        assert asked["choices"][0]["message"]["content"] == "Which lake?"
        browser = Browser(page)
        (row,) = json.loads(browser.ask("GET", "/api/runs")[2])["runs"]
        assert "AskUser waits" in asked["choices"][0]["message"]["reasoning_content"]
        assert row["status"] == "interrupted" and '"UserAwaited"' in browser.ask("GET", f"/runs/{row['id']}")[2]
        assert "waits for the user: Which lake?" in airo("runs", "show", row["id"])
        assert airo("fork", row["id"], "--set", "evidence0=Garda", "-q") == "Garda\n"
        reply = {"answers": {"evidence0": "Baikal"}}
        assert json.loads(browser.ask("POST", f"/runs/{row['id']}/resume", reply)[2]) == {"run": row["id"]}
        assert follow(browser, row["id"])[-1] == {"end": True, "answered": True}
        assert '"answer": "Baikal"' in browser.ask("GET", f"/runs/{row['id']}")[2]


def test_without_records_a_question_to_the_user_is_an_error_that_says_so() -> None:
    with serving(make_agent(":evidence0: = AskUser[Which?]\nAnswer: :evidence0:", "AskUser")) as url:  # type: ignore[arg-type]
        refused = ask(url, question("q"))
    assert refused.status_code == 400 and "nobody can be asked" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "not a JSON object"),
        ({}, "messages must be a list"),
        ({"messages": "hello"}, "messages must be a list"),
        ({"messages": [3]}, "messages must be a list"),
        ({"messages": []}, "no user message with text"),
        ({"messages": [{"role": "user", "content": " "}]}, "no user message with text"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "no user message with text"),
        ({"messages": [{"role": "user", "content": "x" * 40_000}]}, "40,000 characters"),
    ],
)
def test_a_request_that_cannot_be_asked_is_a_400_in_one_sentence(body: Any, told: str) -> None:
    with serving(make_agent(PLAN, look)) as url:
        answer = ask(url, body)
    assert answer.status_code == 400 and told in answer.json()["error"]["message"]


def test_what_is_not_json_or_too_large_or_elsewhere_is_refused() -> None:
    with serving(make_agent(PLAN, look)) as url:
        path = f"{url}/chat/completions"
        form = httpx.post(path, content=b"messages=hello", trust_env=False)
        broken = httpx.post(path, content=b"{", headers={"content-type": "application/json"}, trust_env=False)
        large = httpx.post(
            path, content=b" " * 1_100_000, headers={"content-type": "application/json"}, trust_env=False
        )
        lost = httpx.get(f"{url}/nowhere", trust_env=False)
    assert [one.status_code for one in (form, broken, large, lost)] == [415, 400, 413, 404]
    assert all(one.json()["error"]["message"] for one in (form, broken, large, lost))


def test_a_page_of_another_origin_and_another_name_for_this_machine_are_refused() -> None:
    with serving(Agent(EchoModel(), [look], store=False), hosts=("airo.lan",)) as url:
        foreign = ask(url, question("q"), origin="https://evil.example")
        rebound = ask(url, question("q"), host="evil.example:8383")
        own = ask(url, question("q"), origin="http://localhost:3000")
        named = ask(url, question("q"), host="airo.lan:8383")
    assert [one.status_code for one in (foreign, rebound, own, named)] == [403, 403, 200, 200]


def test_an_ipv6_address_to_listen_on_may_be_asked_by_its_name_in_an_address() -> None:
    with serving(Agent(EchoModel(), [look], store=False), hosts=("fd00::5",)) as url:
        named = ask(url, question("q"), host="[fd00::5]:8383", origin="http://[fd00::5]:3000")
        other = ask(url, question("q"), host="[fd00::6]:8383")
    assert [named.status_code, other.status_code] == [200, 403]


def test_a_client_that_goes_away_before_it_has_sent_its_request_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with running(make_app(Agent(EchoModel(), [look], store=False))) as server:
        for sent in ("", '{"messages"'):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n{sent}".encode())
                assert connection.recv(25), "the server reads the request"
        assert ask(f"{server.url}/v1", question("q")).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_surrogate_pair_in_a_question_is_answered(stream: bool) -> None:
    body = json.dumps({**question("\ud800 is odd"), "stream": stream}).encode()
    headers = {"content-type": "application/json"}
    with serving(Agent(EchoModel(), [look], store=False)) as url:
        answer = httpx.post(f"{url}/chat/completions", content=body, headers=headers, trust_env=False)
    assert answer.status_code == 200 and "is odd: 1,642 m" in answer.text


@pytest.mark.parametrize(("options", "with_usage"), [("x", False), ([1], False), ({"include_usage": True}, True)])
def test_the_usage_is_sent_where_it_is_asked_for(options: Any, with_usage: bool) -> None:
    with serving(Agent(EchoModel(), [look], store=False)) as url:
        answer = ask(url, {**question("q"), "stream": True, "stream_options": options})
    assert answer.status_code == 200 and ('"usage"' in answer.text) == with_usage


def test_a_key_is_asked_for_where_there_is_one() -> None:
    with serving(make_agent(PLAN, look), key="s3cret") as url:
        with client(url, "wrong") as openai_client, pytest.raises(openai.AuthenticationError):
            openai_client.chat.completions.create(**question("q"))
        assert httpx.get(f"{url}/models", trust_env=False).status_code == 401
        with client(url, "s3cret") as openai_client:
            assert openai_client.chat.completions.create(**question("q")).choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_that_fails_is_an_error_that_says_why(stream: bool) -> None:
    with serving(make_agent("no plan at all", look)) as url:
        answer = ask(url, {**question("q"), "stream": stream})
    if stream:
        lines = [line for line in answer.text.splitlines() if line]
        error = json.loads(lines[-1].removeprefix("data: "))["error"]
    else:
        assert answer.status_code == 502
        error = answer.json()["error"]
    assert "plan" in error["message"] and error["code"]


def test_a_client_that_goes_away_stops_its_run() -> None:
    stopped = threading.Event()
    started = threading.Event()

    @tool
    async def waits(text: str) -> str:
        """Waits."""
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return text

    with serving(make_agent(":evidence0: = waits[x]\nAnswer: :evidence0:", waits)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/chat/completions", json=question("q"), timeout=1.0, trust_env=False)
        assert started.is_set() and stopped.wait(20)


def test_a_hundred_at_once_are_all_answered() -> None:
    agent = Agent(EchoModel(), [look], store=False)

    async def ask_all(url: str) -> list[str]:
        async with httpx.AsyncClient(trust_env=False, timeout=60, limits=httpx.Limits(max_connections=100)) as http:
            answers = await asyncio.gather(
                *(http.post(f"{url}/chat/completions", json=question(f"number {n}?")) for n in range(100))
            )
        return [answer.json()["choices"][0]["message"]["content"] for answer in answers]

    with serving(agent, at_once=4) as url:
        answers = asyncio.run(ask_all(url))
    assert answers == [f"number {n}?: 1,642 m" for n in range(100)]


def test_more_than_may_wait_are_turned_away() -> None:
    with serving(make_agent(PLAN, look), most_waiting=0) as url:
        assert ask(url, question("q")).status_code == 429


def test_airo_serve_answers_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "airoagent", "serve", "--port", "0", "--docs", "examples/library"]
    environment = {**os.environ, "AIRO_HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[2]
            answer = ask(url, question("How deep is Lake Baikal?")).json()
            assert "1,642" in answer["choices"][0]["message"]["content"]
            page = process.stderr.readline().split()[1]
            with httpx.Client(trust_env=False, follow_redirects=True) as browser:
                assert browser.get(page).status_code == 200
                assert answer["id"] in browser.get(page.partition("?")[0] + "api/runs").text
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


def test_a_server_that_others_can_reach_needs_a_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airoagent", "serve", "--host", "0.0.0.0", "--port", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "--key" in done.stderr


FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "lake",
        "schema": {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]},
    },
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_asks_for_a_json_schema_gets_json(stream: bool) -> None:
    agent = Agent(docs=ROOT / "examples" / "library", store=False)
    with serving(agent) as url, client(url) as openai_client:
        asked = question("How deep is Lake Baikal?")
        made = openai_client.chat.completions.create(**asked, response_format=FORMAT, stream=stream)
        if stream:
            deltas = [chunk.choices[0].delta for chunk in made if chunk.choices]
            content = "".join(delta.content or "" for delta in deltas)
        else:
            content = made.choices[0].message.content
            assert made.choices[0].message.annotations
    assert json.loads(content) == {"depth": 1642}


@pytest.mark.parametrize(
    "wanted",
    [{"type": "json_object"}, "json", {"type": "json_schema"}, {**FORMAT, "json_schema": {"schema": {"type": 3}}}],
)
def test_a_response_format_that_is_not_known_is_refused(wanted: Any) -> None:
    with serving(make_agent(PLAN, look)) as url:
        refused = ask(url, {**question("q"), "response_format": wanted})
    assert refused.status_code == 400 and refused.json()["error"]["message"]
