"""Evidence (what a finished step found, and where it came from) and the one pass that puts it in place of references.

    >>> found = {"evidence0": Evidence("evidence0", "Search", "She wrote :evidence1: on the wall.")}
    >>> fill_text(("Read this: ", Ref("evidence0")), found)
    'Read this: She wrote :evidence1: on the wall.'

Evidence is inserted once and never read again: what looks like a reference, a template or markup inside it stays the
text it is. Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from airoagent.events import Evidence
from airoagent.plan.steps import Template

Filled = tuple[str | Evidence, ...]
"""A template whose references have become the evidence they name."""


def fill(template: Template, evidence: Mapping[str, Evidence]) -> tuple[Filled, str]:
    """The template with evidence in place of references, in its parts and as text; KeyError names the first id that is
    missing.
    """
    parts: list[str | Evidence] = []
    texts: list[str] = []
    for part in template:
        if isinstance(part, str):
            parts.append(part)
            texts.append(part)
        else:
            parts.append(found := evidence[part.id])
            texts.append(found.text)
    return tuple(parts), "".join(texts)


def fill_text(template: Template, evidence: Mapping[str, Evidence]) -> str:
    """The template as text with evidence in place of references; KeyError names the first id that is missing."""
    return "".join(part if isinstance(part, str) else evidence[part.id].text for part in template)
