"""Runs a command for a tool: an argument list, never a shell; bounded output; nothing of it is left running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

from airoagent.background import in_thread
from airoagent.errors import ToolError
from airoagent.frozen import frozen

MOST_OUTPUT = 1024 * 1024
"""Bytes of a command's output that are kept; one that writes more is stopped there."""

_MOST_ERRORS = 64 * 1024
_PIECE = 64 * 1024


@frozen
class Ended:
    """What a command wrote and its exit status; ``cut`` says that it wrote more than is kept, and was stopped."""

    output: str
    errors: str
    status: int
    cut: bool


async def run_command(arguments: Sequence[str], stdin: str = "") -> Ended:
    """Run the program ``arguments[0]`` to its end; ToolError where it cannot be started.

    It gets a process group of its own, which is killed when the program has ended, when it writes too much, and when
    the caller is cancelled (a deadline): what it started does not outlive it.
    """
    running = _Running(arguments, stdin)
    try:
        return await in_thread(running.finish)
    finally:
        running.kill()


class _Running:
    """A started process."""

    def __init__(self, arguments: Sequence[str], stdin: str) -> None:
        self._stdin = stdin.encode("utf-8", "replace")
        self._lock = threading.Lock()
        self._ended = False
        self._cut = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the list is the user's own, and no shell reads it
                list(arguments),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ToolError(f"the command {arguments[0]!r} cannot be run: {reason}", "is it installed?") from error

    def finish(self) -> Ended:
        """Wait for the end, reading what it writes; blocks."""
        process = self._process
        output, errors = bytearray(), bytearray()
        threads = [
            threading.Thread(target=self._read, args=(process.stdout, output, MOST_OUTPUT, True), daemon=True),
            threading.Thread(target=self._read, args=(process.stderr, errors, _MOST_ERRORS, False), daemon=True),
            threading.Thread(target=self._feed, args=(process.stdin,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        status = process.wait()
        self.kill()  # what it leaves running would hold the pipes open
        for thread in threads:
            thread.join()
        return Ended(output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"), status, self._cut)

    def kill(self) -> None:
        """Kill the whole group, once."""
        with self._lock:
            if not self._ended:
                self._ended = True
                if not hasattr(os, "killpg"):  # Windows
                    return self._process.kill()
                with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended by itself
                    os.killpg(self._process.pid, signal.SIGKILL)
        return None

    def _read(self, stream: IO[bytes], kept: bytearray, most: int, stops: bool) -> None:
        with stream:
            while piece := stream.read1(_PIECE):  # type: ignore[attr-defined]
                kept += piece[: most - len(kept)]
                if stops and len(piece) > 0 and len(kept) >= most:
                    self._cut = True
                    return self.kill()
        return None

    def _feed(self, stream: IO[bytes] | None) -> None:
        if stream is not None:
            with contextlib.suppress(BrokenPipeError), stream:  # it need not read what it is given
                stream.write(self._stdin)
