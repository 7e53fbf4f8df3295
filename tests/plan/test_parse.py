"""The rules of the plan language, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import airoagent
from airoagent.errors import PlanError
from airoagent.plan.parser import PlanLimits, PlanParser, parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step

TOOLS = ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel")


def kinds(plan: Plan) -> list[str]:
    return [diagnostic.kind for diagnostic in plan.diagnostics]


def one_input(written: str) -> tuple[str, list[str]]:
    """What an input means, and the findings about it."""
    plan = parse_plan(f":evidence0: = DuckDuckGo[{written}]\nAnswer: :evidence0:\n", TOOLS)
    return plan.steps[0].input, kinds(plan)


def refused(text: str, truncated: bool = False) -> PlanError:
    parser = PlanParser(TOOLS)
    parser.feed(text)
    with pytest.raises(PlanError) as caught:
        parser.finish(truncated)
    return caught.value


def test_the_contract_of_the_public_names() -> None:
    plan = airoagent.parse_plan("Plan: look\n#E1 = Search[otters]\nAnswer: #E1", tools=["Search"])
    (step,) = plan.steps
    assert (step.id, step.thought, step.tool, step.input, step.depends_on) == (
        "evidence1",
        "look",
        "Search",
        "otters",
        (),
    )
    assert plan.answer == ":evidence1:"
    assert plan.diagnostics == ()


def test_a_text_may_come_as_chunks_and_tools_as_any_iterable() -> None:
    def chunks() -> Iterator[str]:
        yield from ("Plan: lo", "ok\n:evid", "ence0: = Se", "arch[ot", "ters]\nAns", "wer: :evidence0:")

    plan = parse_plan(chunks(), (name for name in ("Search",)))
    assert plan == parse_plan("".join(chunks()), {"Search": object()})
    assert plan.steps[0].input == "otters"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (":evidence3:", 3),
        (":evidence3", 3),
        (": evidence 3 :", 3),
        (":EVIDENCE3:", 3),
        (":evidence[3]:", 3),
        ("：evidence3：", 3),
        ("#E3", 3),
        ("#e3", 3),
        ("#evidence3", 3),
        ("# E3", 3),
        (":evidence03:", 3),
        ("{evidence3}", 3),
        ("{{ evidence3 }}", 3),
        ("<evidence3>", 3),
        (":evidence999999999:", 999999999),
    ],
)
def test_spellings_that_are_references(written: str, number: int) -> None:
    plan = parse_plan(f":evidence{number}: = DuckDuckGo[a]\n#E0 = KnowledgeModel[given {written}!]\nAnswer: #E0", TOOLS)
    assert plan.steps[1].template == ("given ", Ref(f"evidence{number}"), "!")


@pytest.mark.parametrize(
    "written",
    [
        "evidence3",
        "evidence 3",
        "$3",
        "${3}",
        ":evidence:",
        ":evidenceX:",
        "page#E3",
        "a&#E3",
        ":evidence3rd",
        "#E3x",
        "#E",
        ":evidence1234567890:",
        "see: evidence 3 shows",
        "E3",
    ],
)
def test_spellings_that_are_text(written: str) -> None:
    assert one_input(f"x {written} y") == (f"x {written} y", [])


def test_a_number_is_never_read_as_a_shorter_one() -> None:
    steps = "".join(f"#E{number} = DuckDuckGo[a]\n" for number in (1, 10, 100))
    plan = parse_plan(f"{steps}#E2 = KnowledgeModel[#E1, #E10 and #E100]\nAnswer: #E2", TOOLS)
    assert plan.steps[-1].depends_on == ("evidence1", "evidence10", "evidence100")


@pytest.mark.parametrize(
    ("written", "meant", "findings"),
    [
        ("a [b] c", "a [b] c", []),
        ("a ] b", "a ] b", ["unbalanced_bracket"]),
        ("[[[a]]]", "[[[a]]]", []),
        ("a [ b", "a [ b", ["unbalanced_bracket"]),
        ("", "", []),
        (" a ", "a", ["white_space"]),
        ('"a b"', "a b", ["quotes"]),
        ("'a b'", "a b", ["quotes"]),
        ("`a b`", "a b", ["quotes"]),
        ("\"'a'\"", "'a'", ["quotes"]),
        ('"a" or "b"', '"a" or "b"', []),
        ('say "a"', 'say "a"', []),
        (r'"say \"a\""', 'say "a"', ["quotes"]),
        ('"a" + "b"', "ab", ["plus_join"]),
        ("1 + 2", "1 + 2", []),
        ("a\nb\n\nc", "a\nb\n\nc", []),
        ("a\r\nb", "a\nb", ["crlf"]),
        ("a\rb", "a\rb", []),
        ("x：［y］ = ＃", "x：［y］ = ＃", []),
        ("Question: who? Answer: me", "Question: who? Answer: me", []),
        ("a\n- b\n1. c\n## d", "a\n- b\n1. c\n## d", []),
        ("{x} {0} %s \\n $a", "{x} {0} %s \\n $a", []),
    ],
)
def test_an_input_keeps_its_text_and_loses_its_noise(written: str, meant: str, findings: list[str]) -> None:
    assert one_input(written) == (meant, findings)


def test_a_statement_at_a_line_start_closes_an_open_input_before_it() -> None:
    plan = parse_plan(
        ":evidence0: = DuckDuckGo[a [b]\nsome chatter\nPlan: x\n:evidence1: = DuckDuckGo[c\n"
        "Answer: :evidence0: :evidence1:",
        TOOLS,
    )
    assert [step.input for step in plan.steps] == ["a [b", "c"]
    assert kinds(plan) == ["unbalanced_bracket", "chatter", "missing_bracket"]


def test_a_bracket_in_the_middle_of_a_line_does_not_close_an_open_input() -> None:
    plan = parse_plan(":evidence0: = DuckDuckGo[see a[0] and more\nAnswer: :evidence0:", TOOLS)
    assert plan.steps[0].input == "see a[0] and more"
    assert kinds(plan) == ["missing_bracket"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DuckDuckGo", "DuckDuckGo"),
        ("duckduckgo", "DuckDuckGo"),
        ("Duck Duck Go", "DuckDuckGo"),
        ("duck-duck_go", "DuckDuckGo"),
        ("Google", "DuckDuckGo"),
        ("WebSearch", "DuckDuckGo"),
        ("LLM", "KnowledgeModel"),
        ("**DuckDuckGo**", "DuckDuckGo"),
    ],
)
def test_tool_names_are_matched_past_their_spelling(written: str, meant: str) -> None:
    plan = parse_plan(f"#E0 = DuckDuckGo[x]\n#E1 = {written}[x, given #E0]\nAnswer: #E1", TOOLS)
    assert plan.steps[1].tool == meant
    assert kinds(plan) == ([] if written.strip("*") == meant else ["tool_name"])


def test_a_question_to_the_model_without_evidence_is_a_finding() -> None:
    plan = parse_plan("#E1 = KnowledgeModel[Who won?]\n#E2 = KnowledgeModel[Why, given #E1?]\nAnswer: #E2", TOOLS)
    assert [(one.kind, one.line) for one in plan.diagnostics] == [("no_evidence", 1)]
    assert "asks KnowledgeModel without any evidence" in plan.diagnostics[0].message


def test_an_alias_is_refused_where_two_tools_could_be_meant() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan("#E1 = Google[x]", ["DuckDuckGo", "DocumentSearch"])
    assert caught.value.kind == "unknown_tool"


def test_a_name_that_fits_two_registered_ones_is_refused_unless_it_is_one_of_them() -> None:
    tools = ["web_search", "WebSearch"]
    assert parse_plan("#E1 = WebSearch[x]", tools).steps[0].tool == "WebSearch"
    with pytest.raises(PlanError):
        parse_plan("#E1 = websearch[x]", tools)


def test_a_near_miss_is_refused_with_the_nearest_names() -> None:
    error = refused(":evidence0: = DuckDuckGoo[x]\n")
    assert error.kind == "unknown_tool"
    assert "DuckDuckGo?" in error.message
    assert (error.diagnostics[0].line, error.diagnostics[0].column) == (1, 15)


def test_one_line_of_prose_with_a_sign_is_no_step() -> None:
    plan = parse_plan(
        "Plan: note #E1 = the best of it, then :evidence0: see[1]\n#E1 = DuckDuckGo[x]\nAnswer: #E1", TOOLS
    )
    assert plan.steps[0].thought == "note #E1 = the best of it, then :evidence0: see[1]"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty_plan"),
        ("I am sorry.", "empty_plan"),
        ("Answer: yes", "empty_plan"),
        ("#E1 = Foo[x]", "unknown_tool"),
        ("#E1 = DuckDuckGo[x]\n#E1 = DuckDuckGo[y]", "duplicate_id"),
        ("#E1 = DuckDuckGo[#E2]", "undefined_reference"),
        ("#E1 = DuckDuckGo[x]\nAnswer: #E7", "undefined_reference"),
        ("#E1 = DuckDuckGo[#E1]", "self_reference"),
        ("#E1 = DuckDuckGo[#E2]\n#E2 = DuckDuckGo[#E1]", "cycle"),
        ("#E1 = DuckDuckGo[x", "truncated"),
        ("#E1 = DuckDuckGo[x]\nPlan: then", "truncated"),
        ("#E1 = DuckDuckGo[x]\n#E2 = Duck", "truncated"),
        ("#E1 = DuckDuckGo[x]\nAnswer:", "truncated"),
        ("#E1 = DuckDuckGo[x]\n#E2 = #E1 without the first line\nAnswer: #E1", "syntax"),
        ('{"tool": "DuckDuckGo", "input": "x"', "truncated"),
        ('{"tool": "DuckDuckGo", "input": }', "syntax"),
    ],
)
def test_what_refuses_a_plan(text: str, kind: str) -> None:
    error = refused(text)
    assert error.kind == kind
    assert error.exit_code == 4
    assert error.text == text
    assert error.hint
    assert next(one.kind for one in error.diagnostics if not one.repair) == kind


def test_all_errors_are_told_at_their_places_and_the_first_gives_the_kind() -> None:
    error = refused("#E1 = Foo[x]\n#E2 = DuckDuckGo[#E9 #E2]\n#E2 = Bar[y]\nAnswer: #E8")
    found = [(one.kind, one.line, one.column) for one in error.diagnostics]
    assert found == [
        ("unknown_tool", 1, 7),
        ("undefined_reference", 2, 18),
        ("self_reference", 2, 22),
        ("duplicate_id", 3, 1),
        ("unknown_tool", 3, 7),
        ("undefined_reference", 4, 9),
    ]
    assert error.kind == "unknown_tool"


def test_a_cycle_is_named() -> None:
    error = refused("#E1 = DuckDuckGo[#E3]\n#E2 = DuckDuckGo[x]\n#E3 = DuckDuckGo[#E1]\nAnswer: #E2")
    assert "evidence1 -> evidence3 -> evidence1" in error.message
    long = "".join(f"#E{n} = DuckDuckGo[#E{(n + 1) % 3000}]\n" for n in range(3000))
    assert len(refused(long + "Answer: #E2").message) < 250


def test_a_forward_reference_without_a_cycle_is_accepted() -> None:
    plan = parse_plan("#E1 = DuckDuckGo[#E2]\n#E2 = DuckDuckGo[x]\nAnswer: #E1", TOOLS)
    assert kinds(plan) == ["forward_reference"]


def test_a_missing_answer_line_is_told_and_the_last_step_answers() -> None:
    plan = parse_plan("#E1 = DuckDuckGo[x]\n#E2 = KnowledgeModel[#E1]\n", TOOLS)
    assert plan.answer is None
    assert plan.final_template == (Ref("evidence2"),)
    assert kinds(plan) == ["no_answer"]
    assert ":evidence2:" in plan.diagnostics[0].repair


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("Answer: #E1", ":evidence1:"),
        ("Final answer: #E1", ":evidence1:"),
        ("**Answer:** #E1", ":evidence1:"),
        ("Answer: [:evidence1:]", ":evidence1:"),
        ("Answer: [:evidence1: containing the final answer.]", ":evidence1:"),
        ("Answer: :evidence1:.", ":evidence1:"),
        ("Answer: It is :evidence1:.", "It is :evidence1:."),
        ("Answer: [1] says :evidence1: [sic]", "[1] says :evidence1: [sic]"),
        ("Answer:\n\n:evidence1:", ":evidence1:"),
        ("Answer: one\ntwo #E1\n\nthree", "one\ntwo :evidence1:"),
        ("Answer: #E1\nmore", ":evidence1:"),
        ("The final answer: #E1", ":evidence1:"),
        ('Answer: "#E1"', ":evidence1:"),
    ],
)
def test_answer_lines(line: str, answer: str) -> None:
    assert parse_plan(f"#E1 = DuckDuckGo[x]\n{line}\n", TOOLS).answer == answer


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (PlanLimits(steps=1), "#E1 = DuckDuckGo[x]\n#E2 = DuckDuckGo[y]\nAnswer: #E2"),
        (PlanLimits(input=3), "Plan: a\n:evidence0: = DuckDuckGo[four]\nAnswer: :evidence0:"),
        (PlanLimits(text=20), "#E1 = DuckDuckGo[x]\nAnswer: #E1"),
        (PlanLimits(steps=1), "#E1 = DuckDuckGo[x]\n#E1 = DuckDuckGo[x]\nAnswer: #E1"),
        (PlanLimits(input=3), "#E1 = DuckDuckGo[x]\nAnswer: four #E1"),
        (PlanLimits(input=3), '{"tool": "DuckDuckGo", "input": 01}\nAnswer: #E0'),
        (PlanLimits(lines=2), "#E1 = DuckDuckGo[x]\na\nb\nc\nAnswer: #E1"),
    ],
)
def test_limits(limits: PlanLimits, text: str) -> None:
    for chunks in ([text], list(text)):
        with pytest.raises(PlanError) as caught:
            parse_plan(chunks, TOOLS, limits)
        assert caught.value.kind == "too_large"
    with pytest.raises(PlanError) as caught:
        parse_plan(text, TOOLS, limits)
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize(
    ("before", "certain"),
    [
        (":evidence0: = DuckDuckGo[x]", "\n"),
        ("#E1 = DuckDuckGo[x] Plan", ":"),
        ("#E1 = DuckDuckGo[x] #E2 = DuckDuckGo", "["),
        ("#E1 = DuckDuckGo[a [x]\nPlan", ":"),
        ("#E1 = DuckDuckGo[a [x]\n#E2 = KnowledgeModel", "["),
        ("#E1 = DuckDuckGo[a\nAnswer", ":"),
        ('1. DuckDuckGo("a") and 2. DuckDuckGo', "("),
        ('[{"tool": "DuckDuckGo", "input": "x"', "}"),
        ('{"steps": [{"tool": "DuckDuckGo", "input": "x"', "}"),
    ],
)
def test_a_step_comes_out_at_the_character_that_makes_it_certain(before: str, certain: str) -> None:
    parser = PlanParser(TOOLS)
    assert [step for character in before for step in parser.feed(character)] == []
    assert len(parser.feed(certain)) == 1


def test_no_step_comes_out_after_an_error() -> None:
    parser = PlanParser(TOOLS)
    assert len(parser.feed("#E1 = DuckDuckGo[x]\n#E2 = Foo[y]\n#E3 = DuckDuckGo[z]\n")) == 1


@pytest.mark.parametrize(
    ("text", "truncated_kind"),
    [
        ("#E1 = DuckDuckGo[x]\n", "truncated"),
        ("#E1 = DuckDuckGo[x]\nAnswer: #E1", "truncated"),
        ("#E1 = DuckDuckGo[x]\nAnswer: It is #E1", "truncated"),
        ("Plan: x", "truncated"),
        ("", "empty_plan"),
    ],
)
def test_a_text_cut_at_the_token_limit_is_refused_where_something_may_be_missing(
    text: str, truncated_kind: str
) -> None:
    assert refused(text, truncated=True).kind == truncated_kind


@pytest.mark.parametrize(
    "text", ["#E1 = DuckDuckGo[x]\nAnswer: :evidence1:", "#E1 = DuckDuckGo[x]\nAnswer: #E1\n\nI ho"]
)
def test_a_text_cut_after_its_answer_is_a_plan(text: str) -> None:
    parser = PlanParser(TOOLS)
    parser.feed(text)
    assert parser.finish(truncated=True).answer == ":evidence1:"


def test_a_long_clean_plan_is_read_as_a_short_one_and_its_answer_ends_it() -> None:
    steps = "".join(f"Plan: look {at}\n:evidence{at}: = DuckDuckGo[a {at}]\n" for at in range(5_000))
    plan = parse_plan(f"{steps}Answer: :evidence4999:", TOOLS)
    assert [step.id for step in plan.steps] == [f"evidence{at}" for at in range(5_000)]
    assert [step.line for step in plan.steps] == list(range(2, 10_001, 2))
    answer, middle = "Answer: :evidence7:\n", steps.index("Plan: look 900")
    plan = parse_plan(f"{steps[:middle]}{answer}{steps[middle:]}{answer}", TOOLS)
    assert (len(plan.steps), plan.answer) == (900, ":evidence7:")
    for at in range(15_500, 17_500, 37):  # wherever a clean text is taken apart
        middle = steps.index("Plan: ", at)
        assert (
            len(parse_plan(f"{steps[:middle]}{answer}{steps[middle:]}{answer}", TOOLS).steps)
            == steps.count("\n", 0, middle) // 2
        )


def test_a_parser_is_for_one_plan() -> None:
    parser = PlanParser(TOOLS)
    parser.feed("#E1 = DuckDuckGo[x]")
    parser.finish()
    for again in (lambda: parser.feed("x"), parser.finish):
        with pytest.raises(ValueError, match="new parser"):
            again()


def test_lines_and_columns_count_from_one_in_the_text_as_it_came() -> None:
    plan = parse_plan("\r\n\r\n  - #E1 = duckduckgo[ x ]\r\nAnswer: #E1\r\n", TOOLS)
    assert [(one.kind, one.line, one.column) for one in plan.diagnostics] == [
        ("crlf", 1, 1),
        ("bullet", 3, 3),
        ("tool_name", 3, 11),
        ("white_space", 3, 22),
    ]
    assert plan.steps[0].line == 3


@pytest.mark.parametrize(
    ("step", "form"),
    [
        (Step("evidence0", "Look.", "DuckDuckGo", ("a",)), "Plan: Look.\n:evidence0: = DuckDuckGo[a]\n"),
        (Step("evidence0", "", "DuckDuckGo", ("a [b] c",)), ":evidence0: = DuckDuckGo[a [b] c]\n"),
        (Step("evidence0", "", "DuckDuckGo", ("a\nb",)), ":evidence0: = DuckDuckGo[a\nb]\n"),
        (
            Step("evidence0", "", "DuckDuckGo", ("a [b",)),
            '{"id": "evidence0", "thought": "", "tool": "DuckDuckGo", "input": "a [b"}\n',
        ),
        (
            Step("evidence0", "", "DuckDuckGo", ('"a"',)),
            '{"id": "evidence0", "thought": "", "tool": "DuckDuckGo", "input": "\\"a\\""}\n',
        ),
    ],
)
def test_canonical_text_is_plain_where_that_reads_back_and_an_object_where_not(step: Step, form: str) -> None:
    assert Plan((step,)).to_text() == form
    assert parse_plan(form, TOOLS).steps == (step,)
