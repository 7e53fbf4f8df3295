"""A plan: its steps, its answer, and the canonical text it is written as.

    >>> plan = Plan((Step("evidence0", "Look.", "Search", ("otters",)),), (Ref("evidence0"),))
    >>> plan.answer, plan.step("evidence0").tool
    (':evidence0:', 'Search')

Not here: reading text (`parser`), order and cycles (`graph`), pictures (`drawing`).
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field

from airoagent.errors import Diagnostic
from airoagent.plan.steps import Ref, Step, Template, template_text

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
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
