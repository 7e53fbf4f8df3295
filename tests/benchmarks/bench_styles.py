"""Plans of one model in each prompt style: how many are valid, call the right tools, repeat a step, reach the limit.

    python tests/benchmarks/bench_styles.py MODEL [STYLE ...] [OPTION=VALUE ...]    e.g. smollm2 chat threads=1

The model is held to the plan grammar where it can be, and every style gets the same 20 questions and tools. A plan is
right where it calls every tool that the question needs and no other but KnowledgeModel.
"""

from __future__ import annotations

import sys
import time

from airoagent import Agent, PlanError
from airoagent.events import Event, ModelCalled
from airoagent.models.catalog import open_model

TOOLS = ("DocumentSearch", "KnowledgeModel", "Calculator", "TextScraper")
QUESTIONS = (
    ("How deep is Lake Baikal?", "DocumentSearch"),
    ("Who discovered penicillin, and in which year?", "DocumentSearch"),
    ("When was the Suez Canal opened?", "DocumentSearch"),
    ("Which countries does the Danube flow through?", "DocumentSearch"),
    ("Who won the Nobel Prize in Literature in 2020 and what is their most famous work?", "DocumentSearch"),
    ("How tall is the Eiffel Tower, and who built it?", "DocumentSearch"),
    ("Where do otters sleep?", "DocumentSearch"),
    ("What did Ada Lovelace write about the Analytical Engine?", "DocumentSearch"),
    ("How many people died in the Great Fire of London?", "DocumentSearch"),
    ("Which two elements did Marie Curie discover?", "DocumentSearch"),
    ("Who was the first to climb Mount Everest, and how long did the descent take?", "DocumentSearch"),
    ("Where was the Rosetta Stone found and where is it kept today?", "DocumentSearch"),
    ("Which is older, the Danube bridge at Regensburg or the Eiffel Tower?", "DocumentSearch"),
    ("Who invented Python, and what is the language named after?", "DocumentSearch"),
    ("What is the distance of a marathon, and why that one?", "DocumentSearch"),
    (
        "Compare the depths of Lake Baikal, Lake Superior, Lake Tanganyika, Lake Victoria and Loch Ness.",
        "DocumentSearch",
    ),
    ("How old was Neil Armstrong when Apollo 11 landed?", "DocumentSearch"),
    ("What is 17 times 23, minus 5?", "Calculator"),
    ("How much is 15 percent of 2,480?", "Calculator"),
    ("What does the page https://example.org/opening-hours say?", "TextScraper"),
)


def row(name: str, style: str, options: dict[str, str]) -> str:
    """The line of the table for one style."""
    model = open_model(name, options={**options, "style": style})
    agent = Agent(model, TOOLS, docs=["examples/library"], store=False)
    valid = right = looping = longest = most = asked = 0
    began = time.perf_counter()
    for question, needed in QUESTIONS:
        calls: list[ModelCalled] = []

        def watch(event: Event, calls: list[ModelCalled] = calls) -> None:
            if isinstance(event, ModelCalled):
                calls.append(event)

        try:
            plan = agent.plan(question, watch=watch)
        except PlanError as error:
            print(f"    {error.kind}: {question}", file=sys.stderr)
        else:
            valid += 1
            made = [(step.tool, step.input) for step in plan.steps]
            looping += len(set(made)) < len(made)
            right += {needed} <= (used := {tool for tool, _ in made}) <= {needed, "KnowledgeModel"} and bool(used)
            longest = max(longest, len(made))
            print(f"    {plan.to_text()}", file=sys.stderr)
        asked += len(calls) - 1
        most = max(most, *(call.usage.completion_tokens for call in calls))
    agent.close()
    seconds = (time.perf_counter() - began) / len(QUESTIONS)
    return f"{style:<10} {valid:>5} {right:>12} {looping:>14} {longest:>13} {most:>12} {asked:>12} {seconds:>11.1f}"


def main() -> None:
    name, words = sys.argv[1], sys.argv[2:]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    styles = [word for word in words if "=" not in word] or ["airoboros", "chat"]
    print(f"{name}, {len(QUESTIONS)} questions")
    print("style      valid  right tools  repeat a call  longest plan  most tokens  asked again  s per plan")
    for style in styles:
        print(row(name, style, options), flush=True)


if __name__ == "__main__":
    main()
