"""Check recorded runs in CI: each must give the same answer again, without a model, a tool or a network.

Pass traces that `airo runs export` wrote; without any, the traces in plans/ are replayed.
"""

import sys
from pathlib import Path

from airoagent import Agent, Run, StoreError
from airoagent.records.run_record import read_trace

PLANS = Path(__file__).parent.parent / "plans"


def main() -> int:
    """Replay each trace; return 1 if this version of airoagent would do anything other than what was recorded."""
    agent, failed = Agent(store=False), 0
    for file in [Path(name) for name in sys.argv[1:]] or sorted(PLANS.glob("*.jsonl")):
        try:
            with file.open(encoding="utf-8") as lines:
                run = agent.replay(Run.from_events(read_trace(lines)))
        except StoreError as error:
            print(f"{file.name}: {error.message}")
            failed = 1
        else:
            print(f"{file.name}: {run.status}, the same answer: {run.answer}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
