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
    assert {found.kind for found in plan.diagnostics} & {"notation", "fields", "full_width"}


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
    ],
)
def test_what_is_no_plan_or_is_cut_stays_refused(text: str) -> None:
    with pytest.raises(PlanError):
        parse_plan(text, ["DuckDuckGo", "KnowledgeModel"])


@pytest.mark.parametrize(
    "unit", ["\n", " ", "*", "```x\n", "DuckDuckGo{\n", "<action>1 = a", "Tool: DuckDuckGo -  ", "("]
)
def test_a_long_text_that_means_nothing_is_refused_without_a_search_from_each_of_its_places(unit: str) -> None:
    with pytest.raises(PlanError):  # took minutes
        parse_plan(f"I do not know.\n{unit * (60_000 // len(unit))}x", ["DuckDuckGo"])


def test_a_text_that_python_would_warn_of_is_refused_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(PlanError):
        parse_plan("x = DuckDuckGo('a')\nprint(1if x else '\\d')", ["DuckDuckGo"])
    assert not recwarn.list
