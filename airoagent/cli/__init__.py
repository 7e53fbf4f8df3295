"""The command line: errors become one sentence, one hint and a stable exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``airo`` with these arguments (the process's own by default) and exit."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):  # during the imports; `run` takes over
        signal.signal(number, lambda *_: os._exit(130))

    args = list(sys.argv[1:] if argv is None else argv)
    if args in (["--version"], ["version"]) and sys.stdout is not None:
        from airoagent import __version__

        with contextlib.suppress(OSError):  # below it becomes a sentence and an exit code
            sys.stdout.write(f"airo, version {__version__}\n")
            sys.stdout.flush()
            sys.exit(0)

    from airoagent.cli.app import run

    # Warnings and log notes that libraries write for programmers are nothing a user of `airo` can act on.
    if not sys.warnoptions:  # -W and PYTHONWARNINGS ask for it
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for name in ("stdin", "stdout", "stderr"):  # None where it was closed (`<&-`)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a lone surrogate on a page must not end the program
    sys.exit(run(args))
