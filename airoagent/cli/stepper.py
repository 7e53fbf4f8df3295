"""``airo debug``: step through a plan; pdb letters on the standard library's `cmd`."""

from __future__ import annotations

import cmd
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.app import go_on_after
from airoagent.cli.display import plain
from airoagent.cli.inputs import edited_text, is_run, load_run, named_values, read_plan, text_of
from airoagent.cli.launch import agent_for, make_agent
from airoagent.cli.options import agent_options
from airoagent.cli.output import print_error
from airoagent.errors import AiroError, StoreError, UsageError
from airoagent.events import Event

if TYPE_CHECKING:
    from airoagent.events import Evidence
    from airoagent.plan.steps import Step
    from airoagent.recorded.debugger import Debugger


@click.command("debug")
@click.argument("target", nargs=-1, required=True, metavar="QUESTION|ID|FILE")
@agent_options("model", "tools", "limits", without=("replan", "retries", "limit_seconds"))
def debug_command(target: tuple[str, ...], **flags: Any) -> int:
    """Step through the plan for a question, a recorded run (ID, @last or .jsonl file) or a plan file.

    In a recorded run, unchanged steps take their evidence from the record. Commands are read from standard input, so a
    session can be scripted; `help` lists them. Nothing is recorded.

    \b
    Examples:
      airo debug @last
      printf 'b KnowledgeModel\\nc\\nprompt plan\\n' | airo debug --docs examples/library "Where do otters sleep?"
    """
    Session(open_session(" ".join(target), {**flags, "no_store": True})).run()
    return 0


def open_session(target: str, flags: dict[str, Any]) -> Debugger:
    """The session that the words of the command line mean."""
    from airoagent.recorded.debugger import Debugger

    if target.endswith(".jsonl") or is_run(target):
        run = load_run(target)
        if run.plan is None:
            raise StoreError(f"the run {run.id} has no plan to step through", f"see: airo runs show {run.id}")
        return Debugger(agent_for(run, flags)[0].session, run.plan, run.question, record=run)
    agent, _ = make_agent(flags)
    if target.endswith(".plan") or os.path.isfile(target):  # noqa: PTH113 - Path.is_file raises for a long question
        text = text_of(target)
        return Debugger(agent.session, read_plan(text, agent.tools_for(text), target))
    events: list[Event] = []
    plan = agent.plan(target, watch=events.append)
    return Debugger(agent.session, plan, target, events=events)


_LONGEST = 1_000_000  # characters of a command


class _Commands:
    """The lines of standard input; UsageError at one without an end."""

    def readline(self) -> str:
        line = sys.stdin.readline(_LONGEST + 1)
        if len(line) > _LONGEST:
            raise UsageError(f"a command is longer than {_LONGEST:,} characters", "write one command per line")
        return line


class Session(cmd.Cmd):
    """Reads commands and prints their results; an empty line does nothing."""

    doc_header = "Commands (help COMMAND for details; letters: s n c b l p w e u r q):"

    def __init__(self, debugger: Debugger) -> None:
        super().__init__(stdin=_Commands(), stdout=sys.stdout)  # type: ignore[arg-type]  # cmd only calls readline
        self.debugger = debugger
        self.use_rawinput = sys.stdin.isatty()
        self.prompt = "(airo) " if self.use_rawinput else ""

    def run(self) -> None:
        """Read commands until `quit` or the end of the input."""
        self.do_list("")
        while True:
            try:
                return self.cmdloop()
            except KeyboardInterrupt as stop:
                go_on_after(stop)
                self._say("interrupted (`quit` ends the session)")

    def _say(self, text: str) -> None:
        click.echo(plain(text))

    def onecmd(self, line: str) -> bool:
        """Carry out a line; an error is reported and the session continues."""
        try:
            return bool(super().onecmd(line))
        except AiroError as error:
            print_error(error, False)
            return False

    def emptyline(self) -> bool:
        """Unlike pdb: repeating a call by accident would cost a model's or a tool's time."""
        return False

    def default(self, line: str) -> None:
        """Raise UsageError for an unknown command."""
        raise UsageError(f"no such command: {line.split()[0]!r}", "`help` lists the commands")

    # Running ---------------------------------------------------------------------------------------------------

    def do_step(self, arg: str) -> None:
        """step (s): run the next step."""
        self._ran(self.debugger.step())

    def do_next(self, arg: str) -> None:
        """next (n): run all steps that are ready, concurrently."""
        self._ran(self.debugger.wave())

    def do_continue(self, arg: str) -> None:
        """continue (c): run until a breakpoint, or to the end."""
        stop = self.debugger.proceed(self._found)
        if stop is None:
            self._end()
        else:
            self._say(f"stopped before {self._head(stop)}")

    def _head(self, step: Step) -> str:
        """A step that could be run now, with the start of its input."""
        return f"{step.id}  {step.tool}[{plain(self.debugger.input_of(step.id), 100)}]"

    def _ran(self, gained: tuple[Evidence, ...]) -> None:
        for evidence in gained:
            self._found(evidence)
        if self.debugger.ended:
            self._end()

    def _found(self, evidence: Evidence) -> None:
        head = " ".join(evidence.text.split())
        shown = head if len(head) <= 100 else head[:100] + "..."
        self._say(f"{evidence.id}  {evidence.tool}  ({self.debugger.origin(evidence.id)})  {shown}")

    def _end(self) -> None:
        answer = self.debugger.answer()
        self._say("the plan ended without an answer" if answer is None else f"answer: {answer}")

    # Looking ---------------------------------------------------------------------------------------------------

    def do_break(self, arg: str) -> None:
        """break STEP|TOOL (b): toggle a breakpoint at a step or at a tool's steps; without argument, list them."""
        session = self.debugger
        if arg:
            tools = {step.tool.lower(): step.tool for step in session.plan.steps}
            where = tools.get(arg.lower()) or session.id_of(arg)
            session.breakpoints.symmetric_difference_update({where})
            self._say(f"breakpoint {'set' if where in session.breakpoints else 'cleared'} at {where}")
        else:
            self._say("breakpoints: " + (", ".join(sorted(session.breakpoints)) or "none"))

    def do_list(self, arg: str) -> None:
        """list (l): show the plan; + marks finished steps, > those that are ready."""
        session = self.debugger
        ready = {step.id for step in session.ready()}
        for step in session.plan.steps:
            mark = "+" if step.id in session.found else ">" if step.id in ready else " "
            stop = "b" if step.id in session.breakpoints or step.tool in session.breakpoints else " "
            if step.thought:
                self._say(f"   Plan: {step.thought}")
            self._say(f"{mark}{stop} {step.id} = {step.tool}[{step.input}]")
        self._say(f"   Answer: {session.plan.answer or '(the last step)'}")

    def do_print(self, arg: str) -> None:
        """print STEP|answer|question (p): show the input, evidence and sources of a step, or the answer or question."""
        session = self.debugger
        if arg in ("answer", "question"):
            self._say((session.answer() or "(not yet)") if arg == "answer" else session.question)
            return
        id = session.id_of(arg)
        self._say(f"< {session.input_of(id)}")
        found = session.found.get(id)
        if found is None:
            self._say("(not run yet)")
            return
        self._say(f"> {found.text}")
        if found.note:
            self._say(f"note: {found.note}")
        for url in dict.fromkeys(source.url for source in found.sources):
            self._say(f"from {url}")

    def do_where(self, arg: str) -> None:
        """where (w): show progress and the steps that are ready."""
        session = self.debugger
        self._say(f"{len(session.found)} of {len(session.plan.steps)} steps done")
        for step in session.ready():
            self._say(f"> {self._head(step)}")

    def do_prompt(self, arg: str) -> None:
        """prompt [STEP|plan]: show the exact text that the model read, and a newline."""
        text = self.debugger.prompt(arg.strip() or "plan")
        if sys.stdout.isatty():
            self._say(text)  # control characters could command the terminal
        else:
            click.echo(text)

    # Changing --------------------------------------------------------------------------------------------------

    def do_edit(self, arg: str) -> None:
        """edit STEP [= INPUT] (e): change the input of a step; without INPUT, in $EDITOR."""
        word, equals, text = arg.partition("=")
        id = self.debugger.id_of(word)
        if not equals:
            if not sys.stdin.isatty():
                raise UsageError("no input given, and no terminal for an editor", f"edit {id} = INPUT")
            text = edited_text(self.debugger.plan.step(id).input, f"edit {id} = INPUT")
        self.debugger.edit(id, text.strip())
        self._say(f"{id} = {self.debugger.plan.step(id).tool}[{text.strip()}]")

    def do_set(self, arg: str) -> None:
        """set STEP = TEXT|@FILE: use this evidence instead of a call."""
        word, equals, text = arg.partition("=")
        for id, value in named_values((word.strip() + equals + text.strip(),), "set").items():
            self.debugger.set(id, value)
            self._say(f"{self.debugger.id_of(id)} is set")

    def do_undo(self, arg: str) -> None:
        """undo (u): undo the last step, next, edit or set."""
        self._say("undone" if self.debugger.undo() else "nothing to undo")

    def do_restart(self, arg: str) -> None:
        """restart (r): start again with the original plan."""
        self.debugger.restart()
        self._say("restarted")

    def do_quit(self, arg: str) -> bool:
        """quit (q): end the session."""
        return True

    do_s, do_n, do_c, do_b, do_l, do_p, do_w = (do_step, do_next, do_continue, do_break, do_list, do_print, do_where)
    do_e, do_u, do_r, do_q = do_edit, do_undo, do_restart, do_quit
    do_EOF = do_quit  # noqa: N815 - the name that cmd calls at the end of the input

    def get_names(self) -> list[str]:
        """The commands that help lists: each once."""
        return [name for name in super().get_names() if len(name) > len("do_x") and name != "do_EOF"]
