"""Pictures of a plan: mermaid, dot, plain text. Nothing is fetched, and no other program is needed.

    >>> from airoagent.plan.plans import Plan
    >>> from airoagent.plan.steps import Ref, Step
    >>> plan = Plan((Step("evidence0", "", "Search", ("otters",)), Step("evidence1", "", "QA", (Ref("evidence0"),))))
    >>> print(draw_plan(plan, "text"), end="")
    evidence0  Search  otters
    evidence1  QA      :evidence0:  <- evidence0

What a model wrote is only ever text in a picture: it is escaped for each form, and signs that are not seen or that
drive a terminal are left visible as codes. Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from airoagent.errors import UsageError
from airoagent.findings import visible
from airoagent.plan.graph import Graph, build_graph
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references

__all__ = ["FORMS", "Form", "draw_plan"]

Form = Literal["mermaid", "dot", "text"]
FORMS: tuple[Form, ...] = ("mermaid", "dot", "text")

_LINE = 40  # characters of an input that are shown


class _Label(NamedTuple):
    """What stands in a step's box."""

    tool: str
    input: str


def draw_plan(plan: Plan, form: Form = "text") -> str:
    """The picture of a plan: its steps, what each needs, and the answer. UsageError for an unknown form.

    PlanError where the plan has no graph, which cannot be for one that was parsed.
    """
    labels = {step.id: _Label(_short(step.tool), _short(step.input)) for step in plan.steps}
    graph, answer = build_graph(plan), references(plan.final_template)
    match form:
        case "mermaid":
            return _mermaid(graph, labels, answer)
        case "dot":
            return _dot(graph, labels, answer)
        case "text":
            return _text(graph, labels, answer)
    raise UsageError(f"unknown picture format {form!r}", f"choose one of {', '.join(FORMS)}")


def _short(text: str) -> str:
    """A text on one line, cut, with nothing in it that cannot be seen."""
    line = visible(" ".join(text[: 4 * _LINE].split()))
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _lines(one: str, labels: Mapping[str, _Label]) -> list[str]:
    label = labels[one]
    return [f"{one}  {label.tool}", *([label.input] if label.input else [])]


def _mermaid(graph: Graph, labels: Mapping[str, _Label], answer: tuple[str, ...]) -> str:
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


def _dot(graph: Graph, labels: Mapping[str, _Label], answer: tuple[str, ...]) -> str:
    lines = ["digraph plan {", '    node [shape=box, fontname="sans-serif"];']
    for one in graph.dependencies:
        label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in _lines(one, labels))
        lines.append(f'    {one} [label="{label}"];')
    lines += [f"    {other} -> {one};" for one, needed in graph.dependencies.items() for other in needed]
    if answer:
        lines.append('    answer [label="Answer", shape=oval];')
        lines += [f"    {other} -> answer;" for other in answer]
    return "\n".join([*lines, "}"]) + "\n"


def _text(graph: Graph, labels: Mapping[str, _Label], answer: tuple[str, ...]) -> str:
    """One line a step: one, tool, input, what it needs."""
    ids = max(map(len, graph.dependencies), default=0)
    tools = max((len(label.tool) for label in labels.values()), default=0)
    inputs = max((len(label.input) for label in labels.values()), default=0)
    lines = []
    for one, needed in graph.dependencies.items():
        label = labels[one]
        parts = [one.ljust(ids), label.tool.ljust(tools), label.input.ljust(inputs) if needed else label.input]
        if needed:
            parts.append(f"<- {', '.join(needed)}")
        lines.append("  ".join(parts).rstrip())
    if answer:
        lines.append(f"{'answer'.ljust(ids)}  <- {', '.join(answer)}")
    return "\n".join(lines) + "\n"
