"""What a user waits for before a question is answered, in processor time.

    python tests/benchmarks/bench_start.py [ROUNDS]

Every command is started in turn with the baselines (a bare Python, one that imports click), and the best of each is
compared. Bars: `--version` 2 times Python, `--help` 1.3 times click, the first line of the README's question within
100 ms and its answer within 400 ms of processor time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Who won the Nobel Prize in Literature in 2020 and what is their most famous work?"
# What the installed command's script does; and the time of the first text on stderr.
AIRO = "import sys; from airoagent.cli import main; main(sys.argv[1:])"
STAMPED = f"""
import io, sys, time
class Stamped(io.TextIOWrapper):
    first = 0.0
    def write(self, text):
        Stamped.first = Stamped.first or time.process_time()
        return super().write(text)
sys.stderr = Stamped(sys.stderr.buffer, line_buffering=True)
try:
    {AIRO}
finally:
    print("first", Stamped.first, file=sys.__stdout__)
"""
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "airo --version": ["-c", AIRO, "--version"],
    "airo --help": ["-c", AIRO, "--help"],
    "airo QUESTION": ["-c", STAMPED, "--docs", "examples/library", QUESTION],
    "airo runs": ["-c", AIRO, "runs"],
}


def children() -> float:
    """Seconds of processor time of all processes that have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(rounds: int) -> None:
    """Measure and print."""
    best = dict.fromkeys([*COMMANDS, "  its first line"], float("inf"))
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as where a user has installed it
        for number in range(rounds + 1):
            environment["AIRO_HOME"] = f"{home}/{number}"  # the question is a user's first
            for name, words in COMMANDS.items():
                before = children()
                command = [sys.executable, *words]
                done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
                if number:  # the first round fills the caches
                    best[name] = min(best[name], children() - before)
                    if name == "airo QUESTION":
                        first = float(done.stdout.rpartition("first ")[2])
                        best["  its first line"] = min(best["  its first line"], first)
    python, click = best["python -c pass"], best["import click"]
    for name, seconds in best.items():
        ratios = f"{seconds / python:5.1f} times python  {seconds / click:5.1f} times click"
        print(f"{name:18}{seconds * 1e3:7.1f} ms  {ratios}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
