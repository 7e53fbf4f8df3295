"""100 users at once on `airo serve`, against plain Starlette that returns a constant; ratios from one run.

    python tests/benchmarks/bench_serve.py [users] [rounds]

Each server is a process of its own (uvicorn, one event loop). All users send one question at the same moment, on open
connections; a round asks each server once, in turn, so that both see the same load of the machine. The scripted model
writes a plan of two steps and an answer at once, so what is measured is the run: planned, executed, recorded. A request
is lost where its answer is not the expected one.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from airoagent import Agent, ScriptedModel, tool
from airoagent.serving.api import make_app

ANSWER = "Lake Baikal is 1,642 metres deep."
PLAN = ":evidence0: = look[lake]\n:evidence1: = KnowledgeModel[How deep, given :evidence0:?]\nAnswer: :evidence1:"
BODY = {"model": "airo", "messages": [{"role": "user", "content": "How deep is Lake Baikal?"}]}


@tool
async def look(text: str) -> str:
    """Looks things up."""
    return ANSWER


def plain(count: int) -> Any:
    async def completions(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse({"choices": [{"message": {"role": "assistant", "content": ANSWER}}]})

    return Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])


def served(store: bool) -> Callable[[int], Any]:
    def app(count: int) -> Any:
        model = ScriptedModel({"plan": [PLAN] * count, "answer": [ANSWER] * count}, chunk=0)
        file = Path(tempfile.mkdtemp()) / "runs.sqlite3"
        return make_app(Agent(model, [look], store=file if store else False))

    return app


SERVERS = {"plain starlette": plain, "airo, no record": served(False), "airo": served(True)}


def serve(name: str, count: int, listening: socket.socket) -> None:
    config = uvicorn.Config(SERVERS[name](count), log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def running(name: str, count: int) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        process = multiprocessing.get_context("fork").Process(target=serve, args=(name, count, listening))
        process.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/chat/completions"
        finally:
            process.terminate()
            process.join(20)


async def ask_at_once(http: httpx.AsyncClient, url: str, users: int) -> tuple[list[float], int, float]:
    """The latency of each user, how many got no answer, and the seconds until the last had one."""

    async def one() -> tuple[float, bool]:
        began = time.perf_counter()
        try:
            answer = (await http.post(url, json=BODY)).json()
            good = answer["choices"][0]["message"]["content"] == ANSWER
        except (httpx.HTTPError, KeyError, ValueError):
            good = False
        return time.perf_counter() - began, good

    began = time.perf_counter()
    results = await asyncio.gather(*(one() for _ in range(users)))
    return [taken for taken, _ in results], sum(not good for _, good in results), time.perf_counter() - began


async def main(users: int, rounds: int) -> None:
    """Print latency, lost requests and ratios of each server."""
    taken: dict[str, list[float]] = {name: [] for name in SERVERS}
    lost, total = dict.fromkeys(SERVERS, 0), dict.fromkeys(SERVERS, 0.0)
    count = users * (rounds + 1)
    names = list(SERVERS)
    with running(names[0], count) as a, running(names[1], count) as b, running(names[2], count) as c:
        limits = httpx.Limits(max_connections=users, max_keepalive_connections=users)
        async with httpx.AsyncClient(trust_env=False, timeout=120, limits=limits) as http:
            for number in range(rounds + 1):  # the first warms up: connections, imports
                for name, url in zip(names, (a, b, c), strict=True):
                    latencies, missed, seconds = await ask_at_once(http, url, users)
                    lost[name] += missed
                    if number:
                        taken[name] += latencies
                        total[name] += seconds
    base = statistics.median(taken[names[0]])
    print(f"{users} users at once, {rounds} rounds")
    for name in names:
        middle, slowest = statistics.median(taken[name]), max(taken[name])
        each = total[name] / (rounds * users)
        print(
            f"{name:<18} lost {lost[name]}  latency median {middle * 1e3:7.1f} ms  slowest {slowest * 1e3:7.1f} ms"
            f"  per request {each * 1e3:5.2f} ms  ratio {middle / base:5.2f}"
        )


if __name__ == "__main__":
    numbers = [int(arg) for arg in sys.argv[1:]]
    asyncio.run(main(*(numbers + [100, 5][len(numbers) :])))
