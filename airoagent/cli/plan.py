"""``airo plan``: only the plan for a question, as the model writes it; and a look at a plan there is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.options import agent_options, complete, make_agent, refuse_given
from airoagent.cli.run import text_of
from airoagent.cli.stdin import words_or_stdin
from airoagent.prompts.harmless import visible
from airoagent.settings import declared_settings

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.errors import Diagnostic, PlanError
    from airoagent.plan.plans import Plan


@click.command("plan")
@click.argument("question", nargs=-1)
@agent_options("model", "tools", without=("search", "allow_private", "answers", "approve", "cache", "no_cache"))
@click.option(
    "--check",
    "file",
    type=click.Path(allow_dash=True),
    metavar="FILE|-",
    help="Look at the plan in FILE in place of writing one.",
)
@click.option("--fix", is_flag=True, help="With --check: print the repaired text.")
@click.option(
    "--format",
    "form",
    metavar="mermaid|dot|text",
    shell_complete=complete(lambda: ("mermaid", "dot", "text")),
    help="Print a picture of the plan in this form.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan (with --check: and the findings) as JSON.")
def command(
    question: tuple[str, ...], file: str | None, fix: bool, form: str | None, as_json: bool, **flags: Any
) -> int:
    """Write the plan for QUESTION and run nothing; `airo run -` takes it from there.

    With --check, tell what is wrong with a plan there is: each finding with its line, column and caret, and what was
    done about it. Exit code 0: the plan can be run; 4: it cannot.

    \b
    Examples:
      airo plan --docs examples/library "How deep is Lake Baikal?" | airo run --docs examples/library -
      airo plan --check plans/compare-two-lakes.plan --format text
    """
    if file is not None:
        of_model = [name for name, (_, one) in declared_settings().items() if one.group == "model"]
        refuse_given(("options", *of_model), "does nothing with --check, which asks no model")
    agent, _ = make_agent(flags)
    if file is not None:
        return _check(text_of(file), "plan" if file == "-" else file, agent, fix, form, as_json)
    if fix:
        raise click.UsageError("--fix repairs a plan there is: airo plan --check FILE --fix")
    written, plan = _write(agent, words_or_stdin(question), as_json)
    if form is not None:
        _picture(plan, form)
    elif as_json:
        from airoagent.records.run_record import plan_json

        click.echo(json.dumps({"written": written, **plan_json(plan)}, indent=2))
    else:
        click.echo(visible(written.rstrip("\n")))
        _findings(plan.diagnostics, written, "plan", err=True)
    return 0


def _write(agent: Agent, question: str, as_json: bool) -> tuple[str, Plan]:
    """What the model wrote, and the plan it means. What cannot be used is shown whole: it is on record nowhere."""
    from airoagent.cli.display import plain
    from airoagent.errors import PlanError
    from airoagent.events import Event, PlanWritten

    written: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, PlanWritten):
            written.append(event.text)

    try:
        plan = agent.plan(question, watch=watch)
    except PlanError as error:
        if not as_json:
            click.echo(plain(error.text.rstrip("\n")) + "\n", err=True)
        raise
    return written[0], plan


def _check(text: str, name: str, agent: Agent, fix: bool, form: str | None, as_json: bool) -> int:
    from airoagent.errors import PlanError
    from airoagent.plan.parser import parse_plan
    from airoagent.records.run_record import plan_json

    error: PlanError | None = None
    plan: Plan | None = None
    try:
        plan = parse_plan(text, agent.tools_for(text))
    except PlanError as refused:
        error = refused
    findings = error.diagnostics if error else plan.diagnostics if plan else ()
    if as_json:
        record = {"usable": error is None, "findings": [_json(found) for found in findings]}
        click.echo(json.dumps({**record, "plan": None if plan is None else plan_json(plan)}, indent=2))
        return 0 if error is None else error.exit_code
    product = (fix or form is not None) and plan is not None
    _findings(findings, text, name, err=product)
    if error is not None:
        click.echo(visible(f"{name}: {error.message}\nhint: {error.hint}"), err=True)
        return error.exit_code
    assert plan is not None
    if form is not None:
        _picture(plan, form)
    elif fix:
        click.echo(visible(plan.to_text()), nl=False)
    elif not findings:
        click.echo(f"{name}: {len(plan.steps)} steps, nothing to repair")
    return 0


def _json(found: Diagnostic) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _findings(findings: tuple[Diagnostic, ...], text: str, name: str, err: bool) -> None:
    from airoagent.findings import render_diagnostic

    for found in findings:
        click.echo(visible(render_diagnostic(found, text, name)), err=err)


def _picture(plan: Plan, form: str) -> None:
    from airoagent.plan.drawing import draw_plan

    click.echo(visible(draw_plan(plan, form).rstrip("\n")))  # type: ignore[arg-type]
