"""The plan while it is being read: steps and findings as they come, and the checks of the whole at the end.

Not here: finding statements in the text (`parser`). Here: what makes a statement a step of this plan (its tool is
registered, its id is new, its references lead to steps, there is no cycle), and which finding refuses the plan.
"""

from __future__ import annotations

from typing import Any

from airoagent.errors import Diagnostic, PlanError
from airoagent.findings import Finding, located
from airoagent.frozen import frozen
from airoagent.plan.repairs import find_reference, read_template
from airoagent.plan.steps import Ref, Step, Template, circle, find_cycle
from airoagent.plan.tool_names import ToolNames, is_model


@frozen
class PlanLimits:
    """What a plan may have: steps (also repeated ones), characters of one input and of the text, lines outside of
    inputs. More is the error too_large, and nothing more is read.
    """

    steps: int = 10_000
    input: int = 256 * 1024
    text: int = 4 * 1024 * 1024
    lines: int = 50_000


_HINTS = {
    "empty_plan": "ask the model again, or show it the output format",
    "unknown_tool": "use a tool that exists, or add one of this name (--tools FILE)",
    "duplicate_id": "give each step a number of its own",
    "undefined_reference": "refer only to steps of the plan",
    "self_reference": "a step can use only what other steps found",
    "cycle": "break the circle: no step may need its own evidence",
    "truncated": "give the model more tokens, or ask for a shorter plan",
    "too_large": "raise the limit, or ask for a shorter plan",
    "syntax": "write the step as :evidence0: = Tool[input]",
}


_TAKEN_BACK = ("steps", "places", "findings", "defined", "forward", "used", "answer", "failed", "invented")


class Draft:
    """Steps, findings, question and answer gathered so far."""

    def __init__(self, names: ToolNames, limits: PlanLimits) -> None:
        self.names = names
        self.limits = limits
        self.steps: list[Step] = []
        self.certain: list[Step] = []  # those not yet given out; none after an error
        self.places: list[int] = []  # where the input of each step stands in the text
        self.findings: list[Finding] = []
        self.defined: dict[str, Step | None] = {}  # by id; None: the step is refused
        self.refs: dict[str, Ref] = {}
        self.forward: list[tuple[str, int, Ref]] = []  # step, place of its input, reference to what was not there yet
        self.used: set[str] = set()
        self.dialect = ""  # how references are written besides `#E1`: `$` as `$1`, `E` as `E1`
        self.invented = False  # whether the text says what its steps found, which nobody knows yet
        self.question = ""
        self.answer: Template | None = None
        self.failed = False
        self.counted = False  # whether a step has no number of its own: what it is depends on the references
        self.full = False  # whether a limit was passed: nothing more is read
        self._count = self._lines = 0
        self._older: dict[str, Any] = {}  # the plan that the text took back

    def note(self, at: int, kind: str, message: str, repair: str) -> None:
        """Record a repair."""
        self.findings.append(Finding(at, kind, message, repair))

    def fail(self, at: int, kind: str, message: str) -> None:
        """Record an error; the plan will be refused."""
        self.failed = True
        self.findings.append(Finding(at, kind, message))

    def overflow(self, at: int, message: str) -> None:
        """A limit is passed here."""
        self.full = True
        self.fail(at, "too_large", message)

    def line(self, at: int) -> None:
        """Count a line that is no part of an input."""
        self._lines += 1
        if self._lines > self.limits.lines:
            self.overflow(at, f"The text has more than {self.limits.lines} lines outside of inputs.")

    def too_long(self, what: str, place: int) -> None:
        """An input or the answer, which starts at ``place``, has more characters than it may."""
        self.overflow(place, f"{what} has more than {self.limits.input} characters.")

    def tool(self, written: str, tool: str | None, at: int) -> str | None:
        """The registered tool of a step, with a finding if it was written in another way or is not known."""
        if tool is None:
            near, names = self.names.nearest(written), sorted(self.names.names)
            listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            others = f"the tools are {listed}" if listed else "there are no tools"
            known = f"did you mean {' or '.join(near)}?" if near else others
            self.fail(at, "unknown_tool", f"No tool is called {written[:80]!r}; {known}")
        elif tool != written:
            self.note(at, "tool_name", f"The tool {tool} is written {written[:80]!r}.", f"read as {tool}")
        return tool

    def invent(self, at: int) -> None:
        """The text says what a step found, before any has run."""
        if not self.invented:
            self.note(at, "invented_result", "The text says what a step found, though none has run yet.", "left out")
        self.invented = True

    def add(
        self, number: int, thought: str, tool: str | None, text: str, *, line: int, at: int, place: int, size: int
    ) -> None:
        """Add a step, unless it is refused. ``at`` is where it stands, ``place`` where its input does."""
        own = f"evidence{number}"
        self._count += 1
        if self._count > self.limits.steps:
            self.overflow(at, f"The plan has more than {self.limits.steps} steps.")
            return
        if size > self.limits.input:
            self.too_long(f"The input of :{own}:", place)
            return
        template = read_template(text, self.refs, self.findings, place, self.dialect, self.defined)
        if own in self.defined:
            there = self.defined[own]
            if there is not None and (there.tool, there.template) == (tool, template):
                self.note(at, "repeated_step", f":{own}: is written a second time.", "left out")
            else:
                self.fail(at, "duplicate_id", f":{own}: is assigned twice.")
            return
        self.defined[own] = None
        if tool is None:
            return
        step = Step(own, thought, tool, template, line)
        for part in template:
            if part.__class__ is Ref:
                self.used.add(part.id)
                if part.id == own or part.id not in self.defined:
                    if self.forward[-1:] != [(own, place, part)]:
                        self.forward.append((own, place, part))
                    self.failed = self.failed or part.id == own
        self.defined[own] = step
        self.steps.append(step)
        self.places.append(place)
        if not (self.failed or self._older or self.counted):
            self.certain.append(step)

    def begin_again(self, at: int) -> None:
        """The text takes back what it has planned so far; that stands should no other plan follow."""
        if not self.defined:
            return
        self._older = {name: getattr(self, name) for name in _TAKEN_BACK}
        self.steps, self.places, self.defined, self.forward, self.used = [], [], {}, [], set()
        self.answer, failed, self.failed, self.invented = None, self.failed, False, False
        if failed:
            self.findings = [finding for finding in self.findings if finding.repair]
        self.note(at, "revised_plan", "The plan is written again from here on.", "what is before it left out")

    def join(self, at: int) -> None:
        """The plan ends in ``join()``: where several steps are left that none uses, all of them answer."""
        loose = [step.id for step in self.steps if step.id not in self.used]
        if len(loose) > 1:
            self.note(at, "join", "The plan ends in a join.", "answered by what no other step uses")
            self.set_answer("\n".join(f":{id}:" for id in loose), at)

    def set_answer(self, text: str, at: int) -> None:
        """Take the answer's text."""
        self.answer = read_template(text, self.refs, self.findings, at, self.dialect, self.defined) or None
        if self.answer and not any(isinstance(part, Ref) for part in self.answer):
            if self.invented:
                self.answer = None
                self.note(at, "invented_result", "The answer comes from results that the text made up.", "left out")
            else:
                self.note(at, "answer_text", "The answer refers to no evidence.", "kept as text")
        for part in self.answer or ():
            if isinstance(part, Ref):
                self.used.add(part.id)
                if part.id not in self.defined:
                    place = at + find_reference(text, 0, part.id)
                    message = f"The answer refers to {part}, which is not a step of the plan."
                    self.fail(place, "undefined_reference", message)

    def finish(
        self, text: str, raw: str, truncated: bool
    ) -> tuple[tuple[Step, ...], Template | None, str, tuple[Diagnostic, ...]]:
        """Check the whole, and return it as `Plan` takes it; PlanError if it is refused.

        ``text`` is what was read, ``raw`` the same as it came: its lines may end in CR LF.
        """
        end = len(text)
        if not self.defined:
            for name, value in self._older.items():
                setattr(self, name, value)
        if not self.defined and not self.failed:
            kind = "truncated" if truncated and text.strip() else "empty_plan"
            self.fail(0, kind, "The text ends before its first step." if truncated else "The text contains no plan.")
        if truncated and self.answer is None and not any(one.kind == "truncated" for one in self.findings):
            self.fail(end, "truncated", "The text was cut off before the plan's answer.")
        self._check_forward(text)
        if self.failed:
            diagnostics = located(self.findings, text)
            first = next(diagnostic for diagnostic in diagnostics if not diagnostic.repair)
            raise PlanError(
                first.message, _HINTS.get(first.kind, ""), kind=first.kind, diagnostics=diagnostics, text=raw
            )
        steps = tuple(self.steps)
        if self.answer is None:
            last = steps[-1]
            self.note(
                end, "no_answer", "The plan has no answer line.", f"the answer is what the last step finds, :{last.id}:"
            )
            self.used.add(last.id)
        for step, place in zip(steps, self.places, strict=True):
            if is_model(step.tool) and not step.depends_on:
                message = f":{step.id}: asks {step.tool} without any evidence."
                self.note(place, "no_evidence", message, "kept; the model answers from what it knows")
        for step, place in zip(steps, self.places, strict=True):
            if step.id not in self.used:
                message = f"Nothing uses the evidence of :{step.id}:."
                self.note(place, "unused_evidence", message, "kept; the step runs all the same")
        return steps, self.answer, self.question, located(self.findings, text)

    def _check_forward(self, text: str) -> None:
        """Judge the references that did not lead back: to nothing, to the step itself, forward, round in a circle."""
        backward = True
        for own, place, ref in self.forward:
            at = find_reference(text, place, ref.id)
            if ref.id == own:
                self.fail(at, "self_reference", f":{own}: refers to itself.")
            elif ref.id not in self.defined:
                self.fail(at, "undefined_reference", f":{own}: refers to {ref}, which is not a step of the plan.")
            else:
                backward = False
                message = f":{own}: refers to {ref}, which is written after it."
                self.note(at, "forward_reference", message, f"it waits for {ref}")
        if backward:  # steps that only look back cannot wait for each other
            return
        needs = {step.id: tuple(own for own in step.depends_on if own != step.id) for step in self.steps}
        cycle = find_cycle(needs)
        if cycle:
            place = self.places[list(needs).index(cycle[0])]
            self.fail(place, "cycle", f"The steps wait for each other: {circle(cycle)}.")
