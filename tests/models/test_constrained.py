"""A model with random weights, held to grammars: a sample of what the benchmark counts in full."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from airoagent.errors import ModelError
from airoagent.models.base import Completion, Prompt, Sampling, complete
from airoagent.models.local.transformers import TransformersModel
from airoagent.plan.parser import parse_plan
from airoagent.plan.plan_grammar import plan_grammar
from airoagent.prompts.grammar import Grammar, Rep, Rule, Seq, Text, chars
from tests.constrained import answer_faults, call_faults, plan_faults
from tests.tiny_llama import make_tiny_llama

TOOLS = ("DuckDuckGo", "KnowledgeModel")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersModel]:
    model = TransformersModel(make_tiny_llama(tmp_path_factory.mktemp("model") / "tiny", window=2048))
    yield model
    asyncio.run(model.aclose())


def write(model: TransformersModel, grammar: Grammar, *, stop: tuple[str, ...] = (), **sampling: float) -> Completion:
    prompt = Prompt("Where do otters sleep?", "plan", stop, Sampling(**sampling), grammar)  # type: ignore[arg-type]
    return asyncio.run(complete(model, prompt))


def test_plans_are_valid_over_the_tools_without_any_repair(model: TransformersModel) -> None:
    assert [faults for _, faults in plan_faults(model, 12, tokens=120)] == [[]] * 12


def test_calls_are_valid_against_their_schema(model: TransformersModel) -> None:
    assert [faults for _, faults in call_faults(model, 20)] == [[]] * 20


def test_answers_are_verbatim_and_cite_where_they_stand(model: TransformersModel) -> None:
    assert [faults for _, faults in answer_faults(model, 12)] == [[]] * 12


@pytest.mark.parametrize("tokens", [70, 90, 130])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_plan_comes_to_its_end_however_few_tokens_there_are(
    model: TransformersModel, tokens: int, temperature: float
) -> None:
    written = write(model, plan_grammar(TOOLS), max_tokens=tokens, temperature=temperature, seed=tokens)
    assert written.finish == "stop"
    assert written.usage.completion_tokens <= tokens
    assert parse_plan(written.text, TOOLS).answer


def test_where_the_tokens_do_not_suffice_for_any_plan_it_is_cut_off(model: TransformersModel) -> None:
    written = write(model, plan_grammar(TOOLS), max_tokens=5, seed=1)
    assert (written.finish, written.usage.completion_tokens) == ("length", 5)


def test_stop_strings_and_turn_markers_are_text_in_a_grammar(model: TransformersModel) -> None:
    grammar = Grammar((Rule("start", Text("otters USER: kelp. ASSISTANT:")),))
    written = write(model, grammar, stop=("kelp",))
    assert (written.text, written.finish) == ("otters USER: kelp. ASSISTANT:", "stop")


def test_a_text_that_has_reached_its_bound_ends(model: TransformersModel) -> None:
    grammar = Grammar((Rule("start", Seq((Text("a"), Rep(chars("b"), 3, 5)))),))
    written = write(model, grammar, max_tokens=50, seed=3)
    assert written.text in ("abbb", "abbbb", "abbbbb")
    assert written.finish == "stop"


def test_a_grammar_that_cannot_be_built_is_said(model: TransformersModel) -> None:
    with pytest.raises(ModelError, match="grammar for this completion cannot be used"):
        write(model, Grammar((Rule("start", chars("z-a")),)))
