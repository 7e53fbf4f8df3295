"""Steps in the shapes of other schools (fields, tables, YAML), what ends a turn, and what stands around a plan."""

from __future__ import annotations

import pytest

from airoagent.errors import PlanError
from airoagent.plan.parser import PlanParser, parse_plan
from airoagent.plan.plans import Plan

TOOLS = ("DuckDuckGo", "KnowledgeModel", "word_count", "zoo.echo")
TWO = [("evidence0", "DuckDuckGo", "depth of Loch Ness"), ("evidence1", "KnowledgeModel", "How deep? :evidence0:")]


def read(text: str) -> Plan:
    """The plan, the same whether the text comes whole or character by character."""
    plan = parse_plan(text, TOOLS)
    parser = PlanParser(TOOLS)
    fed = [step for character in text for step in parser.feed(character)]
    again = parser.finish()
    assert again == plan and again.diagnostics == plan.diagnostics
    assert tuple(fed) == plan.steps[: len(fed)]
    assert parse_plan(plan.to_text(), TOOLS) == plan
    return plan


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    return [(step.id, step.tool, step.input) for step in plan.steps]


@pytest.mark.parametrize(
    "text",
    [
        "Thought: I search.\nAction: DuckDuckGo\nAction Input: depth of Loch Ness\nThought: I read.\n"
        "Action: KnowledgeModel\nAction Input: How deep? :evidence0:\nFinal Answer: :evidence1:",
        "Thought: I search.\nAction: DuckDuckGo[depth of Loch Ness]\nObservation: (none yet)\n"
        "Action: KnowledgeModel[How deep? :evidence0:]\nFinal Answer: :evidence1:",
        "Action 0: DuckDuckGo[depth of Loch Ness]\nAction 1: KnowledgeModel('How deep? :evidence0:')\nAnswer: #E1",
        '**Plan:** Search.\n- **Tool:** `DuckDuckGo`\n- **Input:** "depth of Loch Ness"\n- **Evidence:** #E0\n\n'
        "**Plan:** Read.\n- **External Tool:** KnowledgeModel\n- **Tool Input:** How deep? #E0\n- **Evidence:** #E1\n"
        "Answer: #E1",
        "1. **Search.**\n   - Input: DuckDuckGo[depth of Loch Ness]\n   - Output: #E0\n2. **Read.**\n"
        "   - Input: KnowledgeModel[How deep? #E0]\n   - Output: #E1\nAnswer: #E1",
        "**#E0:**\n```plaintext\nDuckDuckGo[depth of Loch Ness]\n```\n**#E1:**\n```\n"
        "KnowledgeModel[How deep? #E0]\n```\nAnswer: #E1",
        "plan:\n  - thought: search\n    id: evidence0\n    tool: DuckDuckGo\n    input: depth of Loch Ness\n"
        "  - id: evidence1\n    tool: KnowledgeModel\n    input: 'How deep? :evidence0:'\nanswer: ':evidence1:'",
        "Tool = DuckDuckGo\nInput = depth of Loch Ness\n"
        "Tool = KnowledgeModel\nInput = How deep? :evidence0:\nAnswer: #E1",
        "- Tool: DuckDuckGo, Input: depth of Loch Ness\n"
        "- Tool: KnowledgeModel, Input: How deep? :evidence0:\nAnswer: #E1",
        "| # | Tool | Query | Evidence |\n|---|---|---|---|\n| 1 | DuckDuckGo | depth of Loch Ness | :evidence0: |\n"
        "| 2 | KnowledgeModel | How deep? #E0 | :evidence1: |\nAnswer: #E1",
        "| Step | Tool | Input |\n|---|:--:|---|\n| 0 | DuckDuckGo | depth of Loch Ness |\n"
        "| 1 | `KnowledgeModel` | How deep? #E0 |\n\nAnswer: #E1",
    ],
    ids=[
        "react",
        "react brackets",
        "numbered actions",
        "fields",
        "input and output",
        "headings",
        "yaml",
        "equals",
        "one line",
        "evidence column",
        "table",
    ],
)
def test_steps_of_other_schools_are_read(text: str) -> None:
    plan = read(text)
    assert steps(plan) == TWO
    assert plan.answer == ":evidence1:"
    assert "fields" in {one.kind for one in plan.diagnostics}


def test_thoughts_of_fields_go_with_their_step() -> None:
    plan = read(
        "Thought: I search.\nAction: DuckDuckGo\nAction Input: x\n\nThought: I read.\nAction: word_count[#E0]\n"
    )
    assert [step.thought for step in plan.steps] == ["I search.", "I read."]
    table = read("| # | Plan | Tool | Query |\n| - | - | - | - |\n| 3 | Look. | DuckDuckGo | a | b |\n")
    assert [(one.id, one.thought, one.input) for one in table.steps] == [("evidence3", "Look.", "a | b")]


def test_fields_that_only_describe_the_step_below_them_are_no_second_step() -> None:
    plan = read("Plan: look\n- Tool: DuckDuckGo\n- Input: x\n#E1 = DuckDuckGo[x]\nAnswer: #E1")
    assert steps(plan) == [("evidence1", "DuckDuckGo", "x")]


def test_an_action_with_an_unknown_tool_is_refused_by_its_name() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan("Action: Teleport\nAction Input: x\n", TOOLS)
    assert (caught.value.kind, caught.value.diagnostics[0].line) == ("unknown_tool", 1)


def test_an_action_in_words_is_prose() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan("Action: search the web for it\nInput: what you like\n", TOOLS)
    assert caught.value.kind == "empty_plan"


@pytest.mark.parametrize(
    "tail",
    [
        *("</s>", "<|im_end|>", "<|eot_id|>\n", "<|end_of_text|>", "<end_of_turn>", " [INST] And now? [/INST]"),
        *("<|im_end|>\n<|im_start|>user\nMore?", " </s> USER: more", " USER: And now?", "**</s>"),
    ],
)
def test_what_ends_a_turn_is_no_part_of_the_answer(tail: str) -> None:
    mark = "**" if tail.startswith("**") else ""
    plan = read(f"#E1 = DuckDuckGo[x]\nAnswer: {mark}#E1{tail}")
    assert plan.answer == ":evidence1:"
    assert "end_token" in {one.kind for one in plan.diagnostics}


def test_an_answer_in_words_loses_only_the_end_of_the_turn() -> None:
    assert (
        read("#E1 = DuckDuckGo[x]\nAnswer: It is <b>#E1</b> (a < b).</s>").answer == "It is <b>:evidence1:</b> (a < b)."
    )
    assert read("#E1 = DuckDuckGo[what is </s> for]\nAnswer: #E1").steps[0].input == "what is </s> for"


@pytest.mark.parametrize(
    "thoughts",
    [
        "<think>\n:evidence0: = KnowledgeModel[a draft]\nAnswer: :evidence0:\nToo short.\n</think>\n\n",
        "[THINK]Plan: a draft\n:evidence0: = DuckDuckGo[loch]\n[/THINK]",
        "<|channel|>analysis<|message|>:evidence0: = DuckDuckGo[a]<|end|>",
    ],
)
def test_a_plan_drafted_in_thoughts_is_not_the_plan(thoughts: str) -> None:
    plan = read(f"{thoughts}Plan: Search.\n:evidence0: = DuckDuckGo[depth of Loch Ness]\nAnswer: :evidence0:")
    assert steps(plan) == TWO[:1]


def test_thoughts_without_an_end_leave_no_plan() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan("<think>\n:evidence0: = DuckDuckGo[loch]\nAnswer: :evidence0:", TOOLS)
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize(
    "written",
    [
        *("functions.DuckDuckGo[x]", "default_api.DuckDuckGo[x]", "tool:DuckDuckGo[x]", "DuckDuckGoTool[x]"),
        *("DuckDuckGo()[x]", "DuckDuckGo\\[x\\]", "Duck\\_Duck\\_Go[x]", "Use the DuckDuckGo[x]"),
    ],
)
def test_slips_in_the_name_of_a_tool_are_read(written: str) -> None:
    assert steps(read(f":evidence0: = {written}\nAnswer: :evidence0:")) == [("evidence0", "DuckDuckGo", "x")]


def test_a_tool_of_a_server_goes_by_its_last_name_too() -> None:
    assert [step.tool for step in read("#E0 = echo[x]\n#E1 = zoo_echo[x]\nAnswer: #E1").steps] == ["zoo.echo"] * 2


def test_references_with_a_markdown_backslash_are_references() -> None:
    plan = read(":evidence\\_0: = DuckDuckGo[x]\n#E1 = word_count[:evidence\\_0: and more]\nAnswer: :evidence\\_1:")
    assert steps(plan) == [("evidence0", "DuckDuckGo", "x"), ("evidence1", "word_count", ":evidence0: and more")]
    assert plan.answer == ":evidence1:"


def test_the_brackets_of_a_formula_around_a_step_are_not_its_input() -> None:
    assert steps(read("\\[ #E1 = DuckDuckGo[Kvint soda] \\]\n")) == [("evidence1", "DuckDuckGo", "Kvint soda")]


def test_a_plan_written_a_second_time_is_one_plan() -> None:
    plan = read(
        "#E1 = DuckDuckGo[x]\n#E2 = word_count[#E1]\n\n### Execution\n#E1 = DuckDuckGo[x]\n#E2 = word_count[#E1]\n"
    )
    assert [step.id for step in plan.steps] == ["evidence1", "evidence2"]
    with pytest.raises(PlanError) as caught:
        parse_plan("#E1 = DuckDuckGo[x]\n#E1 = DuckDuckGo[y]\n", TOOLS)
    assert caught.value.kind == "duplicate_id"


FIRST = "Plan: Ask.\n:evidence0: = KnowledgeModel[how deep]\n"
SECOND = (
    "Plan: Search.\n:evidence0: = DuckDuckGo[depth of Loch Ness]\n"
    ":evidence1: = KnowledgeModel[How deep? :evidence0:]\nAnswer: :evidence1:"
)


@pytest.mark.parametrize("first", [FIRST, FIRST + "Answer: :evidence0:\n\n", FIRST + ":evidence0: = nothing[x]\n"])
@pytest.mark.parametrize(
    "between",
    [
        "Wait, that is too short. Here is the revised plan:",
        "## Revised Plan",
        "**Final plan:**",
        "Let me rewrite the plan.",
        "Corrected version:",
        "Hmm. Let me try again:",
        "</think>",
        "Answer: :evidence0:</think>",
        "Answer: :evidence0: it is, I think.\nOr not.</think> ",
        "Answer: :evidence0: it is.\n[/THINK]",
    ],
)
def test_a_plan_that_is_written_again_takes_the_place_of_the_first(first: str, between: str) -> None:
    plan = parse_plan(f"{first}{between}\n{SECOND}", TOOLS)
    assert steps(plan) == TWO
    assert "revised_plan" in {found.kind for found in plan.diagnostics}
    parser = PlanParser(TOOLS)
    for character in f"{first}{between}\n{SECOND}":
        parser.feed(character)
    assert parser.finish() == plan


@pytest.mark.parametrize(
    "after",
    [
        "This final plan answers the question.",
        "I will revise this.\nThen I rest.",
        f"Question: And the next one?\n{SECOND}",
        "Revised plan:\nPlan: Search",
    ],
)
def test_a_plan_stands_where_no_other_takes_its_place(after: str) -> None:
    plan = read(f"{FIRST}Answer: :evidence0:\n\n{after}")
    assert steps(plan) == [("evidence0", "KnowledgeModel", "how deep")] and plan.answer == ":evidence0:"


def test_two_calls_in_one_step_are_refused() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan('#E1 = DuckDuckGo["red"] and DuckDuckGo["grey"]\nAnswer: #E1', TOOLS)
    assert caught.value.kind == "syntax"


def test_steps_as_variables_of_python_are_references() -> None:
    first = "evidence0 = DuckDuckGo('x')\nevidence1 = word_count(f\"How long is {evidence0}?\")\n"
    plan = read(first + "E2 = word_count(evidence1)\n")
    assert [step.input for step in plan.steps] == ["x", "How long is :evidence0:?", ":evidence1:"]
    assert read("1. DuckDuckGo('E5 route')\n").steps[0].input == "E5 route"


def test_a_bare_join_answers_with_all_that_no_step_uses() -> None:
    text = '1. DuckDuckGo("a")\n2. DuckDuckGo("b")\n3. word_count("$1")\nThought: done.\n4. join()<END_OF_PLAN>\n'
    assert read(text).answer == ":evidence2:\n:evidence3:"
    assert read('1. DuckDuckGo("a")\n2. join()').answer is None
