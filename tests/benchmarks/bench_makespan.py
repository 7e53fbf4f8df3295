"""How near a run comes to the time it must take: sleeping tools against the critical path, a streamed plan against its
bound, memory a step, and many runs at once against bare asyncio. Ratios from one run.

    python tests/benchmarks/bench_makespan.py [RUNS, default 1000]
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent import Agent, Chunk, ModelInfo, Plan, Policy, Prompt, Ref, Step, tool
from tests.benchmarks.bench_engine import bare, engine, layers

TOKENS_A_SECOND = 30


@tool("Sleep")
async def sleep(text: str) -> str:
    """Sleeps for the seconds that its input begins with."""
    await asyncio.sleep(float(text.split()[0]))
    return "x"


class Typist:
    """A model that writes a plan at 30 tokens of four characters a second."""

    info = ModelInfo("typist", "test", None, "none")

    def __init__(self, text: str) -> None:
        self.text = text

    def wrap(self, prompt: str) -> str:
        return prompt

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        begun = time.perf_counter()
        for number, start in enumerate(range(0, len(self.text), 4), 1):
            await asyncio.sleep(max(0.0, begun + number / TOKENS_A_SECOND - time.perf_counter()))
            yield Chunk(self.text[start : start + 4])
        yield Chunk("", "stop")

    async def aclose(self) -> None:
        return


def agent(text: str = "") -> Agent:
    return Agent(Typist(text), [sleep], store=False, policy=Policy(concurrency=0))


def graph(count: int) -> tuple[Plan, dict[str, float]]:
    """A random graph of sleeping steps, and when each could be done at the earliest."""
    rng = random.Random(3)
    steps: list[Step] = []
    done: dict[str, float] = {}
    for number in range(count):
        needs = rng.sample(range(max(0, number - 8), number), min(number, rng.randint(0, 2)))
        seconds = rng.uniform(0.05, 0.25)
        own = f"evidence{number}"
        references = [Ref(f"evidence{n}") for n in needs]
        steps.append(Step(own, "", "Sleep", (f"{seconds} ", *references)))
        done[own] = seconds + max((done[reference.id] for reference in references), default=0.0)
    return Plan(tuple(steps), (Ref(steps[-1].id),)), done


def critical_path() -> None:
    plan, done = graph(60)
    bound = max(done.values())
    run = agent().execute(plan)
    print(f"60 sleeping steps: {run.seconds:.3f} s, critical path {bound:.3f} s, ratio {run.seconds / bound:.3f}")


def streamed() -> None:
    lines = [f"Plan: Look up thing number {n}.\n:evidence{n}: = Sleep[0.6 thing {n}]\n" for n in range(5)]
    references = " ".join(f":evidence{n}:" for n in range(5))
    lines.append(f"Plan: Put it together.\n:evidence5: = Sleep[0.4 {references}]\n")
    text = "".join(lines) + "Answer: :evidence5:"
    written, ready = 0, []
    for line in lines:
        written += len(line)
        ready.append(-(-written // 4) / TOKENS_A_SECOND)  # the token that brings the newline after the step
    whole = -(-len(text) // 4) / TOKENS_A_SECOND
    bound = max(whole, max(ready[5], max(ready[n] + 0.6 for n in range(5))) + 0.4)
    run = agent(text).run("q")
    late = whole + 0.6 + 0.4
    print(
        f"a plan streamed at {TOKENS_A_SECOND} tokens a second: {run.seconds:.3f} s, bound {bound:.3f} s,"
        f" ratio {run.seconds / bound:.3f} (waiting for the whole plan would take {late:.3f} s)"
    )


def many() -> None:
    steps = layers(10)

    async def at_once(work) -> float:  # type: ignore[no-untyped-def]
        begun = time.perf_counter()
        await asyncio.gather(*(work(steps) for _ in range(1000)))
        return time.perf_counter() - begun

    base, ours = asyncio.run(at_once(bare)), asyncio.run(at_once(engine))
    print(f"1,000 runs of 10 steps at once: bare {base:.3f} s, engine {ours:.3f} s, ratio {ours / base:.2f}")


def waiting(runs: int) -> None:
    """Runs of three sleeping steps, all at once, in processor time a run: bare, through an agent, and with a store."""
    steps = [Step(f"evidence{n}", "", "Sleep", (f"0.1 {n}",)) for n in range(3)]
    plan = Plan(tuple(steps), (Ref("evidence2"),))

    async def at_once(work: Callable[[], Awaitable[object]]) -> tuple[float, list[object]]:
        begun = time.process_time()
        done = await asyncio.gather(*(work() for _ in range(runs)))
        return (time.process_time() - begun) / runs * 1e3, done

    async def alone() -> None:
        await asyncio.gather(*(asyncio.sleep(0.1) for _ in steps))

    base, _ = asyncio.run(at_once(alone))
    with tempfile.TemporaryDirectory() as folder:
        for store in (False, f"{folder}/runs.sqlite3"):
            one = Agent(Typist(""), [sleep], store=store)
            ours, done = asyncio.run(at_once(lambda one=one: one.aexecute(plan)))
            failed = sum(run.status != "done" for run in done)
            print(
                f"{runs:,} runs of three sleeping steps, {'with' if store else 'without'} a store: {ours:.2f} ms of "
                f"processor time a run, bare {base:.2f}; {failed} failed"
            )


def space() -> None:
    steps = layers(10_000)
    tracemalloc.start()
    asyncio.run(engine(steps))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"10,000 steps: {most / 10_000:.0f} bytes a step at the most, events kept")


if __name__ == "__main__":
    critical_path()
    streamed()
    many()
    waiting(int(sys.argv[1]) if sys.argv[1:] else 1000)
    space()
