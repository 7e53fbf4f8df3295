"""Evidence and prompts against the window of a real tokenizer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from airoagent import Agent, ContextBlock, Sampling, ScriptedModel, Source, ToolOutput, closed_context_prompt, tool
from airoagent.errors import ModelError
from airoagent.models.base import ModelInfo
from airoagent.models.local.transformers import TransformersModel
from airoagent.models.window import fit_to, room_for
from tests.prompts.test_context_window import ANSWER, filler

PAGE = f"{filler(2000)} {ANSWER} {filler(2000, 2)}"


class Narrow(ScriptedModel):
    """A scripted model that has a window, of words."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("narrow", "scripted", 400, "none")


@tool
def page(url: str) -> ToolOutput:
    """Gives a long page."""
    return ToolOutput(PAGE, (Source("https://a.example/varna", "Varna", "", 0, len(PAGE)),))


PLAN = ":evidence0: = page[x]\n:evidence1: = KnowledgeModel[Who built the lighthouse, given :evidence0:?]"


def test_a_step_reads_what_fits_and_its_evidence_says_what_was_left_out() -> None:
    model = Narrow({"plan": [PLAN], "answer": ["Anna Petrova.\nSource:\nurl: https://a.example/varna"]})
    run = Agent(model, [page], store=False).run("Who built the lighthouse of Varna?")
    asked = model.prompts[-1].text
    assert ANSWER in asked
    assert len(asked.split()) <= 300
    assert run.answer == "Anna Petrova."
    found = run.evidence["evidence1"]
    assert found.note.startswith("did not fit the model's window whole: https://a.example/varna (")
    assert [source.url for source in found.sources] == ["https://a.example/varna"]


def test_a_model_without_a_window_reads_all() -> None:
    model = ScriptedModel({"plan": [PLAN], "answer": ["Anna."]})
    run = Agent(model, [page], store=False).run("Who built the lighthouse of Varna?")
    assert PAGE in model.prompts[-1].text
    assert run.evidence["evidence1"].note == ""


def test_what_is_fitted_is_under_the_window_of_the_real_tokenizer(tiny_llama: Path) -> None:
    model = TransformersModel(tiny_llama, device="cpu")
    question = "Who built the lighthouse of Varna?"
    blocks = [ContextBlock(PAGE, (("url", f"u{n}"),)) for n in range(3)]
    fitted = asyncio.run(fit_to(model, Sampling(max_tokens=500), blocks, question))
    length = model.count_tokens(model.wrap(closed_context_prompt(fitted.blocks, question)))
    assert 3000 < length <= 4096 - 500
    assert all(ANSWER in block.text for block in fitted.blocks)
    assert len(fitted.blocks) == 3


def test_a_plan_prompt_that_leaves_no_room_for_a_plan_says_that_the_tools_are_too_many() -> None:
    assert room_for("m", "answer", 4090, 4096) == 6
    with pytest.raises(ModelError, match="the plan prompt, which describes the tools, is 4090 tokens") as caught:
        room_for("m", "plan", 4090, 4096)
    assert "-T" in caught.value.hint
