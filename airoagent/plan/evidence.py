"""Evidence (what a finished step found, and where it came from) and the one pass that puts it in place of references.

    >>> found = {"evidence0": Evidence("evidence0", "Search", "She wrote :evidence1: on the wall.")}
    >>> fill_text(("Read this: ", Ref("evidence0")), found)
    'Read this: She wrote :evidence1: on the wall.'

Evidence is inserted once and never read again: what looks like a reference, a template or markup inside it stays the
text it is. Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airoagent.events import Evidence
from airoagent.plan.steps import Template

__all__ = ["Evidence", "Filled", "fill", "fill_text", "text_of"]

Filled = tuple[str | Evidence, ...]
"""A template whose references have become the evidence they name."""


def fill(template: Template, evidence: Mapping[str, Evidence]) -> Filled:
    """Put evidence in place of references, in one pass; KeyError names the first id that is missing."""
    return tuple([part if part.__class__ is str else evidence[part.id] for part in template])  # type: ignore[union-attr]


def text_of(filled: Iterable[str | Evidence]) -> str:
    """The filled template as text."""
    return "".join([part if part.__class__ is str else part.text for part in filled])  # type: ignore[union-attr]


def fill_text(template: Template, evidence: Mapping[str, Evidence]) -> str:
    """The template as text with evidence in place of references; KeyError names the first id that is missing."""
    return "".join(part if isinstance(part, str) else evidence[part.id].text for part in template)
