"""A batch that is killed again and again: how many questions were asked twice, lost, or answered a second.

    python tests/benchmarks/bench_batch.py --questions 10000 --kills 10 --jobs 2

Each kill is `kill -9` at a random moment: of the whole batch, of its first process alone, or of one of its jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "examples" / "library"
ASKED = ("How deep is Lake Baikal?", "Where do otters sleep?", "What do otters eat?", "How old is Lake Baikal?")


@dataclass(frozen=True)
class Outcome:
    """What is in the output and in the store after the last start."""

    questions: int
    kills: int
    starts: int
    lines: int
    done: int
    lost: int
    twice: int
    seconds: float


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def kill(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill the batch, its first process, or one job."""
    jobs = children(process.pid)
    doomed = chance.choice([[process.pid, *jobs], [process.pid], jobs[:1] or [process.pid]])
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def lines_of(out: Path) -> int:
    return out.read_bytes().count(b"\n") if out.exists() else 0


def run(folder: Path, questions: int, kills: int, jobs: int, seed: int = 7) -> Outcome:
    """Ask so many questions, killing so many times, each time somewhere within the share of one kill."""
    out, home, chance = folder / "answers.jsonl", folder / "home", random.Random(seed)
    texts = [f"Question {number}: {ASKED[number % len(ASKED)]}" for number in range(questions)]
    (folder / "questions.txt").write_text("\n".join(texts), encoding="utf-8")
    command = [sys.executable, "-m", "airoagent", "batch", str(folder / "questions.txt"), "--docs", str(LIBRARY)]
    command += ["--out", str(out), "--jobs", str(jobs), "--quiet"]
    environ = {**os.environ, "AIRO_HOME": str(home)}
    began, starts, killed, share = time.monotonic(), 0, 0, questions // (kills + 1)
    while True:
        starts += 1
        with subprocess.Popen(command, env=environ) as process:
            while killed < kills and process.poll() is None:
                goal = lines_of(out) + chance.randrange(max(1, share // 2), share + 1)
                while lines_of(out) < goal and process.poll() is None:
                    time.sleep(0.005)
                if process.poll() is None:
                    kill(process, chance)
                    killed += 1
                    time.sleep(0.05)  # for the system to take a killed process away
        if process.returncode != -signal.SIGKILL:
            break
    assert process.returncode in (0, 8), process.returncode  # 8: some answer says that there is none
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines() if line]
    with closing(sqlite3.connect(home / "state" / "runs.sqlite3")) as store:
        runs = Counter(question for (question,) in store.execute("SELECT question FROM runs"))
    lines = Counter(row["question"] for row in rows)
    return Outcome(
        questions,
        killed,
        starts,
        len(rows),
        sum(row["status"] == "done" for row in rows),
        sum(not lines[text] for text in texts),
        sum(max(lines[text], runs[text]) > 1 for text in texts),
        time.monotonic() - began,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in (("questions", 10_000), ("kills", 10), ("jobs", 2), ("seed", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        outcome = run(Path(place), given.questions, given.kills, given.jobs, given.seed)
    print(outcome)
    print(f"{outcome.questions / outcome.seconds:.1f} questions a second")
    sys.exit(outcome.lost + outcome.twice > 0)
