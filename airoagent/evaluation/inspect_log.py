"""Results as a log of inspect_ai (its JSON form, version 2), for `inspect view` and `inspect_ai.log.read_eval_log`.

    Path("scores.json").write_text(json.dumps(inspect_log("questions.jsonl", "smollm2", results, began)))

Only what the results hold is written: the question, the accepted answers, the answer and its scores. The steps of a run
are in its trace; each sample names its run in ``metadata``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airoagent import __version__
from airoagent.evaluation.scores import SHARES, Figure, Result, summary


def inspect_log(name: str, model: str, results: Sequence[Result], began: float) -> dict[str, Any]:
    """The log of an evaluation that began at that time (seconds since 1970) and has just ended."""
    started, ended = (datetime.fromtimestamp(at, UTC).isoformat() for at in (began, time.time()))
    total = len(results)
    spec = {
        "created": started,
        "task": name,
        "dataset": {"name": name, "samples": total, "sample_ids": [result.id for result in results]},
        "model": f"airo/{model}",
        "config": {"epochs": 1},
        "packages": {"airoagent": __version__},
    }
    scores = [_score(name, figure, total) for name, figure in summary(results).items()]
    return {
        "version": 2,
        "status": "success",
        "eval": spec,
        "plan": {"name": "plan", "steps": [{"solver": "airo", "params": {}}]},
        "results": {"total_samples": total, "completed_samples": total, "scores": scores},
        "stats": {"started_at": started, "completed_at": ended},
        "samples": [_sample(result, model) for result in results],
    }


def _score(name: str, figure: Figure, total: int) -> dict[str, Any]:
    metrics = {metric: {"name": metric, "value": value, "params": {}} for metric, value in asdict(figure).items()}
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
