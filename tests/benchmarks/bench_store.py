"""How fast a store of 100,000 runs lists and searches, and what a run's record costs.

python tests/benchmarks/bench_store.py [RUNS]
python tests/benchmarks/bench_store.py 0        only what a record costs a step, with and without a store
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent import Agent, ScriptedModel, tool
from airoagent.events import Event, Evidence, RunFinished, RunStarted, StepFinished, StepStarted, Usage, to_json
from airoagent.plan.parser import parse_plan
from airoagent.records import schema
from airoagent.records.store import Store

WORDS = (
    "river",
    "lake",
    "tower",
    "moon",
    "poet",
    "prize",
    "metal",
    "coffee",
    "clock",
    "whale",
    "storm",
    "harbour",
    "garden",
    "signal",
    "letter",
    "window",
)


def story(run: str, number: int) -> tuple[Event, ...]:
    """The events of one small run; every run has `common` in its evidence, every 1,000th `rare`."""
    at = 1.7e9 + number
    word, other = WORDS[number % 16], WORDS[number // 16 % 16]
    found = f"common {other} " + ("rare " if number % 1000 == 0 else "") + f"number{number} " + "and more text " * 12
    return (
        RunStarted(run=run, question=f"What of the {word} number {number}?", model="m", at=at),
        StepStarted(step="evidence0", tool="t", input="x", at=at),
        StepFinished(Evidence("evidence0", "t", found, at=at), attempt=1, seconds=0.1),
        RunFinished(status="done", answer=f"the {other}", sources=(), usage=Usage(), seconds=1.0, at=at),
    )


def fill(store: Store, runs: int) -> None:
    """Write the runs in a few large transactions: what is measured is reading them."""
    for start in range(0, runs, 5000):
        with store.transaction("the runs cannot be written") as db:
            for number in range(start, min(start + 5000, runs)):
                run = f"20260101-{number:06d}-bench"
                for seq, event in enumerate(story(run, number)):
                    body = to_json(event)
                    row = (run, seq, event.type, getattr(event, "step", ""), event.at, json.dumps(body))
                    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
                    store._list(db, run, event)
                    schema.add_words(db, run, event.type, body)


def timed(what: str, work: Callable[[], object]) -> None:
    """Print the median of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    count = len(result) if isinstance(result, tuple) else ""
    print(f"{what:<58} {sorted(times)[2] * 1000:9.2f} ms  {count}")


@tool
async def echo(text: str) -> str:
    """Finds a page of 2 kB."""
    return f"{text} and more text " * 100


def cost_of_a_step(steps: int = 100, rounds: int = 9) -> None:
    """Print the medians of both lanes, run in turn, and how many times longer a step takes with a record."""
    lines = [f":evidence{number}: = echo[what of {number}]" for number in range(steps)]
    plan = parse_plan("\n".join(lines) + f"\nAnswer: :evidence{steps - 1}:", ["echo"])
    with tempfile.TemporaryDirectory() as folder:
        lanes = {"no store": False, "store": f"{folder}/runs.sqlite3"}
        agents = {name: Agent(ScriptedModel({}), [echo], store=store) for name, store in lanes.items()}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in lanes}
        for _ in range(rounds):
            for name, agent in agents.items():
                wall, cpu = time.perf_counter(), time.process_time()
                assert agent.execute(plan).status == "done"
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        medians = {
            name: [sorted(column)[rounds // 2] for column in zip(*rows, strict=True)] for name, rows in times.items()
        }
        for name, (wall, cpu) in medians.items():
            ratio = [now / then for now, then in zip((wall, cpu), medians["no store"], strict=True)]
            each = f"{wall / steps * 1000:.3f} ms wall, {cpu / steps * 1000:.3f} ms CPU a step"
            print(f"{name:<10} {each} ({ratio[0]:.1f} and {ratio[1]:.1f} times no store)")


def main(runs: int) -> None:
    """Fill a store and read it in the ways that users do."""
    cost_of_a_step()
    if not runs:
        return
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs.sqlite3")
        began = time.perf_counter()
        fill(store, runs)
        size = store.path.stat().st_size / 1e6
        print(f"{runs:,} runs written in {time.perf_counter() - began:.1f} s, {size:.0f} MB")
        timed("open the store", lambda: Store(store.path).close())
        timed("list the newest 20", lambda: store.list(20))
        timed("list 1,000", lambda: store.list(1000))
        timed("search a word that every run has", lambda: store.list(20, "common"))
        timed("search two words", lambda: store.list(20, "common whale"))
        timed("search a word that every 1,000th run has", lambda: store.list(1000, "rare"))
        timed("search a word of one run", lambda: store.list(20, f"number{runs // 2}"))
        timed("search the beginning of a word", lambda: store.list(20, "numb"))
        timed("search a word that no run has (then questions, as text)", lambda: store.list(20, "absent"))
        timed("find a run by the beginning of its id", lambda: store.find(f"20260101-{runs // 2:06d}"))
        timed("find @last", lambda: store.find("@last"))
        timed("read a run's events", lambda: store.events(f"20260101-{runs // 2:06d}-bench"))
        number = iter(range(10**9))
        timed("record a run of 4 events, each committed", lambda: _record(store, next(number)))
        store.close()


def _record(store: Store, number: int) -> None:
    for seq, event in enumerate(story(f"new-{number}", number)):
        store.append(f"new-{number}", seq, event)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
