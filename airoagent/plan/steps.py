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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from graphlib import CycleError, TopologicalSorter

from airoagent.frozen import frozen


@frozen
class Ref:
    """A reference to the evidence of another step; ``id`` is that step's id, e.g. ``evidence3``."""

    id: str

    def __str__(self) -> str:
        return f":{self.id}:"


Template = tuple[str | Ref, ...]
"""Text with references in it: literal pieces and `Ref` objects, in order."""


def template_text(template: Template) -> str:
    """The template as text, references written ``:evidence0:``."""
    return "".join([part if part.__class__ is str else f":{part.id}:" for part in template])  # type: ignore[union-attr]


def references(template: Iterable[str | Ref]) -> tuple[str, ...]:
    """The ids referred to, each once, in order of first appearance."""
    return tuple(dict.fromkeys(part.id for part in template if isinstance(part, Ref)))


@frozen
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


def circle(ids: Sequence[str]) -> str:
    """A cycle as a person reads it: ``evidence0 -> evidence1 -> evidence0``, a long one without its middle."""
    shown = ids if len(ids) <= 12 else (*ids[:6], f"{len(ids) - 9} more", *ids[-3:])
    return " -> ".join(shown)


def find_cycle(dependencies: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A cycle in the direction of need, its first id, the one that comes first in the mapping, again at the end; empty
    if there is none.
    """
    try:
        TopologicalSorter(dependencies).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]  # graphlib names the first again, and goes from what is needed on
        members = set(cycle)
        at = cycle.index(next(one for one in dependencies if one in members))
        return (*cycle[at:], *cycle[:at], cycle[at])
    return ()
