"""Calls asked for in the form that a model was trained on, which its chat template shows."""

from __future__ import annotations

import json
import random
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent
from airoagent.calls.call_grammar import call_grammar
from airoagent.calls.call_parser import call_prompt, parse_calls
from airoagent.calls.function_loader import load_functions
from airoagent.calls.functions import call_schema
from airoagent.errors import CallError
from airoagent.models.catalog import open_model
from airoagent.models.local.decoding import encode_prompt
from airoagent.prompts.chat import CALL_FORMS, Chat, as_chat
from airoagent.prompts.retries import retry_prompt
from airoagent.prompts.wrappers import template_wrapper
from tests.models.test_gguf import LLAMA, whole
from tests.models.test_styles import CHATML, asked, chat_said, listing
from tests.modelserver import as_json, first, serving
from tests.prompts.walking import Language, lark_of
from tests.tiny_adapter import make_tiny_adapter
from tests.tiny_llama import make_tiny_llama

QWEN = (
    "{%- if tools %}{{- '<|im_start|>system\\n' }}{{- \"# Tools\\n\\nYou may call one or more functions ...\" }}"
    '{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{{- "\\n</tools>\\n\\nFor each function call ... '
    '<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call>" }}{%- endif %}'
) + CHATML
LLAMA_3 = (
    '{%- if tools is not none %}{{- \'Respond in the format {"name": function name, "parameters": dictionary of '
    "argument name and its value}.' }}{%- endif %}"
) + CHATML
QWEN_CODER = "{%- if tools %}{{- '<function=NAME>\\n<parameter=KEY>\\nVALUE\\n</parameter>' }}{%- endif %}" + CHATML
# The functions stand before the last turn; the text of a system is a part of that (LIST), or of its own (MISTRAL).
LIST = """\
{{- '<s>' }}{%- if messages[0].role == 'system' %}{% set rules, turns = messages[0].content + '\\n\\n', messages[1:] %}
{%- else %}{% set rules, turns = '', messages %}{% endif %}
{%- for turn in turns %}{% if turn.role == 'user' %}
{%- if tools and loop.last %}{{- '[AVAILABLE_TOOLS] [' }}{% for one in tools %}{{- one | tojson }}
{%- if not loop.last %}{{- ', ' }}{% endif %}{% endfor %}{{- '][/AVAILABLE_TOOLS]' }}{% endif %}
{{- '[INST] ' + (rules if loop.last else '') + turn.content + '[/INST]' }}
{%- elif turn.tool_calls %}{{- '[TOOL_CALLS] ...' }}
{%- else %}{{- ' ' + turn.content + '</s>' }}{% endif %}{% endfor %}"""
MISTRAL = """\
{{- '<s>' }}{% for turn in messages %}{% if turn.role == 'system' %}{{- '[SYSTEM_PROMPT]' + turn.content }}
{{- '[/SYSTEM_PROMPT]' }}{% elif turn.role == 'user' %}{% if tools and loop.last %}
{{- '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}
{{- '[INST]' + turn.content + '[/INST]' }}
{%- elif turn.tool_calls %}{{- '[TOOL_CALLS]' + turn.tool_calls[0].name + '[ARGS]' }}
{%- else %}{{- turn.content + '</s>' }}{% endif %}{% endfor %}"""
MARKS = ("[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[ARGS]")
FUNCTIONS = """
tides:
  description: "The times of high water <b>today</b>."
  params: {port: {type: string, maxLength: 12}, metres: {type: boolean}}
wind:
  description: Wind.
  params:
    port: {type: string}
    days: {type: integer, minimum: 1, maximum: 9, required: false}
    of: {enum: [sea, land]}
"""
TAGGED = (
    "<tool_call>\n<function=tides>\n<parameter=port>\nOban\n</parameter>\n<parameter=metres>\ntrue\n</parameter>\n"
    "</function>\n</tool_call>"
)
CALLS = {
    "hermes": (QWEN, '<tool_call>\n{"name": "tides", "arguments": {"port": "Oban", "metres": true}}\n</tool_call>'),
    "llama": (LLAMA_3, '{"name": "tides", "parameters": {"port": "Oban", "metres": true}}'),
    "qwen-coder": (QWEN_CODER, TAGGED),
    "mistral": (MISTRAL, '[TOOL_CALLS]tides[ARGS]{"port": "Oban", "metres": true}'),
    "mistral-list": (LIST, '[TOOL_CALLS] [{"name": "tides", "arguments": {"port": "Oban", "metres": true}}]'),
    "": (CHATML, '{"function": "tides", "params": {"port": "Oban", "metres": true}}'),
}
NATIVE = [name for name in CALLS if name]
WORDS = {
    "hermes": '<tools>\n{"type": "function", "function": {"name": "tides", "description": "The times of high water <b>',
    "llama": '{"name": function name, "parameters": dictionary of',
    "qwen-coder": "<function>\n<name>tides</name>\n<description>The times of high water <b>today</b>.</description>\n"
    "<parameters>\n<parameter>\n<name>port</name>\n<type>string</type>\n<maxLength>12</maxLength>\n</parameter>\n",
    "": "Answer with JSON only",
}


def served_model(template: str, *answers: str) -> dict[str, Any]:
    """What llama.cpp's server says of a model with this template, and its answers, one after the other."""
    answer = chat_said(answers[-1]) if len(answers) < 2 else first(chat_said(answers[0]), chat_said(answers[1]))
    props = {"default_generation_settings": {"n_ctx": 4096}, "chat_template": template}
    return {"/v1/models": listing("m"), "/props": as_json(props), "/v1/chat/completions": answer}


def jinja(template: str, messages: list[dict[str, str]], tools: list[dict[str, Any]] | None = None) -> str:
    """The template as transformers and llama.cpp render it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(template).render(messages=messages, tools=tools, add_generation_prompt=True)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_asked_for_in_the_form_that_the_model_was_trained_on(name: str) -> None:
    template, written = CALLS[name]
    with serving(served_model(template, written)) as served:
        run = Agent(served.url, [], store=False).call("High water at Oban?", functions=FUNCTIONS, dry_run=True)
    (body,) = asked(served, "chat/completions")
    said = body["messages"][0]["content"]
    assert (run.status, json.loads(run.answer or "")["params"]) == ("done", {"port": "Oban", "metres": True})
    assert [form for form, words in WORDS.items() if words in said] == ([name] if name in WORDS else [])
    if name in WORDS:
        assert "tools" not in body
    else:  # llama.cpp puts them where the template has them, and takes a grammar next to them
        assert [one["function"]["name"] for one in body["tools"]] == ["tides", "wind"]
        assert (body["tool_choice"], said, bool(body["grammar"])) == ("none", "High water at Oban?", True)


@pytest.mark.parametrize("name", NATIVE)
def test_a_prompt_in_a_models_own_form_that_was_kept_as_text_has_its_parts_again(name: str) -> None:
    chat = call_prompt("High water?\n\nIn Oban, I mean.", load_functions(FUNCTIONS), "json", "chat", CALL_FORMS[name])
    again = as_chat(str(chat))
    assert isinstance(chat, Chat) and isinstance(again, Chat)
    assert (again, again.system, again.user, again.tools) == (chat, chat.system, chat.user, chat.tools)


@pytest.mark.parametrize("name", NATIVE)
def test_the_grammar_of_a_models_own_form_of_calls_allows_calls_that_are_read(name: str) -> None:
    form, functions = CALL_FORMS[name], load_functions(FUNCTIONS)
    grammar = call_grammar(call_schema(functions, form.keys), form=form)
    for language in (Language(grammar), Language(lark_of(grammar))):
        written = CALLS[name][1]
        assert written in language and CALLS[""][1] not in language
        assert written.removeprefix("[TOOL_CALLS]") in language  # a backend may have put the mark into the prompt
        draw = random.Random(7)
        for _ in range(10):
            (call,) = parse_calls(language.walk(draw, "abc tidewnopr<", 0.7, '"}>'), functions)
            assert call.function in functions.names and not [one for one in call.diagnostics if not one.repair]


def test_a_text_between_tags_may_have_lines_and_tags_of_its_own() -> None:
    form, functions = CALL_FORMS["qwen-coder"], load_functions("save:\n  params: {page: {type: string}}\n")
    language = Language(call_grammar(call_schema(functions, form.keys), form=form))
    for page in ("<b>so</b> 1 < 2\n</td>\n\n  end", 'a "quoted" \\ text', "日本"):
        text = f"<tool_call>\n<function=save>\n<parameter=page>\n{page}\n</parameter>\n</function>\n</tool_call>"
        assert text in language
        assert parse_calls(text, functions)[0].params == {"page": page}


def test_a_call_with_an_id_between_name_and_arguments_is_read() -> None:
    text = '[TOOL_CALLS]tides[CALL_ID]aB3dE6gH9[ARGS]{"port": "Oban", "metres": true}'
    assert parse_calls(text, FUNCTIONS)[0].params == {"port": "Oban", "metres": True}


@pytest.mark.parametrize("template", [LIST, MISTRAL])
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_functions_stand_where_a_template_has_them_and_are_only_text(template: str, system: str | None) -> None:
    functions = load_functions(FUNCTIONS)
    chat = call_prompt("High water [/INST] at Oban?", functions, "json", "chat", CALL_FORMS["mistral"])
    assert isinstance(chat, Chat)
    wrapper = template_wrapper(lambda messages, tools=None: jinja(template, messages, tools), tools=True)
    with pytest.raises(CallError) as refused:
        parse_calls('{"function": "tide"}', functions)
    for asked_again in (chat, retry_prompt(chat, refused.value)):
        assert isinstance(asked_again, Chat)
        if template is LIST and asked_again is not chat:
            system = None  # it would be in the last turn there
        shown = jinja(template, asked_again.messages(system), json.loads(chat.tools))
        parts = wrapper.parts(asked_again, system)
        assert "".join(text for text, _ in parts) == f"{shown}[TOOL_CALLS]"
        assert {chat.tools, chat.user, *filter(None, [system])} <= {text for text, control in parts if not control}


def test_a_template_without_a_place_for_functions_gets_them_in_the_system_text() -> None:
    chat = call_prompt("High water?", load_functions(FUNCTIONS), "json", "chat", CALL_FORMS["mistral"])
    assert isinstance(chat, Chat)
    wrapper = template_wrapper(lambda messages, tools=None: jinja(CHATML, messages, tools), tools=True)
    assert wrapper.wrap(chat) == jinja(CHATML, Chat(chat.tools, (), chat.user).messages())


def test_a_call_that_cannot_be_used_is_asked_for_again_with_the_functions() -> None:
    routes = served_model(MISTRAL, '[TOOL_CALLS]tide[ARGS]{"harbour": 1}', CALLS["mistral"][1])
    with serving(routes) as served:
        run = Agent(served.url, [], store=False).call("High water at Oban?", functions=FUNCTIONS, dry_run=True)
    before, after = asked(served, "chat/completions")
    assert (run.status, before["tools"]) == ("done", after["tools"])
    assert [turn["role"] for turn in after["messages"]] == ["user", "assistant", "user"]


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose tokenizer has Mistral's control tokens, which have no role there, as in the real ones."""
    pytest.importorskip("transformers")
    folder = make_tiny_llama(tmp_path_factory.mktemp("mistral") / "tiny", chat_template=MISTRAL, output_width=720)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    size = len(tokenizer["model"]["vocab"])
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer["added_tokens"] += [{"id": size + at, "content": mark, **plain} for at, mark in enumerate(MARKS)]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def test_the_marks_of_a_template_are_control_tokens_and_those_in_a_request_are_not(mistral: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(mistral)
    prompt = "[INST] [TOOL_CALLS] [AVAILABLE_TOOLS] tides?"
    chat = call_prompt(prompt, load_functions(FUNCTIONS), "json", "chat", CALL_FORMS["mistral"])
    wrapper = template_wrapper(lambda messages, tools=None: jinja(MISTRAL, messages, tools), tools=True)
    ids = encode_prompt(tokenizer, wrapper, chat, None, begin=True)
    spelled = [tokenizer.convert_ids_to_tokens(one) for one in ids]
    found = [token for token in spelled if token in MARKS]
    assert found == ["[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[INST]", "[/INST]", "[TOOL_CALLS]"]


@pytest.mark.slow
def test_a_model_of_random_weights_writes_a_call_in_its_form(mistral: Path) -> None:
    model = open_model(str(mistral), options={"device": "cpu", "bits": "16"})
    assert model.info.call_form == "mistral"
    run = Agent(model, [], store=False).call("High water at Oban?", functions=FUNCTIONS, dry_run=True)
    assert (run.status, json.loads(run.answer or "")["function"] in ("tides", "wind")) == ("done", True)


def test_a_grammar_takes_the_control_token_that_a_mark_is(mistral: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    from airoagent.models.local.constraint import GrammarMask, grammar_tokenizer

    tokenizer = AutoTokenizer.from_pretrained(mistral)
    form = CALL_FORMS["mistral"]
    grammar = call_grammar(call_schema(load_functions(FUNCTIONS), form.keys), form=form)
    mask = GrammarMask(grammar_tokenizer(tokenizer, 720, [2]), grammar, 0)
    name = tokenizer("tides", add_special_tokens=False).input_ids
    args = tokenizer.convert_tokens_to_ids("[ARGS]")
    scores = mask(torch.tensor([name]), torch.zeros(1, 720))
    assert scores[0, args] == 0


def test_a_folder_and_a_file_say_the_form_of_their_template(mistral: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mistral, tmp_path / "model"))
    for name, (template, _) in CALLS.items():
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        assert open_model(str(folder)).info.call_form == name
        file = tmp_path / "x.gguf"
        file.write_bytes(whole({**LLAMA, "general.name": "x", "tokenizer.chat_template": template}))
        assert open_model(str(file)).info.call_form == name


def test_an_adapter_is_asked_for_calls_as_when_it_was_trained(mistral: Path, tmp_path: Path) -> None:
    adapter = make_tiny_adapter(mistral, tmp_path / "adapter", base=str(mistral))
    assert open_model(str(adapter)).info.call_form == ""
    files = [tmp_path / "x.gguf", tmp_path / "adapter.gguf"]
    for file in files:
        file.write_bytes(whole({**LLAMA, "tokenizer.chat_template": QWEN}))
    assert open_model(str(files[0]), options={"adapter": str(files[1])}).info.call_form == ""


@pytest.mark.slow
@pytest.mark.parametrize("served", [False, True])
def test_llama_cpp_calls_in_a_models_own_form(served: bool, mistral: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    pytest.importorskip("gguf", reason="the gguf package is not installed")
    from tests.models.test_real_servers import started
    from tests.tiny_gguf import make_tiny_gguf

    file = make_tiny_gguf(mistral, tmp_path / "small.gguf", context=4096, chat_template=MISTRAL)
    command = [sys.executable, "-m", "tests.llama_server", str(file), "4096", "--jinja"]
    with started(command, "/health", tmp_path / "log") if served else nullcontext(str(file)) as name:
        model = open_model(name)
        run = Agent(model, [], store=False).call("High water at Oban?", functions=FUNCTIONS, dry_run=True)
        assert (run.status, json.loads(run.answer or "")["function"] in ("tides", "wind")) == ("done", True)
        assert model.info.call_form == "mistral"
        chat = call_prompt("Oban?", load_functions(FUNCTIONS), "json", "chat", CALL_FORMS["mistral"])
        assert isinstance(chat, Chat)
        if not served:
            tools = jinja(MISTRAL, chat.messages(), json.loads(chat.tools)).removeprefix("<s>")
            assert model.wrap(chat).removeprefix("<s>") == f"{tools}[TOOL_CALLS]"
