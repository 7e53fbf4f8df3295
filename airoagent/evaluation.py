"""Questions with known answers, asked of an agent and scored.

    questions = read_questions(Path("questions.jsonl"))
    results = await evaluate(agent, questions, at_once=4)
    print(summary(results).holds.mean)

The scores are SQuAD's exact match and F1 (lower case, without articles and punctuation), whether the answer contains an
accepted one, whether it declined, and the worst case: answered, and wrong. Intervals are percentile bootstraps over the
questions with a fixed seed, so the same results give the same figures.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from airoagent.agent import Agent
from airoagent.errors import UsageError
from airoagent.events import AttemptFailed, PlanRefused, StepFailed
from airoagent.records.run_record import Run
from airoagent.textfiles import read_text

__all__ = ["Figure", "Question", "Result", "Summary", "evaluate", "paired", "read_questions", "score", "summary"]

_MOST_FILE: Final = 512 * 1024 * 1024  # bytes; HotpotQA's training set is as large
_ROUNDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the answers that are right (none: it cannot be answered), and what it is asked over.

    ``context`` are texts to answer from ((): the agent plans and searches); ``source`` is part of the address that the
    answer should be based on ("": not given).
    """

    id: str
    text: str
    answers: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One question's run, scored; scores are 0 to 1. ``hit`` is None where no source was asked for."""

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


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a set. ``hit`` is None where no question names a source; tokens and seconds are per question."""

    questions: int
    exact: Figure
    f1: Figure
    holds: Figure
    declined: Figure
    wrong: Figure
    valid: Figure
    hit: Figure | None
    repairs: Figure
    tool_errors: Figure
    tokens: Figure
    seconds: Figure


# Questions -----------------------------------------------------------------------------------------------------------


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file: JSON Lines of our own, SQuAD (also 2.0) or HotpotQA as their authors publish them.

    A line of ours is ``{"question": ..., "answers": [...]}``, with ``id``, ``context`` (a text, or several by name) and
    ``source`` if wanted. Of a HotpotQA question the first 10 texts are taken, as many as a question may have.
    UsageError names the place that cannot be read.
    """
    text = read_text(path, most=_MOST_FILE)
    try:
        whole = json.loads(text) if text.lstrip()[:1] in ("{", "[") and "\n{" not in text.strip() else None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", "a file of questions is JSON or JSON Lines") from error
    try:
        if isinstance(whole, dict) and isinstance(whole.get("data"), list):
            found = tuple(_squad(whole["data"]))
        elif isinstance(whole, list):
            found = tuple(_hotpot(whole))
        else:
            found = tuple(_lines(text, str(path)))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path} has a question in a form that cannot be read", "use SQuAD's or HotpotQA's files, or JSON Lines"
        ) from error
    if not found:
        raise UsageError(f"{path} contains no questions", 'a line: {"question": "...", "answers": ["..."]}')
    return found


def _lines(text: str, name: str) -> Iterator[Question]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            asked, answers = row["question"], row.get("answers", row.get("answer", []))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{name}:{number}: not a question", '{"question": "...", "answers": ["..."]}') from error
        answers = [answers] if isinstance(answers, str) else answers
        context = row.get("context", ())
        if isinstance(context, dict):
            context = list(context.items())
        given = (("text", context),) if isinstance(context, str) else tuple((str(one), str(it)) for one, it in context)
        if not isinstance(asked, str) or not isinstance(answers, list):
            raise UsageError(f"{name}:{number}: the question must be text and the answers a list of texts")
        id = str(row.get("id", number))
        yield Question(id, asked, tuple(map(str, answers)), given, str(row.get("source", "")))


def _squad(articles: list[Any]) -> Iterator[Question]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = tuple(dict.fromkeys(answer["text"] for answer in asked["answers"]))
                context = ((str(article.get("title", "text")), paragraph["context"]),)
                yield Question(str(asked["id"]), asked["question"], answers, context)


def _hotpot(rows: list[Any]) -> Iterator[Question]:
    for row in rows:
        if not isinstance(row, dict) or "question" not in row:
            raise UsageError("a row of the list is not a question", "each row of a HotpotQA file has a question")
        texts = tuple((title, "".join(sentences)) for title, sentences in row.get("context", ())[:10])
        yield Question(str(row.get("_id", row["question"])), row["question"], (str(row.get("answer", "")),), texts)


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
    """The run's scores. A question without answers is right where the run declines."""
    answer = run.answer if run.status == "done" and run.answered and run.answer is not None else ""
    given, right = _normal(answer), [_normal(one) for one in question.answers]
    declined = not answer.strip()
    exact = max((float(given == one) for one in right), default=float(declined))
    f1 = max((_f1(given, one) for one in right), default=float(declined))
    spaced = f" {' '.join(given)} "
    holds = max((float(f" {' '.join(one)} " in spaced) for one in right if one), default=float(declined))
    hit = None
    if question.source:
        hit = float(any(question.source in source.url for source in run.sources))
    repairs = 0 if run.plan is None else sum(1 for found in run.plan.diagnostics if found.repair)
    errors = sum(isinstance(event, StepFailed | AttemptFailed) for event in run.events)
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
    )


async def evaluate(
    agent: Agent, questions: Sequence[Question], *, at_once: int = 4, told: Callable[[Result], None] | None = None
) -> tuple[Result, ...]:
    """Ask all questions, ``at_once`` concurrently; ``told`` gets each result as it comes. In the questions' order."""
    places = asyncio.Semaphore(at_once)

    async def ask(question: Question) -> Result:
        async with places:
            result = score(question, await agent.arun(question.text, context=question.context))
        if told is not None:
            told(result)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(question)) for question in questions]
    return tuple(task.result() for task in tasks)


# Figures -------------------------------------------------------------------------------------------------------------


def _figure(values: Sequence[float]) -> Figure:
    """The mean and its 95 % percentile-bootstrap interval."""
    count = len(values)
    draw = random.Random(0)
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(_ROUNDS if count > 1 else 1))
    return Figure(sum(values) / count, means[int(0.025 * len(means))], means[int(0.975 * (len(means) - 1))])


def summary(results: Sequence[Result]) -> Summary:
    """The figures of these results, of which there is at least one."""
    figures: dict[str, Any] = {}
    for one in fields(Summary)[1:]:
        values = [float(value) for result in results if (value := getattr(result, one.name)) is not None]
        figures[one.name] = _figure(values) if values else None
    return Summary(len(results), **figures)


def paired(first: Sequence[Result], second: Sequence[Result], name: str = "holds") -> tuple[Figure, float]:
    """How much better the second is at the same questions, with its interval, and how likely so much is by chance.

    The chance is that of a sign-flip permutation test with 1,000 rounds.
    """
    by_id = {result.id: result for result in second}
    gains = [getattr(by_id[one.id], name) - getattr(one, name) for one in first if one.id in by_id]
    if not gains:
        raise UsageError("the two results have no question in common", "compare results of the same file")
    draw, seen = random.Random(0), abs(sum(gains))
    as_large = sum(abs(sum(gain * draw.choice((-1, 1)) for gain in gains)) >= seen for _ in range(_ROUNDS))
    return _figure(gains), as_large / _ROUNDS
