"""``airo eval``: questions with known answers, asked and scored."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.launch import make_agent
from airoagent.cli.options import SEARCH_RULE, agent_options, refuses
from airoagent.errors import UsageError
from airoagent.textfiles import read_text

if TYPE_CHECKING:
    from airoagent.evaluation import Figure, Result


@click.command("eval")
@click.argument("file", type=click.Path())
@click.option("--out", type=click.Path(dir_okay=False), help="Write one JSON line per question to this file.")
@click.option("--against", type=click.Path(), help="Compare with the --out file of another run of the same questions.")
@click.option("-n", "--limit", type=click.IntRange(1), help="Ask only the first N questions.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=4, show_default=True, help="Maximum runs at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@agent_options()
@refuses(SEARCH_RULE)
def eval_command(
    file: str, out: str | None, against: str | None, limit: int | None, at_once: int, as_json: bool, **flags: Any
) -> int:
    """Ask the questions in FILE and score the answers.

    FILE is JSON Lines ({"question", "answers", optionally "id", "context", "source"}), or a SQuAD or HotpotQA file.
    Scores: exact match and F1 as in SQuAD, holds (the answer contains an accepted one), declined, wrong (answered, but
    not correctly), valid plans, source hits, repairs, tool errors, tokens and seconds; means with 95 %
    bootstrap intervals.

    \b
    Examples:
      airo eval questions.jsonl --docs examples/library --out quoting.jsonl
      airo eval questions.jsonl --docs examples/library -m smollm2 --against quoting.jsonl
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.evaluation import evaluate, paired, read_questions, summary

    questions = read_questions(Path(file))[:limit]
    earlier = _results(against) if against else ()
    agent, _ = make_agent(flags)
    done: list[Result] = []

    def told(result: Result) -> None:
        done.append(result)
        if len(done) % 20 == 0 and not as_json:
            click.echo(f"{len(done):,} of {len(questions):,}", err=True)

    try:
        results = run_in_thread(lambda: evaluate(agent, questions, at_once=at_once, told=told))
    finally:
        agent.close()
        if out:  # also of an evaluation that was stopped
            lines = [json.dumps(dataclasses.asdict(result), ensure_ascii=False) for result in done]
            Path(out).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    figures = summary(results)
    gain = paired(earlier, results) if earlier else None
    if as_json:
        whole: dict[str, Any] = dataclasses.asdict(figures)
        if gain is not None:
            whole["gain"] = {"holds": dataclasses.asdict(gain[0]), "chance": gain[1]}
        click.echo(json.dumps(whole, indent=2))
        return 0
    click.echo(f"{figures.questions:,} questions, {agent.model.info.name}")
    for one in dataclasses.fields(figures)[1:]:
        figure: Figure | None = getattr(figures, one.name)
        if figure is not None:
            click.echo(f"{one.name:<12} {_shown(figure, one.name)}")
    if gain is not None:
        click.echo(f"{'gain':<12} {_shown(gain[0], 'holds')}  in holds; p = {gain[1]:.3f}")
    return 0


def _shown(figure: Figure, name: str) -> str:
    if name in ("repairs", "tool_errors", "tokens", "seconds"):
        return f"{figure.mean:8.2f}  ({figure.low:.2f} to {figure.high:.2f})"
    return f"{100 * figure.mean:6.1f} %  ({100 * figure.low:.1f} to {100 * figure.high:.1f})"


def _results(file: str) -> tuple[Result, ...]:
    from airoagent.evaluation import Result

    try:
        return tuple(Result(**json.loads(line)) for line in read_text(file).split("\n") if line.strip())
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{file} is not the --out file of an evaluation", "write one with --out") from error
