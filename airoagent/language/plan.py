"""What a plan is: steps that call tools, references between them, and the answer. Read this module first.

    >>> step = Step("evidence1", "Read the name.", "KnowledgeModel", ("Who won, given ", Ref("evidence0"), "?"))
    >>> step.input
    'Who won, given :evidence0:?'
    >>> step.depends_on
    ('evidence0',)

A reference is an object from the moment the text is parsed: nothing later looks for ``:evidence0:`` inside a string.
Here: the frozen records and their canonical text. Not here: reading text (`parse`), order and cycles (`graph`),
filling references with what steps found (`evidence`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from airoagent.errors import Diagnostic
from airoagent.records import record

__all__ = ["Diagnostic", "Plan", "Ref", "Step", "Template", "references", "template_text"]


@record
class Ref:
    """A reference to the evidence of another step; ``id`` is that step's id, e.g. ``evidence3``."""

    id: str

    def __str__(self) -> str:
        return f":{self.id}:"


Template = tuple[str | Ref, ...]
"""Text with references in it: literal pieces and `Ref` objects, in order."""


def template_text(template: Template) -> str:
    """The template as text, references written ``:evidence0:``."""
    return "".join(map(str, template))


def references(template: Iterable[str | Ref]) -> tuple[str, ...]:
    """The ids referred to, each once, in order of first appearance."""
    return tuple(dict.fromkeys(part.id for part in template if isinstance(part, Ref)))


@record
class Step:
    """One call of one tool.

    ``id`` keeps the number the model wrote (``#E1`` is ``evidence1``); ``thought`` is the ``Plan:`` sentence, ``""``
    if there was none; ``tool`` is the registered name; ``template`` is the input with its references; ``line`` is
    where the assignment stands in the model's text (from 1; 0 where there is no text) and is not compared.
    """

    id: str
    thought: str
    tool: str
    template: Template
    line: int = field(default=0, compare=False)

    @property
    def input(self) -> str:
        """The input as text, references written ``:evidence0:``."""
        return template_text(self.template)

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Ids of the steps whose evidence this one needs, in order of first appearance."""
        return references(self.template)


@record
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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """How a notebook shows a plan: its picture, without network."""
        from airoagent.errors import PlanError
        from airoagent.language.draw import as_html

        text = self.to_text()
        try:
            return {"text/plain": text, "text/html": as_html(self)}
        except PlanError:  # a plan put together by hand may have no graph: its text still shows
            return {"text/plain": text}

    def to_text(self) -> str:
        """Canonical text: ``parse_plan(plan.to_text(), tools) == plan``, without a finding about how it is written."""
        from airoagent.language.write import canonical_text  # it reads what it writes, so it stands above this module

        return canonical_text(self)
