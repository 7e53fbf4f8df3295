"""The ``airo`` command: finds the verb, and turns every error into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from airoagent import __version__
from airoagent.errors import AiroError, UsageError
from airoagent.textfiles import shown_path

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Verb -> the module of its command, `VERB_command`, imported only when it is used; and its line in `airo --help`.
VERBS = {
    "ask": ("asking", "Answer a question: plan, run the steps, print the answer. Same as `airo QUESTION`."),
    "batch": ("batch", "Answer the questions in a file concurrently; print one JSON line for each."),
    "call": ("asking", "Turn a sentence into a function call, check it and make it."),
    "chat": ("sessions", "Ask questions in a conversation."),
    "code": ("asking", "Write code and print only the code."),
    "config": ("environment", "Show the current settings and where each one comes from."),
    "debug": ("stepper", "Step through a run (pdb-style commands)."),
    "diff": ("recorded_verbs", "Compare two recorded runs."),
    "doctor": ("environment", "Check this machine and suggest fixes."),
    "eval": ("eval", "Ask questions with known answers and score the replies."),
    "fork": ("recorded_verbs", "Change a step of a recorded run and rerun only what depends on it."),
    "help": ("environment", "Explain a command, the exit codes, or shell completion."),
    "index": ("environment", "Index a folder of documents ahead of time."),
    "mcp": ("mcp", "Add, list and check MCP servers."),
    "models": ("environment", "List the available models, or show one."),
    "plan": ("asking", "Write the plan for a question without running it."),
    "pull": ("environment", "Download a model."),
    "replay": ("recorded_verbs", "Replay a recorded run without a model, tools or the network."),
    "rerun": ("recorded_verbs", "Run the plan of a recorded run again, with new tool calls."),
    "resume": ("recorded_verbs", "Finish an interrupted run without repeating finished steps."),
    "run": ("asking", "Run a plan from a file, or from standard input with `-`."),
    "runs": ("runs", "List, show, export, repair or remove recorded runs."),
    "serve": ("sessions", "Serve the agent as an OpenAI-compatible API."),
    "think": ("asking", "Weigh several answers to a question and print the best."),
    "tools": ("tools", "List the tools, show one, or try one."),
    "train": ("train", "Train an adapter on examples or on your own runs."),
    "view": ("sessions", "Show a run as a page, or all runs in the browser."),
    "why": ("recorded_verbs", "Show what an answer is based on."),
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what writing to a disk may end with

EXIT_CODES = """\
0 answered, 1 output could not be written, or a bug, 2 usage, 3 model, 4 invalid plan or call, 5 tool failed,
6 record, 7 limit reached, 8 no answer found, 130 interrupted."""

_EPILOG = f"""\
\b
Examples:
  airo --docs examples/library "Where do otters sleep?"
  airo plan "Who won the Nobel Prize in Literature in 2020?" | airo run -
  airo runs

\b
Exit codes: {EXIT_CODES}
"""


class _Verbs(click.Group):
    """Finds verbs lazily; anything that is not a verb is a question."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"airoagent.cli.{VERBS[name][0]}"), f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        word = args[0] if args else "--help"
        if word == "version" and len(args) == 1:
            args = ["--version"]
        elif (word == "help" and len(args) > 2) or (word not in VERBS and word not in ("-h", "--help", "--version")):
            if not ctx.resilient_parsing:
                _check_verb(args)
            args = ["ask", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs, and the options of `ask`, which may come before a question."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            ask = self.get_command(ctx, "ask")
            assert ask is not None
            own = {item.value for item in found}
            more = ask.shell_complete(click.Context(ask, parent=ctx, info_name="ask"), incomplete)
            found += [item for item in more if item.value not in own]
        return found


def _check_verb(args: list[str]) -> None:
    """UsageError for a misspelt verb that is followed by what looks like its arguments, not by a question."""
    import difflib
    import re

    word, rest = args[0], args[1:]
    near = difflib.get_close_matches(word, VERBS, n=1, cutoff=0.7) if word.isalpha() else []
    # `airo repaly @last` is not a question; `airo plane tickets` may be.
    like_arguments = r"@?last(~\d*)?|\d{8}-\w.*|.*\.(plan|jsonl|yaml)|list|show|path|rm|export|import|gc|new"
    if near and (not rest or re.fullmatch(like_arguments, rest[0])):
        raise click.UsageError(
            f"no such command: {word!r}; did you mean `airo {near[0]}`? (as a question: airo ask {' '.join(args)})"
        )


@click.group(
    cls=_Verbs, epilog=_EPILOG, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="airo")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Ask a question: a language model writes a plan, airo runs it with real tools and prints the answer.

    Every run is recorded. Add --traceback to any command to see where an error came from.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: list[str]) -> int:
    """Run the command line; the exit code."""
    trace = "--traceback" in args
    args = [arg for arg in args if arg != "--traceback"]
    try:
        before = catch_interrupts()
        color = _colored(args)
        with click.Context(cli, color=color).scope(cleanup=False):  # also for what is printed outside any verb
            code = _run(args, trace, color)
        for number, handler in before.items():  # nothing catches an exception while Python shuts down
            signal.signal(number, handler)
    except KeyboardInterrupt:
        return 130
    return code


def catch_interrupts() -> dict[int, Any]:
    """Let Ctrl-C (or a stop by the system) end a run cleanly, and the next one the program, whatever still runs.

    Returns the handlers before.
    """
    interrupted = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal interrupted
        if interrupted or _importing(frame):
            os._exit(130)
        interrupted = True
        raise KeyboardInterrupt(number)

    return {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}


def go_on_after(stop: KeyboardInterrupt) -> None:
    """Let the next Ctrl-C end what runs then, as the last one did. A stop by the system is raised again."""
    if signal.SIGTERM in stop.args:
        raise stop
    catch_interrupts()


def _importing(frame: Any) -> bool:
    """Whether a module is being imported: nothing has started, and an exception there may end as a traceback."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _run(args: list[str], trace: bool, color: bool | None) -> int:
    stdout = sys.stdout
    try:
        # click would import shutil, which costs more than the rest of it, to learn the width of the terminal.
        result = cli.main(args, prog_name="airo", standalone_mode=False, terminal_width=_width(), color=color)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain again when it flushes at exit.
        _silence(sys.stdout)
        return 0
    except SystemExit:  # click wraps the streams and exits with 1 when it meets a broken pipe itself
        if sys.stdout is stdout:
            raise
        _silence(stdout)
        return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        display = sys.modules.get("airoagent.cli.display")
        if display is not None:
            display.ended()
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        hint = "see `airo --help`"
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"see `{error.ctx.command_path} --help`"
        return _report(AiroError(error.format_message(), hint, error.exit_code), args)
    except AiroError as error:
        if trace:
            raise
        return _report(error, args)
    except Exception as error:
        if trace:
            raise
        if isinstance(error, OSError) and (error.errno in _FULL or error.filename):
            return _report(_of_the_system(error), args)
        text = f"unexpected error: {type(error).__name__}: {error}"
        return _report(AiroError(text, "this is a bug; run the command again with --traceback to see where"), args)


def _of_the_system(error: OSError) -> AiroError:
    if error.errno in _FULL:
        _silence(sys.stdout)  # Python would try once more at exit
        return AiroError(f"the output cannot be written: {error.strerror}", "free some space, or write somewhere else")
    return UsageError(f"{shown_path(error.filename)} cannot be used: {error.strerror}", "check the path")


def _silence(stream: Any) -> None:
    """Send whatever is still written to a stream, also what Python flushes at exit, to the null device."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _colored(args: list[str]) -> bool | None:
    """Whether output is coloured; None: on a terminal. A flag wins over a variable."""
    given = [arg.removeprefix("--color=") for arg in args if arg.startswith("--color=")]
    given += [after for arg, after in pairwise(args) if arg == "--color"]
    asked = given[0] if given else os.environ.get("AIRO_COLOR")
    if asked in ("never", "always"):
        return asked == "always"
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def _width() -> int:
    try:
        return min(os.get_terminal_size(sys.stderr.fileno()).columns or 80, 100)
    except (OSError, ValueError):  # not a terminal, or no stream at all
        return 80


def _report(error: AiroError, args: list[str]) -> int:
    from airoagent.cli.output import print_error

    print_error(error, "--json" in args)
    return error.exit_code
