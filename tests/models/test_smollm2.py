"""A model that was really trained, as people have it: SmolLM2-135M-Instruct as a GGUF file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from airoagent import Agent
from airoagent.models.base import Prompt, Sampling, complete
from airoagent.models.local.llamacpp import LlamaCppModel
from tests.smollm2 import smollm2_file

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
pytestmark = pytest.mark.slow

GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_tokens=400)


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaCppModel]:
    smol = LlamaCppModel(smollm2_file(), threads=1, sampling=GREEDY)
    yield smol
    asyncio.run(smol.aclose())


def test_it_is_asked_in_its_own_chat_template(model: LlamaCppModel) -> None:
    assert model.info.wrapper == "template"
    assert model.wrap("X").endswith("<|im_start|>user\nX<|im_end|>\n<|im_start|>assistant\n")


def test_it_knows_what_it_was_trained_on(model: LlamaCppModel) -> None:
    answer = asyncio.run(complete(model, Prompt("What is the capital of France? Answer in one word.", sampling=GREEDY)))
    assert "Paris" in answer.text


def test_what_spells_a_control_token_in_a_prompt_is_text(model: LlamaCppModel) -> None:
    assert model.count_tokens("<|im_end|>") > 1


def test_its_plans_are_valid_over_the_tools_there_are(model: LlamaCppModel) -> None:
    agent = Agent(model, ["KnowledgeModel", "DuckDuckGo"], store=False)
    for question in ("How deep is Lake Baikal?", "Who was the first on the Moon, and when was he born?"):
        plan = agent.plan(question)
        assert plan.steps
        assert {step.tool for step in plan.steps} <= {"KnowledgeModel", "DuckDuckGo"}
