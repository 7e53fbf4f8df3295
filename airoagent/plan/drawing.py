"""Pictures of a plan: mermaid, dot, plain text. Nothing is fetched, and no other program is needed.

    >>> from airoagent.plan.plans import Plan
    >>> from airoagent.plan.steps import Ref, Step
    >>> plan = Plan((Step("evidence0", "", "Search", ("otters",)), Step("evidence1", "", "QA", (Ref("evidence0"),))))
    >>> print(draw_plan(plan, "text"), end="")
    evidence0  Search  otters
    evidence1  QA      :evidence0:  <- evidence0
    answer     <- evidence1

What a model wrote is only ever text in a picture: it is escaped for each form, and characters that
are invisible or drive a terminal are shown as codes. Pure functions, no I/O.
"""

from __future__ import annotations

from typing import Literal

from airoagent.errors import UsageError
from airoagent.findings import visible
from airoagent.plan.graph import Graph, build_graph
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references

Form = Literal["mermaid", "dot", "text"]
FORMS: tuple[Form, ...] = ("mermaid", "dot", "text")

_LINE = 40  # characters of an input that are shown
_Labels = dict[str, tuple[str, str]]  # by step: its tool and its input, as shown


def draw_plan(plan: Plan, form: Form = "text") -> str:
    """Draw a plan: its steps, what each needs, and the answer. UsageError for an unknown form.

    PlanError if the plan has no graph; a parsed plan always has one.
    """
    labels = {step.id: (_short(step.tool), _short(step.input)) for step in plan.steps}
    graph, answer = build_graph(plan), references(plan.final_template)
    drawn = {"mermaid": _mermaid, "dot": _dot, "text": _text}.get(form)
    if drawn is None:
        raise UsageError(f"unknown picture format {form!r}", f"choose one of {', '.join(FORMS)}")
    return drawn(graph, labels, answer)


def _short(text: str) -> str:
    """A text on one line, cut, with nothing in it that cannot be seen."""
    line = visible(" ".join(text[: 4 * _LINE].split()))
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _lines(one: str, labels: _Labels) -> list[str]:
    tool, input = labels[one]
    return [f"{one}  {tool}", *([input] if input else [])]


def _mermaid(graph: Graph, labels: _Labels, answer: tuple[str, ...]) -> str:
    lines = ["flowchart TD"]
    lines += [f'    {one}["{"<br>".join(map(_for_mermaid, _lines(one, labels)))}"]' for one in graph.dependencies]
    lines += [f"    {other} --> {one}" for one, needed in graph.dependencies.items() for other in needed]
    if answer:
        lines.append('    answer(["Answer"])')
        lines += [f"    {other} --> answer" for other in answer]
    return "\n".join(lines) + "\n"


def _for_mermaid(text: str) -> str:
    """Text as entities wherever mermaid, or the HTML it makes, could read more than text in it."""
    return "".join(one if one.isalnum() or one in " .,-_?!" else f"#{ord(one)};" for one in text)


def _dot(graph: Graph, labels: _Labels, answer: tuple[str, ...]) -> str:
    lines = ["digraph plan {", '    node [shape=box, fontname="sans-serif"];']
    for one in graph.dependencies:
        label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in _lines(one, labels))
        lines.append(f'    {one} [label="{label}"];')
    lines += [f"    {other} -> {one};" for one, needed in graph.dependencies.items() for other in needed]
    if answer:
        lines.append('    answer [label="Answer", shape=oval];')
        lines += [f"    {other} -> answer;" for other in answer]
    return "\n".join([*lines, "}"]) + "\n"


def _text(graph: Graph, labels: _Labels, answer: tuple[str, ...]) -> str:
    """One line a step: one, tool, input, what it needs."""
    ids = max(map(len, graph.dependencies), default=0)
    tools, inputs = (max((len(label[at]) for label in labels.values()), default=0) for at in (0, 1))
    lines = []
    for one, needed in graph.dependencies.items():
        tool, input = labels[one]
        arrow = f"{input.ljust(inputs)}  <- {', '.join(needed)}" if needed else input
        lines.append(f"{one.ljust(ids)}  {tool.ljust(tools)}  {arrow}".rstrip())
    if answer:
        lines.append(f"{'answer'.ljust(ids)}  <- {', '.join(answer)}")
    return "\n".join(lines) + "\n"
