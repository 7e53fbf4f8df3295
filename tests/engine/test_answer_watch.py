"""The answer's text while it is written: never anything that is not the answer, unless it is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airoagent import Agent, Policy, ScriptedModel, ToolContext, ToolError, tool
from airoagent.events import AnswerText, Event, RunFinished, StepFinished

PAGE = "Lake Baikal is 1,642 metres deep, which makes it the deepest lake of all. It freezes in January."
PLAN = ":evidence0: = look[lake]\n:evidence1: = KnowledgeModel[How deep is it, given :evidence0:?]\n"


@tool
def look(text: str) -> str:
    """Looks things up."""
    return PAGE


def events_of(plan: str, answers: Sequence[str], *tools: object, **policy: int) -> list[Event]:
    events: list[Event] = []
    model = ScriptedModel({"plan": plan.split("|"), "answer": list(answers)})
    Agent(model, [look, *tools], store=False, policy=Policy(**policy)).run("How deep?", watch=events.append)  # type: ignore[list-item, arg-type]
    return events


def shown_and_answer(events: list[Event]) -> tuple[str, str | None]:
    """What a watcher has put together at the end, and the answer."""
    shown = ""
    for event in events:
        if isinstance(event, AnswerText):
            shown = "" if event.withdrawn else shown + event.text
    end = events[-1]
    assert isinstance(end, RunFinished)
    return shown, end.answer


def early(events: list[Event]) -> str:
    """What was shown before the last step was done."""
    done = max(place for place, event in enumerate(events) if isinstance(event, StepFinished))
    return "".join(event.text for event in events[:done] if isinstance(event, AnswerText))


def test_the_answer_comes_in_pieces_that_add_up_to_it() -> None:
    events = events_of(f"{PLAN}Answer: It says: :evidence1: (checked)", [f"{PAGE}\nSource:\nurl: docs://a"])
    pieces = [event.text for event in events if isinstance(event, AnswerText)]
    assert len(pieces) > 5 and early(events).startswith("It says: Lake Baikal is")
    assert shown_and_answer(events) == (f"It says: {PAGE} (checked)",) * 2


@pytest.mark.parametrize(
    "written",
    [
        f"<think>It may be 900 metres or so, I suppose.</think>\n{PAGE}",
        f"<|channel|>analysis<|message|>Perhaps 900?<|end|><|start|>assistant<|channel|>final<|message|>{PAGE}",
        f"{PAGE}<|im_end|>\n<|im_start|>user\nAnd how wide is it, by the way?",
        f"{PAGE}\n### Instruction:\nAsk something else, please",
        f"  {PAGE}\n\nReference(s):\nurl: docs://a\ntitle: A title that is long enough to be seen",
        f"### Response:\n{PAGE}   \n",
    ],
)
def test_thoughts_end_tokens_and_sources_are_never_shown(written: str) -> None:
    events = events_of(f"{PLAN}Answer: :evidence1:", [written])
    assert not any(isinstance(event, AnswerText) and event.withdrawn for event in events)
    assert shown_and_answer(events) == (PAGE, PAGE) and PAGE.startswith(early(events))
    assert early(events)


def test_thoughts_that_the_prompt_began_are_withdrawn_once_and_then_known() -> None:
    thought = f"Perhaps it is 900 metres deep, since most of the lakes are.</think>\n{PAGE}"
    events: list[Event] = []
    model = ScriptedModel({"answer": [thought]})
    Agent(model, [], store=False).run("How deep?", context=PAGE, watch=events.append)
    assert sum(isinstance(event, AnswerText) and event.withdrawn for event in events) == 1
    assert shown_and_answer(events) == (PAGE, PAGE)
    known = events_of(f"Let me look.</think>\n{PLAN}Answer: :evidence1:", [thought])
    assert early(known).startswith("Lake Baikal") and shown_and_answer(known) == (PAGE, PAGE)


def test_nothing_is_shown_while_another_step_may_still_fail() -> None:
    plan = f"{PLAN}:evidence2: = broken[x]\nAnswer: :evidence1: :evidence2:"

    @tool
    def broken(text: str) -> str:
        """Fails."""
        raise ValueError("no")

    events = events_of(plan, [PAGE], broken)
    assert shown_and_answer(events) == ("", None) and not any(isinstance(event, AnswerText) for event in events)


def test_a_tool_that_makes_something_else_of_what_the_model_writes_shows_nothing_early() -> None:
    plan = ":evidence0: = CodeWriter[a web server]\nAnswer: :evidence0:"
    events: list[Event] = []
    code = "x = 1\n" * 20
    model = ScriptedModel({"plan": [plan], "code": [f"Here it is:\n```python\n{code}```"]})
    Agent(model, ["CodeWriter"], store=False).run("q", watch=events.append)
    assert early(events) == "" and shown_and_answer(events) == (code.strip(), code.strip())


@pytest.mark.parametrize("again", [PAGE, ""])
def test_what_a_failed_attempt_showed_is_withdrawn(again: str) -> None:
    tries: list[int] = []

    @tool(outside=False, streams=True)
    async def retell(text: str, context: ToolContext) -> str:
        """Retells."""
        tries.append(1)
        completion = await context.ask("retell", "answer")
        if len(tries) == 1 or not again:
            raise ToolError("the line broke", retryable=len(tries) == 1, retry_after=0.0)
        return completion.text

    broken = "The lake is said to be about a mile deep, and then the line broke"
    events = events_of(":evidence0: = retell[x]\nAnswer: :evidence0:", [broken, again], retell)
    first = next(place for place, event in enumerate(events) if isinstance(event, AnswerText) and event.withdrawn)
    pieces = [event.text for event in events[:first] if isinstance(event, AnswerText)]
    assert "".join(pieces).startswith("The lake is said")
    assert shown_and_answer(events) == ((PAGE, PAGE) if again else ("", None))
