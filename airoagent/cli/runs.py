"""``airo runs``: lists, shows, moves and removes recorded runs, and looks after their store."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import click

from airoagent.cli.display import plain
from airoagent.cli.inputs import load_run, load_trace, named_values, open_store
from airoagent.cli.options import Rule, json_lines_option, list_group, refuses
from airoagent.cli.output import answer_text, echo, write_file
from airoagent.errors import StoreError, UsageError
from airoagent.events import ModelCalled, StepStarted
from airoagent.settings import store_file

if TYPE_CHECKING:
    from airoagent.records.run_record import Run


_MOST = 1_000_000_000  # runs


@list_group(
    "runs",
    click.option("-n", "limit", type=click.IntRange(1, _MOST), default=20, help="Maximum runs to list."),
    click.option(
        "-q",
        "query",
        default="",
        metavar="TEXT",
        help="List only runs with these words in their question, answer or evidence.",
    ),
    json_lines_option,
)
def runs_command(limit: int, query: str, as_json: bool) -> None:
    """List the recorded runs, newest first. Other commands take an ID, a prefix of one, or @last for the
    newest (@last~1 for the one before it)."""
    rows = open_store().list(limit, query)
    for row in rows:
        age, question = _age(time.time() - row.started), plain(row.question, 80) or "(a plan without a question)"
        echo(row, f"{row.id}  {age:>4}  {row.status:<11} {row.seconds:7.1f} s  {question}", as_json)
    if not rows and not as_json:
        click.echo("no runs yet" if not query else f"no runs match {query!r}", err=True)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


@runs_command.command("show")
@click.argument("run_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the run as one JSON object.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Print all texts whole, and what the model wrote, with its thoughts."
)
def show(run_id: str, as_json: bool, verbose: bool) -> None:
    """Show a run: question, plan, the input and evidence of each step, answer."""
    run = load_run(run_id)
    click.echo(json.dumps(run.to_json(), indent=2) if as_json else plain(_story(run, verbose)))


_MOST_LINES = 12  # of one input or evidence


def _story(run: Run, verbose: bool) -> str:
    from airoagent.records.run_record import account_text

    lines = [f"run {run.id}  {run.status}  {run.seconds:.1f} s  model {run.model}", f"question: {run.question}", ""]
    if said := run.setting("said"):
        lines.insert(2, f"said: {said}  (after the run {run.parent})")
    inputs = {event.step: event.input for event in run.events if isinstance(event, StepStarted)}
    wrote: dict[str, list[str]] = defaultdict(list)
    for event in run.events:
        if verbose and isinstance(event, ModelCalled):
            wrote[event.step] += [f"  | {line}" for line in event.text.splitlines()]
    if wrote[""]:
        lines += ["what the model wrote:", *wrote[""], ""]
    if run.plan is None:
        lines += ["plan as the model wrote it:", run.plan_text or "(nothing)", ""]
    for step in run.plan.steps if run.plan else ():
        lines.append(f"{step.id}  {step.tool}  {step.thought}")
        lines += _lines("  < ", inputs.get(step.id, step.input), verbose)
        lines += wrote[step.id]
        if step.id in run.failed:
            lines.append(f"  ! {run.failed[step.id].message}")
        elif step.id in run.evidence:
            lines += _lines("  > ", run.evidence[step.id].text, verbose)
        else:
            lines.append("  - not run")
    lines += [
        "",
        answer_text(run)
        if run.status == "done"
        else f"no answer: {run.failure.message if run.failure else run.status}",
        f"tokens: {account_text(run.account)}",
    ]
    return "\n".join(lines)


def _lines(lead: str, text: str, whole: bool) -> list[str]:
    """The lines of a text; of a long one the first, unless it is wanted whole."""
    lines = text.splitlines()
    more = 0 if whole or len(lines) <= _MOST_LINES else len(lines) - _MOST_LINES + 1
    shown = [f"{lead}{line}" for line in lines[: len(lines) - more]]
    return [*shown, f"{lead}... ({more:,} more lines; -v prints them)"] if more else shown


@runs_command.command("path")
@click.argument("run_id", metavar="[ID]", required=False)
def path(run_id: str | None) -> None:
    """Print the path of the file that holds the runs."""
    store = open_store()
    if run_id:
        store.find(run_id)
    click.echo(store.path)


@runs_command.command("rm")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
def rm(run_ids: tuple[str, ...]) -> None:
    """Remove runs. A run that is still going is not removed."""
    store = open_store()
    for run_id in dict.fromkeys(store.find(word) for word in run_ids):
        store.remove(run_id)
        click.echo(f"removed {run_id}", err=True)


_FORMATS = ("trace", "md", "html", "instruct")


@runs_command.command("export")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), default="trace", show_default=True, help="Output format."
)
def export(run_ids: tuple[str, ...], output: str | None, form: str) -> None:
    """Write a run as a trace (JSON Lines, a header and then one event per line) or as a report.

    --format md and html write reports to read and send: question, answer, sources, a picture of the plan, and the input
    and evidence of each step. `airo view ID -o FILE` writes the interactive page instead.

    --format instruct writes the prompts and completions of the runs as JSON Lines of instruction and response, for
    fine-tuning. Runs without an answer are left out.

    \b
    Examples:
      airo runs export @last -o run.jsonl
      airo runs export @last --format html -o report.html
    """
    from airoagent.recorded.export import instruct_lines
    from airoagent.records.run_record import write_trace

    if form == "trace" and len(run_ids) > 1:
        raise UsageError("a trace contains one run", "export one run at a time, or use another --format")
    runs = [load_run(word) for word in run_ids]
    if form in ("md", "html"):  # made before a file is opened, which empties it
        from airoagent.view.report import html_report, markdown_report

        lines = [markdown_report(runs) if form == "md" else html_report(runs)]
    else:
        export_run = instruct_lines if form == "instruct" else lambda run: write_trace(run.id, run.events)
        lines = [line for run in runs for line in export_run(run)]
    write_file(output or "-", lines)


@runs_command.command("save-plan")
@click.argument("run_id", metavar="ID")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--param", "params", multiple=True, metavar="NAME=TEXT", help="Replace TEXT by the parameter {NAME}.")
def save_plan(run_id: str, output: str | None, params: tuple[str, ...]) -> None:
    """Write the plan of a run, headed by its question, as a plan file for `airo run FILE`.

    \b
    Example:
      airo runs save-plan @last --param year=2020 -o laureate.plan
      airo run laureate.plan --set year=2017
    """
    from airoagent.recorded.export import saved_plan

    write_file(output or "-", [saved_plan(load_run(run_id), named_values(params, "--param"))])


@runs_command.command("gc")
@click.option("--older", "days", type=click.FloatRange(0), metavar="DAYS", help="Remove runs older than DAYS.")
@click.option(
    "--keep", type=click.IntRange(0, _MOST), metavar="N", help="Keep the newest N runs and remove the others."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed.")
@click.option("--vacuum", is_flag=True, help="Shrink the file on disk; no run can be recorded meanwhile.")
@refuses(
    Rule("yes vacuum", excludes="dry_run"),
    Rule("yes", needs="days keep", shown="--older or --keep", hint="nothing needs confirmation: remove --yes"),
)
def gc(days: float | None, keep: int | None, yes: bool, dry_run: bool, vacuum: bool) -> None:
    """Remove data that no run uses, and old runs if --older or --keep is given.

    A run that is still going is kept. The runs to be removed are shown first, and removed after confirmation; without a
    terminal --yes is needed.
    """
    from airoagent.records.upkeep import collect

    store = open_store()
    before = 0.0 if days is None and keep is None else time.time() - (days or 0.0) * 86400
    runs = store.find_old(before=before, keep=keep or 0)
    if runs:
        click.echo(f"runs to remove: {len(runs):,}, from {runs[0]} to {runs[-1]}", err=True)
    if dry_run:
        click.echo("nothing was removed", err=True)
        return
    if runs and not yes:
        _ask_to_remove(len(runs))
    done = collect(store, runs, vacuum=vacuum)
    click.echo(f"removed {done.removed} runs, freed {done.saved / 1e6:.1f} MB", err=True)
    if done.inside > done.saved and done.inside > 1e6:
        free = f"{done.inside / 1e6:.1f} MB of the file are free for new runs"
        click.echo(f"{free}; `airo runs gc --vacuum` returns them to the disk", err=True)
    if done.failed:
        raise StoreError(f"{len(done.failed)} runs could not be removed: {done.failed[0]} ...", "airo runs repair")


def _ask_to_remove(count: int) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"removing {count:,} runs needs confirmation, and there is no terminal",
            "see them with --dry-run, remove them with --yes",
        )
    if not click.confirm("Remove them?", err=True):
        raise UsageError("nothing was removed")


@runs_command.command("repair")
def repair() -> None:
    """Recover what is readable in a damaged store into a new file, and keep the old file next to it.

    A run is kept up to its first damaged or missing event. An undamaged store is not changed.
    """
    from airoagent.records.upkeep import repair as repair_store

    done = repair_store(store_file())
    if done is None:
        click.echo("nothing is damaged", err=True)
        return
    click.echo(f"runs kept whole: {done.whole:,}", err=True)
    for what, runs in (("kept up to a damaged or missing event", done.cut), ("lost", done.lost)):
        if runs:
            more = "" if len(runs) <= 20 else f" and {len(runs) - 20:,} more"
            click.echo(f"runs {what}: {len(runs):,} ({', '.join(runs[:20])}{more})", err=True)
    click.echo(f"events kept: {done.events:,}", err=True)
    click.echo(f"the old file is now {done.old}", err=True)


@runs_command.command("import")
@click.argument("file", metavar="FILE|-")
def import_(file: str) -> None:
    """Add the run in a trace file to the store."""
    run = load_trace(file)
    if not (run.id.isascii() and run.id.isprintable() and 0 < len(run.id) <= 200):
        raise StoreError(f"{run.id[:200]!r} is not a valid run ID", "the file may have been cut or edited")
    store = open_store()
    if store.has(run.id):
        raise StoreError(f"the run {run.id} already exists", f"remove it first: airo runs rm {run.id}")
    store.write_run(run.id, run.events)
    click.echo(f"imported {run.id}", err=True)
