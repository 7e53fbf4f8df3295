"""``airo eval``: asks questions with known answers and scores the answers."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from airoagent.cli.launch import make_agent
from airoagent.cli.options import SEARCH_RULE, agent_options, refuses
from airoagent.errors import StoreError, UsageError
from airoagent.textfiles import MOST_TRACE, read_text

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.evaluation.scores import Result
    from airoagent.records.run_record import Run


@click.command("eval")
@click.argument("file", type=click.Path())
@click.option("--out", type=click.Path(dir_okay=False), help="Write one JSON line per question to this file.")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(),
    help="Compare with the --out file of another run of the same questions (repeatable).",
)
@click.option("--html", type=click.Path(dir_okay=False), help="Write a page with plots and every run to this file.")
@click.option(
    "--inspect-log",
    type=click.Path(dir_okay=False),
    metavar="FILE.json",
    help="Write the results as a log of inspect_ai to this file.",
)
@click.option(
    "--baseline",
    type=click.Choice(["react"]),
    help="Ask in a think-act-observe loop without a plan, with the same model and tools.",
)
@click.option("--without-context", is_flag=True, help="Search for the answers, even if FILE has texts to read.")
@click.option("-n", "--limit", type=click.IntRange(1), help="Ask only the first N questions.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=4, show_default=True, help="Maximum runs at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@agent_options()
@refuses(SEARCH_RULE)
def eval_command(
    file: str,
    out: str | None,
    against: tuple[str, ...],
    html: str | None,
    inspect_log: str | None,
    baseline: str | None,
    without_context: bool,
    limit: int | None,
    at_once: int,
    as_json: bool,
    **flags: Any,
) -> int:
    """Ask the questions in FILE and score the answers.

    FILE is JSON Lines ({"question", "answers", optionally "id", "context", "source"}), JSON or CSV, as SQuAD, HotpotQA,
    ReWOO and LLMCompiler publish their questions. Scores: exact match and F1 as in SQuAD, holds (the answer contains an
    accepted one), declined, wrong (answered, but not correctly), valid plans, source hits, repairs, tool errors, tokens
    (and those of planner, reader and single calls) and seconds; means with 95 % bootstrap intervals.

    \b
    Examples:
      airo eval questions.jsonl --docs examples/library --out quoting.jsonl --html quoting.html
      airo eval questions.jsonl --docs examples/library -m smollm2 --against quoting.jsonl
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.evaluation.question_files import read_questions
    from airoagent.evaluation.scores import evaluate

    questions = read_questions(Path(file))[:limit]
    if without_context:
        questions = tuple(dataclasses.replace(one, context=()) for one in questions)
    sets = _earlier_sets(against, {one.id for one in questions}, file)
    _check_names(out, html, inspect_log)
    agent, _ = make_agent(flags)
    began = time.time()
    with closing(agent), _written(out, file) as lines, _written(html, file) as page, _written(inspect_log, file) as log:
        done = 0

        def save(result: Result) -> None:
            nonlocal done
            done += 1
            if lines is not None:  # at once: an evaluation may be stopped
                lines.write(json.dumps(dataclasses.asdict(result), ensure_ascii=False) + "\n")
                lines.flush()
            if done % 20 == 0 and not as_json:
                click.echo(f"{done:,} of {len(questions):,}", err=True)

        name = _free(Path(out).stem if out else baseline or "planned", sets)
        sets[name] = run_in_thread(
            lambda: evaluate(agent, questions, at_once=at_once, baseline=baseline == "react", told=save)
        )
        if page is not None:
            page.write(_page(Path(file).name, sets, agent))
        if log is not None:
            from airoagent.evaluation.inspect_log import inspect_log as log_of

            json.dump(log_of(Path(file).name, agent.model.info.name, sets[name], began), log, ensure_ascii=False)
    click.echo(_as_json(sets) if as_json else "\n".join(_table(sets, agent.model.info.name)))
    return 0


def _earlier_sets(files: Sequence[str], ids: set[str], questions: str) -> dict[str, Sequence[Result]]:
    """The results of earlier evaluations by name; UsageError if one has none of these questions."""
    sets: dict[str, Sequence[Result]] = {}
    for file in files:
        sets[_free(Path(file).stem, sets)] = results = _results(file)
        if not {one.id for one in results} & ids:
            raise UsageError(f"{file} has no question in common with {questions}", "compare results of the same file")
    return sets


def _check_names(out: str | None, html: str | None, inspect_log: str | None) -> None:
    written = [Path(one).absolute() for one in (out, html, inspect_log) if one]
    if len(set(written)) < len(written):
        raise UsageError("two of --out, --html and --inspect-log name the same file", "write to different files")
    if inspect_log and not inspect_log.endswith(".json"):
        raise UsageError(f"{inspect_log} is not a .json file", "inspect_ai goes by the ending of the name")


@contextmanager
def _written(path: str | None, questions: str) -> Iterator[IO[str] | None]:
    """A file to write to, opened before anything is asked; None if ``path`` is None."""
    if path is None:
        yield None
        return
    if Path(path).exists() and Path(path).samefile(questions):
        raise UsageError(f"{path} is the file of questions", "write to another file")
    with Path(path).open("w", encoding="utf-8") as file:
        yield file


def _free(name: str, taken: Mapping[str, object]) -> str:
    """The name, with a number if another set has it."""
    names = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _results(file: str) -> tuple[Result, ...]:
    from airoagent.evaluation.scores import read_result

    try:
        found = tuple(read_result(line) for line in read_text(file, most=MOST_TRACE).split("\n") if line.strip())
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{file} is not the --out file of an evaluation", "write one with --out") from error
    if not found:
        raise UsageError(f"{file} contains no results", "write one with --out")
    return found


def _table(sets: Mapping[str, Sequence[Result]], model: str) -> Iterator[str]:
    """The figures of the sets side by side; the last set, this evaluation's, is compared with the others."""
    from airoagent.evaluation.scores import FIGURES, paired, shown_figure, summary

    *others, now = sets
    figures, count = [summary(results) for results in sets.values()], len(sets[now])
    yield f"{count:,} question{'s' * (count != 1)}, {model}"
    if others:
        yield " " * 13 + "".join(f"{name[:30]:<32}" for name in sets).rstrip()
    for name in FIGURES:
        if any(name in one for one in figures):
            cells = (shown_figure(one[name], name) if name in one else "" for one in figures)
            yield f"{name:<12} " + "".join(f"{cell:<32}" for cell in cells).rstrip()
    for name in others:
        gain, chance = paired(sets[name], sets[now])
        yield f"{'gain':<12} {shown_figure(gain, 'holds')}  in holds over {name}; p = {chance:.3f}"
        more, chance = paired(sets[name], sets[now], "tokens")
        yield f"{'tokens':<12} {shown_figure(more, 'tokens')}  compared with {name}; p = {chance:.3f}"


def _as_json(sets: Mapping[str, Sequence[Result]]) -> str:
    from airoagent.evaluation.scores import FIGURES, paired, summary

    def whole(results: Sequence[Result]) -> dict[str, Any]:
        figures = {name: dataclasses.asdict(figure) for name, figure in summary(results).items()}
        return {"questions": len(results), **dict.fromkeys(FIGURES), **figures}

    *others, now = sets
    compared = {name: whole(sets[name]) for name in others}
    for name, one in compared.items():
        for score in ("holds", "tokens"):
            gain, chance = paired(sets[name], sets[now], score)
            one[f"gain_in_{score}"] = {**dataclasses.asdict(gain), "chance": chance}
    return json.dumps(whole(sets[now]) | ({"against": compared} if others else {}), indent=2)


def _page(title: str, sets: Mapping[str, Sequence[Result]], agent: Agent) -> str:
    from airoagent.evaluation.score_page import score_page

    def run_of(id: str) -> Run | None:
        try:
            return agent.session.load(id)
        except (StoreError, UsageError):  # not recorded, removed, or on another machine
            return None

    return score_page(title, sets, run_of)
