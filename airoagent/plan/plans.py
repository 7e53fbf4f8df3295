"""A plan: its steps, its answer, and the canonical text it is written as.

    >>> plan = Plan((Step("evidence0", "Look.", "Search", ("otters",)),), (Ref("evidence0"),))
    >>> plan.answer, plan.step("evidence0").tool
    (':evidence0:', 'Search')

A plan file may have parameters: ``{year}`` in its question, inputs and answer, given a value when the plan is run. A
parameter is a name (letters, digits and ``_``, not beginning with a digit) in braces. One in the question needs a
value; one that stands elsewhere alone may be given one, and is text without it, as braces in a JSON input are. A value
is inserted once and never read again: what looks like a reference or a parameter in it stays text.

    >>> step = Step("evidence0", "", "Search", ("winner of {year}",))
    >>> plan = Plan((step,), (Ref("evidence0"),), "Who won in {year}?")
    >>> parameters(plan), with_values(plan, {"year": "2020"}).steps[0].input
    (('year',), 'winner of 2020')

Not here: reading text (`parser`), order and cycles (`graph`), pictures (`drawing`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import field, replace

from airoagent.errors import Diagnostic, UsageError
from airoagent.frozen import frozen
from airoagent.plan.steps import Ref, Step, Template, template_text


@frozen
class Plan:
    """Steps in the order the model wrote them, and the answer's template (None: the model wrote no answer line).

    ``question`` is what a ``Question:`` line at the head of the text says (``""`` without one). Two plans are equal
    when they would do the same: ``diagnostics`` is not compared.
    """

    steps: tuple[Step, ...]
    answer_template: Template | None = None
    question: str = ""
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False)

    @property
    def answer(self) -> str | None:
        """The answer's template as text, references written ``:evidence5:``; None if the model wrote none."""
        return None if self.answer_template is None else template_text(self.answer_template)

    @property
    def final_template(self) -> Template:
        """What the run answers with: the answer line, or the last step's evidence where the model wrote none."""
        if self.answer_template is not None:
            return self.answer_template
        return (Ref(self.steps[-1].id),) if self.steps else ()

    def step(self, id: str) -> Step:
        """The step with this id; KeyError if there is none."""
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(id)

    def to_text(self) -> str:
        """Canonical text: ``parse_plan(plan.to_text(), tools) == plan``, without a finding about how it is written."""
        from airoagent.plan.canonical import canonical_text  # it brings the reader, which most plans never need

        return canonical_text(self.steps, self.answer_template, self.question)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """How a notebook shows a plan."""
        text = self.to_text()
        return {"text/plain": text, "text/html": f"<pre>{html.escape(text)}</pre>"}


_PARAMETER = re.compile(r"\{([^\W\d]\w*)\}")


def parameters(plan: Plan) -> tuple[str, ...]:
    """The names that the plan's question declares, in order."""
    return tuple(dict.fromkeys(_PARAMETER.findall(plan.question)))


def with_values(plan: Plan, values: Mapping[str, str]) -> Plan:
    """The plan with its values put in; UsageError names the parameters of its question without one, and values for
    which the plan has no ``{name}``.
    """
    names = parameters(plan)
    missing = [name for name in names if name not in values]
    if missing:
        raise UsageError(
            f"the plan needs a value for {', '.join(missing)}", " ".join(f"--set {name}=..." for name in missing)
        )
    texts = [part for step in plan.steps for part in (step.thought, *step.template)] + [*plan.final_template]
    there = [*names, *(name for part in texts if isinstance(part, str) for name in _PARAMETER.findall(part))]
    strange = [name for name in values if name not in there]
    if strange:
        known = f"it has {', '.join(dict.fromkeys(there))}" if there else "it has none: it contains no {name}"
        raise UsageError(f"the plan has no parameter {strange[0]}", known)
    if not values:
        return plan

    def put(text: str) -> str:
        return _PARAMETER.sub(lambda found: values.get(found[1], found[0]), text)

    def filled(template: Template) -> Template:
        return tuple(put(part) if isinstance(part, str) else part for part in template)

    return replace(
        plan,
        question=put(plan.question),
        steps=tuple(replace(step, thought=put(step.thought), template=filled(step.template)) for step in plan.steps),
        answer_template=None if plan.answer_template is None else filled(plan.answer_template),
    )
