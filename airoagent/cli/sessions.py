"""The verbs that run until they are stopped: chat, serve and view."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.app import go_on_after
from airoagent.cli.display import plain
from airoagent.cli.inputs import load_run, open_store
from airoagent.cli.launch import agent_for, make_agent, read_launch_settings
from airoagent.cli.options import SEARCH_RULE, Rule, agent_options, all_flags, continue_options, refuses
from airoagent.cli.output import make_watch, print_error, print_run, showing_question, write_file
from airoagent.errors import AiroError, UsageError
from airoagent.settings import cache_folder, load_settings, private_file, state_folder
from airoagent.textfiles import expanded

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.conversation import Conversation
    from airoagent.serving.driver import Offer
    from airoagent.settings import Settings

_HELP = """\
/tools        list the tools
/docs         list the document folders
/model [NAME] show the model, or switch to another one
/why          show the sources of the last answer
/runs         list the runs of this conversation
/save FILE    write a report of this conversation (Markdown)
/new          start a new conversation
/help, /quit"""


@click.command("chat")
@agent_options()
@refuses(SEARCH_RULE)
@click.option("-v", "--verbose", is_flag=True, help="Show plans and steps.")
@continue_options
def chat_command(verbose: bool, go_on: bool, after: str | None, **flags: Any) -> int:
    """Ask questions that may refer to earlier ones ("And when was she born?"). Each question is a run.

    A line that ends in a backslash continues on the next. /help lists the commands; Ctrl-D quits.

    \b
    Example:
      airo chat --docs examples/library
      airo chat -c
    """
    from airoagent.conversation import Conversation

    past = load_run(after or "@last") if go_on or after else None
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    flags["display"] = ("rich" if verbose else "auto") if terminal else "plain" if verbose else "none"
    agent, settings = make_agent(flags) if past is None else agent_for(past, flags)
    talk = Conversation(agent, past)
    terminal = sys.stdin.isatty()
    if terminal:
        _remember_lines()
        click.echo(f"{agent.model.info.name}: ask a question, or type /help", err=True)
    try:
        while (text := _read(terminal)) is not None:
            if text in ("/quit", "/exit"):
                break
            try:
                if text.startswith("/"):
                    _obey(text, talk, flags)
                elif text:
                    _ask(text, talk, settings)
            except KeyboardInterrupt as stop:
                go_on_after(stop)
                click.echo("stopped", err=True)
            except AiroError as error:  # what was said is not a question, or there is no such model
                print_error(error, settings.display == "json")
    finally:
        talk.agent.close()
    return 0


def _ask(text: str, talk: Conversation, settings: Settings) -> None:
    run = talk.ask(text, watch=showing_question(text, make_watch(settings, prints_run=True)))
    print_run(run, as_json=False, settings=settings, recorded=False)
    click.echo()


def _read(terminal: bool) -> str | None:
    """The next line, with its continuation lines; None at the end of the input."""
    lines: list[str] = []
    while True:
        try:
            line = input("> " if terminal and not lines else "  " if terminal else "")
        except EOFError:
            return "\n".join(lines) if lines else None
        except KeyboardInterrupt as stop:
            go_on_after(stop)
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

    with contextlib.suppress(ImportError, OSError):
        import readline

        file = state_folder() / "chat_history"
        private_file(file)
        readline.read_history_file(file)
        readline.set_history_length(1000)
        atexit.register(readline.write_history_file, file)


def _obey(command: str, talk: Conversation, flags: dict[str, Any]) -> None:
    """Carry out a line that begins with a slash."""
    from airoagent.view.report import markdown_report

    agent, last = talk.agent, talk.turns[-1].run if talk.turns else None
    name, _, rest = command.partition(" ")
    match name:
        case "/tools":
            lines = [f"{tool.name:<20} {plain(tool.description, 110)}" for tool in agent.toolbox.values()]
        case "/docs":
            folders = () if agent.documents is None else agent.documents.addresses
            lines = list(folders) or ["no documents (start with --docs PATH)"]
        case "/model":
            if rest.strip():
                _switch_model(talk, rest.strip(), flags)
            info = talk.agent.model.info
            lines = [f"{info.name} {info.note}".strip()]
        case "/runs":
            lines = [f"{turn.run.id}  {turn.run.model}  {turn.asked}" for turn in talk.turns]
        case "/new":
            talk.turns.clear()
            lines = ["started a new conversation"]
        case "/why" if last is not None and last.sources:
            lines = [f"{source.title or source.url} ({source.url})\n  {source.quote}" for source in last.sources]
        case "/why":
            lines = ["no answer with sources yet"]
        case "/save":
            file = str(expanded(rest.strip()))
            lines = ["/save needs the name of a file" if talk.turns else "nothing has been asked yet"]
            if rest.strip() and talk.turns:
                write_file(file, [markdown_report(turn.run for turn in talk.turns)])
                lines = [f"saved to {file}"]
        case "/help":
            lines = [_HELP]
        case _:
            lines = [f"{name} is not a command; /help lists them"]
    click.echo(plain("\n".join(lines)))


def _switch_model(talk: Conversation, name: str, flags: dict[str, Any]) -> None:
    """Ask the following questions with another model; everything else stays as it was."""
    options = flags["options"] if name == flags["model"] else ()  # another model has other options
    started = read_launch_settings(talk.agent.session.started_with)
    agent, _ = make_agent(started.flags_for({**all_flags(flags), "model": name, "options": options}))
    talk.agent.close()
    talk.agent = agent


_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_models_option = click.option(
    "-m", "--model", "models", multiple=True, metavar="MODEL", help="Model; repeat it to offer several."
)


class _Agents:
    """The agents of a server, made as they are asked for: of each model one, and more for its single folders."""

    def __init__(self, flags: dict[str, Any], models: tuple[str, ...]) -> None:
        settings = load_settings({"docs": flags["docs"]}, config_file=flags.get("config_file"))
        self.models = models or (settings.model,)
        self.folders = tuple(map(str, settings.docs))
        self._flags = flags
        self._made: dict[tuple[str, str], Agent] = {}
        self._making = threading.Lock()

    def get(self, model: str, folder: str) -> Agent:
        """The agent for a model and a folder ("": all folders); those of one model share it in memory."""
        with self._making:
            if (model, folder) not in self._made:
                docs = (folder,) if folder else self._flags["docs"]
                made = make_agent({**self._flags, "model": model, "docs": docs})[0]
                same = next((agent.model for (name, _), agent in self._made.items() if name == model), None)
                made.session.model = same or made.model
                self._made[model, folder] = made
            return self._made[model, folder]

    def offer(self) -> Offer:
        """What questions on the page may choose from."""
        from airoagent.documents.library import Documents
        from airoagent.serving.driver import Offer

        documents = Documents(tuple(map(Path, self.folders)), cache_folder()) if self.folders else None
        return Offer(self.get, self.models, self.folders, documents)

    def close(self) -> None:
        for agent in self._made.values():
            agent.close()


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8383, show_default=True, help="Port; 0 picks a free one."
)
@click.option("--key", metavar="KEY", help="API key that clients must send (default: $AIRO_SERVE_KEY).")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Host name clients use for this server.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=8, show_default=True, help="Maximum runs at a time.")
@click.option("--mcp", is_flag=True, help="Serve MCP on standard input and output instead of HTTP.")
@_models_option
@agent_options(without=("model",))
@refuses(Rule("host port key names at_once", excludes="mcp", hint="no port is opened with --mcp"), SEARCH_RULE)
def serve_command(
    host: str,
    port: int,
    key: str | None,
    names: tuple[str, ...],
    at_once: int,
    mcp: bool,
    models: tuple[str, ...],
    **flags: Any,
) -> int:
    """Serve the agent as an OpenAI-compatible API (/v1/chat/completions, /v1/models), as an MCP server (/mcp), and as
    the page of `airo view` (/).

    Works with any client of that API, such as open-webui, llm or the openai packages. The name of the model is `airo`;
    if -m is repeated, that is the first one, and each is listed by its own name as well. Each request is a recorded
    run; the plan and its steps are sent as reasoning, the sources as citations. A follow-up is completed from the
    messages before it. With -T +AskUser a plan may ask the user; the next message is the answer.

    /mcp speaks MCP over streamable HTTP (extra mcp), with the tools ask, plan, run, get_run and, with --docs,
    search_documents. With --mcp the same tools are served on standard input and output, to the client that starts it.

    The page has its own key, in the address that is printed.

    \b
    Example:
      airo serve --docs examples/library
      curl http://127.0.0.1:8383/v1/chat/completions -H 'Content-Type: application/json' \\
        -d '{"messages": [{"role": "user", "content": "How deep is Lake Baikal?"}]}'
    """
    from airoagent.extras import has

    agents = _Agents(flags, models)
    agent = agents.get(agents.models[0], "")
    if mcp:
        return _serve_mcp(agent)
    from airoagent.serving.api import MCP_PATH, make_app
    from airoagent.serving.http_server import Server

    key = key or os.environ.get("AIRO_SERVE_KEY", "")
    if host not in _LOOPBACK and not key:
        raise UsageError(f"{host} is reachable from other machines", "set a key: --key KEY or AIRO_SERVE_KEY")
    app = make_app(agent, key=key, hosts=(*names, host), at_once=at_once, offer=agents.offer())
    server = Server(app, host, port)
    also = f" and {server.url}{MCP_PATH}" if has("mcp") else ""
    click.echo(f"serving on {server.url}/v1{also} (Ctrl-C to stop)", err=True)
    if app.state.stop:
        click.echo(f"page: {server.url}/?key={app.state.page_key}", err=True)
    try:
        server.serve_until_stopped()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        agents.close()
    return 0


def _serve_mcp(agent: Agent) -> int:
    """MCP on standard input and output, until the client closes them."""
    from airoagent.serving.mcp_tools import make_mcp

    try:
        make_mcp(agent).run()
    finally:
        agent.close()
    return 0


@click.command("view")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Write the page to FILE; `-` writes it to stdout.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port (default: a free one).")
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@_models_option
@click.option(
    "--docs",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    help="Answer questions asked on the page from this folder or file.",
)
@refuses(
    Rule("port models docs", excludes="run_id", shown="the ID of a run", hint="omit the ID to serve all runs"),
    Rule("output", needs="run_id", shown="the ID of a run", hint="airo view @last -o FILE"),
)
def view_command(
    run_id: str | None, output: str | None, port: int, no_open: bool, models: tuple[str, ...], docs: tuple[str, ...]
) -> None:
    """Show a run as one HTML page: graph, timeline, and the input, evidence and prompts of each step.

    With ID, the page is written to ID.html and opened; its path goes to stdout. Without ID, all runs, live ones too,
    are served on 127.0.0.1 until Ctrl-C, and questions can be asked there.

    \b
    Examples:
      airo view @last
      airo view @last -o run.html --no-open
      airo view --docs examples/library
    """
    if run_id is None:
        _serve_pages(port, no_open, _Agents({"docs": docs}, models))
        return
    from airoagent.view.page import render_page

    run = load_run(run_id)
    page = render_page(run)
    if output == "-":
        click.echo(page)
        return
    file = output or f"{re.sub(r'[^A-Za-z0-9.-]', '_', run.id).lstrip('.') or 'run'}.html"
    write_file(file, [page])
    click.echo(file)
    if not no_open:
        _open(Path(file).resolve().as_uri())


def _serve_pages(port: int, no_open: bool, agents: _Agents) -> None:
    from airoagent.serving.http_server import Server
    from airoagent.serving.pages import make_page_app

    store = open_store()
    app = make_page_app(store, agents.offer())
    server = Server(app, "127.0.0.1", port)
    url = f"{server.url}/?key={app.state.page_key}"
    click.echo(url)
    sys.stdout.flush()
    click.echo("Ctrl-C to stop", err=True)
    file = state_folder() / f"view-{server.port}.html"
    try:
        if not no_open:
            _open(_way_in(file, url))
        server.serve_until_stopped()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        file.unlink(missing_ok=True)
        agents.close()
        store.close()


def _way_in(file: Path, url: str) -> str:
    """The address of a private file that redirects to the server: every user of the machine can read the browser's
    command line, but not this file."""
    file.unlink(missing_ok=True)
    private_file(file)
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">\n', encoding="utf-8")
    return file.as_uri()


def _open(address: str) -> None:
    """Open the browser, unless there is no display."""
    import webbrowser

    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    webbrowser.open(address)
