"""Two runs side by side: what differs in question, plan, inputs, evidence and answer, and what each took."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from os.path import commonprefix
from typing import Any, Literal

from airoagent.events import StepFinished, StepStarted
from airoagent.frozen import frozen
from airoagent.records.run_record import Run

_MOST_LINES = 5_000  # of a text: what is compared takes time by their square
Same = Literal["same", "changed", "only_a", "only_b"]


@frozen
class StepDifference:
    """One step in both runs; a pair is (in a, in b), None where the step is not there or did not get so far.

    ``what`` says which of tool, plan (the input as written), input (references filled in) and evidence differ.
    """

    id: str
    kind: Same
    what: tuple[str, ...]
    tool: tuple[str | None, str | None]
    plan: tuple[str | None, str | None]
    input: tuple[str | None, str | None]
    evidence: tuple[str | None, str | None]
    seconds: tuple[float | None, float | None]


@frozen
class Difference:
    """Two runs compared; every pair is (of a, of b). ``plan`` is the canonical text."""

    id: tuple[str, str]
    question: tuple[str, str]
    model: tuple[str, str]
    status: tuple[str, str]
    plan: tuple[str, str]
    answer: tuple[str | None, str | None]
    seconds: tuple[float, float]
    tokens: tuple[int, int]
    steps: tuple[StepDifference, ...]

    @property
    def same(self) -> bool:
        """Whether both ask the same, do the same and come to the same (times and models aside)."""
        pairs = (self.question, self.status, self.plan, self.answer)
        return all(a == b for a, b in pairs) and all(step.kind == "same" for step in self.steps)


def diff(a: Run, b: Run) -> Difference:
    """Compare two runs; steps are paired by id, in the order of a's plan, then of b's."""
    of_a, of_b = _steps(a), _steps(b)
    return Difference(
        (a.id, b.id),
        (a.question, b.question),
        (a.model, b.model),
        (a.status, b.status),
        (_plan_text(a), _plan_text(b)),
        (a.answer, b.answer),
        (a.seconds, b.seconds),
        (_tokens(a), _tokens(b)),
        tuple(_step(id, of_a, of_b) for id in dict.fromkeys([*of_a["plan"], *of_b["plan"]])),
    )


_Steps = dict[str, dict[str, Any]]


def _steps(run: Run) -> _Steps:
    """What a run says of its steps: by the fields of a `StepDifference`, by id."""
    steps = run.plan.steps if run.plan is not None else ()
    found = {id: evidence.text for id, evidence in run.evidence.items()}
    return {
        "tool": {step.id: step.tool for step in steps},
        "plan": {step.id: step.input for step in steps},
        "input": {event.step: event.input for event in run.events if isinstance(event, StepStarted)},
        "evidence": found | {id: f"(failed: {failure.message})" for id, failure in run.failed.items()},
        "seconds": {event.step: event.seconds for event in run.events if isinstance(event, StepFinished)},
    }


def _step(id: str, a: _Steps, b: _Steps) -> StepDifference:
    pairs = {name: (a[name].get(id), b[name].get(id)) for name in a}
    what = tuple(name for name, (left, right) in pairs.items() if name != "seconds" and left != right)
    left, right = (id in run["plan"] for run in (a, b))
    kind: Same = "only_b" if not left else "only_a" if not right else "changed" if what else "same"
    return StepDifference(id, kind, what, **pairs)


def _plan_text(run: Run) -> str:
    return run.plan_text if run.plan is None else run.plan.to_text()


def _tokens(run: Run) -> int:
    return run.usage.prompt_tokens + run.usage.completion_tokens


def difference_lines(found: Difference) -> Iterator[str]:
    """What differs, line by line, the parts that changed as in a unified diff."""
    yield f"a: {found.id[0]}  {found.status[0]}  {found.seconds[0]:.1f} s  {found.tokens[0]} tokens  {found.model[0]}"
    yield f"b: {found.id[1]}  {found.status[1]}  {found.seconds[1]:.1f} s  {found.tokens[1]} tokens  {found.model[1]}"
    yield from _changed("question", *found.question)
    yield from _changed("plan", *found.plan)
    for step in found.steps:
        yield from _step_difference(step)
    yield from _changed("answer", *found.answer)
    if found.same:
        yield "no differences, except in time"


def _step_difference(step: StepDifference) -> Iterator[str]:
    if step.kind == "same":
        return
    tools = " -> ".join(dict.fromkeys(tool for tool in step.tool if tool is not None))
    places = {"only_a": "only in a", "only_b": "only in b"}
    yield f"{step.id}  {tools}  {places.get(step.kind, ', '.join(step.what) + ' changed')}"
    if step.kind == "changed":
        for what in ("input", "evidence"):
            if what in step.what:
                yield from _changed(f"{step.id} {what}", *getattr(step, what))


def _changed(what: str, a: str | None, b: str | None) -> Iterator[str]:
    """The lines that differ, with a and b as the two files of a diff; nothing where none does."""
    if a != b:
        before = [] if a is None else a.splitlines()
        after = [] if b is None else b.splitlines()
        if max(len(before), len(after)) > _MOST_LINES:
            start = len(commonprefix([before, after]))  # noqa: RUF071 - line by line is meant
            before, after = before[start : start + _MOST_LINES], after[start : start + _MOST_LINES]
            what += f" (from line {start + 1:,}, {_MOST_LINES:,} lines)"
        yield from unified_diff(before, after, f"a {what}", f"b {what}", n=1, lineterm="")
