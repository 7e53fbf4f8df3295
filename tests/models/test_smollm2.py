"""A model that was really trained, by every way it can be run: in NF4, as a GGUF file, and on llama.cpp's own server.

SmolLM2-135M-Instruct is far smaller than what people run, so what it gets right others do as well.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airoagent import Agent
from airoagent.events import Event, ModelCalled
from airoagent.models.base import Model, Prompt, complete
from airoagent.models.catalog import open_model
from airoagent.models.local.llamacpp import LlamaCppModel
from airoagent.models.packaged import PACKAGED, packaged_adapter
from airoagent.prompts.own_text import Repeats
from tests.models.test_real_servers import started
from tests.smollm2 import smollm2_file

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOOLS = ["KnowledgeModel", "DuckDuckGo"]
QUESTIONS = [
    row["question"] for row in json.loads((Path(__file__).parents[1] / "data" / "fresh_questions.json").read_text())
]


@pytest.fixture(scope="module")
def nf4_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the GGUF file as a checkpoint, which is loaded in NF4 then."""
    file = smollm2_file()
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("bitsandbytes")
    pytest.importorskip("gguf")
    import torch

    folder = tmp_path_factory.mktemp("smollm2") / "SmolLM2-135M-Instruct"
    settings = transformers.GgufConfig(dequantize=True)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, quantization_config=settings, dtype=torch.bfloat16
    )
    loaded.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "tests.llama_server", str(smollm2_file()), "4096", "--jinja"]
    with started(command, "/health", log) as url:
        yield url


@pytest.fixture(scope="module", params=["nf4", "gguf", "server"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    match request.param:
        case "nf4":
            smol = open_model(str(request.getfixturevalue("nf4_folder")), options={"device": "cpu"})
        case "gguf":
            smol = open_model(str(smollm2_file()), options={"threads": "1"})
        case _:
            smol = open_model(request.getfixturevalue("llama_server"))
    yield smol
    asyncio.run(smol.aclose())


def test_it_answers_from_the_text_it_is_given(model: Model) -> None:
    agent = Agent(model, TOOLS, store=False)
    run = agent.run("When does the lease end?", context="The lease of the workshop ends on 3 May 2027.")
    assert run.status == "done"
    assert "3 May 2027" in (run.answer or "")
    assert model.info.style == "chat"


def test_its_plans_are_valid_over_the_tools_and_keep_to_their_bounds(model: Model) -> None:
    agent = Agent(model, TOOLS, store=False)
    events: list[Event] = []
    for question in QUESTIONS if model.info.backend == "llama.cpp" else QUESTIONS[:4]:
        plan = agent.plan(question, watch=events.append)
        assert 1 <= len(plan.steps) <= 8
        assert {step.tool for step in plan.steps} <= set(TOOLS)
        repeats = Repeats()
        again = [repeats.again(step.id, step.tool, step.input) for step in plan.steps]
        assert not all(again[-4:]) or len(again) < 4, plan.to_text()
    asked = [event for event in events if isinstance(event, ModelCalled)]
    assert {call.finish for call in asked} <= {"stop", "repetition"}
    assert max(call.usage.completion_tokens for call in asked) < 400


def test_a_plan_of_a_run_comes_to_its_end_by_itself(model: Model) -> None:
    agent = Agent(model, ["KnowledgeModel"], store=False)
    run = agent.run("Who painted Guernica?")
    first = next(event for event in run.events if isinstance(event, ModelCalled))
    assert (first.purpose, first.finish) == ("plan", "stop")
    assert 0 < first.usage.completion_tokens < 1024


def test_it_knows_what_it_was_trained_on(model: Model) -> None:
    answer = asyncio.run(complete(model, Prompt("What is the capital of France? Answer in one word.")))
    assert "Paris" in answer.text


def test_it_is_asked_in_its_own_chat_template() -> None:
    smol = LlamaCppModel(smollm2_file(), threads=1)
    assert smol.info.wrapper == "template"
    assert smol.wrap("X").endswith("<|im_start|>user\nX<|im_end|>\n<|im_start|>assistant\n")
    assert smol.count_tokens("<|im_end|>") > 1  # What spells a control token in a text is text.
    asyncio.run(smol.aclose())


@pytest.fixture(scope="module")
def taught() -> Iterator[Model]:
    options = {
        "threads": "1",
        "adapter": str(packaged_adapter("smollm2")),
        "least_probability": str(PACKAGED["smollm2"].least_probability),
    }
    smol = open_model(str(smollm2_file()), options=options)
    yield smol
    asyncio.run(smol.aclose())


def test_with_our_adapter_it_copies_the_answer_and_names_its_source(taught: Model) -> None:
    run = Agent(taught, TOOLS, store=False).run(
        "When does the lease end?", context={"lease": "The lease of the workshop ends on 3 May 2027."}
    )
    assert (run.answer, run.answered) == ("3 May 2027", True)
    assert [source.url for source in run.evidence["evidence1"].sources] == ["lease"]


def test_with_our_adapter_it_gives_no_answer_that_it_finds_improbable(taught: Model) -> None:
    agent = Agent(taught, TOOLS, store=False)
    text = "The lease of the workshop ends on 3 May 2027. Anna Berg signed it in Riga."
    for question in ("How much does the electricity cost?", "Who is the mayor of Lima?"):
        run = agent.run(question, context=text)
        assert (run.answer, run.answered) == ("The text does not say.", False)


def test_with_our_adapter_its_plans_read_what_they_search(taught: Model) -> None:
    plan = Agent(taught, TOOLS, store=False).plan("Who wrote Emma, and where was she born?")
    assert [step.tool for step in plan.steps] == ["DuckDuckGo", "KnowledgeModel", "DuckDuckGo", "KnowledgeModel"]
    assert "evidence1" in plan.steps[2].depends_on
