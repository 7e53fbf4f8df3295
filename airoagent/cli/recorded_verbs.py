"""The verbs for recorded runs: replay, resume, rerun, fork, diff and why."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airoagent.cli.display import make_display, plain
from airoagent.cli.inputs import edited_text, load_run, named_values, text_of
from airoagent.cli.launch import agent_for
from airoagent.cli.options import SEARCH_SETTINGS, Rule, agent_options, complete, display_options, refuses
from airoagent.cli.output import make_watch, print_run
from airoagent.errors import StoreError, UsageError
from airoagent.settings import declared_settings, load_settings

if TYPE_CHECKING:
    from airoagent.recorded.grounds import Ground, Trial
    from airoagent.records.run_record import Run

F = TypeVar("F", bound=Callable[..., Any])


def _run_id(shown: str = "ID|FILE") -> Callable[[F], F]:
    return click.argument("run_id", metavar=shown, default="@last", shell_complete=complete(lambda: ("@last",)))


@click.command("replay")
@_run_id()
@display_options
def replay_command(run_id: str, as_json: bool, **shown: str | None) -> int:
    """Replay a recorded run without a model, tools or the network: the same answer, byte for byte.

    Fails with exit code 6 and names the step if this version of airo would do anything other than what was recorded.

    \b
    Examples:
      airo replay @last
      airo replay plans/nobel-literature.jsonl
    """
    from airoagent.recorded.replaying import replay

    settings = load_settings(shown)
    run = replay(load_run(run_id), watch=make_display(settings.display, settings.color))
    return print_run(run, as_json=as_json, settings=settings, recorded=False)


@click.command("resume")
@_run_id("ID")
@agent_options(without=("no_store",))
@display_options
def resume_command(run_id: str, as_json: bool, **flags: Any) -> int:
    """Finish an interrupted run, or retry what failed in it. Finished steps are not repeated.

    The run keeps its model, tools, documents and limits; options given here override them. A call whose outcome is
    unknown is repeated only if its tool allows that.
    """
    if run_id.endswith(".jsonl"):
        raise UsageError("a trace file cannot be resumed", f"import it first: airo runs import {run_id}")
    past = load_run(run_id)
    agent, settings = agent_for(past, flags)
    run = agent.resume(past.id, watch=make_watch(settings, prints_run=True))
    return print_run(run, as_json=as_json, settings=settings)


@click.command("rerun")
@_run_id()
@click.option("--from", "from_step", metavar="STEP", help="Rerun only this step and what depends on it.")
@agent_options()
@display_options
def rerun_command(run_id: str, from_step: str | None, as_json: bool, **flags: Any) -> int:
    """Run the plan of a recorded run again as a new run, with new tool calls.

    \b
    Example:
      airo rerun @last --from evidence2
    """
    past = load_run(run_id)
    agent, settings = agent_for(past, flags)
    run = agent.rerun(past, from_step=from_step, watch=make_watch(settings, prints_run=True))
    return print_run(run, as_json=as_json, settings=settings)


@click.command("fork")
@_run_id()
@click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="STEP[=INPUT]",
    help="Change the input of a step (without INPUT: in $EDITOR).",
)
@click.option("--set", "sets", multiple=True, metavar="STEP=TEXT|@FILE", help="Use this evidence instead of a call.")
@click.option(
    "--plan", "plan_file", metavar="FILE", help="Use this plan; steps it shares with the old one are not repeated."
)
@agent_options(without=("replan", "retries", "web"))
@display_options
def fork_command(
    run_id: str, edits: tuple[str, ...], sets: tuple[str, ...], plan_file: str | None, as_json: bool, **flags: Any
) -> int:
    """Change a recorded run: a new run repeats only the steps that the change affects.

    With -m MODEL the steps that use a model are repeated with this one. The new run records the old one as its parent;
    `airo diff` shows what changed.

    \b
    Examples:
      airo fork @last --edit evidence2
      airo fork @last --set evidence2=@page.txt
      airo fork 20261121-0130 -m extractive
    """
    past = load_run(run_id)
    changed = {pair: _edit(past, pair) for pair in edits if "=" not in pair}
    changed |= named_values(tuple(pair for pair in edits if "=" in pair), "--edit")
    given = named_values(sets, "--set")
    if both := changed.keys() & given.keys():
        raise UsageError(f"--edit {min(both)} has no effect with --set {min(both)}", "change the input or the evidence")
    agent, settings = agent_for(past, flags)
    run = agent.fork(
        past,
        edit=changed,
        set=given,
        plan=None if plan_file is None else text_of(plan_file),
        model=agent.model if flags["model"] else None,
        watch=make_watch(settings, prints_run=True),
    )
    return print_run(run, as_json=as_json, settings=settings)


def _edit(run: Run, word: str) -> str:
    """The step's input as edited by the user; an error if there is no plan, step or change."""
    from airoagent.recorded.forking import step_id

    if run.plan is None:
        raise StoreError(f"the run {run.id} has no plan, so no step can be edited", "give one with --plan FILE")
    step = run.plan.step(step_id(run.plan, word))
    hint = f"give it on the command line: --edit {step.id}=INPUT"
    if (text := edited_text(step.input, hint)) == step.input:
        raise UsageError(f"the input of {step.id} was not changed", hint)
    return text


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON object.")
def diff_command(a: str, b: str, as_json: bool) -> int:
    """Compare two recorded runs (IDs, ID prefixes, @last or .jsonl files): plan, inputs, evidence, answer, time.

    The exit code is 0 even if they differ; "same" in the --json output says whether they do.
    """
    from airoagent.records.difference import diff, difference_lines

    found = diff(load_run(a), load_run(b))
    record = json.dumps({"same": found.same, **dataclasses.asdict(found)}, indent=2) if as_json else ""
    click.echo(record or plain("\n".join(difference_lines(found))))
    return 0


_HEAD = 400  # characters of an evidence that is shown
_QUOTE = 200  # and of a quoted passage


@click.command("why")
@_run_id()
@click.option(
    "--bisect", is_flag=True, help="Remove one piece of evidence at a time and check whether the answer holds."
)
@click.option(
    "--swap", is_flag=True, help="With --bisect: swap in the evidence of another step instead of removing it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@agent_options(
    "model",
    "tools",
    "limits",
    without=("replan", "retries", "web", *SEARCH_SETTINGS, "allow_private", "cache", "no_cache"),
)
@refuses(Rule(f"swap options named config_file {' '.join(declared_settings())}", needs="bisect"))
def why_command(run_id: str, bisect: bool, swap: bool, as_json: bool, **flags: Any) -> int:
    """Trace the answer of a run back to its evidence, passages and pages.

    With --bisect the run is replayed without the evidence of one step at a time; only the model's steps are repeated.
    The first step that changes the answer is named.
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.recorded.grounds import bisect as bisect_run
    from airoagent.recorded.grounds import why

    run = load_run(run_id)
    grounds = why(run)
    trials: tuple[Trial, ...] = ()
    if bisect:
        agent, _ = agent_for(run, {**flags, "no_store": True})
        trials = run_in_thread(lambda: bisect_run(agent.session, run, change="swap" if swap else "remove"))
    if as_json:
        record: dict[str, Any] = {"id": run.id, "answer": run.answer, "grounds": list(map(dataclasses.asdict, grounds))}
        record["account"] = {name: dataclasses.asdict(usage) for name, usage in run.account.items()}
        if bisect:
            record["trials"] = list(map(dataclasses.asdict, trials))
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(plain("\n".join([*_grounds_story(run, grounds), *(_trials(trials) if bisect else ())])))
    return 0


def _grounds_story(run: Run, grounds: tuple[Ground, ...]) -> Iterator[str]:
    from airoagent.records.run_record import account_text, quotes_by_page

    yield f"answer: {run.answer}"
    for one in grounds:
        pad = "  " * one.depth
        yield f"{pad}{one.step}  {one.tool}  (for {', '.join(one.used_by)})  {one.thought}".rstrip()
        yield from _shown(f"{pad}  < ", one.input)
        yield from _shown(f"{pad}  > ", one.evidence)
        if one.note:
            yield f"{pad}  note: {one.note}"
        for (url, _), quotes in quotes_by_page(one.sources).items():
            yield f"{pad}  from {url}"
            yield from (f'{pad}    "{quote if len(quote) <= _QUOTE else quote[:_QUOTE] + "..."}"' for quote in quotes)
    if not grounds:
        yield "  it is based on no evidence"
    yield f"tokens: {account_text(run.account)}"


def _shown(lead: str, text: str) -> Iterator[str]:
    head = text if len(text) <= _HEAD else f"{text[:_HEAD]}... ({len(text):,} characters)"
    for line in head.splitlines():
        yield lead + line


def _trials(trials: tuple[Trial, ...]) -> Iterator[str]:
    from airoagent.recorded.grounds import first_flip

    yield ""
    for trial in trials:
        how = f"given that of {trial.swapped_with}" if trial.swapped_with else "without its evidence"
        now = "no answer" if trial.answer is None else repr(trial.answer)
        yield f"{trial.step}  {trial.tool}  {how}: {f'flips to {now}' if trial.flips else 'the answer holds'}"
    first = first_flip(trials)
    if not trials:
        yield "there is nothing to test"
    elif first is None:
        yield "no single evidence flips the answer"
    else:
        yield f"the first step that flips the answer: {first.step} ({first.tool})"
