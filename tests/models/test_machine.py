"""What this machine has, told without torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from airoagent.models.local import machine
from airoagent.models.local.machine import free_cores, this_machine


def test_tells_memory_that_can_be() -> None:
    here = this_machine()
    assert here.total is None or here.total > 100_000_000
    if here.total is not None and here.available is not None:
        assert 0 < here.available <= here.total
    assert all(size > 0 for size in here.gpus)


def test_agrees_with_the_systems_own_count() -> None:
    import psutil

    here = this_machine()
    assert here.total is not None
    assert here.total <= psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="affinity and control groups are Linux's")
@pytest.mark.parametrize(
    ("load", "quota", "cores"),
    [
        (0.2, "max 100000", 4),  # eight threads on four cores
        (1.4, "max 100000", 3),
        (25.0, "max 100000", 1),
        (0.0, "200000 100000", 2),
        (0.0, "50000 100000", 1),
        (0.0, "", 4),
    ],
)
def test_free_cores_are_those_that_nothing_else_uses(
    load: float, quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cpu in range(8):
        (tmp_path / f"cpu{cpu}").write_text(f"{cpu % 4},{cpu % 4 + 4}\n", encoding="ascii")
    if quota:
        (tmp_path / "cpu.max").write_text(quota + "\n", encoding="ascii")
    monkeypatch.setattr(machine, "_SIBLINGS", f"{tmp_path}/cpu{{}}")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert free_cores() == cores


def test_at_least_one_core_is_free_on_this_machine() -> None:
    assert 1 <= free_cores() <= (os.cpu_count() or 1)
