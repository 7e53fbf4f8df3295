"""What goes wrong with servers at home: each is one sentence, a hint and exit code 3, in the words of each server."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from airoagent.calls.call_grammar import call_grammar
from airoagent.errors import ModelError
from airoagent.models.base import Chunk, Completion, Prompt, Sampling, complete
from airoagent.models.server.client import ServerModel
from airoagent.models.server.dialects import DIALECTS
from airoagent.models.server.stream import estimate_tokens
from airoagent.models.stopping import ThoughtFilter
from airoagent.prompts.grammar import Grammar, Rep, Rule, Seq, Text, chars
from airoagent.prompts.own_text import after_thoughts
from tests.modelserver import Answer, Handler, as_json, events, failing, first, piece, plain, said, serving


def ask(url: str, prompt: Prompt | None = None, **settings: Any) -> Completion:
    model = ServerModel(url, pause=0.001, **settings)
    return asyncio.run(complete(model, prompt or Prompt("Where?", sampling=Sampling(max_tokens=20, seed=7))))


def listing(owner: str, *names: str) -> Answer:
    return as_json({"data": [{"id": name, "owned_by": owner} for name in names or ("m",)]})


def usage(read: int, written: int) -> str:
    counts = {"prompt_tokens": read, "completion_tokens": written}
    return "data: " + json.dumps({"choices": [], "usage": counts})


def refusal(answer: Answer, **settings: Any) -> ModelError:
    """The error that this answer to the completion ends in."""
    routes = {"/v1/models": listing("", "airoboros", "mistral"), "/v1/completions": answer}
    with serving(routes) as served, pytest.raises(ModelError) as caught:
        ask(served.url, **settings)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 3
    return caught.value


@pytest.mark.parametrize(
    ("status", "said_so"),
    [
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "request (3001 tokens) exceeds the available context size (1024 "
                    "tokens), try increasing it",
                    "type": "exceed_context_size_error",
                    "n_ctx": 1024,
                }
            },
        ),
        (
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 1024 tokens. However, you requested 3001 tokens",
                "type": "BadRequestError",
                "code": 400,
            },
        ),
        (400, {"error": {"message": "This model's maximum context length is 1024 tokens, however you requested 3001"}}),
        (
            400,
            {
                "error": "Trying to keep the first 3001 tokens when context the overflows. However, the model is "
                "loaded with context length of only 1024 tokens"
            },
        ),
        (500, {"detail": "the prompt is 3001 tokens, and the truncation length 1024"}),
    ],
    ids=["llama.cpp", "vllm", "llama-cpp-python", "lmstudio", "text-generation-webui"],
)
def test_a_text_over_the_window_is_told_in_the_words_of_each_server(status: int, said_so: dict[str, Any]) -> None:
    error = refusal(plain(status, json.dumps(said_so).encode()))
    assert "does not fit the window" in error.message
    assert "3001" in error.message
    assert "-o context" in error.hint
    streamed = refusal(events(piece("a"), "data: " + json.dumps(said_so if "error" in said_so else {"error": said_so})))
    assert "does not fit the window" in streamed.message


@pytest.mark.parametrize(
    ("status", "said_so"),
    [
        (404, {"error": {"message": "The model `airobros` does not exist.", "type": "NotFoundError", "code": 404}}),
        (404, {"object": "error", "message": "The model `airobros` does not exist.", "code": 404}),
        (400, {"error": {"message": 'model "airobros" not found'}}),
    ],
)
def test_a_model_that_the_server_does_not_have_is_named_with_those_it_has(status: int, said_so: dict[str, Any]) -> None:
    error = refusal(plain(status, json.dumps(said_so).encode()), model="airobros")
    assert "has no model 'airobros'" in error.message
    assert error.hint == "it has airoboros, mistral: -o model NAME"


@pytest.mark.parametrize(
    ("said_so", "reason"),
    [
        (
            {"detail": {"error": "Service Unavailable", "msg": "Server is busy; please try again later."}},
            "refused (503): Server is busy; please try again later.",
        ),
        (
            {"detail": [{"loc": ["body"], "msg": "Field required"}, {"msg": "Extra"}]},
            "refused (503): Field required; Extra",
        ),
        ({"error": "no"}, "refused (503): no"),
        ({"strange": 1}, 'refused (503): {"strange": 1}'),
    ],
)
def test_the_reason_is_found_wherever_a_server_puts_it(said_so: dict[str, Any], reason: str) -> None:
    assert reason in refusal(plain(503, json.dumps(said_so).encode()), retries=0).message


def test_a_server_that_is_loading_is_waited_for_however_often() -> None:
    loading = plain(503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}')
    routes = {
        "/v1/models": first(loading, listing("llamacpp"), times=7),
        "/v1/completions": first(loading, said("Up."), times=7),
    }
    with serving(routes) as served:
        assert ask(served.url, retries=1).text == "Up."


def test_a_server_that_never_ends_loading_is_given_up() -> None:
    loading = plain(503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}')
    error = refusal(loading, retries=0, timeout=1)
    assert "refused (503): Loading model" in error.message


def test_https_where_http_is_spoken_and_the_other_way_round() -> None:
    with serving({"/v1/completions": said("x")}) as served, pytest.raises(ModelError) as caught:
        ask(served.url.replace("http:", "https:"), retries=50)
    assert "does not speak https" in caught.value.message
    assert caught.value.hint == f"try {served.url}"

    silent = socket.socket()  # It takes connections, and never says a word.
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    url = f"https://127.0.0.1:{silent.getsockname()[1]}"
    with silent, pytest.raises(ModelError, match="no server answers") as caught:
        ask(url, timeout=0.1, retries=50)
    assert "if it speaks http, try http://" in caught.value.hint

    def hang_up(handler: Handler, times: int) -> None:
        handler.close_connection = True

    assert "does the server expect https?" in refusal(hang_up).hint


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the certificate of the test is made with openssl")
def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(
        [str(shutil.which("openssl")), *command.split(), *names], check=True, capture_output=True, timeout=60
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serving({"/v1/completions": said("x")}, context) as served:
        with pytest.raises(ModelError, match="is not trusted") as caught:
            ask(served.url)
        assert "SSL_CERT_FILE" in caught.value.hint
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        assert ask(served.url).text == "x"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(ModelError, match="cannot be read"):
            ask(served.url)


def test_a_redirect_is_told_and_the_key_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRO_API_KEY", "s3cret")
    with serving({"/v1/completions": said("x")}) as other:
        for route in ("/v1/models", "/v1/completions"):
            moved = plain(308, b"", location=f"{other.url}{route}")
            with serving({route: moved}) as served, pytest.raises(ModelError, match="redirects to") as caught:
                ask(served.url)
            assert other.url in caught.value.message
            assert "s3cret" not in caught.value.message
    assert other.requests == []


def test_a_server_that_stalls_half_way_is_given_up() -> None:
    gone = threading.Event()

    def stall(handler: Handler, times: int) -> None:
        events(piece("Half"))(handler, times)
        gone.wait(30)

    try:
        assert "has sent nothing for 0.2 s" in refusal(stall, timeout=0.2).message
    finally:
        gone.set()


def test_characters_cut_in_two_and_odd_line_ends_are_one_text() -> None:
    lines = f"{piece('Ötter')}\r\n\r\n: ping\n\n".encode()
    lines += b'data: {"choices": [{"text": "' + " 日本\u2028\u0085x".encode() + b'"}]}\n\n' + piece("", "stop").encode()

    def trickle(handler: Handler, times: int) -> None:
        events()(handler, times)
        for at in range(len(lines)):
            handler.wfile.write(lines[at : at + 1])
            handler.wfile.flush()
        handler.wfile.write(b"\n\ndata: [DONE]")  # As KoboldCpp ends it: without a line end.

    with serving({"/v1/completions": trickle}) as served:
        assert ask(served.url).text == "Ötter 日本\u2028\u0085x"


def test_a_line_without_end_is_given_up() -> None:
    def flood(handler: Handler, times: int) -> None:
        events()(handler, times)
        try:
            for _ in range(10):
                handler.wfile.write(b"data: " + b"x" * 1_000_000)
        except OSError:
            return

    assert "more than 8 MB at once" in refusal(flood).message
    assert "more than 8 MB at once" in refusal(plain(200, b"[" * 9_000_000)).message


@pytest.mark.parametrize(
    "answer",
    [
        events('error: {"code": 500, "message": "the GPU is gone"}'),
        events(piece("a"), 'data: {"object": "error", "message": "the GPU is gone"}'),
        as_json({"error": "the GPU is gone"}),
        as_json({"object": "error", "message": "the GPU is gone", "code": 500}),
    ],
)
def test_an_error_in_place_of_an_answer_is_told(answer: Answer) -> None:
    assert refusal(answer).message.endswith("failed: the GPU is gone")


def chatted(*deltas: dict[str, Any], finish: str = "stop") -> tuple[str, str]:
    """The text of a chat's answer in these pieces, and the thoughts before it."""
    pieces = [{"choices": [{"delta": delta}]} for delta in deltas]
    pieces.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    said = events(*(f"data: {json.dumps(piece)}" for piece in pieces), "data: [DONE]")
    with serving({"/v1/models": as_json({"data": [{"id": "m"}]}), "/v1/chat/completions": said}) as served:

        async def pieces() -> list[Chunk]:
            return [chunk async for chunk in ServerModel(served.url).stream(Prompt("Where?"))]

        chunks = asyncio.run(pieces())
    return "".join(chunk.text for chunk in chunks), "".join(chunk.thoughts for chunk in chunks)


KELP = "In the kelp."


def test_long_thoughts_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def after(text: str) -> str:
        looked.append(len(text))
        return after_thoughts(text)

    monkeypatch.setattr("airoagent.models.stopping.after_thoughts", after)
    filter = ThoughtFilter()
    parts = [filter.feed(piece) for piece in ("<think>", *["a > b [c] "] * 500, "</th", "ink>", KELP)]
    assert "".join(text for _, text in parts) == KELP and len(looked) <= 4


@pytest.mark.parametrize(
    ("pieces", "thoughts", "text"),
    [
        (["<thi", "nk>hm <b>", " hm</think>\n\nIn the", " kelp."], "<think>hm <b> hm</think>\n\n", KELP),
        (["[THINK]hm[/THI", "NK] In the kelp."], "[THINK]hm[/THINK] ", KELP),
        (["<|channel|>analysis<|message|>hm<|end|>", KELP], "<|channel|>analysis<|message|>hm<|end|>", KELP),
        (["<think>hm</think>", "<think>oh", "</think>", "<", "b>"], "<think>hm</think><think>oh</think>", "<b>"),
        ([" ", "<b>In</b> the <think>kelp</think>."], "", "<b>In</b> the <think>kelp</think>."),
        (["<"], "", "<"),
        (["<think>hm", " hm" * 300], "<think>hm" + " hm" * 300, ""),
    ],
)
def test_thoughts_before_an_answer_are_no_part_of_its_text(pieces: list[str], thoughts: str, text: str) -> None:
    assert chatted(*({"content": piece} for piece in pieces)) == (text, thoughts)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_that_a_server_sends_in_a_field_of_their_own_are_thoughts_in_marks(field: str) -> None:
    deltas = [{field: "hm"}, {field: " hm", "content": None}, {"content": "In the"}, {"content": " kelp."}]
    assert chatted(*deltas) == (KELP, "<think>hm hm</think>\n")
    assert chatted({field: "hm", "content": KELP}) == (KELP, "<think>hm</think>\n")
    assert chatted({field: "hm"}, {field: " hm"}) == ("", "<think>hm hm")
    whole = as_json({"choices": [{"message": {field: "hm", "content": KELP}, "finish_reason": "stop"}]})
    with serving({"/v1/models": as_json({"data": [{"id": "m"}]}), "/v1/chat/completions": whole}) as served:
        assert asyncio.run(complete(ServerModel(served.url), Prompt("Where?"))).text == KELP


def test_calls_that_a_server_took_out_of_the_text_are_put_back() -> None:
    named = {"name": "tides", "arguments": ""}
    text, _ = chatted(
        {"tool_calls": [{"index": 0, "function": named}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"port": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Oban"}'}}]},
        {"tool_calls": [{"index": 1, "function": {"name": "wind", "arguments": {"port": "Oban"}}}]},
        finish="tool_calls",
    )
    assert [json.loads(line) for line in text.splitlines()] == [
        {"name": name, "arguments": {"port": "Oban"}} for name in ("tides", "wind")
    ]
    alone, _ = chatted({"function_call": {**named, "arguments": "{}"}}, finish="function_call")
    assert alone == '{"name": "tides", "arguments": {}}'


def test_koboldcpps_null_is_no_end() -> None:
    assert "broke off in the middle" in refusal(events(piece("Half", "null"), piece(" an", "null"))).message


def test_an_answer_that_nests_too_deep_is_no_completion() -> None:
    assert "not a completion" in refusal(plain(200, b"[" * 200_000)).message


# Cut off.


def growing(*parts: tuple[str, int, str]) -> Answer:
    """One part of a completion for each request: its text, tokens, and the reason it ends for."""

    def send(handler: Handler, times: int) -> None:
        text, tokens, reason = parts[times]
        events(piece(text), piece("", reason), usage(9, tokens), "data: [DONE]")(handler, times)

    return send


def test_a_completion_that_the_server_cuts_off_early_is_gone_on_with() -> None:
    cut = growing((" In the", 3, "length"), (" kelp", 2, "length"), (", afloat.", 4, "stop"))
    with serving({"/v1/completions": cut}) as served:
        model = ServerModel(served.url)
        completion = asyncio.run(complete(model, Prompt("Where?", sampling=Sampling(max_tokens=20))))
    assert (completion.text, completion.finish) == ("In the kelp, afloat.", "stop")
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.calls) == (9, 9, 3)
    bodies = [body for path, body, _ in served.requests if path == "/v1/completions"]
    assert [body["max_tokens"] for body in bodies] == [20, 17, 15]
    assert [body["prompt"].removeprefix(model.wrap("Where?")) for body in bodies] == ["", " In the", " In the kelp"]


def test_what_was_written_is_sent_along_where_the_server_does_not_count_tokens_any_more() -> None:
    cut = growing((" In the", 3, "length"), (" kelp.", 2, "stop"))
    routes = {
        "/v1/models": listing("llamacpp", "airoboros"),
        "/tokenize": first(as_json({"tokens": [7, 8]}), failing(404)),
        "/v1/completions": cut,
    }
    with serving(routes) as served:
        model = ServerModel(served.url)
        completion = asyncio.run(complete(model, Prompt("Where?", sampling=Sampling(max_tokens=20))))
    assert completion.text == "In the kelp."
    prompts = [body["prompt"] for path, body, _ in served.requests if path == "/v1/completions"]
    assert prompts == [[7, 8], model.wrap("Where?") + " In the"]


def test_what_reaches_its_own_limit_ends_there_and_says_so() -> None:
    with serving({"/v1/completions": growing((" In the", 20, "length"))}) as served:
        completion = ask(served.url)
    assert (completion.text, completion.finish) == ("In the", "length")


def test_koboldcpp_says_length_at_a_stop_string_and_is_not_believed() -> None:
    kelp = events(piece("Kelp.", "null"), piece("", "length"), "data: [DONE]")
    routes = {"/v1/models": listing("koboldcpp"), "/v1/completions": first(kelp, said("", finish="length"))}
    with serving(routes) as served:
        completion = ask(served.url)
    assert (completion.text, completion.finish) == ("Kelp.", "stop")


def test_where_there_is_no_more_room_to_go_on_the_cut_is_told() -> None:
    full = plain(400, b'{"error": {"message": "the request exceeds the available context size"}}')
    with serving({"/v1/completions": first(growing((" In the", 3, "length")), full)}) as served:
        completion = ask(served.url)
    assert (completion.text, completion.finish) == ("In the", "length")


def test_a_chat_that_is_cut_off_early_is_an_error_that_says_so() -> None:
    delta = {"choices": [{"delta": {"content": "Plan: a"}, "finish_reason": "length"}]}
    cut = events("data: " + json.dumps(delta), usage(9, 3), "data: [DONE]")
    with serving({"/v1/chat/completions": cut}) as served, pytest.raises(ModelError) as caught:
        ask(served.url)
    assert caught.value.message.endswith("cut its answer off after 3 tokens, 17 before the limit it was given")
    assert "-o route completions" in caught.value.hint


def test_a_grammar_that_reaches_the_limit_is_led_to_its_nearest_end() -> None:
    pytest.importorskip("llguidance")
    line = Seq((Text("Answer: "), Rep(chars("a-z"), 3, 9), Text(".")))
    grammar = Grammar((Rule("start", line),), (".",))
    routes = {"/v1/models": listing("llamacpp"), "/v1/completions": growing(("Answer: kelp", 20, "length"))}
    with serving(routes) as served:
        completion = ask(served.url, Prompt("x", grammar=grammar, sampling=Sampling(max_tokens=20)))
    assert (completion.text, completion.finish) == ("Answer: kelp.", "length")


def test_a_plan_that_is_cut_off_is_refused_with_a_hint_and_on_record() -> None:
    from airoagent import Agent, PlanError
    from airoagent.events import ModelCalled

    cut = growing(*[(":evidence0: = KnowledgeModel[Where do otters", 20, "length")] * 4)
    with serving({"/v1/completions": cut}) as served:
        agent = Agent(served.url, ["KnowledgeModel"], store=False, sampling=Sampling(max_tokens=20))
        with pytest.raises(PlanError) as caught:
            agent.plan("Where?")
        run = agent.run("Where?")
    assert caught.value.kind == "truncated"
    assert "more tokens" in caught.value.hint
    assert run.status == "failed"
    assert [event.finish for event in run.events if isinstance(event, ModelCalled)] == ["length", "length"]


# What each server is asked for.


def test_a_call_is_held_by_its_schema_in_lm_studios_chat_alone() -> None:
    schema = {"type": "object", "properties": {"name": {"enum": ["search"]}}, "required": ["name"]}
    chat = events('data: {"choices": [{"delta": {"content": "{}"}, "finish_reason": "stop"}]}', "data: [DONE]")
    routes = {"/v1/models": listing("organization_owner"), "/v1/chat/completions": chat, "/v1/completions": said("{}")}
    prompt = Prompt("x", "call", grammar=call_grammar(schema))
    with serving(routes) as served:
        ask(served.url, prompt, route="completions")
        assert "response_format" not in served.body()
        ask(served.url, prompt, route="chat")
        asked_for = served.body()["response_format"]
        ask(served.url, Prompt("x", grammar=Grammar((Rule("start", Text("Yes")),))), route="chat")
        assert "response_format" not in served.body()
    assert asked_for["type"] == "json_schema"
    assert asked_for["json_schema"]["schema"]["properties"] == {"name": {"enum": ["search"]}}
    assert "x-guidance" not in asked_for["json_schema"]["schema"]


@pytest.mark.parametrize(
    ("owner", "path", "answer"),
    [
        ("koboldcpp", "/api/extra/true_max_context_length", {"value": 6144}),
        ("organization_owner", "/api/v0/models", {"data": [{"id": "o"}, {"id": "m", "loaded_context_length": 6144}]}),
        ("llamacpp", "/props", {"default_generation_settings": {"n_ctx": 6144}}),
    ],
)
def test_the_window_is_read_where_each_server_tells_it(owner: str, path: str, answer: dict[str, Any]) -> None:
    with serving({"/v1/models": listing(owner), path: as_json(answer)}) as served:
        model = ServerModel(served.url)
        asyncio.run(model.ready())
    assert model.info.context_length == 6144


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_show_says_what_a_server_can_be_held_to(name: str) -> None:
    with serving({"/v1/models": listing("", "m")}) as served:
        model = ServerModel(served.url, dialect=name)
        asyncio.run(model.ready())
    held = "held to grammars by its field" in model.info.note
    assert held == (name not in ("plain", "lmstudio"))
    assert held or "takes no grammar" in model.info.note


def test_a_key_with_a_line_end_from_a_file_is_sent_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRO_API_KEY", "s3cret\n")
    with serving({"/v1/completions": first(said("x"), failing(401))}) as served:
        ask(served.url)
        assert served.requests[-1][2]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("name", ["127.0.0.1:8080", "localhost:8080/v1", "[::1]:8080", "my-box.local:5000"])
def test_an_address_without_its_http_is_recognised(name: str) -> None:
    from airoagent.models.catalog import open_model

    with pytest.raises(ModelError) as caught:
        open_model(name)
    assert caught.value.hint == f"for the server at this address: -m http://{name}"


def test_json_too_deep_to_be_read_is_no_answer() -> None:
    deep = b"[" * 3000 + b"]" * 3000
    assert refusal(plain(400, deep)).message.count("[") == 300
    with serving({"/v1/models": plain(200, deep), "/v1/completions": said("Kelp.")}) as served:
        assert ask(served.url).text == "Kelp."


@pytest.mark.parametrize("key", ["“secret”", "a\nsecret"])
def test_a_key_with_signs_that_no_key_has_is_reported(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRO_API_KEY", key)
    with pytest.raises(ModelError, match="the key in AIRO_API_KEY") as caught:
        ask("http://127.0.0.1:1")
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        # Lengths with Llama-2's vocabulary lie between these.
        ("The otter sleeps afloat in the kelp and holds the paw of another otter.", 15, 24),
        ("12345 67890", 10, 14),
        ("for (int i = 0; i < n; i++) { sum += values[i]; }", 22, 40),
        ("水獭在海藻中睡觉。", 9, 27),
        ("", 0, 1),
    ],
)
def test_is_near_what_a_tokenizer_counts(text: str, least: int, most: int) -> None:
    assert least <= estimate_tokens(text) <= most


def test_a_long_text_is_linear() -> None:
    assert estimate_tokens("word " * 100_000) == pytest.approx(100_000, rel=0.01)
