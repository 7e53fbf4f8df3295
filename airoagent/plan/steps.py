"""What a plan is made of: steps that call tools, and references between them. Read this module first.

    >>> step = Step("evidence1", "Read the name.", "KnowledgeModel", ("Who won, given ", Ref("evidence0"), "?"))
    >>> step.input
    'Who won, given :evidence0:?'
    >>> step.depends_on
    ('evidence0',)

A reference is an object from the moment the text is parsed: nothing later looks for ``:evidence0:`` inside a string.
Not here: the plan itself (`plans`), reading text (`parser`), filling references with what steps found (`evidence`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Ref", "Step", "Template", "references", "template_text"]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
