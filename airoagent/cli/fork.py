"""``airo fork``: change a step of a recorded run and run only what depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, complete, display_options

if TYPE_CHECKING:
    from airoagent.records.run_record import Run


@click.command("fork")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--edit", "edits", multiple=True, metavar="STEP[=INPUT]", help="Another input; without one: $EDITOR.")
@click.option("--set", "sets", multiple=True, metavar="STEP=TEXT|@FILE", help="Evidence in place of a call.")
@click.option("--plan", "plan_file", metavar="FILE", help="Another plan; what it has in common is not run again.")
@agent_options(without=("replan", "web"))
@display_options
def command(
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
    from airoagent.cli.answer import print_run
    from airoagent.cli.recorded import agent_for, named_values
    from airoagent.cli.run import text_of
    from airoagent.cli.runs import load_run
    from airoagent.cli.watch import make_watch

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
    from airoagent.errors import StoreError, UsageError
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
