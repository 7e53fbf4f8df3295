"""Draws a run from its events, on stderr: the plan as it is written, a line per step, concurrent steps bracketed.

    Plan
      Plan: Search for the laureate.
      :evidence0: = DocumentSearch[Nobel Prize Literature 2020]
    Steps
      evidence0  DocumentSearch   Nobel Prize Literature 2020             0.02 s
    ┌ evidence1  KnowledgeModel   Who won the Nobel Prize in Literature   0.10 s
    └ evidence2  DocumentSearch   Most famous work                        0.08 s

Text of models and pages is shown as plain text: no markup, no control characters.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, cast

import click

from airoagent.errors import AiroError, CallError, Diagnostic
from airoagent.events import (
    AttemptFailed,
    Event,
    InputEdited,
    PlanParsed,
    PlanRefused,
    PlanText,
    Progress,
    RunFinished,
    RunStarted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    to_json,
)

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable


def plain(text: str, limit: int = 0) -> str:
    """Text without control and format characters, which could command a terminal; on one line if cut to a limit."""
    if limit:
        text = " ".join(text[: limit * 4].split())
        text = text if len(text) <= limit else text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "�" for c in text)


_MOST_FINDINGS = 20  # of a plan with thousands of wrong steps the first ones are enough


def located(error: AiroError) -> list[str]:
    """The findings of an error about a text, each with its line and a caret."""
    found: tuple[Diagnostic, ...] = getattr(error, "diagnostics", ())
    wrong = [diagnostic for diagnostic in found if not diagnostic.repair]
    if not wrong:
        return []
    from airoagent.findings import render_diagnostic

    name = getattr(error, "file", "") or ("call" if isinstance(error, CallError) else "plan")
    text = getattr(error, "text", "")
    shown = [render_diagnostic(diagnostic, text, name) for diagnostic in wrong[:_MOST_FINDINGS]]
    left = len(wrong) - len(shown)
    return [*shown, f"... and {left:,} more"] if left else shown


_QUIET = 5.0  # seconds between two lines about the same long work


def _amount(event: Progress) -> str:
    return f"{plain(event.what, 100)}: {event.done:,}" + (f" of {event.total:,}" if event.total else "")


class Display:
    """Plain lines, on any stream. Call it with each event."""

    def __init__(self, stream: TextIO, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._terminal = stream.isatty()
        self._column = 0
        self._inputs: dict[str, str] = {}
        self._open: dict[str, tuple[str, float]] = {}  # running steps: tool, since when
        self._wave: list[str] = []
        self._headed = False
        self._planned = True  # no plan is being written: lines about steps need not wait for it
        self._held: list[str] = []
        self._told: dict[str, float] = {}
        self._pauses = 0
        self._late: list[str] = []  # what came while the user was being asked

    def pause(self) -> None:
        """Show nothing until `go_on`, so that a question to the user stands alone."""
        self._pauses += 1  # first, since events come from another thread
        self.end()

    def go_on(self) -> None:
        """Show what came in the meantime."""
        self._pauses = max(0, self._pauses - 1)
        if not self._pauses:
            late, self._late = self._late, []
            for text in late:
                self._write(text)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._inputs.clear()
            case PlanText():
                self._plan_text(event.text)
            case PlanParsed():
                self._plan_parsed(event)
            case PlanRefused():
                self._plan_refused(event)
            case StepStarted():
                self._inputs[event.step] = event.input
                self._open[event.step] = (event.tool, event.at)
            case InputEdited():
                self._inputs[event.step] = event.input
            case AttemptFailed():
                wait = f"trying again in {event.retry_in:.1f} s"
                self._tell(
                    self._step(event.step, event.tool, event.seconds, f"{event.failure.message}; {wait}", "yellow")
                )
            case StepFinished():
                note = event.evidence.note or ("the same call as above" if event.origin == "shared" else "")
                self._settle(event.step, self._step(event.step, event.tool, event.seconds, note, ""))
            case StepFailed():
                self._settle(
                    event.step, self._step(event.step, event.tool, event.seconds, event.failure.message, "red")
                )
            case StepSkipped():
                self._tell(
                    f"  {event.step}  {event.tool:<18} "
                    + self._paint(f"skipped: {', '.join(event.because)} missing", "yellow")
                )
            case Progress():
                self._progress(event)
            case RunFinished():
                if self._pauses:  # Ctrl-C at a question, which waits on in its thread
                    self._pauses = 1
                    self._late.insert(0, "\n")
                    Display.go_on(self)
                self._flush()
                self._release()
                if event.status == "interrupted" and event.failure is not None and event.failure.hint:
                    self._line(event.failure.hint)
            case _:
                return

    def end(self) -> None:
        """End the line that is being written."""
        if self._column:
            self._column = 0
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, text: str) -> None:
        if self._pauses:
            self._late.append(text)
            return
        self._stream.write(text)
        self._stream.flush()

    def _line(self, text: str) -> None:
        if self._column:
            self._write("\n")
            self._column = 0
        self._write(text + "\n")

    def _paint(self, text: str, color: str) -> str:
        return click.style(text, fg=color) if self._color and color else text

    def _head(self, text: str) -> None:
        self._line(click.style(text, bold=True) if self._color else text)

    def _plan_text(self, text: str) -> None:
        if not self._headed:
            self._head("Plan")
            self._headed, self._planned = True, False
        for piece in plain(text).splitlines(keepends=True):
            self._write(("  " if self._column == 0 else "") + piece)
            self._column = 0 if piece.endswith("\n") else self._column + len(piece)

    def _plan_parsed(self, event: PlanParsed) -> None:
        if not self._headed:
            self._plan_text(event.text)
        self._findings(event.diagnostics)
        self._head("Steps")
        self._release()

    def _findings(self, diagnostics: Sequence[Diagnostic]) -> None:
        for found in diagnostics[:_MOST_FINDINGS]:
            fix = f": {found.repair}" if found.repair else ""
            self._line(self._paint(f"  line {found.line}: {plain(found.message, 120)}{plain(fix, 120)}", "yellow"))
        if len(diagnostics) > _MOST_FINDINGS:
            self._line(self._paint(f"  ... and {len(diagnostics) - _MOST_FINDINGS:,} more", "yellow"))

    def _plan_refused(self, event: PlanRefused) -> None:
        """What is asked again, or is taken for the answer; any other refusal is shown as the run's error."""
        if event.retry:
            self._findings([found for found in event.diagnostics if not found.repair])
            self._line(self._paint("  It cannot be used: the model is asked again.", "yellow"))
            self._headed = False
        for found in () if event.retry else event.diagnostics:
            if found.kind == "prose":
                self._line(self._paint(f"  {plain(found.message)} {plain(found.repair)}", "yellow"))

    def _step(self, step: str, tool: str, seconds: float, note: str, color: str) -> str:
        text = f"{self._head_of(step, tool, min(len(note), 12))}  {seconds:6.2f} s"
        return text + (self._paint(f"  {plain(note, 160)}", color or "yellow") if note else "")

    def _head_of(self, step: str, tool: str, note: int = 0) -> str:
        room = self._room() if not self._terminal or not note else max(10, self._room() - note - 2)
        return f"{step}  {tool:<18} {plain(self._inputs.get(step, ''), room):<{room}}"

    def _room(self) -> int:
        """Columns for the head of an input: what a terminal leaves of a line, 60 elsewhere."""
        if not self._terminal:
            return 60
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return 60
        # The rest of a line: a mark, step, tool, seconds. A terminal that does not know its size says 0.
        return max(10, min(60, columns - 43)) if columns else 60

    def _settle(self, step: str, line: str) -> None:
        """A step has ended: its line is shown with those of concurrent steps, when the last of them has ended."""
        self._open.pop(step, None)
        self._wave.append(line)
        if not self._open:
            self._flush()

    def _release(self) -> None:
        """The plan is complete: show the lines of the steps that ran while it was being written."""
        self._planned = True
        for line in self._held:
            self._line(line)
        self._held.clear()

    def _tell(self, line: str) -> None:
        if self._planned:
            self._line(line)
        else:
            self._held.append(line)

    def _flush(self) -> None:
        last = len(self._wave) - 1
        for number, line in enumerate(self._wave):
            mark = "  " if last == 0 else "┌ " if number == 0 else "└ " if number == last else "│ "
            self._tell(mark + line)
        self._wave.clear()

    def _progress(self, event: Progress) -> None:
        """Long work gets a line every few seconds, work of less than a second none; a result gets one at once."""
        if event.done == event.total == 0:
            self._tell(f"  {plain(event.what, 300)}")
            return
        told = self._told.setdefault(event.what, event.at - _QUIET + 1.0)
        if event.at - told >= _QUIET:
            self._told[event.what] = event.at
            self._line(f"  {_amount(event)}")


_on_screen: list[Display] = []  # there is one terminal, so at most one


def ended() -> None:
    """End the line or live view on screen, since something else is about to be written."""
    for display in _on_screen:
        display.end()


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Show nothing of the run while the user is asked something."""
    shown = list(_on_screen)
    for display in shown:
        display.pause()
    try:
        yield
    finally:
        for display in shown:
            display.go_on()


class _LiveDisplay(Display):
    """On a terminal: one line that moves and is taken away at the end.

    Above it stay the plan and a line for each step (``verbose``), or only what went wrong.
    """

    def __init__(self, stream: TextIO, color: bool, verbose: bool) -> None:
        super().__init__(stream, color)
        self._verbose = verbose
        self._writing = False
        self._done = self._all = 0  # steps
        self._bar = ""
        self._resumed = False  # the live view starts when the user has answered
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots")
        self.live = Live(
            console=Console(file=stream, markup=False, highlight=False, no_color=not color),
            get_renderable=self._running,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __call__(self, event: Event) -> None:
        if self._verbose or not isinstance(event, PlanText | PlanParsed | StepFinished):
            super().__call__(event)
        match event:
            case PlanText():
                self._writing = True
            case PlanParsed():
                self._writing = False
                self._all = event.text.count("\n:") + event.text.startswith(":")
            case StepFinished():
                self._open.pop(event.step, None)
                self._done += 1
            case RunFinished():
                self._resumed = False
                self.live.stop()
        if isinstance(event, StepStarted) or (isinstance(event, PlanText) and not self._verbose):
            self._start()

    def pause(self) -> None:
        self._resumed = self._resumed or self.live.is_started
        super().pause()

    def go_on(self) -> None:
        super().go_on()
        if self._resumed and not self._pauses:
            self._resumed = False
            self.live.start()

    def _start(self) -> None:
        if self._pauses:
            self._resumed = True
        elif not self.live.is_started:
            self.live.start()

    def end(self) -> None:
        """Take the live view away, too."""
        if self.live.is_started:
            self.live.stop()
        super().end()

    def _write(self, text: str) -> None:
        if self.live.is_started:
            from rich.text import Text

            self.live.console.print(Text.from_ansi(text), end="")
        else:
            super()._write(text)

    def _progress(self, event: Progress) -> None:
        if event.done == event.total == 0:
            super()._progress(event)
            return
        since = self._told.setdefault(event.what, event.at)
        self._bar = "" if event.done == event.total or event.at - since < 1.0 else _amount(event)

    def _running(self) -> ConsoleRenderable:
        """The line, after a spinner; what does not fit is cut, so that it stays one."""
        from rich.text import Text

        of = f" of {self._all}" if self._all else ""
        line = "writing the plan" if self._writing else f"{self._done}{of} steps"
        if self._bar:
            line = self._bar
        elif self._open:
            step, (tool, since) = min(self._open.items())
            others = f"  (+{len(self._open) - 1})" if len(self._open) > 1 else ""
            line = f"{self._head_of(step, tool)}  {time.time() - since:6.0f} s  {self._done}{of}{others}"
        frame = cast(Text, self._spinner.render(time.monotonic()))
        return Text.assemble(frame, " ", line, no_wrap=True, overflow="ellipsis")


def _json_lines(stream: TextIO) -> Callable[[Event], None]:
    def show(event: Event) -> None:
        stream.write(json.dumps(to_json(event)) + "\n")
        stream.flush()

    return show


def make_display(kind: str, color: str) -> Callable[[Event], None] | None:
    """The display of a kind: rich, plain, json or auto (one line on a terminal, else plain); None for none."""
    stream = sys.stderr
    terminal = stream.isatty()
    colored = color == "always" or (color == "auto" and terminal and os.environ.get("TERM") != "dumb")
    if kind == "none":
        return None
    if kind == "json":
        return _json_lines(stream)
    if kind == "rich" or (kind == "auto" and terminal):
        _on_screen[:] = [_LiveDisplay(stream, colored, kind == "rich")]
    else:
        _on_screen[:] = [Display(stream, colored)]
    return _on_screen[0]
