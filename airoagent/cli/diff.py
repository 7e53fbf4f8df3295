"""``airo diff``: two recorded runs side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from airoagent.records.difference import Difference, StepDifference


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="The whole comparison as one JSON object.")
def command(a: str, b: str, as_json: bool) -> int:
    """Compare two recorded runs (ids, beginnings of ids, @last, or .jsonl files): plan, inputs, evidence, answer, time.

    The exit code is 0 whether or not they differ; --json says it in "same".
    """
    import dataclasses

    from airoagent.cli.display import plain
    from airoagent.cli.runs import load_run
    from airoagent.records.difference import diff

    found = diff(load_run(a), load_run(b))
    if as_json:
        click.echo(json.dumps({"same": found.same, **dataclasses.asdict(found)}, indent=2))
    else:
        click.echo(plain("\n".join(_story(found))))
    return 0


def _story(found: Difference) -> Iterator[str]:
    yield f"a: {found.id[0]}  {found.status[0]}  {found.seconds[0]:.1f} s  {found.tokens[0]} tokens  {found.model[0]}"
    yield f"b: {found.id[1]}  {found.status[1]}  {found.seconds[1]:.1f} s  {found.tokens[1]} tokens  {found.model[1]}"
    yield from _changed("question", *found.question)
    yield from _changed("plan", *found.plan)
    for step in found.steps:
        yield from _step(step)
    yield from _changed("answer", *found.answer)
    if found.same:
        yield "no difference but in time"


def _step(step: StepDifference) -> Iterator[str]:
    if step.kind == "same":
        return
    tools = " -> ".join(dict.fromkeys(tool for tool in step.tool if tool is not None))
    places = {"only_a": "only in a", "only_b": "only in b"}
    yield f"{step.id}  {tools}  {places.get(step.kind, ', '.join(step.what) + ' changed')}"
    if step.kind == "changed":
        for what in ("input", "evidence"):
            if what in step.what:
                yield from _changed(f"{step.id} {what}", *getattr(step, what))


def _changed(what: str, a: str | None, b: str | None) -> Iterator[str]:
    """The lines that differ, with a and b as the two files of a diff; nothing where none does."""
    if a != b:
        before = [] if a is None else a.splitlines()
        after = [] if b is None else b.splitlines()
        yield from unified_diff(before, after, f"a {what}", f"b {what}", n=1, lineterm="")
