"""What a run was begun with, kept beside its record so that it can be gone on with in the same way.

`airo resume`, `rerun`, `fork`, `debug` and `why --bisect` take it up again; an option on their own command line wins.
It holds paths, and hosts that may be reached, so it stays on this machine: no trace and no page has it, and what is
imported brings none along. A trace of somebody else can name neither code to load nor an address to open.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airoagent.settings import declared_settings

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.settings import Settings

__all__ = ["Begun", "begun_with", "read_begun"]


@dataclass(frozen=True, slots=True)
class Begun:
    """Settings by name, and what is no setting: model options, tools named with -T, the config file, and hashes of the
    files that the user's own tools came from."""

    settings: dict[str, Any] = field(default_factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    named: tuple[str, ...] = ()
    config_file: str | None = None
    files: dict[str, str] = field(default_factory=dict)

    def flags_for(self, flags: dict[str, Any]) -> dict[str, Any]:
        """The flags of the command line, with those of then where none was given now."""
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
        """A setting, of folders and files those that are still there."""
        if name not in ("docs", "tools"):
            return tuple(value) if isinstance(value, list) else value
        return tuple(path for path in value if Path(path).exists())

    def changes(self, flags: dict[str, Any]) -> list[str]:
        """What has become otherwise since, one sentence each; not of what the flags give anew."""
        told = []
        for name, what in (("docs", "documents folder"), ("tools", "tools file")):
            paths = () if flags[name] else self.settings.get(name, ())
            told += [f"the {what} {path}, which the run had, is gone" for path in paths if not Path(path).exists()]
        files = {} if flags["tools"] else self.files
        told += [
            f"the tools file {path} has changed since the run"
            for path, then in files.items()
            if Path(path).exists() and _hash(Path(path)) != then
        ]
        return told


def begun_with(agent: Agent, settings: Settings, flags: dict[str, Any]) -> str:
    """What the agent was made of, as text to be kept; read again by `read_begun`."""
    from airoagent.toolbox.loader import bundle_folder

    values: dict[str, Any] = {}
    for name in (name for name, (_, one) in declared_settings().items() if one.kept):
        value = getattr(settings, name)
        if name in ("docs", "tools"):
            value = [str(path.absolute()) for path in value]
        if value is not None and (name != "approve" or value):  # what must be asked about now is asked about
            values[name] = value
    values["model"] = _absolute(settings.model)
    bundled = bundle_folder("tools")
    origins = {Path(tool.origin) for tool in agent.session.needing(()).known_tools.values() if tool.origin}
    own = {file for file in origins if file.is_file() and not file.is_relative_to(bundled)}
    config = flags["config_file"]
    begun = Begun(
        values,
        tuple(flags["options"]),
        tuple(flags["named"] or ()),
        str(Path(config).absolute()) if config else None,
        {str(file): _hash(file) for file in sorted(own)},
    )
    return json.dumps(asdict(begun))


def read_begun(text: str) -> Begun:
    """What `begun_with` wrote; empty for a run of which nothing is kept."""
    if not text:
        return Begun()
    value = json.loads(text)
    options = tuple((str(key), str(item)) for key, item in value["options"])
    now = {one.was: name for name, (_, one) in declared_settings().items()}
    settings = {now.get(name, name): setting for name, setting in value["settings"].items()}
    return Begun(settings, options, tuple(value["named"]), value["config_file"], value["files"])


def _absolute(model: str) -> str:
    """A model that is a file or folder of this machine by its whole path."""
    kind, colon, rest = model.partition(":")
    if colon and kind == "scripted":
        return f"scripted:{Path(rest).expanduser().absolute()}"
    path = Path(model).expanduser()
    return str(path.absolute()) if path.exists() else model


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
