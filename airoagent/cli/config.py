"""``airo config``: the settings in force, and where each comes from."""

from __future__ import annotations

import dataclasses
import json

import click


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--config", "config_file", metavar="FILE", help="Read this config file in place of the user's own.")
def command(as_json: bool, config_file: str | None) -> None:
    """Show each setting, its value and its origin: a flag, an AIRO_ variable, the config file, or the default."""
    from pathlib import Path

    from airoagent.settings import cache_folder, config_folder, load_settings, state_folder, strange_variables

    settings = load_settings(config_file=Path(config_file) if config_file else None)
    rows = [
        (field.name, getattr(settings, field.name), settings.origins[field.name])
        for field in dataclasses.fields(settings)
        if field.name in settings.origins
    ]
    folders = {"config": config_folder(), "state": state_folder(), "cache": cache_folder()}
    if as_json:
        record = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        click.echo(json.dumps({"settings": record, "folders": folders}, indent=2, default=str))
        return
    for name, value, origin in rows:
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
        click.echo(f"{name:<20} {shown!s:<14} {origin}")
    for name, folder in folders.items():
        click.echo(f"{name + ' folder':<20} {folder}")
    for name, near in strange_variables().items():
        click.echo(f"note: nothing reads {name}" + (f"; did you mean {near}?" if near else ""), err=True)
