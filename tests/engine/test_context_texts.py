"""Texts that come with a question: what they are called in the plan."""

from __future__ import annotations

from pathlib import Path

from airoagent import Agent, Conversation
from airoagent.engine.context_texts import plan_about, text_given
from airoagent.events import Evidence, Source


def test_texts_of_one_name_are_all_kept() -> None:
    for names in (("a", "a", "a"), ("a (2)", "a"), ("a", "a (2)", "a"), ("a (3)", "a", "a")):
        _, texts = plan_about([(name, f"text {number}") for number, name in enumerate(names)])
        assert sorted(texts.values()) == [f"text {number}" for number in range(len(names))]


def test_the_pages_of_a_text_are_sources_of_their_own_also_when_it_is_run_again(tmp_path: Path) -> None:
    text = "The workshop has two rooms.\f \fThe lease of the workshop ends on 3 May 2027.\n"
    agent = Agent(store=tmp_path / "runs.db")
    run = agent.run("When does the lease end?", context={"lease.pdf": text})
    again = agent.rerun(run.id)
    for one in (run, again, agent.replay(again.id)):
        assert [source.url for source in one.sources] == ["lease.pdf#page=3"]
    assert agent.run("How many rooms?", context={"talk.pptx": text}).sources[0].url == "talk.pptx#slide=1"


def test_a_follow_up_keeps_the_pages_of_the_text(tmp_path: Path) -> None:
    chat = Conversation(Agent(store=tmp_path / "runs.db"))
    text = "The workshop is dry.\fThe workshop has two rooms."
    chat.ask("How many rooms has the workshop?", context={"lease.pdf": text})
    assert chat.ask("Is the workshop dry?").sources[0].url == "lease.pdf#page=1"


def test_a_text_without_pages_is_one_source() -> None:
    run = Agent(store=False).run("When does the lease end?", context={"a.txt": "The lease ends on 3 May 2027."})
    assert [source.url for source in run.sources] == ["a.txt"]


def test_a_record_cannot_ask_for_a_page_without_end() -> None:
    text = "The lease ends."
    for place in ("#page=999999999", f"#page={'9' * 5000}", ""):
        source = Source(f"lease.pdf{place}", start=0, end=len(text))
        assert text_given(Evidence("evidence0", "GivenText", text, (source,))) == text
