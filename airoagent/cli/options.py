"""The options that several verbs share, and the `Agent` they describe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.settings import Settings

__all__ = ["agent_options", "complete", "display_options", "make_agent"]

F = TypeVar("F", bound=Callable[..., Any])


def complete(words: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """What Tab offers for a value: those of the words that begin as the value does. Nothing is read from disk."""
    return lambda ctx, param, incomplete: [word for word in words() if word.startswith(incomplete)]


def _models() -> Iterable[str]:
    from airoagent.models.catalog import CATALOGUE

    return ("extractive", *(model.name for model in CATALOGUE))


_FOLDER, _PATH = click.Path(file_okay=False), click.Path()
_AGENT = (
    click.option(
        "-m",
        "--model",
        metavar="MODEL",
        shell_complete=complete(_models),
        help="A Hugging Face name, a folder, a GGUF file, an address; extractive; scripted:FILE.",
    ),
    click.option("-o", "--option", "options", nargs=2, multiple=True, metavar="KEY VALUE", help="A model option."),
    click.option("-T", "--tool", "named", multiple=True, metavar="NAME", help="Offer only this tool; +NAME: one more."),
    click.option(
        "--tools", "tools", multiple=True, type=_PATH, metavar="PATH", help="A tool file, or a folder of them."
    ),
    click.option(
        "--docs", multiple=True, type=_FOLDER, metavar="DIR", help="Answer from the documents of this folder."
    ),
    click.option("--web", is_flag=True, default=None, help="Search the web too where --docs is given."),
    click.option("--allow-private", multiple=True, metavar="HOST", help="Let pages of this private host be read."),
    click.option("--timeout", metavar="SECONDS", help="Limit of one tool call; 0: none."),
    click.option("--limit-seconds", metavar="SECONDS", help="Limit of the whole run; 0: none."),
    click.option("--max-calls", metavar="N", help="The most calls of tools in the run."),
    click.option("--max-total-tokens", metavar="N", help="The most tokens models read and write in the run."),
    click.option("--max-bytes", metavar="N", help="The most characters of evidence in the run."),
    click.option("--concurrency", metavar="N", help="The most steps that run at the same time."),
    click.option("--search", metavar="NAME", help="Who is asked when the web is searched."),
    click.option(
        "--on-error",
        metavar="stop|skip|tell",
        shell_complete=complete(lambda: ("stop", "skip", "tell")),
        help="What a failed step does to the others.",
    ),
    click.option("--temperature", metavar="T", help="How freely tokens are picked; 0: the likeliest."),
    click.option("--max-tokens", metavar="N", help="The most tokens the model writes for one prompt."),
    click.option("--seed", metavar="N", help="Makes sampling repeatable."),
    click.option("--free", is_flag=True, default=None, help="Let a local model write without a grammar."),
    click.option(
        "--answers",
        metavar="free|verbatim",
        shell_complete=complete(lambda: ("free", "verbatim")),
        help="verbatim: answer only with words of the evidence.",
    ),
    click.option("--replan", metavar="N", help="How often a new plan may be written after a failure."),
    click.option("--approve", is_flag=True, default=None, help="Ask before every call of a tool."),
    click.option("--cache", metavar="SECONDS", help="Reuse results of web tools up to this age; 0: never."),
    click.option("--no-cache", is_flag=True, help="The same as --cache 0."),
    click.option(
        "--spans",
        metavar="off|on|contents",
        shell_complete=complete(lambda: ("off", "on", "contents")),
        help="Send OpenTelemetry spans; contents: with the texts.",
    ),
    click.option("--no-store", is_flag=True, help="Keep no record of this run."),
    click.option(
        "--config", "config_file", type=_PATH, metavar="FILE", help="Read this config file in place of the user's own."
    ),
)

_DISPLAY = (
    click.option("--json", "as_json", is_flag=True, help="Print the whole run as one JSON object."),
    click.option(
        "--display",
        metavar="auto|rich|plain|json|none",
        shell_complete=complete(lambda: ("auto", "rich", "plain", "json", "none")),
        help="What stderr shows while it runs.",
    ),
    click.option(
        "--color",
        metavar="auto|always|never",
        shell_complete=complete(lambda: ("auto", "always", "never")),
        help="Whether stderr is coloured.",
    ),
)


def agent_options(function: F) -> F:
    """Add the options that describe an agent; the command gets them as keyword arguments."""
    for option in reversed(_AGENT):
        function = option(function)
    return function


def display_options(function: F) -> F:
    """Add ``--json``, ``--display`` and ``--color``."""
    for option in reversed(_DISPLAY):
        function = option(function)
    return function


def make_agent(
    flags: dict[str, Any], *, display: str | None = None, color: str | None = None
) -> tuple[Agent, Settings]:
    """The agent that flags, environment and config file describe, and the settings in force."""
    from airoagent.agent import Agent
    from airoagent.cli.approve import approver
    from airoagent.cli.begun import begun_with
    from airoagent.cli.display import plain
    from airoagent.engine.policy import Policy
    from airoagent.models.base import Sampling
    from airoagent.settings import load_settings

    given = {"options": (), "named": (), "config_file": None, "no_cache": False, "no_store": False, **flags}
    flags = dict(given)
    options, named = dict(flags.pop("options")), flags.pop("named") or None
    config_file = flags.pop("config_file")
    if flags.pop("no_cache"):
        flags["cache"] = 0.0
    if flags.pop("no_store"):
        flags["store"] = False
    settings = load_settings(
        {**flags, "display": display, "color": color}, config_file=Path(config_file) if config_file else None
    )
    agent = Agent(
        settings.model,
        named,
        tool_paths=settings.tools,
        docs=settings.docs,
        web=settings.web,
        options=options,
        sampling=Sampling(
            settings.temperature, settings.top_p, settings.repetition_penalty, settings.max_tokens, settings.seed
        ),
        policy=Policy(
            tool_timeout=settings.timeout,
            retries=settings.retries,
            limit_seconds=settings.limit_seconds,
            concurrency=settings.concurrency,
            on_error=settings.on_error,
            eager=settings.eager,
            replan=settings.replan,
            cache_seconds=settings.cache,
            max_calls=settings.max_calls,
            max_tokens=settings.max_total_tokens,
            max_bytes=settings.max_bytes,
            ask_before="all" if settings.approve else "side-effects",
        ),
        store=settings.store,
        approve=approver(),
        tool_settings={"search": settings.search, "answers": settings.answers},
        allow_private=settings.allow_private,
        mcp_servers=settings.mcp_servers,
        free=settings.free,
    )
    if settings.display not in ("none", "json"):
        for broken in agent.broken_tools:
            click.echo(f"note: the tools of {plain(broken.origin)} are left out: {plain(broken.error)}", err=True)
    if settings.store:
        agent.beside = begun_with(agent, settings, given)
    return agent, settings
