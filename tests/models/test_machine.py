"""What this machine has, told without torch."""

from __future__ import annotations

from airoagent.models.local.machine import this_machine


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
