"""The verbs that ask a model: ask, plan, run, call, think and code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.display import plain
from airoagent.cli.forecasts import forecast_json, forecast_lines, print_dry_run
from airoagent.cli.inputs import bundled_plan, context_of, load_run, named_values, read_plan, text_of, words_or_stdin
from airoagent.cli.launch import agent_for, make_agent
from airoagent.cli.options import (
    SEARCH_RULE,
    SEARCH_SETTINGS,
    Rule,
    agent_options,
    continue_options,
    display_options,
    refuses,
)
from airoagent.cli.output import make_watch, print_run, showing_question
from airoagent.errors import PlanError
from airoagent.events import Event, PlanWritten
from airoagent.prompts.harmless import visible
from airoagent.settings import declared_settings, store_file

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.calls.functions import Functions
    from airoagent.errors import Diagnostic
    from airoagent.plan.plans import Plan
    from airoagent.settings import Settings


# A given text is the only source, whether it comes from a file or a pipe: no plan is written, nothing is searched.
_TEXT_RULE = Rule(
    "docs web named",
    excludes="files",
    shown="a text to answer from",
    hint="remove the option, or keep standard input out of it with </dev/null",
)


_dry_run = click.option("--dry-run", is_flag=True, help="Print the plan and what running it will take; run nothing.")


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
@click.option("--schema", metavar="FILE", help="Answer as JSON that is valid against this JSON schema.")
@_dry_run
@continue_options
@agent_options()
@display_options
@refuses(
    _TEXT_RULE,
    Rule("tools search sites time_limit allow_private cache no_cache replan retries", excludes="files"),
    Rule("files schema go_on after", excludes="dry_run"),
    SEARCH_RULE,
)
def ask_command(
    question: tuple[str, ...],
    files: tuple[str, ...],
    schema: str | None,
    dry_run: bool,
    go_on: bool,
    after: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Answer QUESTION: plan, run the steps, print the answer with its sources.

    The answer goes to stdout; the plan and the steps go to stderr. `-` reads the question from standard input.

    With -c, QUESTION may refer to what the last run was about ("And when was she born?"). It is completed from what was
    said, and asked of the model and documents of that run, unless options change them; `airo chat` is a dialogue.

    With --schema, the answer is JSON and nothing else. It is always checked, and a grammar holds the model to it where
    the backend has one. If there is no answer, the output is a sentence that says so, and the exit code is 8.

    Text from a pipe is the only source of the answer: no plan, no search. A pipe that sends nothing for 3 seconds is
    ignored. In a `while read` loop, add `</dev/null` so that airo does not read the loop's input.

    \b
    Examples:
      airo ask --docs examples/library "Where do otters sleep?"
      airo ask -m jondurbin/airoboros-l2-13b-gpt4-2.0 "Who won the 2020 Nobel Prize in Literature?"
      airo -c "And when was it founded?"
      cat lease.txt | airo "When does it end?"
      airo ask --json --display none "..." | jq .answer
    """
    form = None
    if schema is not None:
        from airoagent.engine.structured import answer_schema

        form = answer_schema(text_of(schema) if schema == "-" else schema)
    past = load_run(after or "@last") if go_on or after else None
    if past is None:
        agent, settings = make_agent(flags, introduced=as_json or store_file().exists())
    else:
        agent, settings = agent_for(past, flags)
    text = words_or_stdin(question)
    context = [] if question == ("-",) and not files else context_of(files, settings.display not in ("none", "json"))
    if context:
        _TEXT_RULE.check(also="files")
    if dry_run:
        return print_dry_run(agent, settings, agent.plan(text), as_json)
    watch = make_watch(settings, prints_run=True)
    if past is None:
        run = agent.run(text, context=context, schema=form, watch=watch)
    else:
        from airoagent.conversation import Conversation

        if settings.display not in ("none", "json"):
            watch = showing_question(text, watch)
        run = Conversation(agent, past).ask(text, context=context, schema=form, watch=watch)
    return print_run(run, as_json=as_json, settings=settings, sources=form is None)


_OF_MODEL = [name for name, (_, one) in declared_settings().items() if one.group == "model"]


@click.command("plan")
@click.argument("question", nargs=-1)
@agent_options(
    "model",
    "tools",
    without=(*SEARCH_SETTINGS, "allow_private", "answers", "approve", "cache", "no_cache"),
    also=("retries",),
)
@click.option(
    "--check",
    "file",
    type=click.Path(allow_dash=True),
    metavar="FILE|-",
    help="Check the plan in FILE instead of writing one.",
)
@click.option("--fix", is_flag=True, help="With --check: print the repaired text.")
@click.option("--forecast", "foretell", is_flag=True, help="Say what running the plan will take: calls, tokens, time.")
@click.option("--format", "form", type=click.Choice(["mermaid", "dot", "text"]), help="Print the plan as a diagram.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan (with --check, also the findings) as JSON.")
@refuses(
    Rule(
        f"web docs options retries {' '.join(_OF_MODEL)} question",
        excludes="file",
        hint="no plan is written with --check",
    ),
    Rule("fix", needs="file", hint="airo plan --check FILE --fix"),
    Rule("fix form", excludes="as_json"),
    Rule("fix form", excludes="foretell"),
    Rule("fix", excludes="form"),
)
def plan_command(
    question: tuple[str, ...],
    file: str | None,
    fix: bool,
    foretell: bool,
    form: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Write the plan for QUESTION without running it. `airo run -` runs it.

    With --check, lint an existing plan: each finding with its line, column and caret, and how it was repaired. The exit
    code is 0 if the plan can be run and 4 if it cannot.

    \b
    Examples:
      airo plan --docs examples/library "How deep is Lake Baikal?" | airo run --docs examples/library -
      airo plan --check plans/compare-two-lakes.plan --format text
    """
    agent, settings = make_agent(flags)
    ahead = (agent, settings) if foretell else None
    if file is not None:
        return _check(text_of(file), "plan" if file == "-" else file, agent, fix, form, as_json, ahead)
    written, plan = _write(agent, words_or_stdin(question), as_json)
    if form is not None:
        _picture(plan, form)
    elif as_json:
        from airoagent.records.run_record import plan_json

        forecast = {"forecast": forecast_json(*ahead, plan)} if ahead else {}
        click.echo(json.dumps({"written": written, **plan_json(plan), **forecast}, indent=2))
    else:
        click.echo(visible(written.rstrip("\n")))
        _findings(plan.diagnostics, written, "plan", err=True)
        if ahead:
            click.echo(plain("\n".join(forecast_lines(*ahead, plan))), err=True)
    return 0


def _write(agent: Agent, question: str, as_json: bool) -> tuple[str, Plan]:
    """What the model wrote, and its plan. Text that is not a plan is shown whole, since it is not recorded."""
    events: list[Event] = []
    try:
        plan = agent.plan(question, watch=events.append)
    except PlanError as error:
        if not as_json:
            click.echo(plain(error.text.rstrip("\n")) + "\n", err=True)
        raise
    return [event.text for event in events if isinstance(event, PlanWritten)][-1], plan  # the first may be refused


def _check(
    text: str, name: str, agent: Agent, fix: bool, form: str | None, as_json: bool, ahead: tuple[Agent, Settings] | None
) -> int:
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
        record: dict[str, Any] = {"usable": error is None, "findings": [asdict(found) for found in findings]}
        record["plan"] = None if plan is None else plan_json(plan)
        if ahead and plan:
            record["forecast"] = forecast_json(*ahead, plan)
        click.echo(json.dumps(record, indent=2))
        return 0 if error is None else error.exit_code
    product = (fix or form is not None) and plan is not None
    _findings(findings, text, name, err=product)
    if error is not None:
        said = any(found.message == error.message for found in findings)
        click.echo(visible("" if said else f"{name}: {error.message}\n") + visible(f"hint: {error.hint}"), err=True)
        return error.exit_code
    assert plan is not None
    if form is not None:
        _picture(plan, form)
    elif fix:
        click.echo(visible(plan.to_text()), nl=False)
    elif not findings:
        steps = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
        click.echo(f"{name}: {steps}, nothing to repair")
    if ahead:
        click.echo(plain("\n".join(forecast_lines(*ahead, plan))), err=True)
    return 0


def _findings(findings: tuple[Diagnostic, ...], text: str, name: str, err: bool) -> None:
    from airoagent.findings import render_diagnostic

    for found in findings:
        click.echo(visible(render_diagnostic(found, text, name)), err=err)


def _picture(plan: Plan, form: Any) -> None:
    from airoagent.plan.drawing import draw_plan

    click.echo(visible(draw_plan(plan, form).rstrip("\n")))


@click.command("run")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="Value of the parameter {NAME} in the plan.")
@click.option("--replay-tools", "recorded", metavar="ID|TRACE", help="Use the tool results in this record.")
@_dry_run
@agent_options(without=("replan", "retries", "web"))
@display_options
@refuses(
    Rule(
        "search sites time_limit allow_private cache no_cache share_private",
        excludes="recorded",
        hint="no tool is called with --replay-tools",
    )
)
def run_command(
    file: str, values: tuple[str, ...], recorded: str | None, dry_run: bool, as_json: bool, **flags: Any
) -> int:
    """Run the plan in FILE (`-`: standard input) and print the answer.

    The plan may be in any form that models write. Errors in it are reported with line and column before anything runs.

    FILE may also be the name of a plan that comes with airo: apollo-11, compare-two-lakes, danube, laureate-of-a-year,
    nobel-literature, radium. Without --docs, its tools return what they returned in its recorded run.

    {name} in the plan is a parameter; --set gives its value. With --replay-tools, no tool is called: each returns what
    the record has for that input (if it has nothing, the exit code is 6); the model is asked as usual.

    \b
    Examples:
      airo run apollo-11
      airo run --docs examples/library my.plan
      airo run my.plan --set year=2020 --replay-tools my.jsonl
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.plan.plans import with_values
    from airoagent.recorded.export import on_recorded_tools

    name, file = file, bundled_plan(file, ".plan")
    text = text_of(file)
    agent, settings = make_agent(flags)
    if file != name and not settings.docs:
        recorded = recorded or name
    plan = with_values(read_plan(text, agent.tools_for(text), file), named_values(values, "--set"))
    if dry_run:
        return print_dry_run(agent, settings, plan, as_json)
    watch = make_watch(settings, prints_run=True)
    if recorded is not None:
        past = load_run(recorded)
        run = run_in_thread(lambda: on_recorded_tools(agent.session, plan, past, watch=watch))
    else:
        run = agent.execute(plan, watch=watch)
    return print_run(run, as_json=as_json, settings=settings)


@click.command("call")
@click.argument("input", nargs=-1)
@click.option(
    "--functions",
    "functions",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="A file of functions: YAML, JSON or Python (repeatable).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "yaml"]),
    default="json",
    show_default=True,
    help="Format the model writes the call in.",
)
@click.option("--dry-run", is_flag=True, help="Print the call without making it.")
@agent_options(without=("replan", "concurrency", "on_error"))
@display_options
@refuses(
    Rule(
        "search sites time_limit allow_private cache no_cache share_private approve timeout max_calls max_characters",
        excludes="dry_run",
        hint="no tool is called with --dry-run",
    ),
    SEARCH_RULE,
)
def call_command(
    input: tuple[str, ...], functions: tuple[str, ...], form: Any, dry_run: bool, as_json: bool, **flags: Any
) -> int:
    """Choose a function for INPUT, check its parameters, call it and print the result.

    Without --functions, the functions are the available tools. A function is run by the tool of the same name.
    `-` reads INPUT from standard input.

    \b
    Examples:
      airo call "how many times does Python occur in notes.txt" --functions tools/file_analytics.yaml
      airo call --dry-run --format yaml --functions tools/file_analytics.yaml "count the lines of notes.txt"
    """
    text = words_or_stdin(input)
    agent, settings = make_agent(flags)
    specified = [one for file in functions for one in _functions(file, settings.display not in ("none", "json"))]
    run = agent.call(text, functions=specified or None, format=form, dry_run=dry_run, watch=make_watch(settings))
    return print_run(run, as_json=as_json, settings=settings)


def _functions(file: str, report: bool) -> Functions:
    """The functions of a file; what of their specifications was left out is printed."""
    from airoagent.calls.function_loader import load_functions

    functions = load_functions(Path(file))
    findings = tuple(found for function in functions for found in function.diagnostics) if report else ()
    _findings(findings, "" if not findings or Path(file).is_dir() else text_of(file), file, err=True)
    return functions


@click.command("think")
@click.argument("question", nargs=-1)
@click.option("--all", "show_all", is_flag=True, help="Also print the solutions and their ranking.")
@click.option("--json", "as_json", is_flag=True, help="Print solutions, ranking and best answer as one JSON object.")
@agent_options("model", "output", without=("free",), also=("limit_seconds",))
@refuses(Rule("show_all", excludes="as_json", hint="--json prints the solutions and their ranking, too"))
def think_command(question: tuple[str, ...], show_all: bool, as_json: bool, **flags: Any) -> int:
    """Ask the model for several answers to QUESTION, rank them and print the best. `-` reads standard input.

    \b
    Example:
      airo think -m jondurbin/airoboros-l2-13b-gpt4-2.0 "Everyone played everyone once: 45 games. How many players?"
    """
    agent, settings = make_agent(flags)
    thought = agent.think(words_or_stdin(question), watch=make_watch(settings))
    if as_json:
        click.echo(json.dumps(thought.to_json(), indent=2))
        return 0
    if show_all:
        for solution in thought.solutions:
            click.echo(plain(f"Solution {solution.number}:\n{solution.text}\nFinal answer: {solution.answer}\n"))
        for place, ranked in enumerate(thought.ranking, 1):
            click.echo(plain(f"{place}. Solution {ranked.solution}: {ranked.reason}"))
    click.echo(plain(thought.best if thought.best is not None else thought.text))
    return 0


@click.command("code")
@click.argument("prompt", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the code as one JSON object.")
@agent_options("model", "output", without=("free",), also=("limit_seconds",))
def code_command(prompt: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Write the code that PROMPT asks for and print only the code. `-` reads standard input.

    \b
    Example:
      airo code -m jondurbin/airoboros-l2-13b-gpt4-2.0 "a websocket application in node.js" > app.js
    """
    agent, settings = make_agent(flags)
    code = agent.code(words_or_stdin(prompt), watch=make_watch(settings))
    click.echo(json.dumps({"code": code}) if as_json else plain(code), nl=as_json)
    return 0
