"""Starts Python processes that read what strangers wrote: isolated, bounded, and gone when their step is.

The interpreter runs with ``-I`` (no PYTHON* variables, no user site, nothing from the current folder) and with modules
from where this process found its own, the current folder left out: a `json.py` next to a PDF is never run. Its
environment is empty but for what finds libraries, and its current folder is the root.

    output, stopped = run_child("airoagent.documents.pdf:serve", body, seconds=20)
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from airoagent.background import note_child

_SPACE = 1024**3  # bytes of address space
_PATIENCE = 2  # seconds by the clock for each of processor time: a busy machine gives a process its half
_WRITTEN = 32 * 1024**2  # bytes a child may write
_TURNS = threading.BoundedSemaphore(2)  # bounded children at a time: each may take its gigabyte
_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "LANG", "LC_ALL")
_PACKAGE = str(Path(__file__).resolve().parents[1])

Child = subprocess.Popen[bytes]


def _code(module: str, function: str, args: tuple[object, ...]) -> str:
    """What the child runs: its own isolated path comes first, then the other places where this process finds modules.

    The current folder and paths relative to it are left out; airoagent is the one that runs here.
    """
    more = [path for path in sys.path if Path(path).is_absolute() and not _is_current(path)]
    return (
        f"import sys; own = set(sys.path); sys.path += [p for p in {more!r} if p not in own]\n"
        f"if {_PACKAGE!r} not in own: sys.path.insert(0, {_PACKAGE!r})\n"
        f"from {module} import {function} as call; call(*{args!r})"
    )


def _is_current(path: str) -> bool:
    try:
        return Path(path).samefile(os.curdir)
    except OSError:
        return False


def start_child(target: str, *args: int, output: IO[bytes] | int = subprocess.PIPE, trusted: bool = False) -> Child:
    """Start ``function(*args)`` of ``target`` ("package.module:function") in a process of its own; OSError if it fails.

    Its standard input is a pipe; what it writes to standard error is dropped. One that is ``trusted`` does what this
    process would do: it has our environment, current folder and standard error, but gets no Ctrl-C.
    """
    if not sys.executable:
        raise OSError("the path of the Python interpreter is not known")
    module, _, function = target.partition(":")
    child = subprocess.Popen(  # noqa: S603 - this interpreter and code of ours, no shell
        [sys.executable, "-I", "-c", _code(module, function, args)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=None if trusted else subprocess.DEVNULL,
        env=None if trusted else {name: os.environ[name] for name in _KEPT if name in os.environ},
        cwd=None if trusted else Path(sys.executable).anchor or None,
        start_new_session=trusted,
    )
    note_child(child)
    return child


def run_child(target: str, body: bytes, seconds: int) -> tuple[bytes, str]:
    """What ``target(seconds)`` writes when it is given ``body``, and why it was stopped ("" where it was not).

    The child is expected to call `set_limits` first; it has ``seconds`` of processor time, and twice as many by the
    clock. What it wrote before it was stopped is given. OSError where no process can be started.
    """
    import tempfile

    stopped = ""
    with _TURNS, tempfile.TemporaryFile() as written:
        child = start_child(target, seconds, output=written)
        try:
            child.communicate(body, timeout=seconds * _PATIENCE)
            if child.returncode:
                stopped = "it takes too much time or memory, or is broken"
        except subprocess.TimeoutExpired:
            stopped = "it takes too long"
        finally:
            child.kill()
            child.wait()
        written.seek(0)
        return written.read(_WRITTEN), stopped


def set_limits(seconds: int) -> None:
    """Bound this process for good: its memory, its seconds of processor time, the files it writes."""
    try:
        import resource
    except ImportError:  # Windows: the clock alone
        return
    bounds = (
        (resource.RLIMIT_AS, _SPACE),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _WRITTEN),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in bounds:
        with contextlib.suppress(ValueError, OSError):  # a limit the system does not have, or a lower one stands
            resource.setrlimit(what, (most, most))
