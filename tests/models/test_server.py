"""A model behind an address, against a real HTTP server on the loopback interface that behaves as it is told to."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent, tool
from airoagent.calls.call_grammar import call_grammar
from airoagent.errors import ModelError, UsageError
from airoagent.events import ModelCalled
from airoagent.models.base import Chunk, Completion, Prompt, Sampling, complete
from airoagent.models.catalog import open_model
from airoagent.models.server.client import ServerModel
from airoagent.models.server.dialects import DIALECTS
from airoagent.plan.plan_grammar import plan_grammar
from airoagent.prompts.context_prompts import ContextBlock, answer_grammar
from airoagent.prompts.grammar import Grammar, Rule, Text
from airoagent.records.run_record import write_trace
from tests.modelserver import Answer, Handler, as_json, events, failing, first, piece, plain, said, serving

MODELS = {
    "data": [{"id": "airoboros-l2-13b-gpt4-2.0.Q4_K_M.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 4096}}]
}
GRAMMAR = Grammar((Rule("start", Text("Yes USER: no")),))


def ask(url: str, prompt: Prompt | None = None, **settings: Any) -> Completion:
    model = ServerModel(url, pause=0.001, **settings)
    return asyncio.run(complete(model, prompt or Prompt("Where?", sampling=Sampling(max_tokens=20, seed=7))))


def test_a_completion_is_asked_for_with_our_own_wrapper_and_streamed() -> None:
    with serving({"/v1/models": as_json(MODELS), "/v1/completions": said(" In", " the", " kelp.")}) as served:
        model = ServerModel(served.url)

        async def pieces() -> list[Chunk]:
            return [
                chunk
                async for chunk in model.stream(
                    Prompt("Where?", sampling=Sampling(0.5, repetition_penalty=1.1, max_tokens=20))
                )
            ]

        chunks = asyncio.run(pieces())
    assert [chunk.text for chunk in chunks] == ["In", " the", " kelp.", ""]
    assert chunks[-1].finish == "stop"
    assert served.body()["prompt"].startswith("A chat between a curious user and an assistant.")
    assert served.body()["prompt"].endswith(" USER: Where? ASSISTANT: ")
    assert served.body()["prompt"] == model.wrap("Where?")
    assert served.body()["model"] == MODELS["data"][0]["id"]
    assert (served.body()["temperature"], served.body()["max_tokens"], served.body()["stream"]) == (0.5, 20, True)
    assert served.body()["repeat_penalty"] == 1.1
    assert served.body()["stop"] == ["USER:"]


def test_the_window_is_asked_for_and_kept_to() -> None:
    props = as_json({"default_generation_settings": {"n_ctx": 600}})
    routes = {"/v1/models": as_json(MODELS), "/props": props, "/v1/completions": said("x")}
    with serving(routes) as served:
        model = ServerModel(served.url)
        asyncio.run(complete(model, Prompt("Where?", sampling=Sampling(max_tokens=5000))))
        assert model.info.context_length == 600
        assert 400 < served.body()["max_tokens"] < 600
        with pytest.raises(ModelError, match="holds 600"):
            asyncio.run(complete(model, Prompt("otters and more " * 400)))
        assert ServerModel(served.url, context_length=900).info.context_length == 900


@pytest.mark.parametrize(
    ("owner", "field"),
    [
        ("llamacpp", "grammar"),
        ("me", "grammar"),
        ("user", "grammar_string"),
        ("vllm", "structured_outputs"),
        ("sglang", "ebnf"),
        ("koboldcpp", "grammar"),
    ],
)
def test_a_grammar_goes_where_the_server_takes_it(owner: str, field: str) -> None:
    listed = {"data": [{"id": "m", "owned_by": owner}]}
    with serving({"/v1/models": as_json(listed), "/v1/completions": said("Yes USER: no")}) as served:
        completion = ask(served.url, Prompt("x", grammar=GRAMMAR))
    sent = served.body()[field]
    lark = "%llguidance {}\n"  # xgrammar is slow with plans: at this line vLLM takes llguidance in its place
    assert sent == ({"grammar": lark + GRAMMAR.lark()} if owner == "vllm" else GRAMMAR.gbnf())
    assert completion.text == "Yes USER: no"  # What is held to a grammar ends by itself.
    with serving({"/v1/models": as_json(listed), "/v1/completions": said("Yes.")}) as served:
        assert ask(served.url, Prompt("x", grammar='start: "Yes."')).text == "Yes."
    assert served.body().get(field) == ({"grammar": lark + 'start: "Yes."'} if owner == "vllm" else None)


SCHEMA = {"type": "object", "properties": {"name": {"enum": ["search"]}}, "required": ["name"]}
FOR_VLLM = {
    "plan": plan_grammar(["Search", "KnowledgeModel"]),
    "call": call_grammar(SCHEMA),
    "answer": answer_grammar([ContextBlock("Otters sleep in kelp.", (("url", "https://a.example/x"),))]),
    "text": 'start: "Yes."',
}


@pytest.mark.parametrize("name", FOR_VLLM)
def test_llguidance_takes_what_vllm_is_sent(name: str) -> None:
    llguidance = pytest.importorskip("llguidance")
    sent = DIALECTS["vllm"].constraint(FOR_VLLM[name], chat=True)["structured_outputs"]["grammar"]
    assert llguidance.LLMatcher.validate_grammar(llguidance.grammar_from("grammar", sent)) == ""


@pytest.mark.parametrize("name", FOR_VLLM)
def test_xgrammar_leaves_what_vllm_is_sent_to_llguidance(name: str) -> None:
    xgrammar = pytest.importorskip("xgrammar", reason="xgrammar is not installed")
    sent = DIALECTS["vllm"].constraint(FOR_VLLM[name], chat=True)["structured_outputs"]["grammar"]
    with pytest.raises(RuntimeError, match="%llguidance"):
        xgrammar.Grammar.from_lark(sent)


@pytest.mark.parametrize("streamed", [False, True])  # vLLM refuses at status 200, in the stream.
@pytest.mark.parametrize(
    "reason", ["Invalid grammar specification.", "failed to parse grammar", "unsupported response_format"]
)
def test_a_grammar_that_a_server_refuses_is_sent_in_another_form_and_then_left_out(reason: str, streamed: bool) -> None:
    grammars: list[str] = []
    body = json.dumps({"error": {"message": reason}})
    refusal = events(f"data: {body}", "data: [DONE]") if streamed else plain(400, body.encode())

    def answer(handler: Handler, times: int) -> None:
        grammars.append(served.body().get("structured_outputs", {}).get("grammar", ""))
        (said("Yes USER: no") if not grammars[-1] else refusal)(handler, times)

    routes = {"/v1/models": as_json({"data": [{"id": "m", "owned_by": "vllm"}]}), "/v1/completions": answer}
    with serving(routes) as served:
        model = ServerModel(served.url, route="completions")
        first_text = asyncio.run(complete(model, Prompt("x", grammar=GRAMMAR))).text
        asyncio.run(complete(model, Prompt("x", grammar=GRAMMAR)))
    assert grammars == ["%llguidance {}\n" + GRAMMAR.lark(), GRAMMAR.gbnf(), "", GRAMMAR.gbnf(), ""]
    assert first_text == "Yes "  # Written freely, it ends at the wrapper's stop string.


def test_a_server_that_speaks_of_grammars_without_being_sent_one_is_not_asked_for_ever() -> None:
    body = json.dumps({"error": {"message": "grammar of the prompt is wrong"}}).encode()
    with serving({"/v1/completions": plain(400, body)}) as served:
        with pytest.raises(ModelError, match="grammar of the prompt is wrong"):
            ask(served.url, Prompt("x"), route="completions")
        assert [path for path, *_ in served.requests].count("/v1/completions") == 1


def test_a_grammar_that_fails_in_the_middle_of_an_answer_is_not_asked_for_again() -> None:
    answer = events(piece("Yes"), 'data: {"error": {"message": "the grammar rejected a token"}}')
    routes = {"/v1/models": as_json({"data": [{"id": "m", "owned_by": "vllm"}]}), "/v1/completions": answer}
    with serving(routes) as served, pytest.raises(ModelError, match="the grammar rejected a token"):
        ask(served.url, Prompt("x", grammar=GRAMMAR), route="completions")


def test_a_server_that_does_not_say_what_it_is_gets_no_more_than_the_standard() -> None:
    with serving({"/v1/completions": said("x")}) as served:
        ask(served.url, Prompt("x", grammar=GRAMMAR), model="mine")
        assert set(served.body()) == {"model", "prompt", "max_tokens", "temperature", "top_p", "stop", "stream"}
        assert served.body()["model"] == "mine"
        ask(served.url, Prompt("x", grammar=GRAMMAR), dialect="llama.cpp")
        assert served.body()["grammar"] == GRAMMAR.gbnf()


def test_stop_strings_are_exact_though_the_server_ignores_them() -> None:
    with serving({"/v1/completions": said("An otter. US", "ER: more", " and more")}) as served:
        completion = ask(served.url, Prompt("x", stop=("never",)))
    assert (completion.text, completion.finish) == ("An otter. ", "stop")
    assert served.body()["stop"] == ["never", "USER:"]


def test_usage_is_the_servers_where_it_counts() -> None:
    counted = events(
        piece("a b"),
        piece("", "length"),
        'data: {"choices": [], "usage": {"prompt_tokens": 31, "completion_tokens": 2}}',
        "data: [DONE]",
    )
    with serving({"/v1/completions": counted}) as served:
        completion = ask(served.url, Prompt("Where?", sampling=Sampling(max_tokens=2)))
    assert completion.finish == "length"
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (31, 2)


def test_a_server_that_does_not_stream_is_read_too() -> None:
    whole = as_json({"choices": [{"text": " Afloat.", "finish_reason": "stop"}]})
    with serving({"/v1/completions": whole}) as served:
        assert ask(served.url).text == "Afloat."


def test_the_tokens_of_a_whole_answer_that_is_not_counted_are_estimated() -> None:
    whole = as_json({"choices": [{"text": " Afloat, in the kelp by the shore.", "finish_reason": "stop"}]})
    with serving({"/v1/completions": whole}) as served:
        assert 7 <= ask(served.url).usage.completion_tokens <= 12


def test_signs_of_life_are_left_out_and_a_refusal_in_its_own_field_is_the_text() -> None:
    said_no = [
        'data: {"choices": [{"delta": {"refusal": "I will not"}}]}',
        'data: {"choices": [{"delta": {"refusal": "."}}]}',
    ]
    end = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    chat = events("event: ping", "data: {}", *said_no, 'data: {"type": "ping"}', end)
    with serving({"/v1/chat/completions": chat}) as served:
        assert ask(served.url).text == "I will not."


def test_without_a_completions_route_the_chat_is_asked_and_wraps_by_itself() -> None:
    chat = events(
        'data: {"choices": [{"delta": {"role": "assistant"}}]}',
        'data: {"choices": [{"delta": {"content": "Hi."}}]}',
        'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
        "data: [DONE]",
    )
    with serving({"/v1/chat/completions": chat}) as served:
        model = ServerModel(served.url, system="Be brief.")
        for _ in range(2):
            assert asyncio.run(complete(model, Prompt("Where?"))).text == "Hi."
    assert served.body()["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where?"},
    ]
    assert model.wrap("Where?") == "Be brief.\n\nWhere?"
    assert [path for path, _, _ in served.requests].count("/v1/completions") == 1  # Not tried again.


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status: int) -> None:
    with serving({"/v1/completions": first(failing(status, retry_after="0"), said("x"), times=2)}) as served:
        assert ask(served.url).text == "x"
    assert [path for path, _, _ in served.requests].count("/v1/completions") == 3


def test_a_server_that_stays_busy_is_given_up() -> None:
    with serving({"/v1/completions": failing(429)}) as served, pytest.raises(ModelError, match=r"refused \(429\)"):
        ask(served.url, retries=2)
    assert [path for path, _, _ in served.requests].count("/v1/completions") == 3


def test_a_stream_that_is_not_read_to_its_end_is_closed_with_nothing_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = "Plan: Look.\n:evidence0: = search[otters]\nAnswer: :evidence0:"
    chat = events(
        *(f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}" for word in text),
        'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
        "data: [DONE]",
    )
    routes = {"/v1/models": as_json({"data": [{"id": "m"}]}), "/v1/chat/completions": chat}

    @tool
    def search(text: str) -> str:
        """Searches texts."""
        return text

    with serving(routes) as served:
        for _ in range(2):  # the second run goes on in the loop of the first
            assert Agent(served.url, [search], store=False).run("Find otters.").answer == "otters"
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_a_server_that_dies_in_the_middle_is_an_error_and_what_it_wrote_is_kept() -> None:
    dying = events(piece(" Half an"), piece(" answ"))
    with serving({"/v1/completions": dying}) as served:
        model, got = ServerModel(served.url), []

        async def read() -> None:
            async for chunk in model.stream(Prompt("x")):
                got.append(chunk.text)

        with pytest.raises(ModelError, match="broke off in the middle of its answer"):
            asyncio.run(read())
    assert got == ["Half an", " answ"]
    assert [path for path, _, _ in served.requests].count("/v1/completions") == 2


@pytest.mark.parametrize(
    "again", [said(" Half an", " answer."), said(" Half an answ", "er."), said(" Half an answer.")]
)
def test_a_server_that_dies_in_the_middle_is_asked_once_more_and_goes_on_where_it_was(again: Answer) -> None:
    dying = events(piece(" Half an"), piece(" answ"))
    with serving({"/v1/completions": first(dying, again)}) as served:
        assert ask(served.url).text == "Half an answer."


@pytest.mark.parametrize("again", [said(" Another", " answer."), said(" Half"), failing(500)])
def test_a_server_that_says_something_else_the_second_time_broke_off(again: Answer) -> None:
    dying = events(piece(" Half an"), piece(" answ"))
    with serving({"/v1/completions": first(dying, again)}) as served, pytest.raises(ModelError, match="broke off"):
        ask(served.url)


def test_null_choices_empty_and_many_lined_data_and_content_in_parts_are_read() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "In kelp."}]
    lines = (
        'data: {"choices": null}',
        "data:",
        'data: {"choices": [{"delta": {"role": "assistant", "content": null}}]}',
        f'data: {{"choices": [{{"delta":\ndata: {{"content": {json.dumps(parts)}}}}}]}}',
        'data: {"choices": [{"delta": null, "finish_reason": "stop"}]}',
        'data: {"choices": [null]}',
    )
    routes = {"/v1/models": as_json({"data": [{"id": "qwen"}]}), "/v1/chat/completions": events(*lines)}
    with serving(routes) as served:
        assert ask(served.url).text == "In kelp."


def test_of_thousands_of_models_those_with_like_names_are_named() -> None:
    names = [f"vendor-{number}/model-{number}" for number in range(5000)] + ["qwen/qwen3-8b"]
    refusal = plain(404, json.dumps({"error": {"message": "model qwen3-8b not found"}}).encode())
    listed = as_json({"data": [{"id": name} for name in names]})
    with (
        serving({"/v1/models": listed, "/v1/chat/completions": refusal}) as served,
        pytest.raises(ModelError, match="has no model 'qwen3-8b'") as caught,
    ):
        ask(served.url, model="qwen3-8b")
    assert caught.value.hint == "it has qwen/qwen3-8b, ...: -o model NAME"


def test_the_window_of_another_model_is_not_taken_for_that_of_the_one_asked_for() -> None:
    listed = as_json({"data": [{"id": "small", "max_model_len": 512}, {"id": "big", "max_model_len": 4096}]})
    with serving({"/v1/models": listed}) as served:
        windows = {}
        for name in ("", "big", "unlisted"):
            model = ServerModel(served.url, model=name)
            asyncio.run(model.ready())
            windows[name] = model.info.context_length
    assert windows == {"": 512, "big": 4096, "unlisted": None}


def test_a_connection_that_is_cut_off_is_said() -> None:
    def cut(handler: Handler, times: int) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(f"{piece('Half')}\n\n".encode())

    with serving({"/v1/completions": cut}) as served, pytest.raises(ModelError, match="broke off"):
        ask(served.url)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (events("data: {nonsense"), "answered with something that is not a completion: {nonsense"),
        (plain(200, b"<html>Welcome", "text/html"), "answered with something that is not a completion: <html>Welcome"),
        (as_json({"id": 3}), "contains no text"),
        (events('data: {"error": {"message": "out of\\nmemory"}}'), "failed: out of memory"),
        (failing(400), r"refused \(400\): .*it is so"),
        (failing(401), r"requires a key \(401\)"),
        (plain(307, b"", location="http://elsewhere.example/"), r"redirects to http://elsewhere\.example/ \(307\)"),
    ],
)
def test_what_is_no_completion_is_one_sentence(answer: Answer, message: str) -> None:
    with serving({"/v1/completions": answer}) as served, pytest.raises(ModelError, match=message) as caught:
        ask(served.url)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_server_that_says_nothing_is_given_up() -> None:
    gone = threading.Event()
    with serving({"/v1/completions": lambda handler, times: gone.wait(30) and None}) as served:
        try:
            with pytest.raises(ModelError, match=r"has sent nothing for 0\.2 s"):
                ask(served.url, timeout=0.2)
        finally:
            gone.set()


def test_no_server_at_all_is_said_after_some_tries() -> None:
    with serving({}) as served:
        url = served.url
    with pytest.raises(ModelError, match=f"no server answers at {url}") as caught:
        ask(url, retries=2)
    assert caught.value.exit_code == 3


def test_closing_the_stream_closes_the_connection() -> None:
    gone = threading.Event()

    def endless(handler: Handler, times: int) -> None:
        events(piece("a"))(handler, times)
        try:
            while True:
                handler.wfile.write(f"{piece('b' * 1000)}\n\n".encode())
        except OSError:
            gone.set()

    with serving({"/v1/completions": endless}) as served:

        async def few() -> None:
            stream = ServerModel(served.url).stream(Prompt("x"))
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]

        asyncio.run(few())
        assert gone.wait(30)


def test_the_key_comes_from_the_environment_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    with serving({"/v1/completions": first(said("x"), failing(403))}) as served:
        ask(served.url)
        assert served.requests[-1][2]["authorization"] == "Bearer second"
        monkeypatch.setenv("AIRO_API_KEY", "s3cret")
        with pytest.raises(ModelError) as caught:
            ask(served.url)
        assert served.requests[-1][2]["authorization"] == "Bearer s3cret"
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/completions", "/v1/chat/completions"])
def test_the_address_may_be_given_in_any_form(end: str) -> None:
    with serving({"/v1/completions": said("x")}) as served:
        assert ask(served.url + end).text == "x"


@pytest.mark.parametrize(
    "url",
    ["http://", "http://user:word@127.0.0.1:1/", "http://127.0.0.1:99999", "http://a:b", "http://[::1", "http://a:0"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerModel(url)
    assert caught.value.hint


def test_options_of_the_command_line_reach_it() -> None:
    model = open_model("http://127.0.0.1:9", options={"context": "2048", "wrapper": "2.2", "dialect": "vllm"})
    assert (model.info.context_length, model.info.wrapper, model.info.backend) == (2048, "airoboros-2.2", "server")
    for options in ({"dialect": "odd"}, {"route": "x"}, {"timeout": "soon"}, {"bits": "4"}):
        with pytest.raises(UsageError):
            open_model("http://127.0.0.1:9", options=options)


def test_a_run_over_a_server() -> None:
    plan = ":evidence0: = KnowledgeModel[Where do otters sleep?]\nAnswer: :evidence0:"
    with serving({"/v1/completions": first(said(*plan.splitlines(keepends=True)), said("Afloat."))}) as served:
        run = Agent(served.url, [], store=False).run("Where do otters sleep?")
    assert (run.status, run.answer) == ("done", "Afloat.")


DRAFT = ":evidence0: = KnowledgeModel[Where do eels sleep?]\nAnswer: :evidence0:"


def thinking(thoughts: str, text: str, *, apart: bool) -> Answer:
    """A chat's answer with thoughts before it, in its text or in a field of their own."""
    deltas = [{"reasoning_content": thoughts}] if apart else [{"content": f"<think>{thoughts}</think>\n"}]
    pieces = [{"choices": [{"delta": delta}]} for delta in (*deltas, *({"content": one} for one in text.split("|")))]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    return events(*(f"data: {json.dumps(piece)}" for piece in (*pieces, end)), "data: [DONE]")


@pytest.mark.parametrize("apart", [False, True])
def test_thoughts_of_a_server_are_on_record_and_in_nothing_else(
    tmp_path: Path, apart: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airoagent.cli import main

    plan = thinking(f"Eels?\n{DRAFT}\n", DRAFT.replace("eels", "otters").replace("=", "=|"), apart=apart)
    routes = {
        "/v1/models": as_json({"data": [{"id": "qwen3"}]}),
        "/v1/chat/completions": first(plan, thinking("Ashore?", "Afl|oat.", apart=apart)),
    }
    with serving(routes) as served:
        agent = Agent(served.url, [], store=tmp_path / "runs.sqlite3")
        run = agent.run("Where do otters sleep?")
    assert run.plan is not None and (run.answer, run.plan.steps[0].input) == ("Afloat.", "Where do otters sleep?")
    wrote = [event.text for event in run.events if isinstance(event, ModelCalled)]
    assert wrote == [
        f"<think>Eels?\n{DRAFT}\n</think>\n{DRAFT.replace('eels', 'otters')}",
        "<think>Ashore?</think>\nAfloat.",
    ]
    assert agent.replay("@last").answer == "Afloat."
    trace = tmp_path / "run.jsonl"
    trace.write_text("".join(write_trace(run.id, run.events)), encoding="utf-8")
    for flags in ([], ["-v"]):
        with pytest.raises(SystemExit):
            main(["runs", "show", str(trace), *flags])
        shown = capfd.readouterr().out
        assert ("  | <think>Ashore?</think>\n  | Afloat.\n  > Afloat.\n" in shown) is bool(flags)
        assert ("  | <think>Eels?\n" in shown) is bool(flags)


@pytest.mark.parametrize("apart", [False, True])
def test_a_server_that_thinks_in_circles_is_stopped(apart: bool) -> None:
    delta = "reasoning_content" if apart else "content"
    begin = [] if apart else [{"content": "<think>"}]
    circle = [{delta: "Wait, is it the kelp? "}] * 400
    pieces = [f"data: {json.dumps({'choices': [{'delta': one}]})}" for one in (*begin, *circle)]
    with serving(
        {"/v1/models": as_json({"data": [{"id": "qwen3"}]}), "/v1/chat/completions": events(*pieces, "data: [DONE]")}
    ) as served:
        run = Agent(served.url, [], store=False).run("Where do otters sleep?", context="Otters sleep in kelp.")
    (called,) = (event for event in run.events if isinstance(event, ModelCalled))
    assert called.finish == "repetition" and len(called.text) < 800
    assert run.answer == "The model wrote no answer." and not run.answered


def test_show_and_doctor_ask_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    from airoagent.cli import main

    with serving({"/v1/models": as_json(MODELS)}) as served:
        with pytest.raises(SystemExit) as ended:
            main(["models", "show", served.url])
        shown = json.loads(capfd.readouterr().out)
        assert (ended.value.code, shown["context_length"], shown["wrapper"]) == (0, 4096, "airoboros-2.0")
        assert shown["note"].endswith(", llama.cpp, held to grammars by its field grammar (GBNF)")
        with pytest.raises(SystemExit) as ended:
            main(["doctor", "-m", served.url])
        assert ended.value.code == 0, capfd.readouterr()


# What a user meets who has the wrong server, or none.


@pytest.mark.parametrize(
    ("name", "variable", "hint"),
    [("ollama:m", "OLLAMA_HOST", "ollama serve"), ("lmstudio:m", "LMSTUDIO_HOST", "lms server start")],
)
def test_a_program_that_does_not_run_is_named_with_its_address_and_how_to_start_it(
    name: str, variable: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv(variable, address)
    with pytest.raises(ModelError) as caught:
        asyncio.run(complete(open_model(name), Prompt("x")))
    assert caught.value.message == f"no server answers at http://{address} ({name}): connection refused"
    assert hint in caught.value.hint and variable in caught.value.hint


@pytest.mark.parametrize(
    ("name", "models", "reason", "message", "hint"),
    [
        ("ollama:qwen", [], 'model "qwen" not found', "has no model 'qwen' (404)", "ollama pull qwen"),
        (
            "ollama:qwen",
            ["qwen3"],
            'model "qwen" not found',
            "has no model 'qwen' (404)",
            "it has qwen3: -m ollama:NAME",
        ),
        ("", [], 'model "default" not found', "has no models (404)", "-o model NAME"),
        ("", ["a", "b"], "The model `a` does not exist.", "has no model 'a' (404)", "it has b: -o model NAME"),
    ],
)
def test_a_model_that_is_not_there_is_named_with_those_that_are(
    name: str, models: list[str], reason: str, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = as_json({"data": [{"id": each, "owned_by": "library"} for each in models]})
    gone = plain(404, json.dumps({"error": {"message": reason}}).encode())
    with serving({"/v1/models": listed, "/v1/chat/completions": gone, "/v1/completions": gone}) as served:
        monkeypatch.setenv("OLLAMA_HOST", served.url)
        with pytest.raises(ModelError) as caught:
            asyncio.run(complete(open_model(name or served.url), Prompt("x")))
    assert caught.value.message == f"{name or served.url} {message}"
    assert hint in caught.value.hint


def test_the_first_of_many_models_that_is_refused_is_named() -> None:
    listed = as_json({"data": [{"id": f"m{at}"} for at in range(5000)]})
    routes = {"/v1/models": listed, "/v1/chat/completions": failing(400)}
    with serving(routes) as served, pytest.raises(ModelError) as caught:
        ask(served.url)
    assert caught.value.hint == "m0 was asked for, the first of 5000 models: name another with -o model NAME"


def test_a_web_page_is_reported_by_its_title_and_not_by_its_markup() -> None:
    page = b"<!doctype html><html><head><style>a{}</style><title>Router &amp; login</title></head><body>Hello"
    for status, said_so in ((200, "something that is not a completion"), (500, "refused (500)")):
        answer = plain(status, page, "text/html")
        with serving({"/v1/completions": answer}) as served, pytest.raises(ModelError) as caught:
            ask(served.url)
        assert caught.value.message.endswith(f"{said_so}: a web page (Router & login)")


@pytest.mark.parametrize("name", ["ollama", "ollama:", "lmstudio:", "smolm2"])
def test_a_name_that_lacks_something_is_answered_with_the_right_form(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_model(name)
    assert {"o": "ollama:NAME", "l": "lmstudio:NAME", "s": "smollm2"}[name[0]] in caught.value.hint


def test_a_kind_of_server_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="'zork' is not a kind of server") as caught:
        ServerModel("http://127.0.0.1:9", dialect="zork")
    assert "vllm" in str(caught.value.hint)
