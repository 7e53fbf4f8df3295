"""What public reports of other projects show of plans and answers: turns of others, sources that go on, parameters."""

from __future__ import annotations

import pytest

from airoagent import UsageError, parse_plan
from airoagent.plan.plans import parameters, with_values
from airoagent.prompts.context_prompts import read_cited_answer
from airoagent.prompts.own_text import own_text

TOOLS = ["Search", "KnowledgeModel"]


@pytest.mark.parametrize(
    "text",
    [
        "9 metres</s>",
        "9 metres<|eot_id|>",
        "9 metres<|im_end|>\n<|im_start|>user\nWhy?",
        "9 metres<end_of_turn>",
        "9 metres<end_of_utterance>",
        "9 metres [INST] Why? [/INST]",
        "9 metres\n\n### Instruction:\nAnother",
        "9 metres\n\nUSER: thanks\nASSISTANT: welcome",
        "9 metres\nASSISTANT: 10 metres",
        "### Response:\n9 metres",
        "ASSISTANT: 9 metres\nUSER: thanks",
        "<think>\nNine.\n</think>\n\n9 metres",
    ],
)
def test_an_answer_holds_no_turn_of_another_and_no_thought(text: str) -> None:
    assert own_text(text).strip() == "9 metres"
    if "\n" not in text:
        plan = parse_plan(f"#E1 = Search[x]\nAnswer: #E1, {text}", TOOLS)
        assert plan.answer == ":evidence1:, 9 metres"


@pytest.mark.parametrize("text", ["The heading is:\n## Input\nfirst", "Use the USER: field.", "# Response\nfine"])
def test_words_of_turns_within_a_text_stay(text: str) -> None:
    assert own_text(text) == text


def test_an_answer_ends_where_its_sources_first_begin() -> None:
    answer = read_cited_answer(
        "9 metres\nSource:\nurl: https://a.example\n" + "Source:\nurl: https://a.example\n" * 300
    )
    assert (answer.text, answer.sources) == ("9 metres", ((("url", "https://a.example"),),))
    several = read_cited_answer("9 metres\nSource:\nurl: https://a.example\nSource:\nurl: https://b.example")
    assert [dict(pairs)["url"] for pairs in several.sources] == ["https://a.example", "https://b.example"]
    going_on = read_cited_answer("9 metres\nSource:\nurl: https://a.example\nAnd more words.\nSource:\nAgain.")
    assert going_on.text == "9 metres"


def test_sources_alone_are_no_answer() -> None:
    answer = read_cited_answer("Source:\nurl: https://a.example\nSource:\nurl: https://a.example")
    assert (answer.text, answer.answered) == ("", False)


def test_a_value_can_be_set_for_every_name_in_braces() -> None:
    plan = parse_plan("Plan: Look in {year}.\n#E1 = Search[winner of {year}]\nAnswer: In {town}: #E1", TOOLS)
    assert parameters(plan) == ()
    assert with_values(plan, {}) == plan
    filled = with_values(plan, {"year": "2020", "town": "Ense"})
    assert (filled.steps[0].thought, filled.steps[0].input) == ("Look in 2020.", "winner of 2020")
    assert filled.answer == "In Ense: :evidence1:"
    assert with_values(plan, {"town": "{year}"}).answer == "In {year}: :evidence1:"
    assert with_values(plan, {"town": "{year}"}).steps == plan.steps
    with pytest.raises(UsageError, match="no parameter month") as caught:
        with_values(plan, {"month": "May"})
    assert caught.value.hint == "it has year, town"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("◁think▷", "◁/think▷"),
        ("<seed:think>", "</seed:think>"),
        ("<analysis>", "</analysis>"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("", "◁/think▷"),
        ("", "<|end_of_thought|>"),
    ],
)
def test_a_plan_in_the_thoughts_of_any_family_is_not_the_plan(begin: str, end: str) -> None:
    drafted, meant = (
        f":evidence0: = DuckDuckGo[{what}]\nAnswer: :evidence0:" for what in ("tides", "the tides at Hven")
    )
    (step,) = parse_plan(f"{begin}\n{drafted}\n{end}\n{meant}", tools=["DuckDuckGo"]).steps
    assert step.input == "the tides at Hven"


def test_a_markdown_backslash_before_a_reference_is_left_out() -> None:
    plan = parse_plan("\\#E1 = Search[x]\n\\#E2 = @KnowledgeModel[How deep, given \\#E1?]", TOOLS)
    assert [step.input for step in plan.steps] == ["x", "How deep, given :evidence1:?"]


def test_tool_calls_of_openai_are_steps() -> None:
    text = '[{"type": "function", "id": "c1", "function": {"name": "Search", "arguments": {"query": "tides"}}}]'
    assert [(step.tool, step.input) for step in parse_plan(text, TOOLS).steps] == [("Search", "tides")]
