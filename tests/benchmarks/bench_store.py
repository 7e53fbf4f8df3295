"""How fast a store of 100,000 runs lists and searches, and what a run's record costs.

python tests/benchmarks/bench_store.py [RUNS]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent.engine import schema
from airoagent.engine.store import Store
from airoagent.events import Event, RunFinished, RunStarted, StepFinished, StepStarted, Usage, to_json

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
        StepFinished(step="evidence0", tool="t", attempt=1, text=found, sources=(), seconds=0.1, at=at),
        RunFinished(status="done", answer=f"the {other}", sources=(), usage=Usage(), seconds=1.0, at=at),
    )


def fill(store: Store, runs: int) -> None:
    """Write the runs in a few large transactions: what is measured is reading them."""
    for start in range(0, runs, 5000):
        with store._transaction() as db:
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


def main(runs: int) -> None:
    """Fill a store and read it in the ways that users do."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs.sqlite3")
        began = time.perf_counter()
        fill(store, runs)
        size = store._size() / 1e6
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
        timed("record a run of 4 events, each on disk", lambda: _record(store, next(number)))
        store.close()


def _record(store: Store, number: int) -> None:
    for seq, event in enumerate(story(f"new-{number}", number)):
        store.append(f"new-{number}", seq, event)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
