"""Follow-ups: completed from what was said, asked as runs that name the one before as their parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airoagent import Agent, Conversation, ScriptedModel, ToolOutput, tool
from airoagent.conversation import completed
from airoagent.events import RunStarted

LAUREATE = ("Who won the Nobel Prize in Literature in 2020?", "Louise Glück won it.")


@pytest.mark.parametrize(
    ("said", "before", "asked"),
    [
        ("And when was she born?", [LAUREATE], "When was Louise Glück born?"),
        ("What are her most famous books?", [LAUREATE], "What are Louise Glück's most famous books?"),
        ("And where?", [("When was Louise Glück born?", "1943")], "Where was Louise Glück born?"),
        ("Why?", [("How tall is it?", "tall"), ("When was Marie Curie exiled?", "")], "Why was Marie Curie exiled?"),
        ("By whom?", [("When was the boiler serviced?", "In March")], "By whom was the boiler serviced?"),
        (
            "And the building insurance?",
            [("What does the contents insurance cost?", "184 euros")],
            "What does the building insurance cost?",
        ),
        ("And in 2021?", [LAUREATE], "Who won the Nobel Prize in Literature in 2021?"),
        ("What about 2019?", [LAUREATE], "Who won the Nobel Prize in Literature in 2019?"),
        ("What about the Rhine?", [("How long is the Danube?", "2,850 km")], "How long is the Rhine?"),
        ("How deep is it?", [("Where is Lake Baikal?", "")], "How deep is Lake Baikal?"),
        ("When was it built?", [("How tall is the Eiffel Tower?", "330 m")], "When was the Eiffel Tower built?"),
        ("When did it begin?", [("When does the lease end?", "Ada Grey leases it")], "When did the lease begin?"),
        ("And who owns it?", [("Where is my old flat?", "In Elm Street")], "Who owns my old flat?"),
        ("Is it far?", [("Where is the harbour?", "In Oslo"), ("How cold is it?", "")], "Is the harbour far?"),
        ("Where do otters sleep?", [LAUREATE], "Where do otters sleep?"),
        ("And where do otters sleep?", [LAUREATE], "Where do otters sleep?"),
        ("When was she born?", [], "When was she born?"),
        ("And what do they eat?", [("Where do otters sleep?", "The Eurasian otter does.")], "What do otters eat?"),
        ("Are their cubs blind?", [("How long do sea otters live?", "12 years.")], "Are sea otters' cubs blind?"),
        ("Is it raining?", [("what is two plus two?", "")], "Is it raining?"),
    ],
)
def test_a_follow_up_is_completed_from_what_was_said(said: str, before: list[tuple[str, str]], asked: str) -> None:
    assert completed(said, before) == asked


@tool
def look(text: str) -> str:
    """Looks things up."""
    return "Louise Glück won it." if "prize" in text.lower() else f"about {text}"


@tool(private=True)
def diary(text: str) -> ToolOutput:
    """Reads the user's diary."""
    return ToolOutput("Secret Sally was there.")


def plans(*tools: str) -> dict[str, list[str]]:
    return {"plan": [f":evidence0: = {name}[prize]\nAnswer: :evidence0:" for name in tools], "answer": []}


def test_each_turn_is_a_run_with_the_one_before_as_its_parent() -> None:
    talk = Conversation(Agent(ScriptedModel(plans("look", "look")), [look], store=False))
    first, second = talk.ask("Who won the Nobel Prize?"), talk.ask("Where was she born?")
    assert second.question == "Where was Louise Glück born?"
    assert (first.parent, second.parent) == ("", first.id)
    assert isinstance(second.events[0], RunStarted) and second.events[0].parent == first.id
    assert [turn.said for turn in talk.turns] == ["Who won the Nobel Prize?", "Where was she born?"]


@tool(network=True)
def web(text: str) -> str:
    """Searches the web."""
    return text


@pytest.mark.parametrize("tools", [[diary, look, web], [diary, look]])
def test_a_private_answer_is_put_into_the_next_question_only_where_nothing_can_leave(tools: list[Any]) -> None:
    talk = Conversation(Agent(ScriptedModel(plans("diary", "look")), tools, store=False))
    talk.ask("Who was at the Harbour Feast?")
    assert ("Secret Sally" in talk.ask("When was she born?").question) == (web not in tools)


def test_a_model_that_can_reason_writes_the_question_out() -> None:
    script = {**plans("look", "look"), "answer": ["When was Louise Elisabeth Glück born?"]}
    talk = Conversation(Agent(ScriptedModel(script), [look], store=False))
    talk.ask("Who won the Nobel Prize?")
    assert talk.ask("And when was she born?").question == "When was Louise Elisabeth Glück born?"


@pytest.mark.parametrize("written", ["I cannot do that.", "A?\nB?", "x" * 400 + "?", ""])
def test_what_is_not_a_question_is_not_asked(written: str) -> None:
    script = {**plans("look", "look"), "answer": [written]}
    talk = Conversation(Agent(ScriptedModel(script), [look], store=False))
    talk.ask("Who won the Nobel Prize?")
    assert talk.ask("And when was she born?").question == "When was Louise Glück born?"


def test_a_conversation_goes_on_from_a_recorded_run() -> None:
    agent = Agent(ScriptedModel(plans("look", "look")), [look], store=False)
    talk = Conversation(agent, agent.run("Who won the Nobel Prize?"))
    assert talk.ask("When was she born?").question == "When was Louise Glück born?"


def test_a_conversation_goes_on_with_all_its_turns_and_a_fork_takes_the_place_of_its_original(tmp_path: Path) -> None:
    agent = Agent(ScriptedModel(plans("look", "look", "look")), [look], store=tmp_path / "runs.sqlite3")
    talk = Conversation(agent)
    talk.ask("Who won the Nobel Prize?")
    talk.ask("Where was she born?")
    agent.fork("@last", set={"evidence0": "born in 1944"})
    later = Conversation(agent, "@last")
    assert [turn.asked for turn in later.turns] == ["Who won the Nobel Prize?", "Where was Louise Glück born?"]
    assert later.turns[-1].run.answer == "born in 1944"
    third = later.ask("And when did she die?")
    assert third.question == "When did Louise Glück die?" and third.setting("said") == "And when did she die?"
    assert agent.replay(third).answer == third.answer
    agent.close()


def test_what_follows_a_question_about_a_text_is_answered_from_that_text() -> None:
    agent = Agent("extractive", store=False)
    talk = Conversation(agent)
    talk.ask("When does the lease end?", context="The lease ends on 3 May 2027. The rent of it is 900 euros.")
    assert "900 euros" in (talk.ask("And how high is its rent?").answer or "")
    new = talk.ask("And how high is the rent?", context={"new lease": "The rent of the flat is 950 euros."})
    assert "950 euros" in (new.answer or "")
