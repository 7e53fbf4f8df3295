"""What the engine costs per step beyond the tools, against bare asyncio; ratios of processor time from one run.

    python tests/benchmarks/bench_engine.py [steps ...]

The baseline is an `asyncio.TaskGroup` with one task and one future a step, which puts the text together as the engine
does and records nothing. Shapes: the six steps of the Nobel question, a chain, a fan of independent steps with a join,
and a layered random graph. The last column is `Agent.aexecute` without a store: the plan written out, every event
booked into the `Run`, and the answer. What a run costs whatever it holds (11 us, 36 us through `Agent`) is most of a
small plan. Bars: engine 1.3 (layered 1.6), agent 2.5. Measured: 1.3 to 1.4 and 2.5 to 2.9 at 6 steps, 1.2 to 1.3 and
2.1 to 2.5 at 10, 0.8 to 1.0 and 1.1 to 1.5 from 100 steps on.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent import Agent, Evidence, Plan, Policy, Toolbox, tool
from airoagent.engine.policy import Services
from airoagent.engine.scheduler import Execution
from airoagent.engine.tasks import Tasks
from airoagent.engine.tool_calls import BoundTool
from airoagent.events import Event
from airoagent.plan.steps import Ref, Step


@tool("T")
async def nothing(text: str) -> str:
    """Returns at once."""
    return "x"


def chain(count: int) -> list[Step]:
    return [Step(f"evidence{i}", "", "T", (f"a{i} ", Ref(f"evidence{i - 1}")) if i else ("a",)) for i in range(count)]


def fan(count: int) -> list[Step]:
    steps = [Step(f"evidence{i}", "", "T", (f"a{i}",)) for i in range(count - 1)]
    join = tuple(Ref(step.id) for step in steps)
    return [*steps, Step(f"evidence{count - 1}", "", "T", join)]


def layers(count: int) -> list[Step]:
    rng = random.Random(7)
    steps = []
    width = max(2, int(count**0.5))
    for i in range(count):
        above = range(max(0, (i // width - 1) * width), i // width * width)
        needs = rng.sample(above, min(len(above), 2))
        steps.append(Step(f"evidence{i}", "", "T", (f"a{i}", *(Ref(f"evidence{n}") for n in needs))))
    return steps


def nobel(count: int) -> list[Step]:
    """Search, links, pages, answer; then the same for a second question that needs the first answer."""
    needs = [(), (0,), (1,), (2, 0), (3,), (4, 3)]
    return [Step(f"evidence{i}", "", "T", (f"a{i}", *(Ref(f"evidence{n}") for n in needs[i]))) for i in range(count)]


async def bare(steps: list[Step]) -> None:
    loop = asyncio.get_running_loop()
    found: dict[str, asyncio.Future[str]] = {step.id: loop.create_future() for step in steps}

    async def run(step: Step) -> None:
        text = "".join([part if isinstance(part, str) else await found[part.id] for part in step.template])
        found[step.id].set_result(await nothing(text))

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(run(step))


@functools.cache
def common() -> tuple[Toolbox, Policy, dict[str, BoundTool]]:
    """What all runs of a session share."""
    return Toolbox([nothing]), Policy(), {}


async def engine(steps: list[Step]) -> None:
    events: list[Event] = []

    async def never(*args: object) -> bool:
        return False

    tools, policy, bound = common()
    services = Services("q", tools, policy, events.append, never, never, None, bound=bound)  # type: ignore[arg-type]
    async with Tasks() as tasks:
        execution = Execution(services, tasks)
        execution.add(*steps)
    assert len(execution.found) == len(steps) and isinstance(execution.found[steps[-1].id], Evidence)


@functools.cache
def ready() -> Agent:
    return Agent(tools=[nothing], store=False)


async def agent(steps: list[Step]) -> None:
    run = await ready().aexecute(Plan(tuple(steps), (Ref(steps[-1].id),)))
    assert run.status == "done", run.failure


async def seconds(work, steps: list[Step], runs: int) -> float:  # type: ignore[no-untyped-def]
    """Processor time of one run, of several in a loop that runs already: its start and end would hide a run's own."""
    gc.collect()
    began = time.process_time()
    for _ in range(runs):
        await work(steps)
    return (time.process_time() - began) / runs


async def measure(shape, size: int) -> None:  # type: ignore[no-untyped-def]
    steps = shape(size)
    runs, rounds = max(1, 2000 // size), 9 if size <= 1000 else 3
    taken = [[await seconds(work, steps, runs) for work in (bare, engine, agent)] for _ in range(rounds + 1)][1:]
    base, ours, whole = (statistics.median(column) for column in zip(*taken, strict=True))
    per = 1e6 / size
    print(
        f"{shape.__name__:<7}{size:>7} steps  bare {base * per:7.1f} us  engine {ours * per:7.1f} us"
        f"  ratio {ours / base:5.2f}  agent {whole / base:5.2f}",
        flush=True,
    )


def main() -> None:
    """Print microseconds a step and the ratio, for each shape and size."""
    sizes = [int(arg) for arg in sys.argv[1:]] or [10, 100, 200, 1000, 10000]
    for shape in (nobel, chain, fan, layers):
        for size in sizes if shape is not nobel else [6]:
            asyncio.run(measure(shape, size))


if __name__ == "__main__":
    main()
