"""Texts that come with a question: what they are called in the plan."""

from __future__ import annotations

from airoagent.engine.context_texts import plan_about


def test_texts_of_one_name_are_all_kept() -> None:
    for names in (("a", "a", "a"), ("a (2)", "a"), ("a", "a (2)", "a"), ("a (3)", "a", "a")):
        _, texts = plan_about([(name, f"text {number}") for number, name in enumerate(names)])
        assert sorted(texts.values()) == [f"text {number}" for number in range(len(names))]
