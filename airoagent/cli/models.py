"""``airo models``: what can plan and answer."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from airoagent.models.catalog import ModelRow

_FITS = {"gpu": "fits the GPU", "cpu": "fits memory (slow)", "no": "does not fit", "unknown": ""}


@click.group("models", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model, one a line.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the models of the catalogue: size, window, memory, whether it is here and fits.

    `-m` also takes the folder or the Hugging Face name of any other Llama-class checkpoint.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model, one a line.")
def list_(as_json: bool) -> None:
    """List the models of the catalogue."""
    _list(as_json)


def _list(as_json: bool) -> None:
    from airoagent.models.catalog import list_models, open_model

    default = open_model("extractive").info
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(default)))
    else:
        click.echo(f"{default.name:<42} {default.note}")
    for row in list_models():
        click.echo(json.dumps(dataclasses.asdict(row)) if as_json else _line(row))


def _line(row: ModelRow) -> str:
    model = row.model
    state = "here" if row.cached else "not here"
    return (
        f"{model.name:<42} {model.parameters:5.1f}B  {model.memory:5.2f} GB at 4 bits  window {model.context}  "
        f"{state}, {_FITS[row.fits]}"
    )


@command.command("show")
@click.argument("name")
@click.option("-o", "--option", "options", nargs=2, multiple=True, metavar="KEY VALUE", help="A model option.")
def show(name: str, options: tuple[tuple[str, str], ...]) -> None:
    """Show a model: its repository, wrapper, licence and needs; or what a folder, a GGUF file or a server is.

    `example` is the exact text such a model reads for a question.
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.models.catalog import find_model, list_models, open_model, show_folder, where_it_fits
    from airoagent.models.local.gguf_file import quantised_sizes
    from airoagent.models.local.machine import this_machine
    from airoagent.models.window import Asks

    known = find_model(name)
    if known is None:
        model = open_model(name, options=dict(options))
        if model.info.backend == "server" and isinstance(model, Asks):
            run_in_thread(model.ready)
        shown = {**dataclasses.asdict(model.info), **show_folder(name, dict(options))}
        click.echo(json.dumps({**shown, "example": model.wrap("Where do otters sleep?")}, indent=2))
        return
    row = next(row for row in list_models() if row.model == known)
    here = this_machine()
    gguf = [
        {**dataclasses.asdict(each), "fits": where_it_fits(each.memory, here)}
        for each in quantised_sizes(known.parameters)
    ]
    shown = {**dataclasses.asdict(known), "cached": row.cached, "fits": row.fits, "gguf": gguf}
    click.echo(json.dumps(shown, indent=2))


@command.command("quantize")
@click.argument("source")
@click.argument("destination")
def quantize_(source: str, destination: str) -> None:
    """Save a model in 4 bits, so that it loads in seconds and takes a quarter of the disk.

    SOURCE is a folder, or the name of a model that has been fetched; DESTINATION a folder that does not exist yet.
    """
    from pathlib import Path

    from airoagent.errors import ModelError
    from airoagent.models.catalog import find_model
    from airoagent.models.hub import is_hub_name, snapshot
    from airoagent.models.local.quantize import quantize

    known = find_model(source)
    name = known.repo if known is not None else source
    folder: Path | None = Path(source).expanduser()
    if not Path(source).expanduser().is_dir() and is_hub_name(name):
        folder = snapshot(name)
    if folder is None:
        raise ModelError(f"{name} is not on this machine yet", f"fetch it: hf download {name}")
    saved = quantize(folder, Path(destination).expanduser(), name=name, progress=_progress())
    click.echo(f"{saved.stored / 1e9:.2f} GB in 4 bits; use it with -m {destination}", err=True)
    click.echo(destination)


def _progress() -> Callable[[str, int, int], None]:
    """Tells a person how far loading is, in tenths; says nothing where nobody watches."""
    told: list[int] = []

    def progress(what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if sys.stderr.isatty() and tenth not in told:
            told.append(tenth)
            click.echo(f"{what}: {10 * tenth} %", err=True)

    return progress
