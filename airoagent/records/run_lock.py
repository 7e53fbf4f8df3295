"""Who drives a run: a lock on a file of its own, held as long as the run is written to and gone with the process.

The lock is the kernel's (``flock``), so ``kill -9`` leaves none behind, and it holds across containers that share the
folder but not their process numbers. A system without ``flock`` falls back on the process written into the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

from airoagent.settings import private_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Locks:
    """The locks that one open store holds, by run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def _file(self, run: str) -> Path:
        return self._folder / hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def take(self, run: str) -> bool:
        """Hold the run's lock from now on; False if somebody else does. True where there are no locks to be had."""
        if fcntl is None or run in self._held:
            return run not in self._held
        file = self._file(run)
        while True:
            try:
                private_folder(self._folder)
                handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:  # a full disk or too many open files: the process on record has to do
                return True
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                same = os.stat(file).st_ino == os.fstat(handle).st_ino  # noqa: PTH116 - as fstat
            except (FileNotFoundError, BlockingIOError):
                same = False
            except OSError:  # a file system without locks
                os.close(handle)
                return True
            if same:
                self._held[run] = handle
                return True
            os.close(handle)
            # Either whoever held it has just removed the file, and the next one is another file, or somebody is looking
            # (`driven`) for a moment.
            if self.driven(run):
                return False

    def release(self, run: str, *, ended: bool) -> None:
        """Let go of a run. The file of one that has not ended stays: it says that nobody drives it."""
        handle = self._held.pop(run, None)
        if handle is None:
            return
        if ended:
            with contextlib.suppress(OSError):
                self._file(run).unlink()
        os.close(handle)

    def close(self) -> None:
        """Let go of all."""
        for run in tuple(self._held):
            self.release(run, ended=False)

    def driven(self, run: str) -> bool | None:
        """Whether somebody holds the run's lock; None where no lock tells."""
        if fcntl is None:
            return None
        try:
            handle = os.open(self._file(run), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return True if isinstance(error, BlockingIOError) else None
        finally:
            os.close(handle)
        return False


def driver_name() -> str:
    """This process, told from a later one of the same number by its start time."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def is_alive(driver: str) -> bool:
    """Whether the process that `driver_name` named is still there."""
    pid, _, started = driver.partition(":")
    if sys.platform == "win32":  # `os.kill` would send it Ctrl-C there
        import ctypes

        return pid.isdecimal() and bool(ctypes.windll.kernel32.OpenProcess(0x1000, False, int(pid)))
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
