"""``airo why``: what an answer stands on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, complete, refuse_given

if TYPE_CHECKING:
    from airoagent.recorded.grounds import Ground, Trial
    from airoagent.records.run_record import Run

_HEAD = 400  # characters of an evidence that is shown
_QUOTE = 200  # and of a quoted passage


@click.command("why")
@click.argument("run_id", metavar="ID|FILE", default="@last", shell_complete=complete(lambda: ("@last",)))
@click.option("--bisect", is_flag=True, help="Take away one evidence at a time and see whether the answer holds.")
@click.option("--swap", is_flag=True, help="With --bisect: give a step the evidence of another in place of none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@agent_options("model", "tools", "limits", without=("replan", "web"))
def command(run_id: str, bisect: bool, swap: bool, as_json: bool, **flags: Any) -> int:
    """Walk back from the answer of a run: which evidence it stands on, which passages, which pages.

    With --bisect the run is replayed without (or with another) evidence of one step at a time; only the model's steps
    are asked again. The first step that flips the answer is named.
    """
    from airoagent.cli.display import plain
    from airoagent.cli.recorded import agent_for
    from airoagent.cli.runs import load_run
    from airoagent.engine.sync import run_in_thread
    from airoagent.errors import UsageError
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
        click.echo(plain("\n".join([*_story(run, grounds), *(_trials(trials) if bisect else ())])))
    return 0


def _story(run: Run, grounds: tuple[Ground, ...]) -> Iterator[str]:
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
