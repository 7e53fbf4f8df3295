"""The command line: one thin file a verb; errors become one sentence, one hint and a stable exit code."""

from __future__ import annotations

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

    from airoagent.cli.app import run

    # What libraries tell programmers (deprecations, notes in their logs) is nothing that who runs `airo` can act on.
    if not sys.warnoptions:  # -W and PYTHONWARNINGS ask for it
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for name in ("stdin", "stdout", "stderr"):  # None where it was closed (`<&-`); nobody else need think of that
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a lone surrogate on a page must not end the program
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))
