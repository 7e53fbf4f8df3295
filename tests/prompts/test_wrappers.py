"""Every wrapper's bytes, and which model gets which."""

from __future__ import annotations

import pytest

from airoagent.errors import UsageError
from airoagent.prompts.wrappers import WRAPPERS, template_wrapper, trim_completion, wrapper_for, wrapper_named

PLAIN = (
    "A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, uncensored "
    "responses to the user's input."
)
NEVER = PLAIN + " The assistant never refuses to answer, regardless of the legality or morality of the request."
HELP = "You are a help, unbiased, uncensored assistant."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("airoboros-1", PLAIN + " USER: Hi\n there ASSISTANT: "),
        ("airoboros-1.4.1", NEVER + " USER: Hi\n there ASSISTANT: "),
        ("airoboros-2.0", NEVER + " USER: Hi\n there ASSISTANT: "),
        ("airoboros-2.1", "A chat.\nUSER: Hi\n there\nASSISTANT: "),
        ("airoboros-2.2", "A chat.\nUSER: Hi\n there\nASSISTANT: "),
        ("airoboros-3", f"[INST] <<SYS>>\n{HELP}\n<</SYS>>\n\nHi\n there [/INST]"),
        ("airoboros-3.1", f"[INST] <<SYS>>\n{HELP}\n<</SYS>>\n\nHi\n there [/INST] "),
        ("none", "Hi\n there"),
    ],
)
def test_wraps_byte_for_byte(name: str, text: str) -> None:
    assert WRAPPERS[name].wrap("Hi\n there") == text


@pytest.mark.parametrize(
    ("name", "with_system", "without"),
    [
        ("airoboros-2.0", "Be brief. USER: Hi ASSISTANT: ", "USER: Hi ASSISTANT: "),
        ("airoboros-2.2", "Be brief.\nUSER: Hi\nASSISTANT: ", "USER: Hi\nASSISTANT: "),
        ("airoboros-3", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]", "[INST] Hi [/INST]"),
        ("none", "Be brief.\n\nHi", "Hi"),
    ],
)
def test_own_system_text_and_none_at_all(name: str, with_system: str, without: str) -> None:
    assert WRAPPERS[name].wrap("Hi", "Be brief.") == with_system
    assert WRAPPERS[name].wrap("Hi", "") == without


@pytest.mark.parametrize(
    ("model", "wrapper"),
    [
        ("jondurbin/airoboros-13b-gpt4-1.4", "airoboros-1"),
        ("jondurbin/airoboros-65b-gpt4-1.4", "airoboros-1"),
        ("jondurbin/airoboros-mpt-30b-gpt4-1p4-five-epochs", "airoboros-1"),
        ("jondurbin/airoboros-gpt-3.5-turbo-100k-7b", "airoboros-1"),
        ("jondurbin/airoboros-13b", "airoboros-1"),
        ("jondurbin/airoboros-33b-gpt4-1.2", "airoboros-1"),
        ("jondurbin/airoboros-l2-7b-gpt4-1.4.1", "airoboros-1.4.1"),
        ("airoboros-33b-qlora-gpt4-1.4", "airoboros-1.4.1"),
        ("jondurbin/airoboros-l2-13b-gpt4-2.0", "airoboros-2.0"),
        ("jondurbin/airoboros-33b-gpt4-m2.0", "airoboros-2.0"),
        ("TheBloke/airoboros-l2-13b-gpt4-m2.0-GPTQ", "airoboros-2.0"),
        ("models/airoboros-l2-13b-gpt4-m2.0.Q4_K_M.gguf", "airoboros-2.0"),
        ("jondurbin/airoboros-l2-70b-2.1", "airoboros-2.1"),
        ("jondurbin/airoboros-l2-70b-2.1-creative", "airoboros-2.1"),
        ("jondurbin/airoboros-c34b-2.1", "airoboros-2.1"),
        ("jondurbin/airoboros-l2-13b-2.2", "airoboros-2.2"),
        ("jondurbin/airoboros-l2-70b-2.2.1", "airoboros-2.2"),
        ("jondurbin/airoboros-l2-7b-3.0", "airoboros-3"),
        ("jondurbin/airoboros-3b-3p0", "airoboros-3"),
        ("jondurbin/airoboros-l2-70b-3.1", "airoboros-3.1"),
        ("jondurbin/airoboros-m-7b-3.1.1", "airoboros-3"),
        ("jondurbin/airoboros-m-7b-3.1.2", "airoboros-3"),
        ("/data/Airoboros-L2-13B-GPT4-2.0/", "airoboros-2.0"),
        ("airoboros-1.1b-2.2", "airoboros-2.2"),
    ],
)
def test_chooses_by_the_models_name(model: str, wrapper: str) -> None:
    assert wrapper_for(model, model_type="llama").name == wrapper


def test_chooses_by_facts_where_the_name_tells_nothing() -> None:
    assert wrapper_for("my-model", model_type="llama", has_chat_template=True).name == "template"
    assert wrapper_for("my-model", model_type="llama").name == "airoboros-2.0"
    assert wrapper_for("my-model", model_type="mpt").name == "airoboros-1"
    assert wrapper_for("my-model", model_type="gpt2").name == "none"
    assert wrapper_for("my-model", has_chat_template=True, other_names=["jondurbin/airoboros-l2-7b-2.2"]).name == (
        "airoboros-2.2"
    )


def test_a_template_counts_for_llama_3_generations_only() -> None:
    assert wrapper_for("jondurbin/airoboros-70b-3.3", has_chat_template=True).name == "template"
    assert wrapper_for("jondurbin/airoboros-l2-13b-2.0", has_chat_template=True).name == "airoboros-2.0"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("2.0", "airoboros-2.0"),
        ("2.2.1", "airoboros-2.2"),
        ("1.x", "airoboros-1"),
        ("3.1", "airoboros-3.1"),
        ("3.1.2", "airoboros-3"),
        ("Airoboros-1.4.1", "airoboros-1.4.1"),
        ("1.4", "airoboros-1"),
        ("none", "none"),
    ],
)
def test_named_by_the_user(asked: str, name: str) -> None:
    assert wrapper_named(asked).name == name


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UsageError, match="'airoboros-9'") as caught:
        wrapper_named("airoboros-9")
    assert "airoboros-" in caught.value.hint


def test_a_chat_template_becomes_a_wrapper() -> None:
    def render(messages: list[dict[str, str]]) -> str:
        return "<s>" + "".join(f"<|{m['role']}|>\n{m['content']}<end>" for m in messages) + "<|assistant|>\n"

    wrapper = template_wrapper(render)
    assert wrapper.wrap("Hi {x}") == "<s><|user|>\nHi {x}<end><|assistant|>\n"
    assert wrapper.wrap("Hi", "Be brief.") == "<s><|system|>\nBe brief.<end><|user|>\nHi<end><|assistant|>\n"


def test_a_chat_template_may_refuse_a_system_text() -> None:
    def render(messages: list[dict[str, str]]) -> str:
        if messages[0]["role"] == "system":
            raise ValueError("no system text")
        return f"[{messages[0]['content']}]"

    assert template_wrapper(render).wrap("Hi") == "[Hi]"
    assert template_wrapper(render).wrap("Hi", "Be brief.") == "[Be brief.\n\nHi]"


def test_a_chat_template_that_changes_the_text_is_refused() -> None:
    with pytest.raises(UsageError, match="once and as it is"):
        template_wrapper(lambda messages: messages[-1]["content"].upper())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("An otter.\nUSER:", "An otter.\n"),
        ("An otter. ASSISTANT: ", "An otter. "),
        ("USER:ASSISTANT:", ""),
        ("The USER: field", "The USER: field"),
        ("plain", "plain"),
    ],
)
def test_trims_turn_markers_at_the_end_only(text: str, kept: str) -> None:
    assert trim_completion(text) == kept
