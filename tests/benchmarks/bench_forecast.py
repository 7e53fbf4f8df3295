"""How far forecasts are off: each run on record is forecast from all others, and compared with what it took.

    python tests/benchmarks/bench_forecast.py                  # the plans of the repository
    python tests/benchmarks/bench_forecast.py STORE [MODEL]    # the runs in a store, e.g. of an evaluation

Calls of tools, tokens, and seconds; the error is the median of |forecast - outcome| / outcome.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from airoagent.events import ModelCalled, StepFinished  # noqa: E402 - the checkout comes first on the path
from airoagent.models.base import Model  # noqa: E402 - as above
from airoagent.models.catalog import open_model  # noqa: E402 - as above
from airoagent.recorded.forecast import forecast, learned  # noqa: E402 - as above
from airoagent.records.run_record import Run, read_trace  # noqa: E402 - as above
from airoagent.records.store import Store  # noqa: E402 - as above


def outcome(run: Run) -> tuple[float, float, float]:
    """Tool calls, tokens of the steps, and seconds after the plan was written."""
    calls = sum(isinstance(event, StepFinished) for event in run.events)
    asked = [event for event in run.events if isinstance(event, ModelCalled)]
    tokens = sum(event.usage.prompt_tokens + event.usage.completion_tokens for event in asked if event.step)
    return calls, tokens, run.seconds - sum(event.seconds for event in asked if not event.step)


def compare(runs: list[Run], model: Model) -> None:
    """Print a line for each run, and the errors."""
    errors: dict[str, list[float]] = {"tool calls": [], "tokens": [], "seconds": []}
    for run in runs:
        assert run.plan is not None
        others = [other for other in runs if other.question != run.question]
        found = forecast(run.plan, model, learned(others, run.model))
        usage = found.usage
        told = (len(found.steps), usage.prompt_tokens + usage.completion_tokens, found.seconds)
        taken = outcome(run)
        for name, a, b in zip(errors, told, taken, strict=True):
            if b:
                errors[name].append(abs(a - b) / b)
        print(
            f"{run.question[:44]:<46} calls {told[0]:>2} {taken[0]:>2}   tokens {told[1]:>6,} {taken[1]:>6,}"
            f"   seconds {told[2]:7.2f} {taken[2]:7.2f}"
        )
    for name, values in errors.items():
        print(f"{name:<12} off by {100 * median(values):.0f} % (median of {len(values)})")


def main() -> None:
    """Compare the plans of the repository, or the runs of a store."""
    if len(sys.argv) == 1:
        traces = [path.read_text(encoding="utf-8").splitlines() for path in sorted((ROOT / "plans").glob("*.jsonl"))]
        return compare([Run.from_events(read_trace(lines)) for lines in traces], open_model("extractive"))
    store = Store(Path(sys.argv[1]))
    runs = [Run.from_events(store.events(row.id)) for row in store.list(1000) if row.status == "done"]
    model = open_model(sys.argv[2] if len(sys.argv) > 2 else "extractive")
    planned = [run for run in runs if run.plan and run.plan.steps and run.model == model.info.name]
    return compare([run for run in planned if "call" not in run.account], model)


if __name__ == "__main__":
    main()
