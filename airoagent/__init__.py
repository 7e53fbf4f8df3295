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
    from airoagent.agent import Agent
    from airoagent.engine.notebook import Notebook
    from airoagent.engine.policy import Policy
    from airoagent.engine.record import Run
    from airoagent.errors import (
        AiroError,
        CallError,
        Diagnostic,
        FetchError,
        Interrupted,
        LimitReached,
        MissingExtra,
        ModelError,
        PlanError,
        PrivateText,
        SearchBlocked,
        SearchError,
        StoreError,
        ToolError,
        ToolTimeout,
        UsageError,
    )
    from airoagent.events import Event, Source, Usage
    from airoagent.language.answer_grammar import answer_grammar
    from airoagent.language.callprompts import Ranked, Solution, Thought, code_prompt, read_code
    from airoagent.language.calls import Call, parse_calls, write_call
    from airoagent.language.draw import draw_plan
    from airoagent.language.evidence import Evidence
    from airoagent.language.findings import render_diagnostic
    from airoagent.language.functions import Function, Functions, Param, call_schema, load_functions
    from airoagent.language.grammar import Grammar
    from airoagent.language.graph import Graph, build_graph
    from airoagent.language.parse import PlanParser, parse_plan
    from airoagent.language.plan import Plan, Ref, Step
    from airoagent.language.prompts import (
        CitedAnswer,
        ContextBlock,
        closed_context_prompt,
        plan_prompt,
        read_cited_answer,
    )
    from airoagent.models.base import Chunk, Completion, Model, ModelInfo, Prompt, Sampling
    from airoagent.models.catalog import open_model
    from airoagent.models.scripted import ScriptedModel
    from airoagent.toolbox.extract import Page
    from airoagent.toolbox.fetch import Fetcher, Limits, Response
    from airoagent.toolbox.links import extract_links, links_of
    from airoagent.toolbox.search import SearchProvider, SearchResult, results_output, web_search
    from airoagent.toolbox.tool import Tool, Toolbox, ToolContext, ToolOutput, tool

# Written out, since type checkers read it: a name that is not in it is not exported to them.
__all__ = [
    "Agent",
    "AiroError",
    "Call",
    "CallError",
    "Chunk",
    "CitedAnswer",
    "Completion",
    "ContextBlock",
    "Diagnostic",
    "Event",
    "Evidence",
    "FetchError",
    "Fetcher",
    "Function",
    "Functions",
    "Grammar",
    "Graph",
    "Interrupted",
    "LimitReached",
    "Limits",
    "MissingExtra",
    "Model",
    "ModelError",
    "ModelInfo",
    "Notebook",
    "Page",
    "Param",
    "Plan",
    "PlanError",
    "PlanParser",
    "Policy",
    "PrivateText",
    "Prompt",
    "Ranked",
    "Ref",
    "Response",
    "Run",
    "Sampling",
    "ScriptedModel",
    "SearchBlocked",
    "SearchError",
    "SearchProvider",
    "SearchResult",
    "Solution",
    "Source",
    "Step",
    "StoreError",
    "Thought",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "ToolTimeout",
    "Toolbox",
    "Usage",
    "UsageError",
    "answer_grammar",
    "build_graph",
    "call_schema",
    "closed_context_prompt",
    "code_prompt",
    "draw_plan",
    "extract_links",
    "links_of",
    "load_functions",
    "open_model",
    "parse_calls",
    "parse_plan",
    "plan_prompt",
    "read_cited_answer",
    "read_code",
    "render_diagnostic",
    "results_output",
    "tool",
    "web_search",
    "write_call",
]

_HOME = {
    "Agent": "agent",
    "Notebook": "engine.notebook",
    "Policy": "engine.policy",
    "Run": "engine.record",
    "AiroError": "errors",
    "CallError": "errors",
    "Diagnostic": "errors",
    "FetchError": "errors",
    "Interrupted": "errors",
    "LimitReached": "errors",
    "MissingExtra": "errors",
    "ModelError": "errors",
    "PlanError": "errors",
    "PrivateText": "errors",
    "SearchBlocked": "errors",
    "SearchError": "errors",
    "StoreError": "errors",
    "ToolError": "errors",
    "ToolTimeout": "errors",
    "UsageError": "errors",
    "Event": "events",
    "Source": "events",
    "Usage": "events",
    "answer_grammar": "language.answer_grammar",
    "Evidence": "language.evidence",
    "code_prompt": "language.callprompts",
    "Ranked": "language.callprompts",
    "read_code": "language.callprompts",
    "Solution": "language.callprompts",
    "Thought": "language.callprompts",
    "Call": "language.calls",
    "parse_calls": "language.calls",
    "write_call": "language.calls",
    "Function": "language.functions",
    "Functions": "language.functions",
    "Param": "language.functions",
    "call_schema": "language.functions",
    "load_functions": "language.functions",
    "Grammar": "language.grammar",
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
    "ScriptedModel": "models.scripted",
    "open_model": "models.catalog",
    "Page": "toolbox.extract",
    "Fetcher": "toolbox.fetch",
    "Limits": "toolbox.fetch",
    "Response": "toolbox.fetch",
    "extract_links": "toolbox.links",
    "links_of": "toolbox.links",
    "SearchProvider": "toolbox.search",
    "SearchResult": "toolbox.search",
    "results_output": "toolbox.search",
    "web_search": "toolbox.search",
    "Tool": "toolbox.tool",
    "ToolContext": "toolbox.tool",
    "ToolOutput": "toolbox.tool",
    "Toolbox": "toolbox.tool",
    "tool": "toolbox.tool",
}

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
