"""Forecasts of plans, for `airo plan --forecast`, ``--dry-run`` and ``--ask-above``."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.approve import agreed
from airoagent.cli.display import plain
from airoagent.cli.inputs import newest_runs
from airoagent.errors import LimitReached, UsageError

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.plan.plans import Plan
    from airoagent.recorded.forecast import Forecast, Habits
    from airoagent.settings import Settings

_RUNS = 60  # newest runs on record, from which the forecast learns


def _habits(agent: Agent) -> Habits:
    from airoagent.recorded.forecast import learned

    store = agent.session.records.open()
    return learned(() if store is None else newest_runs(store, _RUNS), agent.model.info.name)


def _forecast(agent: Agent, plan: Plan) -> tuple[Forecast, Habits]:
    from airoagent.recorded.forecast import forecast

    habits = _habits(agent)
    return forecast(plan, agent.model, habits), habits


def _price(settings: Settings, model: str) -> tuple[float, float] | None:
    """The price of the model per million tokens read and written, if one is set."""
    for row in settings.prices:
        name, _, price = row.rpartition("=")
        read, _, written = price.partition("/")
        try:
            pair = float(read), float(written or read)
        except ValueError:
            pair = (math.nan, math.nan)
        if not name or not all(0 <= one < math.inf for one in pair):
            raise UsageError(f"prices: {row!r} is not NAME=READ/WRITTEN", 'like prices = ["gpt-4o=2.5/10"]')
        if name == model:
            return pair
    return None


def forecast_json(agent: Agent, settings: Settings, plan: Plan) -> dict[str, Any]:
    """The forecast as JSON values; ``money`` is null if no price is set."""
    found, habits = _forecast(agent, plan)
    price = _price(settings, agent.model.info.name)
    money = None if price is None else found.money(price)
    return {"tool_calls": len(found.steps), **dataclasses.asdict(found), "money": money, "learned_from": habits.runs}


def forecast_lines(agent: Agent, settings: Settings, plan: Plan) -> Iterator[str]:
    found, habits = _forecast(agent, plan)
    yield f"forecast, from {habits.runs} recorded run{'s' * (habits.runs != 1)}:"
    yield f"  tool calls   {len(found.steps)}"
    yield f"  model calls  {found.model_calls:.1f}".removesuffix(".0")
    usage = found.usage
    yield f"  tokens       {usage.prompt_tokens:,} read, {usage.completion_tokens:,} written"
    yield f"  seconds      {found.seconds:.1f}, decided by {' -> '.join(found.critical_path) or 'nothing'}"
    if (price := _price(settings, agent.model.info.name)) is not None:
        yield f"  money        {found.money(price):.4f}"
    for step in found.steps:
        tokens = f"  {step.usage.prompt_tokens:,} + {step.usage.completion_tokens:,} tokens" if step.model_calls else ""
        yield f"  {step.id}  {step.tool}  {step.seconds:.2f} s{tokens}"
    yield from (f"note: {note}" for note in found.notes)


def print_dry_run(agent: Agent, settings: Settings, plan: Plan, as_json: bool) -> int:
    """Print the plan and its forecast instead of running it; returns the exit code."""
    from airoagent.records.run_record import plan_json

    if as_json:
        click.echo(json.dumps({"plan": plan_json(plan), "forecast": forecast_json(agent, settings, plan)}, indent=2))
    else:
        click.echo(plain(plan.to_text().rstrip("\n")), err=True)
        click.echo(plain("\n".join(forecast_lines(agent, settings, plan))))
    return 0


def asking_above(agent: Agent, most: int) -> Callable[[Plan], Awaitable[None]]:
    """A check that asks the user about plans forecast to take more tokens than ``most``; LimitReached if refused.

    It learns from the record when it is first used, and not again for each question of a batch.
    """
    from airoagent.recorded.forecast import forecast

    known: list[Habits] = []
    learning = threading.Lock()

    def forecast_of(plan: Plan) -> Forecast:
        with learning:
            known[:] = known or [_habits(agent)]
        return forecast(plan, agent.model, known[0])

    async def check(plan: Plan) -> None:
        found = await asyncio.to_thread(forecast_of, plan)
        tokens = found.usage.prompt_tokens + found.usage.completion_tokens
        what = f"the plan is forecast to take {tokens:,} tokens, more than {most:,}"
        if tokens > most and not await asyncio.to_thread(agreed, f"{what}. Run it?"):
            raise LimitReached(what, "say yes at a terminal, or raise --ask-above")

    return check
