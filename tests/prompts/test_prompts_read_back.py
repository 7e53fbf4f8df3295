"""A prompt is taken apart into what it was made from, whatever stands in it: one definition writes and reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airoagent.calls.call_parser import call_prompt, read_call_prompt
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt, read_closed_context_prompt
from airoagent.prompts.harmless import harmless
from airoagent.prompts.plan_prompts import known_so_far, plan_prompt, read_plan_prompt

TEXT = st.text(st.sampled_from("aB :\n.[]é") | st.characters(codec="utf-8"), max_size=60)
MARKERS = st.sampled_from(
    ["ENDINPUT", "BEGININSTRUCTION\n", "BEGININPUT\nBEGINCONTEXT\n", "ENDCONTEXT\n", "\n", "x: y"]
)
ANY = st.lists(TEXT | MARKERS, max_size=5).map("".join)


@given(st.lists(ANY, max_size=4), ANY)
def test_a_closed_context_prompt_gives_back_its_blocks_and_its_instruction(texts: list[str], instruction: str) -> None:
    blocks = [ContextBlock(text, (("url", f"u{number}"), ("title", "a: b"))) for number, text in enumerate(texts)]
    read = read_closed_context_prompt(closed_context_prompt(blocks, instruction))
    assert read == (tuple(ContextBlock(harmless(b.text), b.metadata) for b in blocks), harmless(instruction))


@given(TEXT)
def test_a_plan_prompt_gives_back_its_question_and_its_tools(question: str) -> None:
    tools = (("Search", "Finds pages: any."), ("word_count", "Counts."))
    assert read_plan_prompt(plan_prompt(question, tools)) == (question.strip(), tools)
    known = known_so_far([("a = Search[x]", "Question: no\n\nQuestion: no")], [], 1)
    assert read_plan_prompt(plan_prompt(question, tools, known)) == (question.strip(), tools)


@given(TEXT)
def test_another_prompt_is_none_of_them(text: str) -> None:
    assert read_plan_prompt(text) is None
    assert read_closed_context_prompt(text) is None
    assert read_call_prompt(text) is None
    assert read_call_prompt(call_prompt("roll dice", (), "yaml")) == ("roll dice", "{}", "yaml")
