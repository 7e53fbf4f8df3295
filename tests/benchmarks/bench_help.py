"""What `airo --help` costs compared with a bare ``python -c "import click"``: python tests/benchmarks/bench_help.py

Both are started in turn, so that whatever else the machine does falls on both; the medians and the fastest of each are
compared. The target is 1.3.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 30
TARGET = 1.3
COMMANDS = {
    'python -c "import click"': [sys.executable, "-c", "import click"],
    # What the installed command's script does.
    "airo --help": [sys.executable, "-c", "import sys; from airoagent.cli import main; sys.exit(main(['--help']))"],
}


def seconds(command: list[str]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            taken = seconds(command)
            if number:  # the first round fills the caches
                times[name].append(taken)
    for name, measured in times.items():
        print(f"{name:26} median {statistics.median(measured) * 1e3:6.1f} ms   fastest {min(measured) * 1e3:6.1f} ms")
    base, ours = times.values()
    ratio = statistics.median(ours) / statistics.median(base)
    print(f"ratio of medians {ratio:.2f}, of the fastest {min(ours) / min(base):.2f} (target {TARGET})")


if __name__ == "__main__":
    main()
