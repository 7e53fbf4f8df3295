"""``airo view``: a run as a page to look at, or all runs in the browser."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click


@click.command("view")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="Write the page to FILE; `-` writes it to stdout.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Serve on this port (a free one).")
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@click.option("-m", "--model", metavar="MODEL", help="The model for questions asked on the page.")
@click.option(
    "--docs",
    multiple=True,
    type=click.Path(),
    metavar="DIR",
    help="Answer questions asked on the page from this folder.",
)
def command(
    run_id: str | None, output: str | None, port: int, no_open: bool, model: str | None, docs: tuple[str, ...]
) -> None:
    """Look at a run: graph, timeline, every step's input, evidence and prompts, in one HTML file.

    With ID the page is written as ID.html and opened; its path goes to stdout. Without ID all runs, live ones too, are
    served on 127.0.0.1 until Ctrl-C, and questions can be asked there.

    \b
    Examples:
      airo view @last
      airo view @last -o run.html --no-open
      airo view --docs examples/library
    """
    if run_id is None:
        if output is not None:
            raise click.UsageError("-o needs the ID of a run")
        _serve(port, no_open, {"model": model, "docs": docs})
        return
    from airoagent.cli.runs import load_run
    from airoagent.view.page import render_page

    run = load_run(run_id)
    page = render_page(run)
    if output == "-":
        click.echo(page)
        return
    file = Path(output or f"{re.sub(r'[^A-Za-z0-9.-]', '_', run.id).lstrip('.') or 'run'}.html")
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        from airoagent.errors import UsageError

        raise UsageError(f"{file} cannot be written: {error.strerror}", "give another file with -o") from error
    click.echo(file)
    if not no_open:
        _open(file.resolve().as_uri())


def _serve(port: int, no_open: bool, given: dict[str, Any]) -> None:
    from airoagent.agent import Agent
    from airoagent.cli.options import make_agent
    from airoagent.records.store import Store
    from airoagent.settings import load_settings, state_folder
    from airoagent.view.page_server import ViewServer

    settings = load_settings({"model": given["model"], "docs": given["docs"]})

    def agent() -> Agent:
        return make_agent(given)[0]

    store = Store(state_folder() / "runs.sqlite3")
    with ViewServer(store, agent, port=port, model=settings.model) as server:
        click.echo(server.url)
        sys.stdout.flush()
        click.echo("Ctrl-C stops it", err=True)
        file = state_folder() / f"view-{server.port}.html"
        try:
            if not no_open:
                _open(_way_in(file, server.url))
            server.closing.wait()
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            file.unlink(missing_ok=True)
    store.close()


def _way_in(file: Path, url: str) -> str:
    """The address of a file that leads to the server: a command line, which holds the browser's address, can be read by
    every user of the machine, and the file cannot."""
    from airoagent.settings import private_file

    file.unlink(missing_ok=True)
    private_file(file)
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">\n', encoding="utf-8")
    return file.as_uri()


def _open(address: str) -> None:
    """Open the browser where there is somebody to see it: not on a server without a display."""
    import webbrowser

    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    webbrowser.open(address)
