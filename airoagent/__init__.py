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
    from airoagent.calls.call_parser import Call, parse_calls, write_call
    from airoagent.calls.function_loader import load_functions
    from airoagent.calls.functions import Function, Functions, Param, call_schema
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
    from airoagent.findings import render_diagnostic
    from airoagent.models.base import Chunk, Completion, Model, ModelInfo, Prompt, Sampling
    from airoagent.models.catalog import open_model
    from airoagent.models.scripted import ScriptedModel
    from airoagent.plan.drawing import draw_plan
    from airoagent.plan.evidence import Evidence
    from airoagent.plan.graph import Graph, build_graph
    from airoagent.plan.parser import PlanParser, parse_plan
    from airoagent.plan.plans import Plan
    from airoagent.plan.steps import Ref, Step
    from airoagent.prompts.answer_grammar import answer_grammar
    from airoagent.prompts.context_prompts import CitedAnswer, ContextBlock, closed_context_prompt, read_cited_answer
    from airoagent.prompts.grammar import Grammar
    from airoagent.prompts.plan_prompts import plan_prompt
    from airoagent.prompts.thoughts import Ranked, Solution, Thought, code_prompt, read_code
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
    "answer_grammar": "prompts.answer_grammar",
    "Evidence": "plan.evidence",
    "code_prompt": "prompts.thoughts",
    "Ranked": "prompts.thoughts",
    "read_code": "prompts.thoughts",
    "Solution": "prompts.thoughts",
    "Thought": "prompts.thoughts",
    "Call": "calls.call_parser",
    "parse_calls": "calls.call_parser",
    "write_call": "calls.call_parser",
    "Function": "calls.functions",
    "Functions": "calls.functions",
    "Param": "calls.functions",
    "call_schema": "calls.functions",
    "load_functions": "calls.function_loader",
    "Grammar": "prompts.grammar",
    "render_diagnostic": "findings",
    "draw_plan": "plan.drawing",
    "Graph": "plan.graph",
    "build_graph": "plan.graph",
    "PlanParser": "plan.parser",
    "parse_plan": "plan.parser",
    "Plan": "plan.plans",
    "Ref": "plan.steps",
    "Step": "plan.steps",
    "CitedAnswer": "prompts.context_prompts",
    "ContextBlock": "prompts.context_prompts",
    "closed_context_prompt": "prompts.context_prompts",
    "plan_prompt": "prompts.plan_prompts",
    "read_cited_answer": "prompts.context_prompts",
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
