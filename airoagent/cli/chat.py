"""``airo chat``: questions that follow each other, in the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, make_agent

if TYPE_CHECKING:
    from airoagent.conversation import Conversation
    from airoagent.settings import Settings

_HELP = """\
/tools        the tools a plan may call
/docs         the folders that are searched
/model        the model that answers
/why          what the last answer stands on
/runs         the runs of this conversation
/new          forget what was said
/help, /quit"""


@click.command("chat")
@agent_options()
@click.option("-v", "--verbose", is_flag=True, help="Show plans and steps.")
def command(verbose: bool, **flags: Any) -> int:
    """Talk: each question is a run, and may refer to the ones before it ("And when was she born?").

    A line that ends in a backslash goes on in the next one. /help lists the commands; Ctrl-D ends.

    \b
    Example:
      airo chat --docs examples/library
    """
    from airoagent.conversation import Conversation

    agent, settings = make_agent(flags, display=None if verbose else "none")
    talk = Conversation(agent)
    terminal = sys.stdin.isatty()
    if terminal:
        _remember_lines()
        click.echo(f"{agent.model.info.name}: ask, or /help", err=True)
    try:
        while (text := _read(terminal)) is not None:
            if text in ("/quit", "/exit"):
                break
            if text.startswith("/"):
                _obey(text, talk)
            elif text:
                _ask(text, talk, settings)
    finally:
        agent.close()
    return 0


def _ask(text: str, talk: Conversation, settings: Settings) -> None:
    from airoagent.cli.answer import print_run
    from airoagent.cli.watch import make_watch

    try:
        run = talk.ask(text, watch=make_watch(settings))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return
    asked = talk.turns[-1].asked
    if asked != text.strip():
        click.echo(f"asked: {asked}", err=True)
    print_run(run, as_json=False, settings=settings, recorded=False)
    click.echo()


def _read(terminal: bool) -> str | None:
    """The next line, with those it goes on in; None at the end of the input."""
    lines: list[str] = []
    while True:
        try:
            line = input("> " if terminal and not lines else "  " if terminal else "")
        except EOFError:
            return "\n".join(lines) if lines else None
        except KeyboardInterrupt:
            click.echo(err=True)
            lines.clear()
            continue
        lines.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            return "\n".join(lines).strip()


def _remember_lines() -> None:
    """Line editing with a history over sessions, where the terminal library has it."""
    import atexit
    import contextlib

    from airoagent.settings import private_file, state_folder

    with contextlib.suppress(ImportError, OSError):
        import readline

        file = state_folder() / "chat_history"
        private_file(file)
        readline.read_history_file(file)
        readline.set_history_length(1000)
        atexit.register(readline.write_history_file, file)


def _obey(command: str, talk: Conversation) -> None:
    """Carry out a line that begins with a slash."""
    from airoagent.cli.display import plain

    agent, last = talk.agent, talk.turns[-1].run if talk.turns else None
    match command.split()[0]:
        case "/tools":
            lines = list(agent.toolbox)
        case "/docs":
            lines = list(agent.documents.addresses) if agent.documents is not None else ["no documents: --docs DIR"]
        case "/model":
            lines = [f"{agent.model.info.name} {agent.model.info.note}".strip()]
        case "/runs":
            lines = [f"{turn.run.id}  {turn.asked}" for turn in talk.turns]
        case "/new":
            talk.turns.clear()
            lines = ["what was said is forgotten"]
        case "/why" if last is not None and last.sources:
            lines = [f"{source.title or source.url} ({source.url})\n  {source.quote}" for source in last.sources]
        case "/why":
            lines = ["there is no answer with sources yet"]
        case _:
            lines = [_HELP]
    click.echo(plain("\n".join(lines)))
