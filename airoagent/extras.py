"""Extras, the optional dependencies: whether one is installed, and the command that installs it."""

from __future__ import annotations

import importlib.util
import json
import shlex
from pathlib import Path

from airoagent.errors import MissingExtra


def has(module: str) -> bool:
    """Whether a module can be imported; only the packages above it are."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would hold it is not there
        return False


def require(what: str, extra: str, *modules: str) -> None:
    """Raise MissingExtra, with the command that installs the extra, unless all its modules can be imported.

    ``what`` is what needs them: "running a model here".
    """
    missing = [module for module in modules if not has(module)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingExtra(f"{what} needs {' and '.join(missing)}, which {verb} not installed", install(extra))


def install(extra: str) -> str:
    """The command that installs an extra ("" for none), from the place that this airoagent was installed from."""
    return f"pip install {shlex.quote(_source().format(f'[{extra}]' if extra else ''))}"


def _source() -> str:
    """What pip takes to install this package again, with {} where its extras go: a folder, an address or its name."""
    checkout = Path(__file__).resolve().parents[1]
    if _is_checkout(checkout):
        return _folder(checkout)
    # Imported here: they take long, and every question comes through here.
    from importlib import metadata
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        record = metadata.distribution("airoagent").read_text("direct_url.json")  # PEP 610
    except metadata.PackageNotFoundError:
        record = None
    if record is None:  # It came from an index, which knows it by its name.
        return "airoagent{}"
    origin = json.loads(record)
    parts = urlsplit(origin["url"])
    if "dir_info" in origin and parts.scheme == "file":
        folder = Path(url2pathname(parts.path))
        # A checkout that has gone: the user is in another one.
        return _folder(folder) if _is_checkout(folder) else ".{}"
    kind = origin.get("vcs_info", {}).get("vcs", "")
    return f"airoagent{{}} @ {kind}{'+' * bool(kind)}{_escaped(origin['url'])}"


def _is_checkout(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file() and (folder / "airoagent" / "__init__.py").is_file()


def _folder(folder: Path) -> str:
    try:
        here = folder.samefile(Path.cwd())
    except OSError:  # The current folder has been removed.
        here = False
    return ".{}" if here else f"{_escaped(str(folder))}{{}}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
