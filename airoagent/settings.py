"""What the user has set, and where: flag > ``AIRO_*`` variable > config file > default.

    settings = load_settings({"timeout": 20.0})
    settings.timeout               # 20.0
    settings.origins["timeout"]    # "flag"

Each field of `Settings` is a setting of the same name everywhere: ``--limit-seconds``, ``AIRO_LIMIT_SECONDS``, and
``limit_seconds = 120`` at the top level of ``config.toml``. The file lies in `config_folder`; nothing is read from the
current directory. ``AIRO_HOME`` moves the folders for settings, records and caches together.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.textfiles import expanded, read_text

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


Group = Literal["model", "tools", "limits", "output", "display"]


@frozen
class Declared:
    """What a setting has besides the name, type and default of its field.

    - ``help`` is one sentence, for ``--help`` and for what is wrong with a value; ``shown`` stands for the value there.
    - ``group`` is the group of options a verb takes or does not; ``flag`` is False where only the environment and the
      config file give it. ``short`` is a one-letter option, ``was`` a name it had, which is accepted everywhere.
    - ``least`` and ``most`` bound a number.
    - ``policy`` is the field of `airoagent.Policy` that it sets; ``for_tools``: tools read it from their context.
    - A resumed run has the settings it was started with, but for those of the groups ``output`` and ``display``.
    """

    help: str
    group: Group
    shown: str = ""
    short: str = ""
    was: str = ""
    flag: bool = True
    least: float | None = None
    most: float | None = None
    policy: str = ""
    for_tools: bool = False

    @property
    def kept(self) -> bool:
        """Whether a run that is resumed, run again or forked takes it over."""
        return self.group not in ("output", "display")


def _set(default: Any, group: Group, help: str, **more: Any) -> Any:
    return field(default=default, metadata={"declared": Declared(help, group, **more)})


@frozen
class McpServer:
    """An MCP server whose tools are used, from a table ``[mcp.servers.NAME]``: a ``command`` to start or a ``url``.

    ``env`` is added to the little that a server gets of the environment; ``$NAME`` in a value is a variable of ours.
    ``side_effects`` says for all its tools whether they are asked about (None: as each tool's own hint says).
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: tuple[tuple[str, str], ...] = ()
    side_effects: bool | None = None


@frozen
class Settings:
    """Every setting, checked; and ``mcp_servers``, which only the config file names.

    The one place where a setting is declared: flags, variables, the config file, what a resumed run keeps and what
    `airoagent.Policy` is made of are read off these fields (`declared_settings`).

    ``origins`` maps each name to where its value came from: ``flag``, the name of an environment variable, the path
    of the config file, or ``default``.
    """

    model: str = _set(
        "extractive",
        "model",
        "Model: a Hugging Face name, folder, GGUF file, server address, extractive or scripted:FILE.",
        shown="MODEL",
        short="-m",
    )
    temperature: float | None = _set(
        None,
        "model",
        "Sampling temperature; 0 is greedy (default: 0 for plans, calls and answers, 0.7 for code).",
        shown="T",
        least=0,
        most=10,
    )
    top_p: float = _set(1.0, "model", "Nucleus sampling threshold.", flag=False, least=0, most=1)
    repetition_penalty: float | None = _set(
        None, "model", "Repetition penalty; 1 is none.", flag=False, least=0.1, most=10
    )
    max_tokens: int = _set(1024, "model", "Maximum tokens the model writes for one prompt.", least=1)
    seed: int | None = _set(None, "model", "Random seed for sampling.", least=0, most=2**32 - 1)
    free: bool = _set(False, "model", "Do not constrain a local model with a grammar.")
    prices: tuple[str, ...] = _set(
        (), "model", "Prices of models per million tokens read and written: NAME=READ/WRITTEN.", flag=False
    )
    docs: tuple[Path, ...] = _set(
        (), "tools", "Answer from the documents in this folder or file (repeatable).", shown="PATH"
    )
    web: bool = _set(False, "tools", "Search the web as well when --docs is given.")
    search: str = _set(
        "duckduckgo", "tools", "Search provider: duckduckgo, searxng:URL, brave.", shown="NAME", for_tools=True
    )
    sites: tuple[str, ...] = _set((), "tools", "Search only this site (repeatable).", shown="HOST", for_tools=True)
    time_limit: Literal["any", "day", "week", "month", "year"] = _set(
        "any", "tools", "Search only pages of the last day, week, month or year.", for_tools=True
    )
    allow_private: tuple[str, ...] = _set((), "tools", "Allow fetching from this private host.", shown="HOST")
    tools: tuple[Path, ...] = _set((), "tools", "Load tools from this file or folder (repeatable).", shown="PATH")
    answers: Literal["free", "verbatim"] = _set(
        "free", "tools", "verbatim: answer only in the words of the evidence.", for_tools=True
    )
    approve: bool = _set(False, "tools", "Ask before every tool call.")
    share_private: bool = _set(
        False,
        "tools",
        "Do not ask before text from --docs, --context or a pipe leaves this machine.",
        policy="share_private",
    )
    cache: float = _set(
        0.0,
        "tools",
        "Reuse web tool results up to this age; 0: never.",
        shown="SECONDS",
        least=0,
        policy="cache_seconds",
    )
    timeout: float = _set(
        60.0, "limits", "Time limit for one tool call; 0: none.", shown="SECONDS", least=0, policy="tool_timeout"
    )
    limit_seconds: float = _set(
        0.0, "limits", "Time limit for the whole run; 0: none.", shown="SECONDS", least=0, policy="limit_seconds"
    )
    max_calls: int = _set(0, "limits", "Maximum tool calls in a run; 0: no limit.", least=0, policy="max_calls")
    max_total_tokens: int = _set(
        0, "limits", "Maximum tokens read and written in a run; 0: no limit.", least=0, policy="max_tokens"
    )
    max_characters: int = _set(
        0,
        "limits",
        "Maximum characters of evidence in a run; 0: no limit.",
        was="max_bytes",
        least=0,
        policy="max_bytes",
    )
    ask_above: int = _set(
        0, "limits", "Ask before running a plan that is forecast to take more tokens; 0: never.", least=0
    )
    concurrency: int = _set(8, "limits", "Maximum steps running at once.", least=1, policy="concurrency")
    retries: int = _set(
        1,
        "limits",
        "Times the model is asked again for a plan or call that cannot be used.",
        least=0,
        most=20,
        policy="model_retries",
    )
    tool_retries: int = _set(
        2, "limits", "Retries of a tool after a temporary failure.", flag=False, least=0, most=20, policy="retries"
    )
    on_error: Literal["stop", "skip", "tell"] = _set(
        "stop", "limits", "On failure: stop the run, skip dependent steps, or pass them the error.", policy="on_error"
    )
    replan: int = _set(0, "limits", "Maximum new plans written after a failure.", least=0, most=10, policy="replan")
    eager: bool = _set(True, "limits", "Start steps while the plan is still being written.", flag=False, policy="eager")
    spans: Literal["off", "on", "contents"] = _set("off", "output", "Send OpenTelemetry spans; contents: with texts.")
    store: bool = _set(True, "output", "Record runs.", flag=False)
    display: Literal["auto", "rich", "plain", "json", "none"] = _set(
        "auto", "display", "What stderr shows during a run."
    )
    color: Literal["auto", "always", "never"] = _set("auto", "display", "Whether stderr is coloured.")
    mcp_servers: tuple[McpServer, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


@cache
def declared_settings() -> dict[str, tuple[Any, Declared]]:
    """The type of each setting and what is declared of it, in order."""
    kinds = get_type_hints(Settings)
    return {one.name: (kinds[one.name], one.metadata["declared"]) for one in fields(Settings) if one.metadata}


def config_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where ``config.toml`` and the user's own ``tools/`` lie. The folder may not exist."""
    return _folder("config", environ)


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where the records of runs lie. The folder may not exist."""
    return _folder("state", environ)


def store_file() -> Path:
    """The file that runs are recorded in. It may not exist."""
    return state_folder() / "runs.sqlite3"


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where what can be made again lies, such as indexes of documents. The folder may not exist."""
    return _folder("cache", environ)


def _folder(kind: Literal["config", "state", "cache"], environ: Mapping[str, str] | None) -> Path:
    home = (os.environ if environ is None else environ).get("AIRO_HOME")
    if home:
        return expanded(home).absolute() / kind
    from platformdirs import PlatformDirs

    return Path(getattr(PlatformDirs("airoagent", appauthor=False), f"user_{kind}_path"))


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter; one of airoagent's own that others can enter is closed to them."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)  # whatever the umask says
    for folder in {config_folder(), state_folder(), cache_folder()} & {path, *path.parents}:
        _close_to_others(folder)


def private_file(path: Path) -> None:
    """Make a file (and its folder) that only its owner can read, and close one that is there to others.

    What SQLite keeps next to a database is closed, too. A file that is there is never opened: closing it would end
    the locks that this process holds on it.
    """
    private_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)
    for suffix in ("", "-wal", "-shm", "-journal"):
        _close_to_others(path.with_name(path.name + suffix))


def _close_to_others(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is not there, is another user's, or lies on a file system without modes
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & 0o700)


@frozen
class _Given:
    """A value as it was given: ``place`` is the origin, ``subject`` how a message names it."""

    value: object
    place: str
    subject: str
    form: Literal["flag", "variable", "file"]
    folder: Path = Path()


def load_settings(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config_file: str | Path | None = None,
) -> Settings:
    """The settings in force. ``environ`` is the process's own unless given.

    ``flags`` are by name of setting; None and ``()`` mean that the flag was not given, and an empty variable is not
    set. A ``config_file`` that is named must exist; without one (or with ""), ``config.toml`` in `config_folder` is
    read if it is there. Folders named in the file are relative to it. What is given higher up replaces a value whole,
    lists too.
    UsageError says what is wrong and where.
    """
    environ = os.environ if environ is None else environ
    declared = declared_settings()
    given: dict[str, _Given] = {}
    if environ.get("NO_COLOR"):
        given["color"] = _Given("never", "NO_COLOR", "NO_COLOR", "variable")
    file, filed = _read_file(config_file, environ)
    servers = _mcp_servers(filed.get("mcp", {}), file)
    for name, value in filed.items():
        if name == "mcp":
            continue
        given[_name(name, declared, str(file))] = _Given(value, str(file), f"{file}: {name}", "file", file.parent)
    for name, (_, one) in declared.items():
        for word in (one.was, name):
            variable = f"AIRO_{word.upper()}"
            if word and environ.get(variable):
                given[name] = _Given(environ[variable], variable, variable, "variable")
    for name, value in (flags or {}).items():
        if value is not None and value != ():
            flag = f"--{name.replace('_', '-')}"
            given[_name(name, declared, flag)] = _Given(value, "flag", flag, "flag")
    values = {name: _checked(name, *declared[name], item) for name, item in given.items()}
    origins = {name: given[name].place if name in given else "default" for name in declared}
    return Settings(**values, mcp_servers=servers, origins=MappingProxyType(origins))


def strange_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The AIRO_ variables that are not settings, each with the one that may be meant ("": none)."""
    from difflib import get_close_matches

    names = [word for name, (_, one) in declared_settings().items() for word in (name, one.was) if word]
    known = ["AIRO_HOME", "AIRO_API_KEY", "AIRO_SERVE_KEY", *(f"AIRO_{name.upper()}" for name in names)]
    strange = [name for name in (os.environ if environ is None else environ) if name.startswith("AIRO_")]
    return {name: next(iter(get_close_matches(name, known, n=1)), "") for name in strange if name not in known}


def _mcp_servers(table: object, file: Path) -> tuple[McpServer, ...]:
    """The servers of the file's ``[mcp.servers.NAME]`` tables; UsageError says what is wrong with which."""
    servers = table.get("servers", {}) if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(servers, dict) or set(table) - {"servers"}:
        raise UsageError(f"{file}: only [mcp.servers.NAME] tables are allowed in [mcp]", "write [mcp.servers.NAME]")
    return tuple(mcp_server(name, value, f"{file}: mcp.servers.{name}") for name, value in servers.items())


def mcp_server(name: str, value: Any, place: str) -> McpServer:
    """The server of a table; UsageError, which names the ``place``, says what is wrong with it."""
    hint = 'command = ["PROGRAM", "ARGUMENT"] or url = "http://..."'

    def need(good: bool, what: str) -> None:
        if not good:
            raise UsageError(f"{place}: {what}", hint)

    need(name.replace("_", "").replace("-", "").isalnum(), "must have a name of letters, digits, _ and -")
    need(isinstance(value, dict), "must be a table")
    strange = set(value) - {"command", "url", "env", "side_effects"}
    need(not strange, f"unknown key {min(strange, default='')!r}")
    command, url, env = value.get("command", []), value.get("url", ""), value.get("env", {})
    need(
        isinstance(command, list) and all(isinstance(item, str) for item in command),
        "`command` must be a list of strings",
    )
    need(
        isinstance(url, str) and (not url or url.startswith(("http://", "https://"))),
        "`url` must start with http:// or https://",
    )
    need(bool(command and command[0]) != bool(url), "needs either `command` or `url`")
    need(
        isinstance(env, dict) and all(isinstance(item, str) for item in env.values()), "`env` must map names to strings"
    )
    asks = value.get("side_effects")
    need(asks is None or isinstance(asks, bool), "`side_effects` must be true or false")
    return McpServer(name, tuple(command), url, tuple(env.items()), asks)


def _read_file(named: str | Path | None, environ: Mapping[str, str]) -> tuple[Path, Mapping[str, object]]:
    file = expanded(named).absolute() if named else config_folder(environ) / "config.toml"
    if not named and not file.exists():
        return file, {}
    import tomllib

    try:
        return file, tomllib.loads(read_text(file, f"the config file {file}"))
    except tomllib.TOMLDecodeError as error:
        hint = 'a line looks like this: model = "extractive"'
        raise UsageError(f"the config file {file} is not valid TOML: {error}", hint) from error


def _name(name: str, declared: Mapping[str, tuple[Any, Declared]], place: str) -> str:
    """The setting that has or had this name; a UsageError names the nearest one if there is none."""
    if name in declared:
        return name
    for now, (_, one) in declared.items():
        if name == one.was:
            return now
    from difflib import get_close_matches

    near = get_close_matches(name.lower().replace("-", "_"), declared, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(declared)}"
    raise UsageError(f"{place}: unknown setting {name!r}", hint)


def _checked(name: str, kind: Any, declared: Declared, given: _Given) -> Any:
    """The value in the type of its setting; UsageError names the place, the setting and what it takes."""
    try:
        return _read(kind, given, declared.least, declared.most)
    except ValueError as error:
        wanted = f"{given.subject} must be {error}, not {given.value!r:.80}"
        raise UsageError(wanted, f"{name}: {declared.help}") from error


def _read(kind: Any, given: _Given, least: float | None, most: float | None) -> Any:
    """The value of a kind; a ValueError's text says what it has to be.

    A variable or flag may be text, and is then read as the kind asks; a config file has types of its own.
    """
    value = given.value
    text = value.strip() if isinstance(value, str) and given.form != "file" else None
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        _need(value in choices, f"one of {', '.join(choices)}")
        return value
    if get_origin(kind) is tuple:
        return _read_many(get_args(kind)[0], given)
    if kind is bool:
        found = _SWITCH.get(text.lower(), text) if text is not None else value
        _need(isinstance(found, bool), "true or false")
        return found
    if kind is str:
        _need(isinstance(value, str) and value.strip() != "", "text")
        return value
    number = float if float in (kind, *get_args(kind)) else int
    forms = (str,) if text is not None else (int,) if number is int else (int, float)
    return _read_number(value, forms, number, least, most)


def _need(good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(wanted)


def _read_number(
    value: Any, forms: tuple[type, ...], kind: type[int] | type[float], least: float | None, most: float | None
) -> int | float:
    """A number of the kind within its bounds, given in one of the forms."""
    span = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
    wanted = f"a {'whole ' if kind is int else ''}number{span}"
    _need(isinstance(value, forms) and not isinstance(value, bool), wanted)
    try:
        number = kind(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(wanted) from error
    _need((least is None or number >= least) and (most is None or number <= most), wanted)
    _need(kind is int or math.isfinite(number), wanted)
    return number


def _read_many(kind: Any, given: _Given) -> tuple[Any, ...]:
    """Paths or words: one, several, or (from a variable) several in one text, with ``:`` between paths, commas else."""
    wanted = "a path or a list of paths" if kind is Path else "text or a list of texts"
    value = given.value
    if isinstance(value, str) and given.form == "variable":
        items: list[Any] = [item.strip() for item in value.split(os.pathsep if kind is Path else ",") if item.strip()]
    else:
        items = list(value) if isinstance(value, list | tuple) else [value]
    for item in items:
        _need(isinstance(item, (str, os.PathLike) if kind is Path else str) and item != "", wanted)
    return tuple(given.folder / expanded(item) if kind is Path else item for item in items)
