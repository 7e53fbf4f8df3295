"""How much memory this machine has, without importing torch: enough to say whether a model would fit.

What is not here: whether CUDA works. That is torch's to say, and only a backend that needs it asks.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Literal

from airoagent.frozen import frozen

Device = Literal["auto", "cpu", "cuda"]
"""Where a model runs; ``auto`` is CUDA where torch can use it."""

_CGROUP = Path("/sys/fs/cgroup")
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/core_cpus_list"


@frozen
class Machine:
    """Bytes of memory: ``total`` and ``available`` of the machine (None: unknown), ``gpus`` one figure each, total."""

    total: int | None
    available: int | None
    gpus: tuple[int, ...] = ()


def this_machine() -> Machine:
    """What this process can use, container limits included."""
    total, available = _physical()
    limit, used = _read_number(_CGROUP / "memory.max"), _read_number(_CGROUP / "memory.current")
    if limit is not None:
        total = limit if total is None else min(total, limit)
        if used is not None:
            # The group's page cache counts as used but is given back, so this errs on the careful side.
            free = max(limit - used, 0)
            available = free if available is None else min(available, free)
    return Machine(total, available, _gpus())


def free_cores() -> int:
    """Cores that nothing else is using just now, of those this process may run on: at least one.

    Threads of one core count once, and a container's limit on processor time is kept.
    """
    try:
        cores = {_read_text(Path(_SIBLINGS.format(cpu))) or str(cpu) for cpu in os.sched_getaffinity(0)}
        count = len(cores)
    except AttributeError:  # Linux alone has it.
        count = os.cpu_count() or 1
    quota, _, period = _read_text(_CGROUP / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        count = min(count, int(quota) // int(period))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, count - round(load))


def _physical() -> tuple[int | None, int | None]:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        figures = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if ":" in line}
        return figures.get("MemTotal"), figures.get("MemAvailable")
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None
    return None, None


def _read_number(path: Path) -> int | None:
    text = _read_text(path)
    return int(text) if text.isdecimal() else None  # "max" where there is no limit.


def _read_text(path: Path) -> str:
    with suppress(OSError, ValueError):  # No such file outside Linux.
        return path.read_text(encoding="ascii").strip()
    return ""


@functools.cache
def _gpus() -> tuple[int, ...]:
    """The memory of each NVIDIA device, as the driver's own tool reports it; none where it is not installed."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - found by which, fixed arguments
        return tuple(int(line) * 1024 * 1024 for line in answer.stdout.split())
    return ()
