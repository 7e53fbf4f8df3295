"""Results as a log of inspect_ai (its JSON form, version 2), for `inspect view` and `inspect_ai.log.read_eval_log`.

    Path("scores.json").write_text(json.dumps(inspect_log("questions.jsonl", "smollm2", results, began)))

Only what the results hold is written: the question, the accepted answers, the answer and its scores. The steps of a run
are in its trace; each sample names its run in ``metadata``.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from airoagent import __version__
from airoagent.evaluation.scores import SHARES, Result, Summary, summary


def inspect_log(name: str, model: str, results: Sequence[Result], began: float) -> dict[str, Any]:
    """The log of an evaluation that began at that time (seconds since 1970) and has just ended."""
    started, ended = (datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat() for at in (began, _now()))
    figures, total = summary(results), len(results)
    spec = {
        "created": started,
        "task": name,
        "dataset": {"name": name, "samples": total, "sample_ids": [result.id for result in results]},
        "model": f"airo/{model}",
        "config": {"epochs": 1},
        "packages": {"airoagent": __version__},
    }
    scores = [_score(one.name, getattr(figures, one.name), total) for one in fields(Summary)[1:]]
    return {
        "version": 2,
        "status": "success",
        "eval": spec,
        "plan": {"name": "plan", "steps": [{"solver": "airo", "params": {}}]},
        "results": {"total_samples": total, "completed_samples": total, "scores": [one for one in scores if one]},
        "stats": {"started_at": started, "completed_at": ended},
        "samples": [_sample(result, model) for result in results],
    }


def _now() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()


def _score(name: str, figure: Any, total: int) -> dict[str, Any] | None:
    if figure is None:  # no question names a source
        return None
    values = {"mean": figure.mean, "low": figure.low, "high": figure.high}
    metrics = {metric: {"name": metric, "value": value, "params": {}} for metric, value in values.items()}
    return {"name": name, "scorer": name, "scored_samples": total, "params": {}, "metrics": metrics}


def _sample(result: Result, model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": result.question}, {"role": "assistant", "content": result.answer}]
    choice = {"message": messages[1], "stop_reason": "stop"}
    given = {name: getattr(result, name) for name in (*SHARES, "repairs", "tool_errors")}
    return {
        "id": result.id,
        "epoch": 1,
        "input": result.question,
        "target": list(result.wanted),
        "messages": messages,
        "output": {"model": f"airo/{model}", "choices": [choice], "completion": result.answer},
        "scores": {n: {"value": value, "answer": result.answer} for n, value in given.items() if value is not None},
        "metadata": {"run": result.run, "tokens": result.tokens},
        "total_time": result.seconds,
    }
