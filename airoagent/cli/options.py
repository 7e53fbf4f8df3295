"""The options that several verbs share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource

from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.settings import Group, config_folder, declared_settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])


def complete(words: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """What Tab offers for a value: the words that start with it. Nothing is read from disk."""
    return lambda ctx, param, incomplete: [word for word in words() if word.startswith(incomplete)]


def _models() -> Iterable[str]:
    from airoagent.models.catalog import CATALOGUE

    return ("extractive", *(model.name for model in CATALOGUE))


@frozen
class Rule:
    """Parameters of a verb that do nothing together with others, or without them; names are separated by blanks.

    Only what was typed is refused. What it ``needs`` may also come from a variable or the config file; ``with_`` limits
    the rule to command lines with one of these, ``unless`` to values for which it is false. ``shown`` and ``hint``
    replace what the message says by itself.
    """

    options: str
    excludes: str = ""
    needs: str = ""
    with_: str = ""
    unless: Callable[[dict[str, Any]], bool] = lambda given: False
    shown: str = ""
    hint: str = ""

    def check(self, also: str = "") -> None:
        """A UsageError for what the rule refuses; the parameter ``also`` counts as typed."""
        context = click.get_current_context()
        typed = {also, "subcommand" if context.invoked_subcommand else ""} | {
            name
            for name, value in context.params.items()
            if value != () and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        given = typed & set(self.options.split())
        if given and self.unless(context.params):
            given = set()
        others = typed & set(self.excludes.split())
        if self.needs:
            unmet = not self.with_ or typed & set(self.with_.split())
            others = set() if not unmet or _is_met(context, self.needs.split(), typed) else {self.needs.split()[0]}
        for name in (name for name in self.options.split() if name in given and others):
            other = self.shown or next(_shown(context, one) for one in others)
            how = "without" if self.needs else "with"
            hint = self.hint or f"{'add it, or ' if self.needs else ''}remove {_shown(context, name)}"
            raise UsageError(f"{_shown(context, name)} has no effect {how} {other}", hint)


def refuses(*rules: Rule) -> Callable[[F], F]:
    """Check these rules before the verb is carried out."""

    def decorate(function: F) -> F:
        @wraps(function)
        def checked(*args: Any, **flags: Any) -> Any:
            for rule in rules:
                rule.check()
            return function(*args, **flags)

        return checked  # type: ignore[return-value]

    return decorate


def _is_met(context: click.Context, needs: Sequence[str], typed: set[str]) -> bool:
    """Whether one of the parameters was typed, or is set elsewhere."""
    if typed & set(needs) or any(context.params.get(name) not in (None, (), False, "") for name in needs):
        return True
    if not set(needs) & set(declared_settings()):
        return False
    settings = load_settings(config_file=context.params.get("config_file"))
    own_tools = "tools" in needs and (config_folder() / "tools").is_dir()
    return own_tools or any(getattr(settings, name, None) for name in needs)


def _shown(context: click.Context, name: str) -> str:
    param = next(one for one in context.command.params if one.name == name)
    words = sorted((word for word in param.opts if word.startswith("-")), key=len)
    return words[-1] if words else param.make_metavar(context).strip("[].")


# -T replaces the usual tools, those of --web, too; +NAME adds one to them.
_SHARED_RULES = (
    Rule("cache", excludes="no_cache"),
    Rule(
        "web",
        excludes="named",
        unless=lambda given: any(x == "DuckDuckGo" or x.startswith("+") for x in given.get("named", ())),
    ),
)


def _names_no_provider(given: dict[str, Any]) -> bool:
    """Whether --search names something unknown, which is refused for that reason."""
    from airoagent.web.search import check_search

    try:
        check_search({"search": given["search"] or ""})
    except UsageError:
        return True
    return False


# For verbs that write the plan themselves: with documents the web is searched only if that is asked for, too.
SEARCH_SETTINGS = ("search", "sites", "time_limit")
SEARCH_RULE = Rule(
    " ".join(SEARCH_SETTINGS),
    needs="web named tools functions",
    with_="docs",
    unless=_names_no_provider,
    hint="add --web to search the web as well as the documents",
)


def setting_option(name: str) -> Callable[[F], F]:
    """The option of a setting; its value goes to `load_settings` as it was given."""
    kind, declared = declared_settings()[name]
    form: dict[str, Any] = {"help": declared.help, "metavar": declared.shown or "N"}
    if kind is bool:
        form = {"help": declared.help, "is_flag": True, "default": None}
    elif get_origin(kind) is Literal:
        form |= {"metavar": "|".join(get_args(kind)), "shell_complete": complete(lambda: get_args(kind))}
    elif get_origin(kind) is tuple:
        form["multiple"] = True
        if declared.shown in ("DIR", "PATH"):
            form["type"] = click.Path(file_okay=declared.shown == "PATH")
    elif name == "model":
        form["shell_complete"] = complete(_models)
    option = click.option(*filter(None, (declared.short, f"--{name.replace('_', '-')}", name)), **form)
    if not declared.was:
        return option
    former = click.option(f"--{declared.was.replace('_', '-')}", name, hidden=True, **form)
    return lambda function: option(former(function))


# Options that are not settings, each with its group and its parameter.
_OTHERS: tuple[tuple[Group, str, Callable[[Any], Any]], ...] = (
    (
        "model",
        "options",
        click.option(
            "-o",
            "--option",
            "options",
            nargs=2,
            multiple=True,
            metavar="KEY VALUE",
            help="Set a model option (repeatable).",
        ),
    ),
    (
        "tools",
        "named",
        click.option(
            "-T",
            "--tool",
            "named",
            multiple=True,
            metavar="NAME",
            help="Use only this tool (repeatable); +NAME adds one.",
        ),
    ),
    ("tools", "no_cache", click.option("--no-cache", is_flag=True, help="Same as --cache 0.")),
    ("output", "no_store", click.option("--no-store", is_flag=True, help="Do not record this run.")),
)


config_option = click.option(
    "--config", "config_file", type=click.Path(), metavar="FILE", help="Use this config file instead of your own."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the whole run as one JSON object.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


def _with(options: Iterable[Callable[[Any], Any]], function: Any) -> Any:
    for option in reversed(list(options)):
        function = option(function)
    return function


def list_group(name: str, *options: Callable[[Any], Any]) -> Callable[[Callable[..., None]], click.Group]:
    """Turn a function that lists into a group of commands. Without a command the group lists, and so does ``list``."""

    def decorate(function: Callable[..., None]) -> click.Group:
        @wraps(function)
        def whole(**flags: Any) -> None:
            if click.get_current_context().invoked_subcommand is None:
                function(**flags)
            else:  # `airo tools --json list`
                shown, hint = "a command after it", "put it after the command"
                Rule(" ".join(flags), excludes="subcommand", shown=shown, hint=hint).check()

        group = click.group(name, invoke_without_command=True)(_with(options, whole))
        group.command("list")(_with(options, function))
        return group

    return decorate


_NOT_GIVEN: dict[str, Any] = {"options": (), "named": (), "config_file": None, "no_cache": False, "no_store": False}


def _options(
    groups: tuple[Group, ...], without: Sequence[str] = (), also: Sequence[str] = ()
) -> Iterator[Callable[[Any], Any]]:
    for group in get_args(Group):
        for name, (_, declared) in declared_settings().items():
            chosen = (group in groups and name not in without) or name in also
            if declared.group == group and declared.flag and chosen:
                yield setting_option(name)
        yield from (option for of, name, option in _OTHERS if of == group and of in groups and name not in without)


def agent_options(*groups: Group, without: Sequence[str] = (), also: Sequence[str] = ()) -> Callable[[F], F]:
    """Add the options of these groups (default: all but ``display``), and ``also`` others: a verb takes only options
    that it uses. The command gets them as keyword arguments.
    """
    groups = groups or ("model", "tools", "limits", "output")
    options = (*_options(groups, without, also), config_option)
    return lambda function: refuses(*_SHARED_RULES)(_with(options, function))


_QUIET = (
    click.option("-q", "--quiet", is_flag=True, help="No progress; sources only on a terminal."),
    click.option("-v", "--verbose", is_flag=True, help="Show the plan and each step."),
    click.option("--sources", is_flag=True, help="With -q: print the sources as well."),
)


def display_options(function: F) -> F:
    """Add ``--json``, ``--display``, ``--color``, and what stands for a display: ``-q``, ``-v``, ``--sources``."""

    @wraps(function)
    def displayed(*args: Any, quiet: bool, verbose: bool, sources: bool, **flags: Any) -> Any:
        if quiet or verbose:
            flags["display"] = "none" if quiet else "rich" if sys.stderr.isatty() else "plain"
        click.get_current_context().meta["sources"] = sources or not quiet or sys.stdout.isatty()
        return function(*args, **flags)

    rules = (
        Rule("quiet", excludes="verbose display"),
        Rule("verbose", excludes="display"),
        Rule("sources", needs="quiet", hint="sources are printed unless -q is given"),
        Rule("sources", excludes="as_json"),
    )
    checked: F = refuses(*rules)(_with((_JSON, *_QUIET, *_options(("display",))), displayed))
    return checked


def continue_options(function: F) -> F:
    """Add ``-c`` and ``--after ID``, for a question that follows a recorded run."""
    options = (
        click.option("-c", "--continue", "go_on", is_flag=True, help="Ask a follow-up to the last run."),
        click.option("--after", metavar="ID", help="Ask a follow-up to this run."),
    )
    checked: F = refuses(Rule("go_on", excludes="after"))(_with(options, function))
    return checked


def all_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags of a verb, completed by those it does not take, as not given."""
    return {**dict.fromkeys(declared_settings()), **_NOT_GIVEN, **flags}
