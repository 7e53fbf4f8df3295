"""The options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from airoagent.settings import Declared, Group, declared_settings

__all__ = [
    "agent_options",
    "all_flags",
    "complete",
    "display_options",
    "json_lines_option",
    "refuse_given",
    "setting_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def complete(words: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """What Tab offers for a value: the words that start with it. Nothing is read from disk."""
    return lambda ctx, param, incomplete: [word for word in words() if word.startswith(incomplete)]


def _models() -> Iterable[str]:
    from airoagent.models.catalog import CATALOGUE

    return ("extractive", *(model.name for model in CATALOGUE))


class _Setting(click.Option):
    """The option of a setting; its former name, ``was``, is accepted and not shown."""

    def __init__(self, *args: Any, was: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.was = was

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        names, self.opts = self.opts, [name for name in self.opts if name != self.was]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


def setting_option(name: str) -> Callable[[F], F]:
    """The option of a setting; its value goes to `load_settings` as it was given."""
    return _option(name, *declared_settings()[name])


def _option(name: str, kind: Any, declared: Declared) -> Callable[[F], F]:
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
    old = f"--{declared.was.replace('_', '-')}" if declared.was else ""
    names = [word for word in (declared.short, f"--{name.replace('_', '-')}", old, name) if word]
    return click.option(*names, cls=_Setting, was=old, **form)


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


_CONFIG = click.option(
    "--config", "config_file", type=click.Path(), metavar="FILE", help="Use this config file instead of your own."
)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print the whole run as one JSON object.")


json_lines_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


_NOT_GIVEN: dict[str, Any] = {"options": (), "named": (), "config_file": None, "no_cache": False, "no_store": False}


def _options(
    groups: tuple[Group, ...], without: Sequence[str] = (), also: Sequence[str] = ()
) -> Iterator[Callable[[Any], Any]]:
    for group in get_args(Group):
        for name, (kind, declared) in declared_settings().items():
            chosen = (group in groups and name not in without) or name in also
            if declared.group == group and declared.flag and chosen:
                yield _option(name, kind, declared)
        yield from (option for of, name, option in _OTHERS if of == group and of in groups and name not in without)


def agent_options(*groups: Group, without: Sequence[str] = (), also: Sequence[str] = ()) -> Callable[[F], F]:
    """Add the options of these groups (default: all but ``display``), and ``also`` others: a verb takes only options
    that it uses. The command gets them as keyword arguments.
    """
    groups = groups or ("model", "tools", "limits", "output")

    def decorate(function: F) -> F:
        for option in reversed((*_options(groups, without, also), _CONFIG)):
            function = option(function)
        return function

    return decorate


def display_options(function: F) -> F:
    """Add ``--json``, ``--display`` and ``--color``."""
    for option in reversed((_JSON, *_options(("display",)))):
        function = option(function)
    return function


def refuse_given(names: Collection[str], reason: str) -> None:
    """A UsageError for the first of these options that was given on the command line."""
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in names and context.params.get(str(param.name)) not in (None, (), False):
            raise click.UsageError(f"{next(name for name in param.opts if name.startswith('--'))} {reason}")


def all_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags of a verb, completed by those it does not take, as not given."""
    return {**dict.fromkeys(declared_settings()), **_NOT_GIVEN, **flags}
