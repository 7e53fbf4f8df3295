"""A plan, some tools, and the run they give: what most tests of the engine and the agent begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airoagent import Agent, Policy, Run, ScriptedModel
from airoagent.toolbox.tool import Tool


def make_agent(plan: str, *tools: Tool | Callable[..., Any], answers: Sequence[str] = (), **options: Any) -> Agent:
    """An agent whose model writes this plan, and these answers when it is asked by a step."""
    options.setdefault("store", False)
    policy = {key: options.pop(key) for key in tuple(options) if key in Policy.__dataclass_fields__}
    model = ScriptedModel({"plan": [plan], "answer": list(answers)})
    return Agent(model, tools, policy=Policy(**policy), **options)


def run_plan(plan: str, *tools: Tool | Callable[..., Any], **options: Any) -> Run:
    """Run the plan to its end."""
    return make_agent(plan, *tools, **options).run("a question")
