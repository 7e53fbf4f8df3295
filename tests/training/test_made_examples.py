"""What the generator of training data makes: readable by our own parsers, balanced, and nobody else's text."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from airoagent.agent import Agent
from airoagent.calls.call_parser import parse_calls
from airoagent.calls.function_loader import load_functions
from airoagent.models.scripted import ScriptedModel
from airoagent.plan.parser import parse_plan
from airoagent.prompts.chat import Chat, Style, is_compact, plan_chat
from airoagent.prompts.context_prompts import read_cited_answer, read_closed_context_prompt
from airoagent.prompts.plan_prompts import read_plan_prompt
from airoagent.training import made_examples as generator
from airoagent.training import made_readings as readings
from airoagent.training.examples import Example, line_of, read_examples
from airoagent.training.made_examples import made_call, made_examples
from airoagent.training.made_plans import PLAN_SHAPES, made_plan
from airoagent.training.made_readings import NOT_TOLD, made_reading, passage_reading, read_passages, written_passages
from airoagent.training.made_tools import own_tools
from tests.source import ROOT

STYLES: tuple[Style, ...] = ("airoboros", "chat", "compact")


def tools_in(example: Example) -> dict[str, str]:
    """The tools that a plan prompt offers, read from the prompt."""
    text = example.prompt.system if isinstance(example.prompt, Chat) else example.prompt
    return dict(re.findall(r"^(\w+)(?:\[input\] -|\[input\]:|:) (.+)$", text, re.MULTILINE))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", PLAN_SHAPES)
def test_every_made_plan_reads_without_a_finding_and_uses_the_tools_on_offer(shape: str, style: Style) -> None:
    for seed in range(60):
        example = made_plan(Random(seed), style, shape)
        plan = parse_plan(example.response, tools_in(example))
        assert plan.diagnostics == ()
        assert plan.to_text().strip() == example.response
        assert plan.answer
        used = {ref for step in plan.steps for ref in step.depends_on} | set(re.findall(r"evidence\d+", plan.answer))
        assert used == {step.id for step in plan.steps}, "a step that nothing needs"


def test_a_plan_that_searches_also_reads_what_it_found_and_keeps_the_numbers_and_addresses_of_the_question() -> None:
    for seed in range(400):
        example = made_plan(Random(seed), "compact")
        assert isinstance(example.prompt, Chat)
        asked, plan = example.prompt.user, example.response
        inputs = " ".join(re.findall(r"= \S+?\[(.*)\]$", plan, re.MULTILINE))
        for address in re.findall(r"https?://[\w./?=-]*[\w/]", asked):
            assert f"[{address}]" in plan
        for year in re.findall(r"\b(?:19|20)\d\d\b", asked):
            assert year in inputs
        for found in re.findall(r"^:(evidence\d+): = \S+\[[^\]]* of [^\]]*\]$", plan, re.MULTILINE):
            assert plan.count(found) > 1


def test_every_request_fills_what_its_function_requires_and_says_each_value_or_implies_it() -> None:
    known, requests, _ = generator._functions()
    assert len(known) > 200
    for function in known:
        needed = {param.name for param in function.params if param.required}
        for template in requests[function.name]:
            request, params = generator._request(Random(template), function, template)
            assert needed <= set(params) <= {param.name for param in function.params}, template
            assert "{" not in request
            texts = [value for value in params.values() if isinstance(value, str) and " => " not in template]
            assert all(text.lower() in request.lower() for text in texts), request


def test_the_name_of_a_file_is_not_changed_where_it_begins_a_request() -> None:
    said = {generator._said(Random(seed), "docs/plan_b.pdf goes to bo@example.org") for seed in range(60)}
    assert len(said) > 5 and all("docs/plan_b.pdf goes to bo@example.org" in one for one in said)
    assert {generator._said(Random(seed), "pack it")[:1] for seed in range(60)} >= {"p", "P"}


@pytest.mark.parametrize("format", ["JSON", "YAML"])
@pytest.mark.parametrize("style", STYLES)
def test_every_made_call_reads_without_a_finding_among_the_functions_on_offer(style: Style, format: str) -> None:
    nested = 0
    for seed in range(200):
        example = made_call(Random(seed), style)
        text = example.prompt.system if isinstance(example.prompt, Chat) else example.prompt
        if format not in text:
            continue
        listed = text.partition("\n\n" if style == "compact" else "Available functions:\n")[2]
        functions = load_functions(listed)
        (call,) = parse_calls(example.response, functions, "yaml" if format == "YAML" else "json")
        assert call.diagnostics == ()
        nested += any(isinstance(value, dict) for value in call.params.values())
    assert nested > 5


@pytest.mark.parametrize("style", STYLES)
def test_what_is_told_stands_in_the_text_and_a_sixth_is_not_told(style: Style) -> None:
    examples = [made_reading(Random(seed), style) for seed in range(600)]
    declined = [one for one in examples if one.response == NOT_TOLD[style]]
    assert 0.12 < len(declined) / len(examples) < 0.22
    assert not any(read_cited_answer(one.response).answered for one in declined)
    for one in examples:
        if one.response == NOT_TOLD[style]:
            continue
        asked = one.prompt.user if isinstance(one.prompt, Chat) else one.prompt
        answer = read_cited_answer(one.response)
        words = re.sub(r"^(?:Yes|No)\. ", "", answer.text.removesuffix("."))
        assert words in asked
        if style == "airoboros":
            read = read_closed_context_prompt(one.prompt)
            assert read is not None
            told = [block for block in read[0] if words in block.text]
            assert answer.sources[0] in [block.metadata for block in told]


def test_no_two_texts_of_a_reading_are_about_things_of_one_name() -> None:
    for seed in range(3000):
        blocks, *_ = readings._facts(Random(seed))
        titles = [dict(block.metadata)["title"] for block in blocks if "title" in dict(block.metadata)]
        assert len(titles) == len(set(titles)), titles


def test_yes_and_no_are_as_frequent_and_no_also_comes_from_sentences_without_a_negation() -> None:
    answers = [made_reading(Random(seed), "chat").response for seed in range(2000)]
    yes, no = ([one for one in answers if one.startswith(word)] for word in ("Yes. ", "No. "))
    assert 0.7 < len(yes) / len(no) < 1.4
    negated = [one for one in no if re.search(r"\b(?:not?|nobody|nothing|never)\b", one[4:], re.IGNORECASE)]
    assert 0.1 < len(negated) / len(no) < 0.9


def test_several_hops_are_a_third_of_the_plans_and_every_kind_is_there() -> None:
    draws = Random(1).choices(list(PLAN_SHAPES), [weight for weight, _ in PLAN_SHAPES.values()], k=1000)
    several = ("two_hops", "world_two", "both_parts", "three_hops", "world_three", "described_pair", "age_at", "latest")
    assert 0.3 < sum(map(draws.count, several)) / 1000 < 0.5
    kinds = Counter(example.kind for example in made_examples(400, 3))
    assert set(kinds) == {"plan", "read", "check", "table", "call", "passage", "cloze"}
    assert min(kinds.values()) >= 3


def test_the_same_seed_makes_the_same_and_more_of_it_begins_alike() -> None:
    first = [line_of(one) for one in made_examples(40, 5)]
    assert [line_of(one) for one in made_examples(80, 5)][:40] == first
    assert len(set(first)) == 40
    assert not set(first) & {line_of(one) for one in made_examples(40, 6)}


@pytest.mark.parametrize("style", STYLES)
def test_a_style_gives_prompts_of_that_style_only(style: Style) -> None:
    plans = [one for one in made_examples(60, 2, style) if one.kind == "plan"]
    assert plans
    assert {isinstance(one.prompt, Chat) for one in plans} == {style != "airoboros"}
    assert {is_compact(one.prompt) for one in plans} == {style == "compact"}
    assert {read_plan_prompt(one.prompt) is not None for one in plans} == {style == "airoboros"}


def test_made_examples_read_back_from_their_lines_as_they_were() -> None:
    examples = tuple(made_examples(60, 4))
    for made, read in zip(examples, read_examples("".join(map(line_of, examples)), "data"), strict=True):
        assert (made.response, made.kind) == (read.response, read.kind)
        if isinstance(made.prompt, Chat):
            asked = read.prompt.user if isinstance(read.prompt, Chat) else read.prompt
            turns = read.prompt.examples if isinstance(read.prompt, Chat) else ()
            assert (asked, turns, read.system) == (made.prompt.user, made.prompt.examples, made.prompt.system)
        else:
            assert read.prompt == made.prompt


def sentences(text: str) -> set[str]:
    found = re.split(r"(?<=[.!?])\s+|\n", " ".join(re.sub(r"<[^>]*>", " ", text).split()))
    return {one.lower() for one in found if len(one.split()) >= 4}


def test_no_made_text_has_a_sentence_of_the_example_library_or_of_a_question_set() -> None:
    others: set[str] = set()
    for folder in ("examples/library", "tests/data"):
        for file in sorted(Path(ROOT / folder).rglob("*")):
            if file.suffix in (".html", ".md", ".txt", ".csv", ".json", ".jsonl", ".yaml"):
                others |= sentences(file.read_text(encoding="utf-8", errors="replace"))
    assert len(others) > 100
    made: set[str] = set()
    for one in made_examples(1500, 9):
        made |= sentences(one.response)
        read = None if isinstance(one.prompt, Chat) else read_closed_context_prompt(one.prompt)
        for block in read[0] if read else ():
            made |= sentences(block.text)
    assert made & others == set()


PASSAGES = [
    (
        f"article {at // 2}",
        f"The {word} was opened in {1900 + at}. Its roof is of {word} wood.",
        f"When was the {word} opened?",
        (str(1900 + at), f"in {1900 + at}"),
    )
    for at, word in enumerate(("mill", "dock", "barn", "inn", "port", "fort"))
]


@pytest.mark.parametrize("style", STYLES)
def test_readings_over_given_passages_answer_in_their_words_or_lack_the_passage(style: Style) -> None:
    missing = 0
    for seed in range(200):
        example = passage_reading(Random(seed), style, PASSAGES)
        shown = example.prompt.user if isinstance(example.prompt, Chat) else example.prompt
        if example.kind == "cloze":
            continue
        asked = next(one for one in PASSAGES if one[2].lower().rstrip("?") in shown.lower())
        if example.response == NOT_TOLD[style]:
            missing += 1
            assert asked[1] not in shown
        else:
            assert asked[1] in shown
            assert read_cited_answer(example.response).text.rstrip(".") == asked[3][0]
    assert 5 < missing < 40


def test_a_passage_without_a_question_is_asked_for_a_span_of_its_sentences() -> None:
    text = "The mill at Grantham was built by Olga Tarnov in 1871. It has four floors and is the oldest in the valley."
    examples = [passage_reading(Random(seed), "compact", [("mill", text, "", ())]) for seed in range(60)]
    assert {example.kind for example in examples} == {"cloze"}
    answers = {example.response for example in examples} - {NOT_TOLD["compact"]}
    assert {"1871", "Olga Tarnov", "Grantham"} <= answers
    assert all(answer in text for answer in answers)
    assert all(one.response not in one.prompt.partition("Question:")[2] for one in examples)


def test_passages_that_nothing_can_be_asked_of_leave_the_made_readings() -> None:
    assert passage_reading(Random(1), "compact", [("x", "No.", "", ())]).kind in ("read", "check", "table")


def test_most_readings_are_over_written_texts() -> None:
    kinds = Counter(example.kind for example in made_examples(400, 3, "compact"))
    readings = kinds["read"] + kinds["check"] + kinds["table"] + kinds["passage"] + kinds["cloze"]
    assert 0.5 < (kinds["passage"] + kinds["cloze"]) / readings < 0.8


def test_given_passages_are_asked_about_as_the_written_ones_are() -> None:
    many = [PASSAGES[0]] * 20 * len(written_passages())
    shown = [one.prompt.user for one in made_examples(60, 3, "compact", many, "read") if isinstance(one.prompt, Chat)]
    assert 25 < sum("The mill was opened" in text for text in shown) < 55


def test_the_answers_of_written_texts_stand_in_them_word_for_word() -> None:
    passages = written_passages()
    assert len(passages) > 1000
    for name, text, question, answers in passages:
        assert name and question.strip() == question and len(text.split()) >= 25
        for answer in answers:
            words = re.sub(r"^(?:Yes|No)\. ", "", answer)
            assert words in text or words in " ".join(text.split()), (name, question, answer)


def test_written_texts_ask_what_they_do_not_answer_and_decide_yes_as_often_as_no() -> None:
    answers = [answers for _, _, _, answers in written_passages()]
    assert 0.1 < sum(not one for one in answers) / len(answers) < 0.2
    yes, no = (sum(one[0].startswith(word) for one in answers if one) for word in ("Yes. ", "No. "))
    assert 0.6 < yes / no < 1.6


def test_a_question_of_a_text_that_has_no_answer_is_declined() -> None:
    (passage,) = read_passages("# Mill\nThe mill was built in 1871 and burned.\n\nQ: Who built it?\nA: -\n===\n")
    assert passage == ("Mill", "The mill was built in 1871 and burned.", "Who built it?", ())
    told = {one.response for one in (passage_reading(Random(seed), "compact", [passage]) for seed in range(20))}
    assert NOT_TOLD["compact"] in told


def test_plans_over_the_shipped_tools_show_them_as_the_program_does() -> None:
    library = ROOT / "examples" / "library"
    agent = Agent(ScriptedModel([]), ["+Calculator", "+Today"], docs=library, web=True, store=False)
    offered = plan_chat("q", [(tool.name, tool.description) for tool in agent.toolbox.values()], style="compact")
    shown = dict(line.split(": ", 1) for line in offered.system.split("\n")[1:])
    own = {text for tool in own_tools() for text in tool.descriptions}
    for seed in range(60):
        for name, description in tools_in(made_plan(Random(seed), "compact", shipped=True)).items():
            assert shown.get(name) == description or description in own
