"""The `Agent` that a command line describes, and what it was made of, kept next to the record of its run.

`airo resume`, `rerun`, `fork`, `debug` and `why --bisect` use these launch settings again; an option given to them
wins. They hold paths, and hosts that may be reached, so they stay on this machine: they are in no trace and no
page, and an imported run has none. Thus a foreign trace can name neither code to load nor an address to open.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.approve import approver
from airoagent.cli.display import plain
from airoagent.cli.forecasts import asking_above
from airoagent.cli.inputs import open_store
from airoagent.cli.options import all_flags
from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.settings import declared_settings, load_settings
from airoagent.textfiles import expanded

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.records.run_record import Run
    from airoagent.settings import Settings


@frozen
class LaunchSettings:
    """Settings by name, and what is not a setting: model options, tools named with -T, the config file, and hashes of
    the files of the user's own tools."""

    settings: dict[str, Any] = field(default_factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    named: tuple[str, ...] = ()
    config_file: str | None = None
    files: dict[str, str] = field(default_factory=dict)

    def flags_for(self, flags: dict[str, Any]) -> dict[str, Any]:
        """The flags of the command line, completed from the launch settings."""
        mixed = {
            **flags,
            "config_file": flags["config_file"] or self.config_file,
            "named": flags["named"] or self.named,
        }
        if not flags["model"]:
            mixed["options"] = flags["options"] or self.options  # another model has other options
        for name, value in self.settings.items():
            if mixed.get(name) in (None, ()) and not (name == "cache" and flags["no_cache"]):
                mixed[name] = self._there(name, value)
        if mixed["config_file"] and not flags["config_file"] and not Path(mixed["config_file"]).exists():
            mixed["config_file"] = None
        return mixed

    def _there(self, name: str, value: Any) -> Any:
        """A setting; of folders and files, those that still exist."""
        if name not in ("docs", "tools"):
            return tuple(value) if isinstance(value, list) else value
        return tuple(path for path in value if Path(path).exists())

    def changes(self, flags: dict[str, Any]) -> list[str]:
        """What has changed since, one sentence each; not what the flags replace."""
        found = []
        for name, what in (("docs", "documents folder"), ("tools", "tools file")):
            paths = () if flags[name] else self.settings.get(name, ())
            found += [f"the {what} {path} of this run no longer exists" for path in paths if not Path(path).exists()]
        files = {} if flags["tools"] else self.files
        found += [
            f"the tools file {path} has changed since the run"
            for path, then in files.items()
            if Path(path).exists() and _hash(Path(path)) != then
        ]
        return found


def _launch_settings(agent: Agent, settings: Settings, flags: dict[str, Any]) -> LaunchSettings:
    from airoagent.toolbox.loader import bundle_folder

    values: dict[str, Any] = {}
    for name in (name for name, (_, one) in declared_settings().items() if one.kept):
        value = getattr(settings, name)
        if name in ("docs", "tools"):
            value = [str(path.absolute()) for path in value]
        if value is not None and (name != "approve" or value):  # what must be approved now is
            values[name] = value
    values["model"] = _absolute(settings.model)
    bundled = bundle_folder("tools")
    origins = {Path(tool.origin) for tool in agent.session.needing(()).known_tools.values() if tool.origin}
    own = {file for file in origins if file.is_file() and not file.is_relative_to(bundled)}
    config = str(expanded(flags["config_file"]).absolute()) if flags["config_file"] else None
    files = {str(file): _hash(file) for file in sorted(own)}
    return LaunchSettings(values, tuple(flags["options"]), tuple(flags["named"] or ()), config, files)


def read_launch_settings(text: str) -> LaunchSettings:
    """The launch settings in the JSON that is kept next to a run's record; empty ones if there is none."""
    if not text:
        return LaunchSettings()
    value = json.loads(text)
    options = tuple((str(key), str(item)) for key, item in value["options"])
    now = {one.was: name for name, (_, one) in declared_settings().items()}
    settings = {now.get(name, name): setting for name, setting in value["settings"].items()}
    return LaunchSettings(settings, options, tuple(value["named"]), value["config_file"], value["files"])


def _absolute(model: str) -> str:
    """A model that is a file or folder of this machine by its whole path."""
    kind, colon, rest = model.partition(":")
    if colon and kind == "scripted":
        return f"scripted:{expanded(rest).absolute()}"
    path = expanded(model)
    return str(path.absolute()) if path.exists() else model


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def launch_flags(agent: Agent, settings: Settings, flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that make such an agent elsewhere: whole paths, and what variables and the config file set."""
    launched = _launch_settings(agent, settings, all_flags(flags))
    return {**launched.flags_for(all_flags({})), "no_store": not settings.store, "spans": settings.spans}


def make_agent(flags: dict[str, Any], *, introduced: bool = True) -> tuple[Agent, Settings]:
    """The agent that flags, environment and config file describe, and the settings in force.

    MissingExtra if spans are asked for and cannot be sent. Unless the user knows the model (``introduced``), its note
    is printed.
    """
    given = all_flags(flags)
    flags = dict(given)
    options, named = dict(flags.pop("options")), flags.pop("named") or None
    config_file = flags.pop("config_file")
    if flags.pop("no_cache"):
        flags["cache"] = 0.0
    if flags.pop("no_store"):
        flags["store"] = False
    settings = load_settings(flags, config_file=config_file)
    declared = {name: one for name, (_, one) in declared_settings().items()}
    for_tools = {name: getattr(settings, name) for name, one in declared.items() if one.for_tools}
    for_tools["sites"] = ",".join(settings.sites)
    from airoagent.web.search import check_search

    check_search(for_tools)
    from airoagent.agent import Agent
    from airoagent.engine.policy import Policy
    from airoagent.models.base import Sampling

    policy = {one.policy: getattr(settings, name) for name, one in declared.items() if one.policy}
    eager = {"eager": False} if settings.ask_above else {}  # the whole plan is looked at before any step starts
    agent = Agent(
        settings.model,
        named,
        tool_paths=settings.tools,
        docs=settings.docs,
        web=settings.web,
        options=options,
        sampling=Sampling(**{name: getattr(settings, name) for name in Sampling.__dataclass_fields__}),
        policy=Policy(**policy | eager, ask_before="all" if settings.approve else "side-effects"),
        store=settings.store,
        approve=approver(),
        tool_settings=for_tools,
        allow_private=settings.allow_private,
        mcp_servers=settings.mcp_servers,
        free=settings.free,
    )
    if settings.display not in ("none", "json"):
        if agent.model.info.note and not introduced:
            click.echo(plain(f"model: {agent.model.info.name} - {agent.model.info.note}"), err=True)
        agent.on_broken_tool(lambda broken: click.echo(f"note: {plain(str(broken))}", err=True))
    if settings.spans != "off":
        _send_spans(agent, settings)
    if settings.ask_above:
        agent.session.check_plan = asking_above(agent, settings.ask_above)
    if settings.store:
        agent.session.started_with = json.dumps(asdict(_launch_settings(agent, settings, given)))
    return agent, settings


def _send_spans(agent: Agent, settings: Settings) -> None:
    """Send the spans of each run; the last ones at the end, so that no answer waits for a collector."""
    import atexit

    from airoagent.view.spans import exported_spans

    agent.session.observe, finish = exported_spans(contents=settings.spans == "contents")

    def send() -> None:
        failure = finish()
        if failure and settings.display != "none":
            click.echo(f"note: {plain(failure)}", err=True)

    atexit.register(send)


def agent_for(run: Run, flags: dict[str, Any]) -> tuple[Agent, Settings]:
    """The agent that continues a run: made as the run's was, except for what the options change.

    What has changed since is reported on stderr.
    """
    flags = all_flags(flags)
    launched = _launched_with(run)
    mixed = launched.flags_for(flags)
    if not mixed["model"] and run.model.startswith(("http://", "https://")):
        raise UsageError(
            f"this run was recorded elsewhere, with the model server {run.model}",
            f"if you trust that server with the contents of the run: -m {run.model}",
        )
    mixed["model"] = mixed["model"] or run.model
    agent, settings = make_agent(mixed)
    if settings.display not in ("none", "json"):
        for change in launched.changes(flags):
            click.echo(f"note: {plain(change)}", err=True)
    return agent, settings


def _launched_with(run: Run) -> LaunchSettings:
    """The launch settings of a run; none unless the run is, event by event, in this machine's store."""
    store = open_store()
    mine = store.has(run.id) and store.events(run.id) == run.events  # a trace may have the id of a run of ours
    return read_launch_settings(store.beside(run.id) if mine else "")
