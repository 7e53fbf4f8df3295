"""What a tool is, and how a function becomes one.

    @tool
    def word_count(text: str) -> str:
        "Counts the words of a text."
        return str(len(text.split()))

Name, description and parameters come from the function: its name (or the one given), the first paragraph of its
docstring, its signature. Sync functions are run in a thread. A parameter annotated `ToolContext` is filled in by the
runtime and is not shown to the model. A tool returns text, a `ToolOutput` where it knows its sources, or a value that
is written as JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypedDict, Unpack, overload

from typing_extensions import ParamSpec, TypeVar  # the standard library's take no default before 3.13

from airoagent.errors import UsageError
from airoagent.events import Evidence, Source
from airoagent.frozen import frozen
from airoagent.plan.evidence import Filled
from airoagent.prompts.context_prompts import ContextBlock
from airoagent.prompts.context_window import Fitted, fit_blocks

if TYPE_CHECKING:
    from airoagent.calls.functions import Function
    from airoagent.documents.library import Documents
    from airoagent.models.base import Completion, Purpose
    from airoagent.prompts.chat import Style
    from airoagent.prompts.grammar import Grammar
    from airoagent.web.fetch import Fetcher

Network = bool | Literal["addresses"]


@frozen
class ToolOutput:
    """What a tool found, with its sources.

    The fields are those of `Evidence`. ``untrusted`` and ``written`` (by a model) need setting only where the runtime
    cannot know: it marks what tools bring from outside, and what was made with `ToolContext.ask`. The same is true of
    ``private``, for text from the user's files that was not read through ``context.documents``. ``reusable`` is False
    if it was made for this run's question and is of no use to another (`Tool.cacheable`).
    """

    text: str
    sources: tuple[Source, ...] = ()
    note: str = ""
    answered: bool = True
    untrusted: bool = False
    written: bool = False
    private: bool = False
    reusable: bool = True

    def evidence(self, step: str, tool: str) -> Evidence:
        """The output as what this step found by this tool."""
        return Evidence(step, tool, **{name: getattr(self, name) for name in _FOUND})


_FOUND = tuple(one.name for one in fields(ToolOutput) if one.name != "reusable")


async def _airoboros() -> Style:
    return "airoboros"


class Asker(Protocol):
    """Asks the run's model; the engine supplies it, so that every call is on record."""

    async def __call__(self, prompt: str, purpose: Purpose, grammar: Grammar | str = "") -> Completion: ...


class Fitter(Protocol):
    """Cuts blocks to what the run's model can read with this instruction; the engine supplies it."""

    async def __call__(self, blocks: Sequence[ContextBlock], instruction: str) -> Fitted: ...


async def whole(blocks: Sequence[ContextBlock], instruction: str) -> Fitted:
    """The blocks as they are, for a model without a window."""
    return Fitted(tuple(blocks))


@frozen
class ToolContext:
    """What a tool may use in addition to its input.

    ``parts`` is the input as the plan has it: literal text and the `Evidence` put between it, in order. ``ask`` asks
    the run's model, held to ``grammar`` where its backend can do that. ``fetch`` is the only way to the network and to
    ``docs://`` addresses; ``documents`` the user's documents (None without ``--docs``). ``settings`` are the user's
    settings for tools. ``progress`` reports how far long work is. ``may_open`` says whether an address
    in the input may be opened: not one that a model made up after reading text from outside. ``fit`` cuts
    the blocks of a closed-context prompt to the model's window, with a note of what was left out. ``style`` gives the
    form of the model's prompts, which the prompt functions take.
    """

    step: str
    question: str
    parts: Filled
    ask: Asker
    fetch: Fetcher
    documents: Documents | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[str, int, int], None] = lambda what, done, total: None
    may_open: Callable[[str], bool] = lambda url: True
    fit: Fitter = whole
    style: Callable[[], Awaitable[Style]] = _airoboros

    def excerpt(self, text: str, most: int) -> str:
        """The passages of a text that are about the run's question, in order: at most ``most`` characters."""
        fitted = fit_blocks((ContextBlock(text),), self.question[: most // 4], most, len).blocks
        return fitted[0].text.strip() if fitted else text[:most]

    def nothing_found(self) -> ToolOutput | None:
        """What to return where there is nothing to work on: all evidence in the input only says that there is none."""
        evidence = [part for part in self.parts if isinstance(part, Evidence)]
        if not evidence or any(part.answered for part in evidence):
            return None
        return ToolOutput(evidence[0].text, (), f"{evidence[0].id} found nothing to work with", answered=False)


@frozen
class Parameter:
    """One parameter of a tool, as a model or a function specification sees it."""

    name: str
    annotation: Any
    required: bool
    default: Any = None


P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)


@frozen
class Tool(Generic[P, R]):
    """A function the runtime can call for a step. What an option means says `tool`; besides, ``timeout`` None is the
    run's default.

    ``origin`` is the file it came from; ``specification`` gives the parameters where the signature does not (a tool
    declared in YAML, or of MCP); ``warning`` is set when the runtime asks about a call, and says what it would do.
    """

    name: str
    description: str
    function: Callable[P, R]
    parameters: tuple[Parameter, ...]
    context_parameter: str = ""
    side_effects: bool = False
    repeatable: bool = True
    timeout: float | None = None
    origin: str = ""
    version: str = "1"
    cacheable: bool = False
    specification: Function | None = None
    outside: bool = True
    network: Network = False
    private: bool = False
    streams: bool = False
    warning: str = ""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as if it had not been made a tool."""
        return self.function(*args, **kwargs)

    @property
    def input_parameter(self) -> str:
        """The parameter that a plan step's input goes to; ``""`` where the tool takes none or needs several."""
        required = [parameter.name for parameter in self.parameters if parameter.required]
        if len(required) > 1:
            return ""
        return next(iter(required or (parameter.name for parameter in self.parameters)), "")


def _context_name(function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]) -> str:
    for name, parameter in parameters.items():
        annotation = parameter.annotation
        word = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if word.rpartition(".")[2] == "ToolContext":
            return name
    return ""


class ToolOptions(TypedDict, total=False):
    """What `tool` takes besides: fields of `Tool`."""

    side_effects: bool
    timeout: float | None
    version: str
    cacheable: bool
    outside: bool
    network: Network
    private: bool
    streams: bool


def as_tool(
    function: Callable[..., Any] | Tool,
    name: str | None = None,
    *,
    description: str | None = None,
    repeatable: bool | None = None,
    **options: Unpack[ToolOptions],
) -> Tool:
    """Make a tool of a function (a tool stays as it is); UsageError says what keeps it from being one."""
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise UsageError(f"{function!r} is not a tool: a function is needed", "make it one with @airoagent.tool")
    tool_name: str = name or getattr(function, "__name__", None) or type(function).__name__
    if not tool_name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise UsageError(
            f"{tool_name!r} cannot be a tool's name", "use letters, digits, '_', '-' and '.': @tool(\"Name\")"
        )
    try:
        signature, empty = inspect.signature(function), inspect.Parameter.empty
    except ValueError as error:  # of some that are written in C
        raise UsageError(f"{tool_name} does not say which parameters it takes", "wrap it in a function") from error
    context = _context_name(function, signature.parameters)
    parameters = tuple(
        Parameter(p.name, p.annotation, p.default is empty, None if p.default is empty else p.default)
        for p in signature.parameters.values()
        if p.name != context and p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    )
    text = description
    if text is None:  # the first paragraph
        text = " ".join((inspect.getdoc(function) or "").split("\n\n", 1)[0].split())
    if not text:
        raise UsageError(
            f"the tool {tool_name} has no description, so no model could know when to use it",
            "give the function a docstring; its first paragraph is what the model reads",
        )
    origin = getattr(inspect.getmodule(function), "__file__", None) or ""
    repeatable = not options.get("side_effects") if repeatable is None else repeatable
    return Tool(tool_name, text, function, parameters, context, origin=origin, repeatable=repeatable, **options)


def specified_tool(
    function: Function, call: Callable[..., Awaitable[Any]], origin: str, **options: Unpack[ToolOptions]
) -> Tool:
    """A tool whose parameters a specification says; ``call`` takes a `ToolContext`, and them by keyword."""
    parameters = tuple(
        Parameter(param.name, _HINTS.get(param.kind, Any), param.required, param.default) for param in function.params
    )
    made = as_tool(call, function.name, description=" ".join(function.description.split()), **options)
    return replace(made, parameters=parameters, context_parameter=FIRST, origin=origin, specification=function)


FIRST = "/"  # stands for a context that is passed by place, so that a parameter may have any name
_HINTS: dict[str, Any] = {
    "string": str,
    "any": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    name: str | None = None,
    /,
    *,
    description: str | None = None,
    repeatable: bool | None = None,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[..., Any] | str | None = None, /, **options: Any
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool from a function: ``@tool`` or ``@tool("Name", side_effects=True, timeout=30)``.

    ``timeout`` is in seconds (0: none). ``side_effects`` is for tools that change something outside: the runtime asks
    before it calls them. ``repeatable`` (by default: no side effects) says whether an interrupted call may be made
    again. ``cacheable``: the same input gives the same output for a while, so a user may have results kept; a new
    ``version`` invalidates them. ``outside=False``: what it returns is made from its input alone (by computing, or by
    the run's model), so it is as trustworthy as that. ``network``: what it is given leaves the machine
    (``"addresses"``: only the addresses in it do), so text from the user's documents is held back from it.
    ``private``: what it returns is from the user's files. ``streams``: it returns what the model writes for it, less
    the sources at the end, so that is shown while it is being written.
    """
    if callable(function):
        return as_tool(function)

    def decorate(target: Callable[..., Any]) -> Tool:
        return as_tool(target, function, **options)

    return decorate


class Toolbox(Mapping[str, Tool]):
    """The tools of a run, by name, in the order they are offered to the model.

    Two tools with the same name are an error, which names both files.
    """

    def __init__(self, tools: Sequence[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for item in tools:
            made = as_tool(item)
            other = self._tools.get(made.name)
            if other is not None and other is not made:
                raise UsageError(
                    f"two tools are called {made.name}: {_place(other)} and {_place(made)}",
                    'rename one of them: @tool("OtherName")',
                )
            self._tools[made.name] = made

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools)})"

    def extended(self, *tools: Tool) -> Toolbox:
        """These tools, and of the others those whose names are free."""
        return Toolbox([*self._tools.values(), *(tool for tool in tools if tool.name not in self._tools)])


def _place(tool: Tool) -> str:
    return str(Path(tool.origin)) if tool.origin else "an object given in Python"
