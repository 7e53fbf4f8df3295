"""Writes the tool file that ``airo tools new NAME`` begins with."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from airoagent.errors import UsageError

__all__ = ["write_tool"]

_FILE = '''\
"""{name}: a tool of your own. Try it: airo tools run {name} "some text"."""

from airoagent import ToolError, tool


@tool("{name}")
def {function}(text: str) -> str:
    """Counts the words of a text. (The model reads this paragraph: say what the tool finds, and when to use it.)"""
    if not text.strip():
        raise ToolError("there is no text to count the words of", "give it some")
    words = text.split()
    return f"{{len(words)}} words"
'''


def write_tool(name: str, output: str | None) -> tuple[Path, bool]:
    """Write the file; where it is, and whether tools are found there by themselves.

    ``output`` is a file (``.py``) or a folder; None is the tools folder of the settings. UsageError for a name no tool
    can have or that another tool has, and for a file that exists.
    """
    from airoagent.settings import config_folder, private_folder
    from airoagent.toolbox.loader import find_tools

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
        raise UsageError(f"{name!r} cannot be a tool's name", "use letters, digits and _, e.g. WordCount")
    other = find_tools(config_folder=config_folder()).toolbox.get(name)
    if other is not None:
        raise UsageError(f"there is a tool called {name}: {other.origin}", "choose another name")
    function = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    function += "_" if keyword.iskeyword(function) or function == "tool" else ""
    usual = output is None
    place = config_folder() / "tools" if output is None else Path(output).expanduser()
    file = place if place.suffix == ".py" and not place.is_dir() else place / f"{function}.py"
    try:
        if usual:
            private_folder(file.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            if usual:
                file.chmod(0o600)
            stream.write(_FILE.format(name=name, function=function))
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", "choose another name, or another place with --output") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "choose another place with --output") from error
    return file, usual
