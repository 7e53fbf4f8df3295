"""What the site adds to the pages in docs/: the pages of the project's root, and reference text taken from the code.

A line ``<!-- generated: NAME -->`` is replaced by what the function of that name in `GENERATED` returns, so that no
command, setting, event or diagnostic is described by hand. A link to a page of the root (``../SECURITY.md``) leads to
its copy in the site.
"""

from __future__ import annotations

import ast
import inspect
import json
import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, get_args, get_origin

import click

import airoagent
from airoagent import errors, events, plan_prompt
from airoagent.calls.call_parser import call_prompt
from airoagent.cli.app import EXIT_CODES, VERBS, cli
from airoagent.prompts.wrappers import WRAPPERS
from airoagent.settings import Settings, declared_settings

ROOT = Path(__file__).parent.parent
ROOT_PAGES = ("AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)([^)\s]*)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the project's root."""
    from mkdocs.structure.files import File

    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put in what is generated, and point links to the pages of the root at their copies."""
    uri = page.file.src_uri
    place = PurePosixPath(uri if uri in ROOT_PAGES else f"docs/{uri}").parent

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(str(place / match[1])).removeprefix("docs/")
        return f"]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{match[2]})"

    return with_generated(_LINK.sub(link, markdown))


def with_generated(markdown: str) -> str:
    """A page with every ``<!-- generated: NAME -->`` replaced, and fences that name their language alone.

    What follows the language (``no-run: REASON``) is for the tests; with it, Markdown would not see a fence.
    """
    markdown = re.sub(r"^( *`{3,}\w+) no-run: .*$", r"\1", markdown, flags=re.MULTILINE)
    return re.sub(r"^<!-- generated: (\w+) -->$", lambda match: GENERATED[match[1]](), markdown, flags=re.MULTILINE)


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in row)} |" for row in lines
    )


def _fenced(text: str) -> str:
    return f"````text\n{text}\n````\n"


def commands() -> str:
    """The help text of every command, as the program prints it."""
    top = click.Context(cli, info_name="airo")
    texts: list[str] = []

    def add(command: click.Command, parent: click.Context, depth: int) -> None:
        context = click.Context(
            command, parent=parent, info_name=command.name, terminal_width=100, max_content_width=100
        )
        texts.append(f"{'#' * depth} {context.command_path}\n\n{_fenced(command.get_help(context))}")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                sub = command.get_command(context, name)
                if sub is not None and not sub.hidden:
                    add(sub, context, depth + 1)

    for verb in sorted(VERBS):
        command = cli.get_command(top, verb)
        assert command is not None
        add(command, top, 2)
    return "\n".join(texts)


def settings() -> str:
    """A table of the settings for each group, from the fields of `Settings`."""
    defaults = {name: field.default for name, field in Settings.__dataclass_fields__.items()}
    groups: dict[str, list[tuple[str, ...]]] = {}
    for name, (kind, declared) in declared_settings().items():
        bounds = f" ({declared.least:.10g} to {declared.most:.10g})" if declared.most is not None else ""
        flag = f"`--{name.replace('_', '-')}`" if declared.flag else ""
        row = (f"`{name}`", flag, f"{_kind(kind)}{bounds}", _default(defaults[name]), declared.help)
        groups.setdefault(declared.group, []).append(row)
    heads = ("setting", "flag", "value", "default", "meaning")
    return "\n\n".join(f"### {group.capitalize()}\n\n{_table(heads, iter(rows))}" for group, rows in groups.items())


def _kind(kind: Any) -> str:
    if isinstance(kind, str):
        return f"`{kind}`"
    if get_origin(kind) is tuple:
        return f"{_kind(get_args(kind)[0])}, repeatable"
    words = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}
    return words[kind] if kind in words else ", ".join(_kind(one) for one in get_args(kind) if one is not type(None))


def _default(value: Any) -> str:
    return "" if value in (None, (), "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def exit_codes() -> str:
    """A table of the exit codes, and the tree of errors."""
    found = re.findall(r"(\d+) (.+?)(?=,\s+\d+ |\.$)", EXIT_CODES, re.DOTALL)
    tree = "\n".join(line for line in inspect.getdoc(errors).splitlines() if re.match(r"    \S|    [│├└ ]", line))  # type: ignore[union-attr]
    return f"{_table(('code', 'meaning'), iter(found))}\n\n## The errors\n\n{_fenced(inspect.cleandoc(tree))}"


def trace_events() -> str:
    """A table of the events that a trace can hold, with their fields."""
    rows = []
    for event in vars(events).values():
        if inspect.isclass(event) and issubclass(event, events.Event) and event.type and not event.live:
            fields = ", ".join(f"`{name}`" for name in event.__dataclass_fields__)
            rows.append(
                (f"`{event.type}`", (inspect.getdoc(event) or "").partition("\n\n")[0].replace("`", ""), fields)
            )
    return _table(("type", "meaning", "fields"), iter(rows))


def _literals(item: ast.expr | None, assigned: list[tuple[int, str, ast.expr]]) -> list[str]:
    """The texts that an expression can be, with … for what is filled in; () where that is not in its file."""
    if isinstance(item, ast.JoinedStr):
        text = "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in item.values)
        return [re.sub("…+", "…", text)]
    if isinstance(item, ast.IfExp):
        return _literals(item.body, assigned) + _literals(item.orelse, assigned)
    if isinstance(item, ast.Name):
        values = [value for line, name, value in assigned if name == item.id and line < item.lineno]
        return _literals(values[-1], []) if values else []
    return [item.value] if isinstance(item, ast.Constant) and isinstance(item.value, str) else []


def _findings(folder: str) -> dict[str, list[str]]:
    """What the parsers in a folder report: the messages of each kind, from the calls and tables that name them."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "airoagent" / folder).glob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        assignments = sorted((one for one in nodes if isinstance(one, ast.Assign)), key=lambda one: one.lineno)
        assigned = [(one.lineno, ast.unparse(one.targets[0]), one.value) for one in assignments]
        pairs = [pair for node in nodes if isinstance(node, ast.Call) for pair in pairwise(node.args)]
        pairs += [
            pair for node in nodes if isinstance(node, ast.Dict) for pair in zip(node.keys, node.values, strict=True)
        ]
        for first, second in pairs:
            for kind in _literals(first, assigned):
                said = [text for text in _literals(second, assigned) if re.match(r"(:…|[A-Z'…]).* ", text)]
                if said and re.fullmatch(r"[a-z_]+", kind):
                    found.setdefault(kind, []).extend(said)
    return found


def diagnostics() -> str:
    """A table of the kinds of diagnostics for plans, and one for calls."""
    parts = []
    for folder, title in (("plan", "Plans"), ("calls", "Function calls")):
        rows = ((f"`{kind}`", "<br>".join(dict.fromkeys(said))) for kind, said in sorted(_findings(folder).items()))
        parts.append(f"## {title}\n\n{_table(('kind', 'reported as'), rows)}")
    return "\n\n".join(parts)


def prompts() -> str:
    """The prompts for a plan and a call in each style, and the wrappers, as the program writes them."""
    tools = [("Search", "Searches the web."), ("KnowledgeModel", "Answers a question from evidence.")]
    resize = airoagent.load_functions(
        {"resize": {"description": "Resizes a picture.", "params": {"width": "In pixels."}}}
    )
    parts = []
    for style in ("airoboros", "chat", "compact"):
        parts.append(
            f"### Plan, style `{style}`\n\n{_fenced(_written(plan_prompt('Who wrote Emma?', tools, style=style)))}"
        )
    for style in ("airoboros", "compact"):
        text = _written(call_prompt("make it 640 wide", resize, style=style))
        parts.append(f"### Function call, style `{style}`\n\n{_fenced(text)}")
    wrapped = (f"### `{name}`\n\n{_fenced(one.wrap('PROMPT'))}" for name, one in WRAPPERS.items() if name != "none")
    return "## Prompts\n\n" + "\n".join(parts) + "\n## Wrappers\n\n" + "\n".join(wrapped)


def _written(prompt: str) -> str:
    messages = getattr(prompt, "messages", None)
    if messages is None:
        return prompt
    return "\n\n".join(f"[{one['role']}]\n{one['content']}" for one in messages())


def notebook() -> str:
    """The cells of examples/notebook.ipynb with what they gave."""
    parts: list[str] = []
    for cell in json.loads((ROOT / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"][1:]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            text = "".join(output.get("text") or data.get("text/plain", "")).rstrip()
            parts.append("".join(data["text/html"]) if "text/html" in data else f"```text\n{text}\n```")
    return "\n\n".join(parts)


def api() -> str:
    """Every public name, by the module that defines it, for mkdocstrings."""
    homes: dict[str, list[str]] = {}
    for name in airoagent.__all__:
        homes.setdefault(getattr(airoagent, name).__module__, []).append(name)
    order = sorted(homes, key=lambda home: (home != "airoagent.agent", home))
    return "\n\n".join(f"::: {home}.{name}" for home in order for name in homes[home])


GENERATED = {
    one.__name__: one for one in (commands, settings, exit_codes, trace_events, diagnostics, prompts, notebook, api)
}
