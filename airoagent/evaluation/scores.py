"""Asks an agent questions with known answers, and scores what it answers.

    questions = read_questions(Path("questions.jsonl"))                 # question_files
    results = await evaluate(agent, questions, at_once=4)
    print(summary(results)["holds"].mean)

The scores are SQuAD's exact match and F1 (in lower case, without articles and punctuation), whether the answer contains
an accepted one, whether the agent declined, and the worst case: it answered wrongly. Intervals are percentile
bootstraps over the questions with a fixed seed, so the same results give the same figures.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from airoagent.agent import Agent
from airoagent.engine.tasks import first_of
from airoagent.errors import UsageError
from airoagent.evaluation.question_files import Question
from airoagent.evaluation.react import react
from airoagent.events import AttemptFailed, PlanRefused, StepFailed
from airoagent.frozen import frozen
from airoagent.records.run_record import Run

_ROUNDS: Final = 1000
SHARES: Final = ("exact", "f1", "holds", "declined", "wrong", "valid", "hit")
PARTS: Final = ("planner", "reader", "call")
FIGURES: Final = (*SHARES, "repairs", "tool_errors", "tokens", "seconds", *PARTS)
"""What is counted of each question, as `Result` has it; tokens and seconds are per question."""


@frozen
class Result:
    """The scores of one question's run, each from 0 to 1. ``hit`` is None if the question names no source.

    ``tokens`` are all that models read and wrote; ``planner``, ``reader`` and ``call`` are the parts that the plan, the
    tools and single calls took (`airoagent.records.run_record.Run.account`).
    """

    id: str
    run: str
    answer: str
    exact: float
    f1: float
    holds: float
    declined: float
    wrong: float
    valid: float
    hit: float | None
    repairs: int
    tool_errors: int
    tokens: int
    seconds: float
    planner: int = 0
    reader: int = 0
    call: int = 0
    question: str = ""
    wanted: tuple[str, ...] = ()


@frozen
class Figure:
    """A mean over questions with its 95 % interval."""

    mean: float
    low: float
    high: float


# Scores --------------------------------------------------------------------------------------------------------------


_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "’‘“”–—")


def _normal(text: str) -> list[str]:
    """The words that SQuAD's evaluation compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(given: list[str], right: list[str]) -> float:
    shared = sum((Counter(given) & Counter(right)).values())
    return 2 * shared / (len(given) + len(right)) if shared else float(given == right)


def score(question: Question, run: Run) -> Result:
    """The run's scores. If a question has no accepted answers, it is right to decline."""
    answer = run.answer if run.status == "done" and run.answered and run.answer is not None else ""
    given, right = _normal(answer), [_normal(one) for one in question.answers]
    declined = not answer.strip()
    exact = max((float(given == one) for one in right), default=float(declined))
    f1 = max((_f1(given, one) for one in right), default=float(declined))
    spaced = f" {' '.join(given)} "
    holds = max(exact, *(float(f" {' '.join(one)} " in spaced) for one in right if one), 0.0)
    hit = None
    if question.source:
        hit = float(any(question.source in source.url for source in run.sources))
    repairs = 0 if run.plan is None else sum(1 for found in run.plan.diagnostics if found.repair)
    errors = sum(isinstance(event, StepFailed | AttemptFailed) for event in run.events)
    account = {name: usage.prompt_tokens + usage.completion_tokens for name, usage in run.account.items()}
    return Result(
        question.id,
        run.id,
        run.answer or "",
        exact,
        f1,
        holds,
        float(declined),
        float(not declined and not holds),
        float(
            run.plan is not None and not any(isinstance(event, PlanRefused) and not event.retry for event in run.events)
        ),
        hit,
        repairs,
        errors,
        run.usage.prompt_tokens + run.usage.completion_tokens,
        run.seconds,
        account.get("planner", 0),
        account.get("reader", 0),
        account.get("call", 0),
        question.text,
        question.answers,
    )


def read_result(line: str) -> Result:
    """The result in a line of JSON; ValueError or TypeError if it is not one."""
    result = Result(**json.loads(line))
    numbers = [value for name in FIGURES if (value := getattr(result, name)) is not None or name != "hit"]
    texts = [result.id, result.run, result.answer, result.question, *result.wanted]
    if not all(isinstance(text, str) for text in texts) or not all(abs(number) < 1e15 for number in numbers):
        raise ValueError("not a result")
    return result


async def evaluate(
    agent: Agent,
    questions: Sequence[Question],
    *,
    at_once: int = 4,
    baseline: bool = False,
    told: Callable[[Result], None] | None = None,
) -> tuple[Result, ...]:
    """Ask all questions, ``at_once`` concurrently; returns the results in the questions' order.

    ``told`` is called with each result as it comes. With ``baseline`` the questions are asked in a loop without a plan
    (`react`); UsageError if one has texts of its own.
    """
    if baseline and (own := next((one for one in questions if one.context), None)) is not None:
        raise UsageError(
            f"question {own.id} comes with texts to answer from, so nothing is looked up, with a plan or without",
            "search for the answers instead: --without-context",
        )
    places = asyncio.Semaphore(at_once)

    async def ask(question: Question) -> Result:
        async with places:
            if baseline:
                run = await react(agent, question.text)
            else:
                run = await agent.arun(question.text, context=question.context)
            result = score(question, run)
        if told is not None:
            told(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(question)) for question in questions]
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
    return tuple(task.result() for task in tasks)


# Figures -------------------------------------------------------------------------------------------------------------


def _figure(values: Sequence[float]) -> Figure:
    """The mean and its 95 % percentile-bootstrap interval."""
    count = len(values)
    draw = random.Random(0)
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(_ROUNDS if count > 1 else 1))
    return Figure(sum(values) / count, means[int(0.025 * len(means))], means[int(0.975 * (len(means) - 1))])


def shown_figure(figure: Figure, name: str) -> str:
    """A figure as text: shares as percentages, counts and times as they are."""
    if name in SHARES:
        return f"{100 * figure.mean:6.1f} %  ({100 * figure.low:.1f} to {100 * figure.high:.1f})"
    places = 2 if name in ("repairs", "tool_errors", "seconds") else 0
    return f"{figure.mean:8,.{places}f}  ({figure.low:,.{places}f} to {figure.high:,.{places}f})"


def summary(results: Sequence[Result]) -> dict[str, Figure]:
    """The figures of these results (at least one) by name; there is no ``hit`` if no question names a source."""
    values = {name: [value for one in results if (value := getattr(one, name)) is not None] for name in FIGURES}
    return {name: _figure(found) for name, found in values.items() if found}


def paired(first: Sequence[Result], second: Sequence[Result], name: str = "holds") -> tuple[Figure, float]:
    """How much better the second results are for the same questions, with an interval, and the p-value.

    The p-value is that of a sign-flip permutation test with 1,000 rounds.
    """
    by_id = {result.id: result for result in second}
    gains = [getattr(by_id[one.id], name) - getattr(one, name) for one in first if one.id in by_id]
    if not gains:
        raise UsageError("the two results have no question in common", "compare results of the same file")
    draw, seen = random.Random(0), abs(sum(gains))
    as_large = sum(abs(sum(gain * draw.choice((-1, 1)) for gain in gains)) >= seen for _ in range(_ROUNDS))
    return _figure(gains), (as_large + 1) / (_ROUNDS + 1)  # what was seen is one of the rounds, so never 0
