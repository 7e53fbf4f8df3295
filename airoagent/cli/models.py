"""``airo models``: what can plan and answer."""

from __future__ import annotations

import dataclasses
import json
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
def show(name: str) -> None:
    """Show a model: its repository, wrapper, licence and needs; or what a folder holds."""
    from airoagent.models.catalog import find_model, list_models, open_model

    known = find_model(name)
    if known is None:
        click.echo(json.dumps(dataclasses.asdict(open_model(name).info), indent=2))
        return
    row = next(row for row in list_models() if row.model == known)
    click.echo(json.dumps({**dataclasses.asdict(known), "cached": row.cached, "fits": row.fits}, indent=2))
