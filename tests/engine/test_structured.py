"""Answers as JSON: valid against the schema in any case, asked again where they are not, on record as a run."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from airoagent import Agent, CallError, Conversation, ModelError, ScriptedModel, UsageError, tool


class Lake(BaseModel):
    """A lake."""

    name: str
    depth: int = Field(gt=0, description="its depth in metres")
    rivers: list[str] = []


class River(BaseModel):
    lake: Lake
    length: float | None = None


@tool
def look(text: str) -> str:
    """Looks things up."""
    return "Lake Baikal is 1,642 m deep."


def agent_that_writes(*params: Any, **options: Any) -> Agent:
    calls = [json.dumps({"function": "JsonAnswer", "params": one}) for one in params]
    plan = ":evidence0: = look[x]\nAnswer: :evidence0:"
    options.setdefault("store", False)
    return Agent(ScriptedModel({"plan": [plan, plan], "call": calls, "answer": []}), [look], **options)


GOOD = {"name": "Baikal", "depth": 1642}
SCHEMA = {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2}$"}}, "required": ["code"]}


@pytest.mark.parametrize(
    ("schema", "params", "value"),
    [
        (Lake, GOOD, {**GOOD, "rivers": []}),
        (River, {"lake": {**GOOD, "rivers": ["Angara"]}, "length": 1.5}, None),
        (SCHEMA, {"code": "DE"}, None),
        ({"type": "array", "items": {"type": "integer"}}, {"value": [1, 2]}, [1, 2]),
        ({"enum": ["deep", "shallow"]}, {"value": "deep"}, "deep"),
        (list[int], {"value": [3]}, [3]),
    ],
)
def test_the_answer_is_json_of_the_schema(schema: Any, params: Any, value: Any) -> None:
    agent = agent_that_writes(params)
    run = agent.run("How deep is Lake Baikal?", schema=schema)
    assert run.status == "done", run.failure
    assert json.loads(run.answer or "") == (params if value is None else value)
    assert run.question == "How deep is Lake Baikal?" and not run.parent
    assert agent.replay(run).answer == run.answer


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        (Lake, {"name": "Baikal", "depth": "deep"}),
        (Lake, {"name": "Baikal", "depth": -1}),
        (Lake, {"name": "Baikal"}),
        (SCHEMA, {"code": "de"}),
        (SCHEMA, {"code": "Germany"}),
    ],
)
def test_what_does_not_fit_is_asked_for_again_and_refused_in_the_end(schema: Any, wrong: Any) -> None:
    good = GOOD if schema is Lake else {"code": "DE"}
    assert agent_that_writes(wrong, good).run("How deep?", schema=schema).status == "done"
    run = agent_that_writes(wrong, wrong, wrong).run("How deep?", schema=schema)
    assert run.status == "failed" and run.answer is None and run.failure is not None
    assert "fits the schema" in run.failure.message and isinstance(run.error, CallError)


def test_it_is_one_run_that_is_replayed_resumed_and_run_again_with_its_schema(tmp_path: Path) -> None:
    agent = agent_that_writes(GOOD, GOOD, {**GOOD, "depth": 3}, store=tmp_path / "runs.sqlite3")
    run = agent.run("How deep?", schema=Lake)
    store = agent.session.records.open()
    assert store is not None and [one.id for one in store.list()] == [run.id]
    assert run.plan is not None and run.plan.to_text().count("=") == 1
    assert agent.replay(run.id).answer == agent.rerun(run.id).answer == run.answer
    assert json.loads(agent.rerun(run.id).answer or "")["depth"] == 3
    failed = agent.run("How deep?", schema=Lake)
    assert isinstance(failed.error, ModelError)
    agent.close()
    again = agent_that_writes(GOOD, store=tmp_path / "runs.sqlite3")
    assert again.resume(failed.id).answer == run.answer
    again.close()


def test_prose_in_place_of_a_plan_and_answers_from_texts_are_put_into_the_schema() -> None:
    call = json.dumps({"function": "JsonAnswer", "params": GOOD})
    said = "The lake is 1,642 metres deep, as far as I know."
    prose = Agent(ScriptedModel({"plan": [said, said], "call": [call]}), [look], store=False)
    from_text = Agent(ScriptedModel({"answer": [said], "call": [call]}), [look], store=False)
    for run in (
        prose.run("How deep?", schema=Lake),
        from_text.run("How deep?", context="It is 1,642 m deep.", schema=Lake),
    ):
        assert Lake.model_validate_json(run.answer or "").depth == 1642
        assert prose.replay(run).answer == run.answer


@pytest.mark.parametrize(("kind", "read"), [("integer", "12,1 Baikal: 1642 m"), ("string", "12,1 Baikal: 1,642 m")])
def test_numbers_are_read_without_their_thousands_separators_where_the_schema_has_numbers(kind: str, read: str) -> None:
    call = json.dumps({"function": "JsonAnswer", "params": {"depth": 1642 if kind == "integer" else "1,642 m"}})
    model = ScriptedModel({"plan": [":evidence0: = look[x]\nAnswer: 12,1 Baikal: 1,642 m"], "call": [call]})
    schema = {"type": "object", "properties": {"depth": {"type": kind}}, "required": ["depth"]}
    assert Agent(model, [look], store=False).run("How deep?", schema=schema).status == "done"
    assert read in model.prompts[-1].text


def test_a_question_without_an_answer_gives_no_json() -> None:
    plan = ":evidence0: = KnowledgeModel[x]\nAnswer: :evidence0:"
    agent = Agent(ScriptedModel({"plan": [plan], "answer": ["I don't know."]}), [], store=False)
    run = agent.run("How deep?", schema=Lake)
    assert not run.answered and run.answer == "I don't know."


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "lake"}, "is not a JSON schema"),
        ({"$schema": 5}, r"is not a JSON schema: \$schema is 5"),
        ({"$schema": "http://["}, "is not a JSON schema"),
        (reduce(lambda inner, _: {"type": "array", "items": inner}, range(500), {}), "nested too deep"),
        ("{", "is not JSON"),
        ("/nonexistent/schema.json", "cannot be read"),
        ({"type": "object", "properties": {"a": {"$ref": "https://a.example/b"}}, "required": ["a"]}, "refers to"),
        (3, "is not a schema"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        agent_that_writes({"a": 1}).run("How deep?", schema=schema).raise_for_status()


def test_a_schema_that_is_only_itself_fails_the_run_in_a_sentence() -> None:
    run = agent_that_writes({"value": 1}).run("How deep?", schema={"$ref": "#"})
    assert run.failure is not None and run.failure.message == "the schema refers to itself without end"


def test_a_conversation_goes_on_from_the_words_behind_the_json(tmp_path: Path) -> None:
    agent = agent_that_writes(GOOD, store=tmp_path / "runs.sqlite3")
    agent.run("Where is Lake Baikal?", schema=Lake)
    talk = Conversation(agent, "@last")
    assert talk.turns[-1].run.words == "Lake Baikal is 1,642 m deep."
    assert talk.ask("How deep is it?").question == "How deep is Lake Baikal?"
    agent.close()


def test_the_built_in_model_fills_a_schema_from_its_sources() -> None:
    run = Agent(docs="examples/library", store=False).run("How deep is Lake Baikal?", schema=Lake)
    lake = Lake.model_validate_json(run.answer or "")
    assert lake.depth == 1642 and run.sources[0].url == "docs://library/lake-baikal.html"
