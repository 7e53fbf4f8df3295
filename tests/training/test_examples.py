"""Training examples: JSON Lines in, recorded runs in, and what is refused."""

from __future__ import annotations

import re

import pytest

from airoagent.calls.call_parser import call_prompt
from airoagent.calls.function_loader import load_functions
from airoagent.errors import UsageError
from airoagent.prompts.chat import Chat, answer_chat, as_chat, code_chat, plan_chat
from airoagent.prompts.plan_prompts import plan_prompt
from airoagent.prompts.wrappers import WRAPPERS
from airoagent.training.examples import Example, examples_of_runs, in_style, read_examples
from tests.running import make_agent


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is not an object"),
        ('{"instruction": "a"}', "line 2 has no response"),
        ('{"instruction": " ", "response": "b"}', "line 2 has no instruction"),
        ('{"instruction": 7, "response": "b"}', "line 2 has no instruction"),
        ('{"instruction": "a", "response": "b", "kind": 1}', "line 2: kind is not text"),
        ('{"instruction": "a", "response": "b", "examples": [["one"]]}', "line 2: examples is not a list of pairs"),
    ],
)
def test_a_line_that_is_no_example_is_refused_with_its_place(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        read_examples('{"instruction": "a", "response": "b"}\n' + line, "data.jsonl")


def test_a_file_without_examples_is_refused() -> None:
    with pytest.raises(UsageError, match="has no examples"):
        read_examples("\n\n", "data.jsonl")


def test_earlier_turns_become_turns_of_the_prompt() -> None:
    line = '{"system": "Be brief.", "examples": [["a", "b"]], "instruction": "c", "response": "d"}'
    (example,) = read_examples(line, "data")
    assert isinstance(example.prompt, Chat)
    assert (example.prompt.system, example.prompt.examples, example.prompt.user) == ("Be brief.", (("a", "b"),), "c")


TOOLS = [("Search", "Searches the web."), ("KnowledgeModel", "Answers from evidence.")]
FUNCTIONS = load_functions("resize:\n  params:\n    width: {type: integer}\n")


@pytest.mark.parametrize(
    "chat",
    [
        plan_chat("How deep is it?", TOOLS),
        plan_chat("How deep is it?", TOOLS[:1], "These steps failed.\n\nWrite a new plan."),
        plan_chat("How deep is it?", []),
        answer_chat([("docs://a", "One.\n\nTwo."), ("", "Three.")], "Which?"),
        code_chat("a\n\nb"),
        call_prompt("make it 640 wide", FUNCTIONS, "yaml", "chat"),
        plan_chat("How deep is it?", TOOLS, "These steps failed.\n\nWrite a new plan.", "compact"),
        answer_chat([("docs://a", "One.\n\nTwo.")], "Which?", "compact"),
        call_prompt("make it 640 wide", FUNCTIONS, "json", "compact"),
    ],
)
def test_a_prompt_kept_as_one_text_is_read_back_in_its_turns(chat: Chat) -> None:
    read = as_chat(str(chat))
    assert isinstance(read, Chat)
    assert (read.system, read.examples, read.user) == (chat.system, chat.examples, chat.user)


def test_a_prompt_of_the_other_style_stays_one_text() -> None:
    prompt = plan_prompt("How deep is it?", TOOLS)
    assert as_chat(prompt) == prompt and not isinstance(as_chat(prompt), Chat)


def test_good_runs_teach_each_prompt_once_and_failed_ones_nothing() -> None:
    def find(text: str) -> str:
        """Finds."""
        return "Otters sleep afloat."

    plan = ":evidence0: = find[otters]\n:evidence1: = KnowledgeModel[Where, given :evidence0:?]\nAnswer: :evidence1:"
    good = make_agent(plan, find, answers=["afloat"]).run("Where do otters sleep?")
    bad = make_agent(":evidence0: = nothing[x]\n", find).run("Where do otters sleep?")
    examples = list(examples_of_runs([good, good, bad]))
    assert sorted(one.response for one in examples) == [plan, "afloat"]
    assert all("otters" in one.prompt.lower() for one in examples)


def test_of_recorded_prompts_the_wrapper_is_taken_off_and_only_the_style_of_the_adapter_is_kept() -> None:
    wrapper = WRAPPERS["airoboros-2.2"]
    mine, other = plan_prompt("How deep is it?", TOOLS, style="compact"), plan_prompt("How deep is it?", TOOLS)
    recorded = [Example(wrapper.wrap(prompt), "Answer: deep") for prompt in (mine, other)]
    assert [one.prompt for one in in_style(recorded, wrapper, "compact")] == [mine]
    assert [one.prompt for one in in_style(recorded, wrapper, "")] == [mine, other]
