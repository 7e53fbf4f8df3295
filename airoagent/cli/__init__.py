"""The command line: errors become one sentence, one hint and a stable exit code.

Until `main` has taken over Ctrl-C nothing else is imported: Python itself would print a traceback.
"""

__all__ = ["main"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> None:
    """Run ``airo`` with these arguments (the process's own by default) and exit."""
    import _signal  # type: ignore[import-not-found]  # `signal` itself would import enum and types first
    import os
    import sys

    def stop(*_: object) -> None:
        os._exit(130)

    for number in (_signal.SIGINT, _signal.SIGTERM):  # until `run` takes over, and after its end
        _signal.signal(number, stop)
    _drop_relative_paths()

    import contextlib
    import warnings

    args = list(sys.argv[1:] if argv is None else argv)
    if args in (["--version"], ["version"]) and sys.stdout is not None:
        from airoagent import __version__

        with contextlib.suppress(OSError):  # below it becomes a sentence and an exit code
            sys.stdout.write(f"airo, version {__version__}\n")
            sys.stdout.flush()
            sys.exit(0)

    import gc

    gc.set_threshold(50_000)  # what is imported stays: to look through it every 700 objects takes 15 ms of a question
    from airoagent.cli.app import run

    # Warnings and log notes that libraries write for programmers are nothing a user of `airo` can act on.
    if not sys.warnoptions:  # -W and PYTHONWARNINGS ask for it
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for name in ("stdin", "stdout", "stderr"):  # None where it was closed (`<&-`)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"))
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A lone surrogate on a page, or a stray byte that is read, must not end the program; a pipe on Windows
            # would be in an old code page.
            stream.reconfigure(errors="replace", encoding="utf-8" if os.name == "nt" else None)
    sys.exit(run(args))


def _drop_relative_paths() -> None:
    """Remove what relative entries of PYTHONPATH (an empty one, too) put on the path: modules of the current folder."""
    import sys
    from os import environ, path, pathsep  # not pathlib: it would be looked for in that folder

    entries = [] if sys.flags.ignore_environment else environ.get("PYTHONPATH", "").split(pathsep)
    relative = {path.abspath(entry) for entry in entries if not path.isabs(entry)}  # noqa: PTH100, PTH117 - see above
    sys.path[:] = [entry for entry in sys.path if path.abspath(entry) not in relative]  # noqa: PTH100 - see above
