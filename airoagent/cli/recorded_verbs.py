"""The verbs for recorded runs: replay, resume, rerun, fork, diff and why."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.display import make_display, plain
from airoagent.cli.inputs import load_run, named_values, text_of
from airoagent.cli.launch import agent_for
from airoagent.cli.options import agent_options, complete, display_options, refuse_given
from airoagent.cli.output import make_watch, print_run
from airoagent.errors import StoreError, UsageError
from airoagent.settings import load_settings

if TYPE_CHECKING:
    from airoagent.recorded.grounds import Ground, Trial
    from airoagent.records.difference import Difference, StepDifference
    from airoagent.records.run_record import Run


@click.command("replay")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@display_options
def replay_command(run_id: str, as_json: bool, display: str | None, color: str | None) -> int:
    """Replay a recorded run: no model, no tool, no network; the same answer to the byte.

    It fails (exit 6) and names the step if this version of airo would do anything else than what is on record.

    \b
    Examples:
      airo replay @last
      airo replay plans/nobel-literature.jsonl
    """
    from airoagent.recorded.replaying import replay

    settings = load_settings({"display": display, "color": color})
    run = replay(load_run(run_id), watch=make_display(settings.display, settings.color))
    return print_run(run, as_json=as_json, settings=settings, recorded=False)


@click.command("resume")
@click.argument("run_id", metavar="ID", default="@last", shell_complete=complete(lambda: ("@last",)))
@agent_options()
@display_options
def resume_command(run_id: str, as_json: bool, display: str | None, color: str | None, **flags: Any) -> int:
    """Finish a run that was interrupted, or try again what failed in it; what finished is not done again.

    It goes on with the model, tools, documents and limits that the run had; options given here win. A call whose end is
    not known is made again only if its tool says it may be.
    """
    if run_id.endswith(".jsonl"):
        raise UsageError("a trace is not resumed but a run of the store", f"airo runs import {run_id}, then resume it")
    past = load_run(run_id)
    agent, settings = agent_for(past, flags, display=display, color=color)
    run = agent.resume(past.id, watch=make_watch(settings))
    return print_run(run, as_json=as_json, settings=settings)


@click.command("rerun")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--from", "from_step", metavar="STEP", help="Only this step and what depends on it.")
@agent_options()
@display_options
def rerun_command(
    run_id: str, from_step: str | None, as_json: bool, display: str | None, color: str | None, **flags: Any
) -> int:
    """Run the plan of a recorded run again, calling its tools anew, as a new run.

    \b
    Example:
      airo rerun @last --from evidence2
    """
    past = load_run(run_id)
    agent, settings = agent_for(past, flags, display=display, color=color)
    run = agent.rerun(past, from_step=from_step, watch=make_watch(settings))
    return print_run(run, as_json=as_json, settings=settings)


@click.command("fork")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--edit", "edits", multiple=True, metavar="STEP[=INPUT]", help="Another input; without one: $EDITOR.")
@click.option("--set", "sets", multiple=True, metavar="STEP=TEXT|@FILE", help="Evidence in place of a call.")
@click.option("--plan", "plan_file", metavar="FILE", help="Another plan; what it has in common is not run again.")
@agent_options(without=("replan", "web"))
@display_options
def fork_command(
    run_id: str,
    edits: tuple[str, ...],
    sets: tuple[str, ...],
    plan_file: str | None,
    as_json: bool,
    display: str | None,
    color: str | None,
    **flags: Any,
) -> int:
    """Change something in a recorded run: a new run, in which only what the change reaches is run, tells what follows.

    With -m MODEL the steps that ask a model ask this one. The answer's run names the old one as its parent; `airo diff`
    shows what changed.

    \b
    Examples:
      airo fork @last --edit evidence2
      airo fork @last --set evidence2=@page.txt
      airo fork 20261121-0130 -m extractive
    """
    past = load_run(run_id)
    changed = {pair: _edit(past, pair) for pair in edits if "=" not in pair}
    changed |= named_values(tuple(pair for pair in edits if "=" in pair), "--edit")
    agent, settings = agent_for(past, flags, display=display, color=color)
    run = agent.fork(
        past,
        edit=changed,
        set=named_values(sets, "--set"),
        plan=None if plan_file is None else text_of(plan_file),
        model=agent.model if flags["model"] else None,
        watch=make_watch(settings),
    )
    return print_run(run, as_json=as_json, settings=settings)


def _edit(run: Run, word: str) -> str:
    """The step's input as the user's editor leaves it; UsageError where there is no plan, step, or change."""
    from airoagent.recorded.forking import step_id

    if run.plan is None:
        raise StoreError(f"the run {run.id} has no plan, so there is no step to edit", "give one with --plan FILE")
    step = run.plan.step(step_id(run.plan, word))
    try:
        text = click.edit(step.input + "\n")
    except click.ClickException as error:
        raise UsageError(f"the editor did not work: {error.message}", f"--edit {step.id}=INPUT needs none") from error
    if text is None or text.rstrip("\n") == step.input:
        raise UsageError(f"the input of {step.id} was left as it was", f"change it, or give it: --edit {step.id}=INPUT")
    return text.removesuffix("\n")


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="The whole comparison as one JSON object.")
def diff_command(a: str, b: str, as_json: bool) -> int:
    """Compare two recorded runs (ids, beginnings of ids, @last, or .jsonl files): plan, inputs, evidence, answer, time.

    The exit code is 0 whether or not they differ; --json says it in "same".
    """
    import dataclasses

    from airoagent.records.difference import diff

    found = diff(load_run(a), load_run(b))
    if as_json:
        click.echo(json.dumps({"same": found.same, **dataclasses.asdict(found)}, indent=2))
    else:
        click.echo(plain("\n".join(_difference_story(found))))
    return 0


def _difference_story(found: Difference) -> Iterator[str]:
    yield f"a: {found.id[0]}  {found.status[0]}  {found.seconds[0]:.1f} s  {found.tokens[0]} tokens  {found.model[0]}"
    yield f"b: {found.id[1]}  {found.status[1]}  {found.seconds[1]:.1f} s  {found.tokens[1]} tokens  {found.model[1]}"
    yield from _changed("question", *found.question)
    yield from _changed("plan", *found.plan)
    for step in found.steps:
        yield from _step_difference(step)
    yield from _changed("answer", *found.answer)
    if found.same:
        yield "no difference but in time"


def _step_difference(step: StepDifference) -> Iterator[str]:
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


_HEAD = 400  # characters of an evidence that is shown


_QUOTE = 200  # and of a quoted passage


@click.command("why")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--bisect", is_flag=True, help="Take away one evidence at a time and see whether the answer holds.")
@click.option("--swap", is_flag=True, help="With --bisect: give a step the evidence of another in place of none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@agent_options("model", "tools", "limits", without=("replan", "web"))
def why_command(run_id: str, bisect: bool, swap: bool, as_json: bool, **flags: Any) -> int:
    """Walk back from the answer of a run: which evidence it stands on, which passages, which pages.

    With --bisect the run is replayed without (or with another) evidence of one step at a time; only the model's steps
    are asked again. The first step that flips the answer is named.
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.recorded.grounds import bisect as bisect_run
    from airoagent.recorded.grounds import why

    if not bisect:
        refuse_given(flags, "does nothing without --bisect")
    if swap and not bisect:
        raise UsageError("--swap says how --bisect tests an evidence", "airo why ID --bisect --swap")
    run = load_run(run_id)
    grounds = why(run)
    trials: tuple[Trial, ...] = ()
    if bisect:
        agent, _ = agent_for(run, {**flags, "no_store": True})
        trials = run_in_thread(lambda: bisect_run(agent.session, run, change="swap" if swap else "remove"))
    if as_json:
        record = {"id": run.id, "answer": run.answer, "grounds": [dataclasses.asdict(one) for one in grounds]}
        if bisect:
            record["trials"] = [dataclasses.asdict(one) for one in trials]
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo(plain("\n".join([*_grounds_story(run, grounds), *(_trials(trials) if bisect else ())])))
    return 0


def _grounds_story(run: Run, grounds: tuple[Ground, ...]) -> Iterator[str]:
    yield f"answer: {run.answer}"
    for one in grounds:
        pad = "  " * one.depth
        yield f"{pad}{one.step}  {one.tool}  (for {', '.join(one.used_by)})  {one.thought}".rstrip()
        yield from _shown(f"{pad}  < ", one.input)
        yield from _shown(f"{pad}  > ", one.evidence)
        if one.note:
            yield f"{pad}  note: {one.note}"
        for url in dict.fromkeys(source.url for source in one.sources):
            yield f"{pad}  from {url}"
            quotes = dict.fromkeys(" ".join(s.quote.split()) for s in one.sources if s.url == url and s.quote)
            yield from (f'{pad}    "{quote if len(quote) <= _QUOTE else quote[:_QUOTE] + "..."}"' for quote in quotes)
    if not grounds:
        yield "  it stands on no evidence"


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
        yield "there was nothing to test"
    elif first is None:
        yield "no single evidence flips the answer"
    else:
        yield f"the first step that flips the answer: {first.step} ({first.tool})"
