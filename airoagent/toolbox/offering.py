"""Which of the known tools a run may use.

Without a choice a model is offered the tools it was trained on, as far as they make sense here, and the user's own.
Calculator, Today and CodeWriter wait to be named: every line of the prompt that a question does not need makes a small
model's plan worse. The built-in model plans by templates, so it is offered Calculator and Today, too. Table is offered
where the documents hold tables. A plan that is given (a file, Python) may call any known tool.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from airoagent.errors import UsageError
from airoagent.textfiles import expanded
from airoagent.toolbox.loader import bundle_folder
from airoagent.toolbox.tool import Tool, Toolbox, as_tool

_READER = "KnowledgeModel"
_FOR_TEMPLATES = ("Calculator", "Today")
_FOR_TABLES = ("Table",)
_TABLES = (".csv", ".tsv", ".xlsx", ".xlsm", ".ods")
_MOST_LOOKED_AT = 1000  # entries of a folder
_BUILT_IN = ("DuckDuckGo", "DocumentSearch", "TextScraper", "HyperlinkExtractor", _READER)


def offered_tools(
    known: Toolbox,
    tools: Sequence[str | Tool | Callable[..., Any]] | None,
    docs: Sequence[str | Path],
    web: bool,
    templates: bool,
) -> Toolbox:
    """The tools offered to the model: those named, or the built-in ones that make sense here and the user's own.

    ``templates``: the built-in model writes the plan. ``+NAME`` adds a tool to those that are offered without a choice.
    """
    added = [item for item in tools or () if isinstance(item, str) and item.startswith("+")]
    if tools is not None and added:
        rest = [item[1:] if isinstance(item, str) and item.startswith("+") else item for item in tools]
        chosen = offered_tools(known, rest, docs, web, templates)
        usual = offered_tools(known, None, docs, web, templates)
        return Toolbox([*usual.values(), *(tool for name, tool in chosen.items() if name not in usual)])
    if tools is None:
        search = {"DocumentSearch"} if docs else set()
        if web or not docs:
            search.add("DuckDuckGo")
        tables = _FOR_TABLES if any(map(_holds_tables, docs)) else ()
        usual_names = (*_BUILT_IN, *(_FOR_TEMPLATES if templates else ()), *tables)
        names = [name for name in usual_names if name in known and (name in search or name not in _BUILT_IN[:2])]
        bundled = bundle_folder("tools")
        own = (tool for tool in known.values() if not Path(tool.origin).is_relative_to(bundled))
        return Toolbox([*(known[name] for name in names), *own])
    named = [named_tool(item, known) if isinstance(item, str) else as_tool(item) for item in tools]
    if _READER in known and not any(tool.name == _READER for tool in named):
        named.append(known[_READER])
    return Toolbox(named)


def _holds_tables(path: str | Path) -> bool:
    """Whether documents are, or have at the top of their folder, a table or spreadsheet."""
    place = expanded(path)
    try:
        names = (
            [place.name] if place.is_file() else [entry.name for entry in islice(os.scandir(place), _MOST_LOOKED_AT)]
        )
    except (OSError, ValueError):  # that it cannot be read is said where it is opened
        return False
    return any(name.lower().endswith(_TABLES) for name in names)


def named_tool(name: str, known: Toolbox) -> Tool:
    """The tool of this name; UsageError with the nearest names if there is none."""
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    raise UsageError(
        f"there is no tool called {name!r}",
        f"did you mean {' or '.join(near)}?" if near else f"the tools are: {', '.join(known)}",
    )
