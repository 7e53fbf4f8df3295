"""Plans in other notations: read again when the usual reader refuses them, with nothing left out or made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent.errors import PlanError
from airoagent.plan.parser import parse_plan
from tests.plan.test_fields import read, steps

ZERO = [
    ("evidence0", "DuckDuckGo", "depth of Loch Ness"),
    ("evidence1", "KnowledgeModel", "How deep, given :evidence0:?"),
]
ONE = [
    ("evidence1", "DuckDuckGo", "depth of Loch Ness"),
    ("evidence2", "KnowledgeModel", "How deep, given :evidence1:?"),
]

TEXTS: dict[str, str] = {}
for part in (Path(__file__).parents[1] / "data/plan_notations.txt").read_text(encoding="utf-8").split("=== ")[1:]:
    name, text = part.split("\n", 1)
    TEXTS[name] = text


@pytest.mark.parametrize("name", TEXTS)
def test_a_plan_in_another_notation_is_read_with_the_numbers_it_uses(name: str) -> None:
    plan = read(TEXTS[name])
    answer = ":evidence2:" if "from one" in name else ":evidence1:"
    assert steps(plan) == (ONE if "from one" in name else ZERO)
    assert plan.answer == ("The depth is :evidence1:." if "prose" in name else answer)
    assert {found.kind for found in plan.diagnostics} & {"notation", "fields", "full_width", "reference_spelling"}


def test_the_words_of_an_input_are_kept_whatever_signs_they_hold() -> None:
    for text, given in {
        "1. Tool: DuckDuckGo / Input: a / b - c; id: d\nAnswer: #E1": "a / b - c; id: d",
        "<step id='1'><tool>DuckDuckGo</tool><input>a < b &amp; c</input></step>\n<answer>#E1</answer>": "a < b & c",
        "<step id='1'><tool>DuckDuckGo</tool><input><![CDATA[a <b> c]]></input></step>": "a <b> c",
        "#E1 = DuckDuckGo[{x: 1} 【y】]\nAnswer: #E1": "{x: 1} 【y】",
        "#E1 = DuckDuckGo{x [y] {z}}\nAnswer: #E1": "x [y] {z}",
        "#E1 = DuckDuckGo{a} or {b '}'}\nAnswer: #E1": "a} or {b '}'",
        "steps:\n- id: 1\n  tool: DuckDuckGo\n  input: |\n    a # b\n    c: d\n": "a # b\nc: d",
        "r = DuckDuckGo('a \\'b\\' #c')\nprint(r)": "a 'b' #c",
    }.items():
        assert parse_plan(text, ["DuckDuckGo"]).steps[0].input == given


def test_steps_keep_their_lines_and_numbers_of_a_list_count() -> None:
    text = (
        "1. Tool: DuckDuckGo\n   Input: a\n2. Tool: DuckDuckGo\n   Input: b\n3. Tool: KnowledgeModel\n   Input: c #E1"
    )
    assert [(step.id, step.line) for step in read(text).steps] == [("evidence1", 1), ("evidence2", 3), ("evidence3", 5)]
    assert [step.line for step in read(TEXTS["braces"]).steps] == [2, 4]


def test_numbers_that_are_written_are_counted_from_elsewhere_only_where_they_are_a_list() -> None:
    listed = "1. Tool: DuckDuckGo / Input: a\n2. Tool: KnowledgeModel / Input: b :evidence0:\nAnswer: :evidence1:"
    assert [step.id for step in read(listed).steps] == ["evidence0", "evidence1"]
    with pytest.raises(PlanError):
        read(listed.replace("2.", "3."))


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help. DuckDuckGo is a search engine; KnowledgeModel: a model.",
        "Tools:\n1. DuckDuckGo: searches the web\n2. KnowledgeModel: answers\n",
        "- DuckDuckGo: searches the web\n- KnowledgeModel: answers\n",
        "<step><tool>Rm</tool><input>x</input></step>",
        "<step><tool>DuckDuckGo</tool><input>x</input></step><step><tool>KnowledgeModel</tool><inp",
        "<html><body><p>tool</p><input name=q><answer>x</answer></body></html>",
        "#E1 = DuckDuckGo【depth】 and more\nAnswer: #E1",
        "<think><step><tool>DuckDuckGo</tool><input>x</input></step></think>\nI do not know.",
        '[{"tool": "DuckDuckGo", "input": "x"}, {"tool": "KnowledgeModel", "inp',
        "steps:\n- tool: DuckDuckGo\n  input:",
        "I cannot plan this. A call would look like this:\n\nDuckDuckGo[query]\n\nBut I have no question.",
        "DuckDuckGo('your query')",
        "x = DuckDuckGo(...)\ny = KnowledgeModel(f'Who: {x}?')\nprint(y)",
        "x = DuckDuckGo('a')\ny = KnowledgeModel(f'Who: {x:.3}?')\nprint(y)",
        f"x = DuckDuckGo('a')\nprint(x{'.b' * 500}())",
        f"x = DuckDuckGo({' + '.join(['x'] * 900)})\nprint(x)",
        "<plan><think>or <tool>DuckDuckGo</tool><input>x</input></think></plan>I do not know.",
        "<plan><tool>DuckDuckGo</tool><input>x</input></plan></think>I do not know.",
        "So:\n<think>\n```yaml\n- tool: DuckDuckGo\n  input: x #E1\n```\n</think>\nI do not know.",
        "Tool | Input\n--- | ---\nDuckDuckGo | a\nMissing | b\nKnowledgeModel | c #E0\n\nAnswer: #E1",
        "steps:\n- DuckDuckGo: a\n- Missing: b\n- KnowledgeModel: c :evidence0:\nanswer: :evidence2:",
        "<DuckDuckGo>a</DuckDuckGo>\n<Missing>b</Missing>\n<answer>#E1</answer>",
        "#E1 = DuckDuckGo{a}\n#E3 = DuckDuckGo{b}\nAnswer: #E2",
        "The energy is E1 = h f [Planck], and E2 = 2 E1 [first harmonic].",
        "let E1 = the first event and E2 = the second [both independent].",
        "x = DuckDuckGo(query)\ny = KnowledgeModel(x)",
        "Here is how a call looks: `E1 = DuckDuckGo[query]`. I cannot plan this one.",
        "x = DuckDuckGo('a')\nif x:\n    print(x)",
        "x = DuckDuckGo('a')\ny = x['text']\nprint(y)",
        "x = 'a'\nz = DuckDuckGo('a')\n" + "x = x + x\n" * 4_000,
        "const a = 1;\nconst b = [a, 2];\nfunction DuckDuckGo(q) { return b[q]; }",
        "Step 1: DuckDuckGo the house [all rooms].\nStep 2: Call the police (112).",
        "1. DuckDuckGo (2023) is a film.\n2. KnowledgeModel (1985) is a song.",
    ],
)
def test_what_is_no_plan_or_is_cut_stays_refused(text: str) -> None:
    with pytest.raises(PlanError):
        parse_plan(text, ["DuckDuckGo", "KnowledgeModel"])


@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        " ",
        "*",
        "```x\n",
        "DuckDuckGo{\n",
        "<action>1 = a",
        "Tool: DuckDuckGo -  ",
        "(",
        "x = f(1)\n",
        "<!--",
        "1. a: DuckDuckGo[x]) ",
    ],
)
def test_a_long_text_that_means_nothing_is_refused_without_a_search_from_each_of_its_places(unit: str) -> None:
    with pytest.raises(PlanError):  # took minutes
        parse_plan(f"I do not know.\n{unit * (60_000 // len(unit))}x", ["DuckDuckGo"])


def test_a_text_that_python_would_warn_of_is_refused_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(PlanError):
        parse_plan("x = DuckDuckGo('a')\nprint(1if x else '\\d')", ["DuckDuckGo"])
    assert not recwarn.list


def test_bare_ids_are_references_only_where_steps_are_written_with_them() -> None:
    text = "E1 = DuckDuckGo[E100, the E 1 road and E2]\nE2 = KnowledgeModel[E1, e1 or {E1}: E1.5?]\nAnswer: E2 of E7"
    plan = read(text)
    assert [step.input for step in plan.steps] == [
        "E100, the E 1 road and E2",
        ":evidence1:, :evidence1: or :evidence1:: E1.5?",
    ]
    assert plan.answer == ":evidence2: of E7"
    signed = read(text.replace("E1 =", "#E1 =").replace("E2 =", "#E2 =").replace("Answer: E2", "Answer: #E2"))
    assert signed.steps[1].input == "E1, e1 or {E1}: E1.5?"


LISTED = "Plan: a\n#E1 = DuckDuckGo[x]\n{}Plan: b\n#E2 = KnowledgeModel[y, #E1?]\n{}"


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("", "\nResults:\n#E1 = Loch Ness is 227 m deep.\n#E2 = 227 m\nAnswer: 227 m"),
        ("", "\n#E1 = Loch Ness is 227 m deep [1].\nAnswer: 227 m"),
        ("", ":evidence1: Loch Ness (227 m)\nAnswer: 227 m"),
        ("Observation: 227 m [1]\n", "Observation: 227 m\nFinal Answer: It is 227 m deep."),
        ("#E1 result: 227 m\n", "Answer: 227 m"),
        ("", "Evidence:\n[#E1] Loch Ness is 227 m deep.\n- #E2: 227 m\nAnswer: 227 m"),
        ("> Result: 227 m\n", "> Tool output: 227 m\n\nAnswer: 227 m"),
    ],
)
def test_results_that_the_text_made_up_neither_run_nor_answer(first: str, rest: str) -> None:
    plan = read(LISTED.format(first, rest))
    assert steps(plan) == [("evidence1", "DuckDuckGo", "x"), ("evidence2", "KnowledgeModel", "y, :evidence1:?")]
    assert plan.answer is None
    assert "invented_result" in {found.kind for found in plan.diagnostics}
    kept = read(LISTED.format(first, rest.rpartition("\n")[0] + "\nAnswer: So it is #E2."))
    assert kept.answer == "So it is :evidence2:."


def test_several_arguments_of_a_program_stay_one_text() -> None:
    text = "x = DuckDuckGo('a')\ny = KnowledgeModel('How \"deep\"?', context=x)\nprint(x)\nprint(y)"
    plan = read(text)
    assert plan.steps[1].input == '"How \\"deep\\"?", context=":evidence0:"'
    assert plan.answer == ":evidence1:"


@pytest.mark.parametrize(
    "text",
    [
        "<!-- <tool>DuckDuckGo</tool><input>no</input> -->\n<step><tool>DuckDuckGo</tool><input>a</input></step>\n"
        "<step><tool>KnowledgeModel</tool><input>b #E1</input></step>",
        "<step><tool>DuckDuckGo</tool><input>a</input><output>227 m</output></step>\n<step><tool>KnowledgeModel</tool>"
        "<input>b #E1</input><result>227</result></step>\n<answer>227 m</answer>",
        "steps:\n  - tool: DuckDuckGo\n    input: a\n    output: 227 m\n  - tool: KnowledgeModel\n    input: b #E1\n"
        "    output: deep\nanswer: 227 m",
        '[{"id": 1, "tool": "DuckDuckGo", "input": "a", "result": "227"},\n'
        '{"id": 2, "tool": "KnowledgeModel", "input": "b #E1", "result": 3}]\nAnswer: 227',
        '[{"step": 7, "tool": "DuckDuckGo", "input": "a", "output": "#E1"},\n'
        '{"step": 8, "tool": "KnowledgeModel", "input": "b #E1", "output": "#E2"}]',
        '[{"id": "E1", "tool": "DuckDuckGo", "input": "a"}, {"id": "E2", "tool": "KnowledgeModel", "input": "b E1"}]',
        "Tool: DuckDuckGo\nInput: a\nTool: KnowledgeModel\nInput: b #E1\n",
        "Tool: DuckDuckGo\nInput: a\nOutput: 227\nTool: KnowledgeModel\nInput: b #E1\nOutput: 3\nAnswer: 3",
        "| Tool | Input | Result |\n|-|-|-|\n| DuckDuckGo | a | 227 |\n| KnowledgeModel | b #E1 | 3 m |\nAnswer: 3",
    ],
)
def test_a_result_is_no_number_of_a_step_and_steps_without_one_may_count_from_one(text: str) -> None:
    plan = read(text)
    assert steps(plan) == [("evidence1", "DuckDuckGo", "a"), ("evidence2", "KnowledgeModel", "b :evidence1:")]
    assert plan.answer is None


def test_a_bar_that_is_escaped_is_a_part_of_its_cell() -> None:
    plan = read("| # | Tool | Input |\n|--|--|--|\n| 1 | DuckDuckGo | a \\| b |\nAnswer: #E1")
    assert plan.steps[0].input == "a | b"


def test_a_reference_in_an_f_string_is_read_once() -> None:
    plan = read(":evidence0: = DuckDuckGo(f'a')\n:evidence1: = KnowledgeModel(f'b :evidence0: {E0}')\nAnswer: #E1")
    assert plan.steps[1].input == "b :evidence0: :evidence0:"


def test_a_program_in_several_code_blocks_is_one() -> None:
    blocks = "```python\nx = DuckDuckGo('a')\n```\nThen:\n```python\nprint(KnowledgeModel(f'b {x}'))\n```"
    plan = read(blocks)
    assert [(step.line, step.input) for step in plan.steps] == [(2, "a"), (6, "b :evidence0:")]


def test_what_yaml_takes_for_a_comment_is_kept_where_it_is_a_reference() -> None:
    with pytest.raises(PlanError, match="evidence9"):
        read("tool: DuckDuckGo\ninput: a #E9\n---\ntool: KnowledgeModel\ninput: b #E0\n")
