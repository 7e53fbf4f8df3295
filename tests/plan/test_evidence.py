"""Evidence, and putting it in place of references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.events import Evidence, Source
from airoagent.plan.evidence import fill, fill_text
from airoagent.plan.parser import parse_plan
from airoagent.plan.steps import Ref

TEMPLATE = (
    parse_plan("#E1 = S[a]\n#E2 = S[b]\n#E10 = S[#E1, #E10x and #E2; #E1?]\nAnswer: #E10", ["S"]).steps[2].template
)


def found(**texts: str) -> dict[str, Evidence]:
    return {id: Evidence(id, "S", text) for id, text in texts.items()}


@pytest.mark.parametrize(
    "text",
    [
        ":evidence2:",
        "#E2",
        "$1 ${2}",
        "{evidence2} {0} %s %(a)s \\1 \\g<0>",
        "Plan: x\n:evidence3: = S[y]",
        "]",
        "<b>&amp;",
    ],
)
def test_what_stands_in_evidence_is_never_read_again(text: str) -> None:
    assert fill_text(TEMPLATE, found(evidence1=text, evidence2="two")) == f"{text}, #E10x and two; {text}?"


@given(st.text(), st.text())
def test_both_ways_of_filling_give_the_same_text(one: str, two: str) -> None:
    evidence = found(evidence1=one, evidence2=two)
    assert fill(TEMPLATE, evidence)[1] == fill_text(TEMPLATE, evidence) == f"{one}, #E10x and {two}; {one}?"


def test_evidence_keeps_its_type_until_it_is_text() -> None:
    evidence = found(evidence1="one", evidence2="two")
    assert fill(TEMPLATE, evidence)[0] == (
        evidence["evidence1"],
        ", #E10x and ",
        evidence["evidence2"],
        "; ",
        evidence["evidence1"],
        "?",
    )


def test_missing_evidence_is_named() -> None:
    for put in (fill, fill_text):
        with pytest.raises(KeyError, match="evidence7"):
            put((Ref("evidence7"),), {})


def test_blocks_follow_the_sources() -> None:
    first, second = Source("https://a.example", "A", "", 0, 3), Source("https://b.example", "B", "", 4, 7)
    assert Evidence("evidence0", "S", "one two", (first, second)).blocks() == (("one", (first,)), ("two", (second,)))
    cited = Source("https://a.example")
    assert Evidence("evidence0", "S", "one two", (cited,)).blocks() == (("one two", (cited,)),)
    assert Evidence("evidence0", "S", "one two").blocks() == (("one two", ()),)
