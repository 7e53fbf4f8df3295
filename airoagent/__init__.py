"""airoagent runs the plans that airoboros-class language models write.

    agent = airoagent.Agent(docs=["examples/library"])
    run = agent.run("Who won the Nobel Prize in Literature in 2020?")
    print(run.answer)

Names are looked up when first used, so importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airoagent.errors import (
        AiroError, CallError, Diagnostic, FetchError, Interrupted, LimitReached, MissingExtra, ModelError, PlanError,
        SearchBlocked, SearchError, StoreError, ToolError, ToolTimeout, UsageError,
    )  # fmt: skip
    from airoagent.events import Event, Source, Usage
    from airoagent.language.evidence import Evidence
    from airoagent.language.draw import draw_plan
    from airoagent.language.findings import render_diagnostic
    from airoagent.language.graph import Graph, build_graph
    from airoagent.language.parse import PlanParser, parse_plan
    from airoagent.language.plan import Plan, Ref, Step
    from airoagent.language.prompts import CitedAnswer, ContextBlock, closed_context_prompt, plan_prompt, read_cited_answer
    from airoagent.models.base import Chunk, Completion, Model, ModelInfo, Prompt, Sampling
    from airoagent.toolbox.search import SearchResult, results_output
    from airoagent.toolbox.tool import Tool, Toolbox, ToolContext, ToolOutput, tool

_HOME = {
    "AiroError": "errors",
    "CallError": "errors",
    "Diagnostic": "errors",
    "FetchError": "errors",
    "Interrupted": "errors",
    "LimitReached": "errors",
    "MissingExtra": "errors",
    "ModelError": "errors",
    "PlanError": "errors",
    "SearchBlocked": "errors",
    "SearchError": "errors",
    "StoreError": "errors",
    "ToolError": "errors",
    "ToolTimeout": "errors",
    "UsageError": "errors",
    "Event": "events",
    "Source": "events",
    "Usage": "events",
    "Evidence": "language.evidence",
    "render_diagnostic": "language.findings",
    "draw_plan": "language.draw",
    "Graph": "language.graph",
    "build_graph": "language.graph",
    "PlanParser": "language.parse",
    "parse_plan": "language.parse",
    "Plan": "language.plan",
    "Ref": "language.plan",
    "Step": "language.plan",
    "CitedAnswer": "language.prompts",
    "ContextBlock": "language.prompts",
    "closed_context_prompt": "language.prompts",
    "plan_prompt": "language.prompts",
    "read_cited_answer": "language.prompts",
    "Chunk": "models.base",
    "Completion": "models.base",
    "Model": "models.base",
    "ModelInfo": "models.base",
    "Prompt": "models.base",
    "Sampling": "models.base",
    "Tool": "toolbox.tool",
    "ToolContext": "toolbox.tool",
    "ToolOutput": "toolbox.tool",
    "Toolbox": "toolbox.tool",
    "SearchResult": "toolbox.search",
    "results_output": "toolbox.search",
    "tool": "toolbox.tool",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table is the one list of public names
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'airoagent' has no attribute {name!r}")
    value = getattr(import_module(f"airoagent.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
