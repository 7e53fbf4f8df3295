"""Forecasts what running a plan will take: calls, tokens, seconds, money, and the steps that decide the time.

    habits = learned(runs, model.info.name)              # from runs on record, best on this machine
    found = forecast(plan, model, habits)
    print(found.usage.prompt_tokens, found.seconds, found.critical_path)

Prompts are composed as the steps will compose them, with evidence of the length that their tools have found so far,
and counted by the model. The seconds of a tool, and of a model per token, are medians of those on record, which leave
out a slow first call or a busy machine. ``notes`` say what has no record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field
from statistics import median
from typing import Final

from airoagent.events import ModelCalled, StepFinished, Usage
from airoagent.frozen import frozen
from airoagent.models.base import Model
from airoagent.plan.graph import build_graph
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.plan.tool_names import is_model
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.records.run_record import Run

_NEW_CHARACTERS: Final = 1500  # of evidence by a tool without a record
_NEW_WRITTEN: Final = 40  # tokens of an answer by a model without a record
_NEW_SECONDS: Final = 1.0  # of a tool's own


@frozen
class ToolHabit:
    """The average call of a tool: its own seconds, characters of evidence, model calls, and tokens written by each."""

    seconds: float
    characters: float
    asked: float
    written: float


@frozen
class Habits:
    """What the runs on record show of each tool, and of the model when it was asked for a step.

    ``rate`` is the model's seconds per token read or written (None: not known), ``per_token`` the characters of one.
    """

    runs: int = 0
    tools: Mapping[str, ToolHabit] = field(default_factory=dict)
    rate: float | None = None
    per_token: float = 0.0


@frozen
class StepForecast:
    """What one step will take."""

    id: str
    tool: str
    usage: Usage
    model_calls: float
    seconds: float


@frozen
class Forecast:
    """What a plan will take. ``seconds`` is the time until the answer; ``model_calls`` is an average, not whole."""

    steps: tuple[StepForecast, ...]
    usage: Usage
    model_calls: float
    seconds: float
    critical_path: tuple[str, ...]
    notes: tuple[str, ...]

    def money(self, price: tuple[float, float]) -> float:
        """What the tokens cost, at a price per million tokens read and written."""
        return (self.usage.prompt_tokens * price[0] + self.usage.completion_tokens * price[1]) / 1e6


# The record ---------------------------------------------------------------------------------------------------------


def learned(runs: Iterable[Run], model: str) -> Habits:
    """The habits of all tools and of this model in these runs."""
    finished: dict[str, list[tuple[float, float, int, int]]] = defaultdict(list)
    rates: list[float] = []
    characters = read = count = 0
    for run in runs:
        count += 1
        asked: dict[str, list[ModelCalled]] = defaultdict(list)
        for event in run.events:
            if isinstance(event, ModelCalled):
                asked[event.step].append(event)
                if event.model == model and event.step and event.usage.prompt_tokens and event.finish != "failed":
                    rates.append(event.seconds / (event.usage.prompt_tokens + event.usage.completion_tokens))
                    characters += len(event.prompt)
                    read += event.usage.prompt_tokens
            elif isinstance(event, StepFinished) and event.origin == "call":
                mine = asked.pop(event.step, [])
                own = max(0.0, event.seconds - sum(one.seconds for one in mine))
                written = sum(one.usage.completion_tokens for one in mine)
                finished[event.tool].append((own, len(event.evidence.text), len(mine), written))
    tools = {}
    for name, rows in finished.items():
        _, length, models, written = (sum(column) for column in zip(*rows, strict=True))
        seconds = median(own for own, *_ in rows)
        tools[name] = ToolHabit(seconds, length / len(rows), models / len(rows), written / models if models else 0.0)
    return Habits(count, tools, median(rates) if rates else None, characters / read if read else 0.0)


# The forecast -------------------------------------------------------------------------------------------------------


def forecast(plan: Plan, model: Model, habits: Habits) -> Forecast:
    """What running this plan with this model will take. The model is loaded if it has to be, to count tokens."""
    text = plan.to_text()
    per_token = habits.per_token or len(text) / max(1, model.count_tokens(text))
    tools = {step.id: step.tool for step in plan.steps}
    steps = {step.id: _step(step, tools, model, habits, per_token) for step in plan.steps}
    graph = build_graph(plan)
    ends: dict[str, float] = {}
    before: dict[str, str] = {}
    for id in graph.order:
        needed = graph.dependencies[id]
        if needed:
            before[id] = max(needed, key=lambda other: ends[other])
        ends[id] = steps[id].seconds + max((ends[other] for other in needed), default=0.0)
    path = [max(ends, key=lambda one: ends[one])] if ends else []
    while path and path[-1] in before:
        path.append(before[path[-1]])
    # A model on this machine answers one call after the other, even if steps could run concurrently.
    writing = sum(one.seconds for one in steps.values() if one.model_calls >= 0.5)
    seconds = max(ends.values(), default=0.0)
    return Forecast(
        tuple(steps.values()),
        sum((one.usage for one in steps.values()), Usage()),
        sum(one.model_calls for one in steps.values()),
        seconds if model.info.backend == "server" else max(seconds, writing),
        tuple(reversed(path)),
        tuple(_notes(plan, model, habits)),
    )


def _step(step: Step, tools: Mapping[str, str], model: Model, habits: Habits, per_token: float) -> StepForecast:
    habit = _habit(step.tool, habits)
    read, written = 0, round(habit.written * habit.asked)
    if habit.asked:
        words = "".join(part for part in step.template if isinstance(part, str))
        found = [_habit(tools[part.id], habits).characters for part in step.template if isinstance(part, Ref)]
        blocks = [ContextBlock("", (("url", "https://example.org/page"),))] * len(found)
        frame = model.count_tokens(str(model.wrap(closed_context_prompt(blocks, words, model.info.style))))
        whole = frame + sum(found) / per_token
        if model.info.context_length is not None:  # evidence is cut to leave a quarter for the answer
            whole = min(whole, model.info.context_length * 0.75)
        read = round(whole * habit.asked)
    seconds = habit.seconds + (read + written) * (habits.rate or 0.0)
    return StepForecast(step.id, step.tool, Usage(read, written, round(habit.asked)), habit.asked, seconds)


def _habit(tool: str, habits: Habits) -> ToolHabit:
    """The habit of a tool; a guess for one without a record."""
    if tool in habits.tools:
        return habits.tools[tool]
    return ToolHabit(0.0, 200, 1.0, _NEW_WRITTEN) if is_model(tool) else ToolHabit(_NEW_SECONDS, _NEW_CHARACTERS, 0, 0)


def _notes(plan: Plan, model: Model, habits: Habits) -> Iterable[str]:
    if habits.rate is None:
        yield f"{model.info.name} has not been asked in a run on record: its time is left out"
    new = dict.fromkeys(step.tool for step in plan.steps if step.tool not in habits.tools)
    if new:
        yield f"nothing is on record about {', '.join(new)}: the length of what it finds is a guess"
