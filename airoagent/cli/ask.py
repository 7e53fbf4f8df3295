"""``airo ask``: a question, a plan, tools, an answer."""

from __future__ import annotations

from typing import Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent


@click.command("ask")
@click.argument("question", nargs=-1)
@click.option(
    "--context",
    "files",
    multiple=True,
    type=click.Path(allow_dash=True),
    metavar="FILE|-",
    help="Answer from this text alone (repeatable).",
)
@agent_options()
@display_options
def command(
    question: tuple[str, ...],
    files: tuple[str, ...],
    as_json: bool,
    display: str | None,
    color: str | None,
    **flags: Any,
) -> int:
    """Answer QUESTION: plan, run the steps, print the answer with its sources.

    The answer goes to stdout; the plan and the steps go to stderr. `-` reads the question from standard input.

    Text from a pipe is what the question is answered from, and nothing else: no plan, no search. A pipe that sends
    nothing for 3 seconds is ignored. In a `while read` loop, add `</dev/null` so that airo does not read the loop's
    input.

    \b
    Examples:
      airo ask --docs examples/library "Where do otters sleep?"
      airo ask -m jondurbin/airoboros-l2-13b-gpt4-2.0 "Who won the 2020 Nobel Prize in Literature?"
      cat lease.txt | airo "When does it end?"
      airo ask --json --display none "..." | jq .answer
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.stdin import context_of, words_or_stdin
    from airoagent.cli.watch import make_watch
    from airoagent.settings import state_folder

    first_run = not (state_folder() / "runs.sqlite3").exists()
    agent, settings = make_agent(flags, display=display, color=color)
    text = words_or_stdin(question)
    context = [] if question == ("-",) and not files else context_of(files, settings.display not in ("none", "json"))
    if context:
        _alone(flags)
    watch = make_watch(settings)
    if first_run and settings.display not in ("none", "json") and agent.model.info.note:
        click.echo(f"model: {agent.model.info.name} - {agent.model.info.note}", err=True)
    run = agent.run(text, context=context, watch=watch)
    return print_run(run, as_json=as_json, settings=settings)


def _alone(flags: dict[str, Any]) -> None:
    """UsageError for an option that says what else to answer from: the text that was given is not left out unsaid."""
    from airoagent.errors import UsageError

    for option, name in (("docs", "--docs"), ("web", "--web"), ("named", "--tool")):
        if flags[option]:
            raise UsageError(
                f"a text to answer from was given, and {name} too: it is one or the other",
                f"leave out {name}, or keep standard input out of it with </dev/null",
            )
