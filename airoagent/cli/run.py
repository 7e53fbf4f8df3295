"""``airo run``: a plan from a file, or from standard input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, display_options, make_agent
from airoagent.cli.stdin import read_stdin
from airoagent.textfiles import MOST, read_text

if TYPE_CHECKING:
    from airoagent.plan.plans import Plan
    from airoagent.toolbox.tool import Toolbox


@click.command("run")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="What {NAME} in the plan stands for.")
@click.option("--replay-tools", "recorded", metavar="ID|TRACE", help="Take what tools find from this record.")
@agent_options(without=("replan", "web"))
@display_options
def command(
    file: str,
    values: tuple[str, ...],
    recorded: str | None,
    as_json: bool,
    display: str | None,
    color: str | None,
    **flags: Any,
) -> int:
    """Run the plan in FILE (`-`: standard input) and tell the answer.

    The plan may be in any form a model writes; what is wrong with it is told with line and column before anything runs.

    A {name} in the plan is a parameter that --set gives a value. With --replay-tools no tool is called: each finds what
    the record says it found for that input (exit 6 where it has none); the model is asked as usual.

    \b
    Examples:
      airo run --docs examples/library my.plan
      airo run my.plan --set year=2020 --replay-tools my.jsonl
    """
    from airoagent.cli.answer import print_run
    from airoagent.cli.recorded import named_values
    from airoagent.cli.runs import load_run
    from airoagent.cli.watch import make_watch
    from airoagent.engine.sync import run_in_thread
    from airoagent.plan.parameters import with_values
    from airoagent.recorded.export import on_recorded_tools

    text = text_of(file)
    agent, settings = make_agent(flags, display=display, color=color)
    plan = with_values(read_plan(text, agent.tools_for(text), file), named_values(values, "--set"))
    watch = make_watch(settings)
    if recorded is not None:
        past = load_run(recorded)
        run = run_in_thread(lambda: on_recorded_tools(agent.session, plan, past, watch=watch))
    else:
        run = agent.execute(plan, watch=watch)
    return print_run(run, as_json=as_json, settings=settings)


def read_plan(text: str, tools: Toolbox, file: str) -> Plan:
    """The plan in a file's text; a PlanError names the file beside line and column."""
    from airoagent.errors import PlanError
    from airoagent.plan.parser import parse_plan

    try:
        return parse_plan(text, tools)
    except PlanError as error:
        error.file = "" if file == "-" else file
        raise


def text_of(file: str, most: int = MOST) -> str:
    """The text of a file, or of standard input for ``-``; UsageError says why there is none."""
    return read_stdin() if file == "-" else read_text(file, hint="check the path; `-` reads standard input", most=most)
