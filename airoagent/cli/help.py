"""``airo help``: a verb explained, the exit codes, how to set up completion."""

from __future__ import annotations

import click

from airoagent.cli.app import EXIT_CODES, VERBS, cli
from airoagent.cli.options import complete

COMPLETION = """\
Put the line of your shell into its start file, and Tab completes verbs, options, folders and models:

  bash, in ~/.bashrc:                  eval "$(_AIRO_COMPLETE=bash_source airo)"
  zsh, in ~/.zshrc:                    eval "$(_AIRO_COMPLETE=zsh_source airo)"
  fish, in ~/.config/fish/config.fish: _AIRO_COMPLETE=fish_source airo | source"""

TOPICS = {"completion": COMPLETION, "exit-codes": EXIT_CODES}


@click.command("help")
@click.argument(
    "topic", required=False, metavar="[VERB|exit-codes|completion]", shell_complete=complete(lambda: [*VERBS, *TOPICS])
)
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> None:
    """Explain a verb, the exit codes, or how to set up completion in bash, zsh and fish."""
    if topic is None:
        click.echo(cli.get_help(click.Context(cli, info_name="airo", terminal_width=ctx.terminal_width)))
    elif topic in TOPICS:
        click.echo(TOPICS[topic])
    elif topic in VERBS:
        verb = cli.get_command(ctx, topic)
        assert verb is not None
        click.echo(verb.get_help(click.Context(verb, info_name=f"airo {topic}", terminal_width=ctx.terminal_width)))
    else:
        from difflib import get_close_matches

        from airoagent.errors import UsageError

        near = get_close_matches(topic, [*VERBS, *TOPICS], n=1)
        raise UsageError(
            f"there is nothing about {topic!r}",
            f"did you mean `airo help {near[0]}`?" if near else f"verbs, {' and '.join(TOPICS)}: airo help",
        )
