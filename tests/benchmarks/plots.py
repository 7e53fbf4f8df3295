"""Draws the two plots of docs/explanation/limits.md from one run of the benchmarks, on this machine and now.

    pip install matplotlib && python tests/benchmarks/plots.py docs/explanation

Ratios and counts, not times: they say the same on another machine. matplotlib is needed for this script alone.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import matplotlib  # noqa: E402 - the checkout comes first on the path

from airoagent import Agent, Step  # noqa: E402 - as above
from airoagent.evaluation.question_files import Question  # noqa: E402 - as above
from airoagent.evaluation.scores import evaluate  # noqa: E402 - as above
from tests.benchmarks.bench_engine import agent, bare, chain, engine, fan, layers  # noqa: E402 - as above
from tests.benchmarks.bench_react import without_a_mistake  # noqa: E402 - as above

matplotlib.use("svg")
matplotlib.rcParams.update(
    {"svg.hashsalt": "airo", "svg.fonttype": "none", "font.size": 10, "figure.figsize": (6.4, 3.4)}
)

from matplotlib import pyplot  # noqa: E402 - after the backend is chosen


def cpu_seconds(work: Callable[[list[Step]], Coroutine[Any, Any, None]], steps: list[Step]) -> float:
    """Processor time, which other work on the machine does not change."""
    began = time.process_time()
    asyncio.run(work(steps))
    return time.process_time() - began


def overhead(folder: Path) -> None:
    """What the engine and a recorded-in-memory run cost, as a multiple of bare asyncio, by number of steps."""
    sizes = (10, 30, 100, 300, 1000)
    ratios: dict[str, list[float]] = {"engine": [], "agent.execute": []}
    for size in sizes:
        found: list[tuple[float, float]] = []
        for steps in (shape(size) for shape in (chain, fan, layers)):
            for _ in range(max(3, 200 // size)):
                base, ours, whole = (cpu_seconds(work, steps) for work in (bare, engine, agent))
                found.append((ours / base, whole / base))
        for name, column in zip(ratios, zip(*found, strict=True), strict=True):
            ratios[name].append(statistics.median(column))
    for name, values in ratios.items():
        pyplot.plot(sizes, values, marker="o", label=name)
        print(name, [round(value, 2) for value in values])
    pyplot.xscale("log")
    pyplot.ylim(0)
    pyplot.xlabel("steps of the plan")
    pyplot.ylabel("times a bare TaskGroup")
    _save(folder / "engine.svg")


def tokens(folder: Path) -> None:
    """Words read and written for each question: with its plan, and by a loop that makes the same calls."""
    with tempfile.TemporaryDirectory() as place:
        asking = Agent(docs=[ROOT / "examples" / "library"], store=Path(place) / "runs.sqlite3")
        rows = json.loads((ROOT / "tests/data/library_questions.json").read_text(encoding="utf-8"))
        asked = [Question(str(n), row["question"], ()) for n, row in enumerate(rows) if row["answers"]][::2]
        planned = asyncio.run(evaluate(asking, asked, at_once=1))
        runs = [asking.session.load(one.run) for one in planned]
        looped = [without_a_mistake(asking, run) for run in runs]
        asking.close()
    with_plan = [one.tokens for one in planned]
    most = max(with_plan)
    pyplot.plot([0, most], [0, most], color="#999999", label="as many as with a plan")
    for count in sorted({len(run.evidence) for run in runs}):
        here = [n for n, run in enumerate(runs) if len(run.evidence) == count]
        pyplot.scatter([with_plan[n] for n in here], [looped[n] for n in here], s=16, label=f"{count} calls")
    print("with a plan", statistics.mean(with_plan), "loop", statistics.mean(looped))
    pyplot.xlim(0)
    pyplot.ylim(0)
    pyplot.xlabel("words with a plan")
    pyplot.ylabel("words in a loop, same calls")
    _save(folder / "tokens.svg")


def _save(path: Path) -> None:
    pyplot.legend(frameon=False)
    pyplot.tight_layout()
    pyplot.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/explanation")
    overhead(target)
    tokens(target)
