"""``airo batch --ray``: the questions of a file, answered on the nodes of a Ray cluster."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airoagent import extras
from tests.benchmarks.bench_batch import lines_of
from tests.cli.conftest import GATED, Airo

NOTED = '''
import os, pathlib, time
from airoagent import tool

@tool
def noted(text: str) -> str:
    """Notes which process it runs in."""
    with (pathlib.Path(__file__).parent / "ledger").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(0.2)
    return text
'''


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes of one CPU each; each node is processes of its own on this machine."""
    if not extras.has("ray"):
        pytest.skip("ray is not installed")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 1024**2, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    try:
        cluster.add_node(**{name: small[name] for name in ("num_cpus", "object_store_memory")})
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_is_killed_costs_its_unfinished_questions_a_retry_and_nothing_else(
    cluster: Any, tmp_path: Path
) -> None:
    number, out = 60, tmp_path / "out.jsonl"
    (tmp_path / "noting.py").write_text(NOTED, encoding="utf-8")
    row = json.dumps({"purpose": "plan", "text": ":evidence0: = noted[one]\nAnswer: :evidence0:"}) + "\n"
    (tmp_path / "plans.jsonl").write_text(row * number, encoding="utf-8")
    (tmp_path / "q.txt").write_text("".join(f"What is {n}?\n" for n in range(number)), encoding="utf-8")
    command = [sys.executable, "-m", "airoagent", "batch", "q.txt", "--out", "out.jsonl", "-m", "scripted:plans.jsonl"]
    command += ["--tools", "noting.py", "--at-once", "2", "--ray", cluster.address]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while lines_of(out) < number // 3 and process.poll() is None:
            time.sleep(0.01)
        cluster.remove_node(min(cluster.worker_nodes, key=str), allow_graceful=False)
        told = process.communicate()[1]
    assert process.returncode == 0, told
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["status"] for row in found} == {"done"}
    assert Counter(row["id"] for row in found) == Counter(str(n + 1) for n in range(number)), "each has one line"
    with closing(sqlite3.connect(Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3")) as store:
        runs = store.execute("SELECT id, status FROM runs").fetchall()
    assert Counter(runs) == Counter((row["run"], "done") for row in found), "and one run, on record here"
    calls = Counter((tmp_path / "ledger").read_text().split())
    assert len(calls) >= 2, "both nodes had a share"
    assert number <= calls.total() <= number + 2, "two questions at most were in progress on the node"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_failed_here_goes_on_there_and_its_record_is_whole(cluster: Any, airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text(GATED, encoding="utf-8")
    plan = ":evidence0: = pays[one]\n:evidence1: = waits[:evidence0:]\nAnswer: :evidence1:"
    (tmp_path / "plans.jsonl").write_text(json.dumps({"purpose": "plan", "text": plan}) + "\n", encoding="utf-8")
    (tmp_path / "q.txt").write_text("What does it cost?\n", encoding="utf-8")
    model, tools, out = f"scripted:{tmp_path / 'plans.jsonl'}", str(tmp_path / "gated.py"), tmp_path / "out.jsonl"
    command = ("batch", str(tmp_path / "q.txt"), "-m", model, "--tools", tools, "--out", str(out))
    assert airo(*command).code == 5
    (tmp_path / "gate").touch()
    done = airo(*command, "--retry-failed", "--ray", cluster.address)
    assert done.code == 0, done.err
    first, second = map(json.loads, out.read_text().splitlines())
    assert (second["answer"], second["run"]) == ("open", first["run"])
    assert (tmp_path / "ledger").read_text() == "one\n"
    assert airo("replay", second["run"]).out.startswith("open")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not extras.has("ray"), reason="ray is not installed")
def test_a_cluster_that_is_not_there_is_one_sentence(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("one?\n", encoding="utf-8")
    refused = airo("batch", str(tmp_path / "q.txt"), "--ray", "127.0.0.1:1")
    assert refused.code == 2 and refused.err.startswith("error: the Ray cluster cannot be reached"), refused.err


@pytest.mark.skipif(extras.has("ray"), reason="ray is installed")
def test_without_ray_the_extra_is_named(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("one?\n", encoding="utf-8")
    result = airo("batch", str(tmp_path / "q.txt"), "--ray")
    assert result.code == 3 and "needs ray, which is not installed" in result.err and "[ray]" in result.err
