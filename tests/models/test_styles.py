"""The form of prompts that a model is asked in: by turns through its chat template, or in airoboros' words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from airoagent import parse_plan
from airoagent.errors import UsageError
from airoagent.models.base import Prompt, Purpose, Sampling, complete
from airoagent.models.catalog import open_model
from airoagent.models.local.decoding import encode_plain, encode_prompt
from airoagent.models.server.client import ServerModel
from airoagent.models.window import fit_to
from airoagent.prompts.chat import Chat, answer_chat, plan_chat
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.prompts.wrappers import WRAPPERS, template_wrapper
from tests.modelserver import Served, as_json, events, said, serving

CHAT = Chat("Be brief.", [("1+1?", "2"), ("2+2?", "4")], "3+3?")
TOOLS = (("Search", "Searches the web. And more."), ("KnowledgeModel", "Answers a question."))
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chatml(messages: list[dict[str, str]]) -> str:
    turns = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages)
    return f"{turns}<|im_start|>assistant\n"


def llama_2(messages: list[dict[str, str]]) -> str:
    """The system text within the first turn, as Llama 2 and Mistral have it."""
    system = ""
    if messages[0]["role"] == "system":
        system, messages = f"<<SYS>>\n{messages[0]['content']}\n<</SYS>>\n\n", messages[1:]
    text = ""
    for turn in messages:
        text += (
            f" {turn['content']} </s>"
            if turn["role"] == "assistant"
            else f"<s>[INST] {system}{turn['content']} [/INST]"
        )
        system = "" if turn["role"] == "user" else system
    return text


def gemma(messages: list[dict[str, str]]) -> str:
    if messages[0]["role"] == "system":
        raise ValueError("System role not supported")
    names = {"assistant": "model", "user": "user"}
    turns = "".join(f"<start_of_turn>{names[turn['role']]}\n{turn['content']}<end_of_turn>\n" for turn in messages)
    return f"<bos>{turns}<start_of_turn>model\n"


def one_turn_only(messages: list[dict[str, str]]) -> str:
    if len([turn for turn in messages if turn["role"] != "system"]) > 1:
        raise ValueError("one turn")
    return chatml(messages)


def trimming(messages: list[dict[str, str]]) -> str:
    """Llama 3's template trims each turn."""
    return chatml([{**turn, "content": turn["content"].strip()} for turn in messages])


@pytest.mark.parametrize("render", [chatml, llama_2, trimming])
def test_the_turns_of_a_chat_stand_as_the_template_writes_them(render: Any) -> None:
    assert template_wrapper(render).wrap(CHAT) == render(CHAT.messages())


def test_without_a_place_for_a_system_text_it_begins_the_first_turn() -> None:
    asked = Chat("", [("Be brief.\n\n1+1?", "2"), ("2+2?", "4")], "3+3?")
    assert template_wrapper(gemma).wrap(CHAT) == gemma(asked.messages())


def test_a_template_of_one_turn_gets_all_of_it_as_one_text() -> None:
    assert template_wrapper(one_turn_only).wrap(CHAT) == chatml([{"role": "user", "content": str(CHAT)}])


def test_a_recorded_prompt_is_read_back_in_its_turns_without_the_wrapper() -> None:
    wrapper = template_wrapper(chatml)
    read = wrapper.unwrapped(wrapper.wrap(CHAT))
    assert isinstance(read, Chat) and (read.system, read.examples, read.user) == (CHAT.system, CHAT.examples, CHAT.user)
    for one in (*WRAPPERS.values(), wrapper):
        assert one.unwrapped(one.wrap("Hi\n there")) == "Hi\n there"
        assert one.unwrapped("the prompt of another model") == "the prompt of another model"


def test_what_spells_a_control_token_in_a_turn_is_only_text() -> None:
    chat = Chat("a <|im_end|>", [("b <|im_end|>", "c <|im_end|>")], "d <|im_end|>")
    parts = template_wrapper(chatml).parts(chat)
    assert [text for text, trusted in parts if not trusted] == [chat.system, *chat.examples[0], chat.user]
    assert "".join(text for text, trusted in parts if trusted) == chatml(
        [{**turn, "content": ""} for turn in chat.messages()]
    )


@pytest.mark.parametrize("tools", [TOOLS, TOOLS[:1], TOOLS[1:]])
def test_the_last_example_is_a_question_of_one_part_for_small_models_do_as_it_does(tools: Any) -> None:
    two, one = (parse_plan(plan, [name for name, _ in tools]) for _, plan in plan_chat("How deep?", tools).examples)
    assert len(one.steps) * 2 == len(two.steps)
    assert one.answer == f":{one.steps[-1].id}:"


def test_the_users_system_text_comes_before_the_tasks_own_and_takes_nothing_from_it() -> None:
    chat = plan_chat("How deep is it?", TOOLS)
    for text in (template_wrapper(chatml).wrap(chat, "Write in German."), str(chat.messages("Write in German.")[0])):
        assert text.index("Write in German.") < text.index("Search[input] - Searches the web.")
    assert chat.messages("")[0]["content"] == chat.system


def test_a_folder_with_a_chat_template_is_asked_by_turns_unless_told_otherwise(chat_llama: Path) -> None:
    shown = {
        options.get("style", ""): open_model(str(chat_llama), options=options).info
        for options in ({}, {"style": "airoboros"}, {"style": "chat"})
    }
    assert {name: info.style for name, info in shown.items()} == {"": "chat", "airoboros": "airoboros", "chat": "chat"}
    with pytest.raises(UsageError, match="style cannot be 'qwen'") as caught:
        open_model(str(chat_llama), options={"style": "qwen"})
    assert "airoboros, chat" in caught.value.hint


def test_the_ids_of_a_chat_are_those_of_its_template(chat_llama: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chat_llama)
    model = open_model(str(chat_llama), options={"device": "cpu"})
    ids = encode_prompt(tokenizer, template_wrapper(chatml), CHAT, None, begin=True)
    assert ids == encode_plain(tokenizer, model.wrap(CHAT))  # Its marks are no tokens of their own here.
    assert model.wrap(CHAT) == chatml(CHAT.messages())
    asyncio.run(model.aclose())


@pytest.fixture(scope="module")
def chat_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    from tests.tiny_llama import make_tiny_llama

    return make_tiny_llama(tmp_path_factory.mktemp("chat") / "tiny", window=2048, chat_template=CHATML)


def test_texts_are_cut_so_that_the_worked_examples_fit_too(chat_llama: Path) -> None:
    model = open_model(str(chat_llama), options={"device": "cpu"})
    blocks = [ContextBlock("The otter sleeps in the kelp. " * 200, (("url", "https://a.example/"),))]
    question = "Where does the otter sleep?"
    fitted = asyncio.run(fit_to(model, None, blocks, question))
    prompt = closed_context_prompt(fitted.blocks, question, "chat")
    assert isinstance(prompt, Chat)
    assert 1024 < model.count_tokens(model.wrap(prompt)) <= 2048 - 512
    asyncio.run(model.aclose())


# Servers.


def listing(*names: str, owner: str = "llamacpp") -> Any:
    return as_json({"data": [{"id": name, "owned_by": owner} for name in names]})


def chat_said(text: str) -> Any:
    return events(
        f'data: {{"choices": [{{"delta": {{"content": {json.dumps(text)}}}}}]}}',
        'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}',
        "data: [DONE]",
    )


def asked(served: Served, route: str) -> list[dict[str, Any]]:
    return [body for path, body, _ in served.requests if path == f"/v1/{route}"]


def test_an_unknown_model_on_a_server_is_asked_through_its_chat_with_the_examples_as_turns() -> None:
    routes = {"/v1/models": listing("Qwen2.5-0.5B"), "/v1/chat/completions": chat_said("Answer: x")}
    with serving(routes) as served:
        model = ServerModel(served.url, system="Write in German.")
        asyncio.run(model.ready())
        assert (model.info.style, model.info.wrapper) == ("chat", "the server's own")
        chat = plan_chat("How deep is it?", TOOLS)
        assert asyncio.run(complete(model, Prompt(chat, "plan"))).text == "Answer: x"
    (body,) = asked(served, "chat/completions")
    assert [turn["role"] for turn in body["messages"]] == ["system", *("user", "assistant") * 2, "user"]
    assert body["messages"][0]["content"] == f"Write in German.\n\n{chat.system}"
    assert body["messages"][1:5:2] == [{"role": "user", "content": question} for question, _ in chat.examples]
    assert body["messages"][-1]["content"] == "Question: How deep is it?"
    assert not asked(served, "completions")
    assert all(turn["content"] in model.wrap(chat) for turn in body["messages"])


@pytest.mark.parametrize(
    ("name", "options", "route", "style"),
    [
        ("airoboros-l2-13b-2.2.Q4_K_M.gguf", {}, "completions", "airoboros"),
        ("airoboros-l2-13b-2.2.Q4_K_M.gguf", {"route": "chat"}, "chat/completions", "chat"),
        ("my-finetune", {}, "chat/completions", "chat"),
        ("my-finetune", {"wrapper": "2.2"}, "completions", "airoboros"),
        ("my-finetune", {"style": "airoboros"}, "completions", "airoboros"),
        ("my-finetune", {"style": "chat"}, "chat/completions", "chat"),
    ],
)
def test_the_route_follows_the_model_and_what_the_user_says(
    name: str, options: dict[str, str], route: str, style: str
) -> None:
    routes = {"/v1/models": listing(name), "/v1/completions": said("x"), "/v1/chat/completions": chat_said("x")}
    with serving(routes) as served:
        model = open_model(served.url, options=options)
        asyncio.run(complete(model, Prompt("Where?")))
        assert model.info.style == style
    assert [path for path, body, _ in served.requests if "messages" in body or "prompt" in body] == [f"/v1/{route}"]


@pytest.mark.parametrize("form", ["{}", "http://{}", "http://{}/"])
def test_a_model_of_ollama_is_found_where_its_variable_says(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = {"/v1/models": listing("a:1b", "qwen3:0.6b", owner="library"), "/v1/chat/completions": chat_said("Hi.")}
    with serving(routes) as served:
        monkeypatch.setenv("OLLAMA_HOST", form.format(served.url.removeprefix("http://")))
        model = open_model("ollama:qwen3:0.6b")
        assert asyncio.run(complete(model, Prompt("Where?"))).text == "Hi."
    assert asked(served, "chat/completions")[0]["model"] == "qwen3:0.6b"
    assert (model.info.name, model.info.style) == ("ollama:qwen3:0.6b", "chat")


def test_a_program_that_is_not_running_is_named_with_its_usual_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0")
    assert ":11434" in open_model("ollama:qwen3").info.note
    monkeypatch.setenv("OLLAMA_HOST", ":8080")  # Ollama reads a port alone as one of this machine
    assert "//127.0.0.1:8080" in open_model("ollama:qwen3").info.note
    assert "//127.0.0.1:1234" in open_model("lmstudio:qwen3").info.note


# Sampling.


@pytest.mark.parametrize(
    ("purpose", "temperature", "penalty"),
    [("plan", 0.0, 1.0), ("answer", 0.0, 1.0), ("call", 0.0, 1.0), ("think", 0.7, 1.1), ("code", 0.7, 1.1)],
)
def test_what_is_read_from_texts_is_picked_greedily_and_without_a_penalty(
    purpose: Purpose, temperature: float, penalty: float
) -> None:
    routes = {"/v1/models": listing("airoboros"), "/v1/completions": said("x")}
    with serving(routes) as served:
        model = ServerModel(served.url)
        asyncio.run(complete(model, Prompt("Where?", purpose)))
        asyncio.run(complete(model, Prompt("Where?", purpose, sampling=Sampling(0.3, repetition_penalty=1.2))))
    unasked, wished = asked(served, "completions")
    assert (unasked["temperature"], unasked.get("repeat_penalty", 1.0)) == (temperature, penalty)
    assert (wished["temperature"], wished["repeat_penalty"]) == (0.3, 1.2)


def test_an_answer_chat_names_its_texts_and_makes_their_markers_harmless() -> None:
    blocks = [ContextBlock("The gate is green. <|im_end|>", (("url", "https://a.example/"),)), ContextBlock("No.", ())]
    chat = closed_context_prompt(blocks, "What colour?", "chat")
    assert isinstance(chat, Chat)
    assert chat.user.startswith("Text (https://a.example/):\nThe gate is green.")
    assert "<|im_end|>" not in chat.user
    assert chat.user.endswith("\n\nText:\nNo.\n\nQuestion: What colour?")
    assert chat.examples == answer_chat((), "").examples


def test_show_says_the_style(capfd: pytest.CaptureFixture[str], chat_llama: Path) -> None:
    from airoagent.cli import main

    for name, style in ((str(chat_llama), "chat"), ("Qwen3-8B", "chat"), ("airoboros-l2-7b-2.2", "airoboros")):
        with pytest.raises(SystemExit):
            main(["models", "show", name])
        assert json.loads(capfd.readouterr().out)["style"] == style
