"""airoagent runs the plans that airoboros-class language models write.

    agent = airoagent.Agent(docs=["examples/library"])
    run = agent.run("Who won the Nobel Prize in Literature in 2020?")
    print(run.answer)

Names are looked up when first used, so importing the package costs nothing. Nothing is imported here: `airo` has to
take over Ctrl-C, and drop the current folder from the path, before anything else is loaded.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False

# The public names by the module that defines them; type checkers read the same from the imports below.
_NAMES = {
    "agent": "Agent",
    "calls.call_parser": "Call parse_calls write_call",
    "calls.function_loader": "load_functions",
    "calls.functions": "Function Functions Param call_schema",
    "documents.read_page": "Page",
    "conversation": "Conversation",
    "engine.policy": "Policy",
    "errors": (
        "AiroError CallError Diagnostic FetchError Interrupted LimitReached MissingExtra ModelError PlanError "
        "PrivateText SearchBlocked SearchError StoreError ToolError ToolTimeout UsageError"
    ),
    "events": "Event Evidence Source Usage",
    "extractive.quotes": "quoted_answer",
    "findings": "render_diagnostic",
    "models.base": "Chunk Completion Model ModelInfo Prompt Sampling",
    "models.catalog": "open_model",
    "models.scripted": "ScriptedModel",
    "plan.drawing": "draw_plan",
    "plan.graph": "Graph build_graph",
    "plan.parser": "PlanParser parse_plan",
    "plan.plans": "Plan",
    "plan.steps": "Ref Step",
    "prompts.context_prompts": "CitedAnswer ContextBlock answer_grammar closed_context_prompt read_cited_answer",
    "prompts.grammar": "Grammar",
    "prompts.plan_prompts": "plan_prompt",
    "prompts.thoughts": "Ranked Solution Thought code_prompt read_code",
    "records.run_record": "Run",
    "toolbox.tool": "Tool ToolContext ToolOutput Toolbox tool",
    "view.notebook": "Notebook",
    "web.fetch": "Fetcher Limits Response",
    "web.links": "extract_links links_of",
    "web.search": "SearchProvider SearchResult results_output web_search",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from airoagent.agent import Agent as Agent
    from airoagent.calls.call_parser import Call as Call
    from airoagent.calls.call_parser import parse_calls as parse_calls
    from airoagent.calls.call_parser import write_call as write_call
    from airoagent.calls.function_loader import load_functions as load_functions
    from airoagent.calls.functions import Function as Function
    from airoagent.calls.functions import Functions as Functions
    from airoagent.calls.functions import Param as Param
    from airoagent.calls.functions import call_schema as call_schema
    from airoagent.conversation import Conversation as Conversation
    from airoagent.documents.passages import SearchResult as SearchResult
    from airoagent.documents.read_page import Page as Page
    from airoagent.engine.policy import Policy as Policy
    from airoagent.errors import AiroError as AiroError
    from airoagent.errors import CallError as CallError
    from airoagent.errors import Diagnostic as Diagnostic
    from airoagent.errors import FetchError as FetchError
    from airoagent.errors import Interrupted as Interrupted
    from airoagent.errors import LimitReached as LimitReached
    from airoagent.errors import MissingExtra as MissingExtra
    from airoagent.errors import ModelError as ModelError
    from airoagent.errors import PlanError as PlanError
    from airoagent.errors import PrivateText as PrivateText
    from airoagent.errors import SearchBlocked as SearchBlocked
    from airoagent.errors import SearchError as SearchError
    from airoagent.errors import StoreError as StoreError
    from airoagent.errors import ToolError as ToolError
    from airoagent.errors import ToolTimeout as ToolTimeout
    from airoagent.errors import UsageError as UsageError
    from airoagent.events import Event as Event
    from airoagent.events import Evidence as Evidence
    from airoagent.events import Source as Source
    from airoagent.events import Usage as Usage
    from airoagent.extractive.quotes import quoted_answer as quoted_answer
    from airoagent.findings import render_diagnostic as render_diagnostic
    from airoagent.models.base import Chunk as Chunk
    from airoagent.models.base import Completion as Completion
    from airoagent.models.base import Model as Model
    from airoagent.models.base import ModelInfo as ModelInfo
    from airoagent.models.base import Prompt as Prompt
    from airoagent.models.base import Sampling as Sampling
    from airoagent.models.catalog import open_model as open_model
    from airoagent.models.scripted import ScriptedModel as ScriptedModel
    from airoagent.plan.drawing import draw_plan as draw_plan
    from airoagent.plan.graph import Graph as Graph
    from airoagent.plan.graph import build_graph as build_graph
    from airoagent.plan.parser import PlanParser as PlanParser
    from airoagent.plan.parser import parse_plan as parse_plan
    from airoagent.plan.plans import Plan as Plan
    from airoagent.plan.steps import Ref as Ref
    from airoagent.plan.steps import Step as Step
    from airoagent.prompts.context_prompts import CitedAnswer as CitedAnswer
    from airoagent.prompts.context_prompts import ContextBlock as ContextBlock
    from airoagent.prompts.context_prompts import answer_grammar as answer_grammar
    from airoagent.prompts.context_prompts import closed_context_prompt as closed_context_prompt
    from airoagent.prompts.context_prompts import read_cited_answer as read_cited_answer
    from airoagent.prompts.grammar import Grammar as Grammar
    from airoagent.prompts.plan_prompts import plan_prompt as plan_prompt
    from airoagent.prompts.thoughts import Ranked as Ranked
    from airoagent.prompts.thoughts import Solution as Solution
    from airoagent.prompts.thoughts import Thought as Thought
    from airoagent.prompts.thoughts import code_prompt as code_prompt
    from airoagent.prompts.thoughts import read_code as read_code
    from airoagent.records.run_record import Run as Run
    from airoagent.toolbox.tool import Tool as Tool
    from airoagent.toolbox.tool import Toolbox as Toolbox
    from airoagent.toolbox.tool import ToolContext as ToolContext
    from airoagent.toolbox.tool import ToolOutput as ToolOutput
    from airoagent.toolbox.tool import tool as tool
    from airoagent.view.notebook import Notebook as Notebook
    from airoagent.web.fetch import Fetcher as Fetcher
    from airoagent.web.fetch import Limits as Limits
    from airoagent.web.fetch import Response as Response
    from airoagent.web.links import extract_links as extract_links
    from airoagent.web.links import links_of as links_of
    from airoagent.web.search import SearchProvider as SearchProvider
    from airoagent.web.search import results_output as results_output
    from airoagent.web.search import web_search as web_search
else:  # hidden from type checkers, so that a misspelt name is an error to them

    def __getattr__(name):
        from importlib import import_module

        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module 'airoagent' has no attribute {name!r}")
        value = getattr(import_module(f"airoagent.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
