"""Evidence (what a finished step found, and where it came from) and the one pass that puts it in place of references.

    >>> found = {"evidence0": Evidence("evidence0", "Search", "She wrote :evidence1: on the wall.")}
    >>> fill_text(("Read this: ", Ref("evidence0")), found)
    'Read this: She wrote :evidence1: on the wall.'

Evidence is inserted once and never read again: what looks like a reference, a template or markup inside it stays the
text it is. Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airoagent.events import Source
from airoagent.plan.steps import Ref, Template

__all__ = ["Evidence", "Filled", "Source", "fill", "fill_text", "text_of"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The value of a finished step.

    ``id`` is the step's id, ``tool`` the tool that found it, ``text`` what it found, ``sources`` where that came
    from, in order; ``note`` what a reader should know about it (e.g. that it was cut); ``answered`` is False where the
    text only says that the question put to the tool cannot be answered. ``untrusted``: somebody outside had a say in
    its words; ``written``: a model wrote it; ``private``: it stems from the user's documents or from a text given with
    the question (the marks are passed on to what is made of it, see `airoagent.engine.provenance`). ``at`` is when it
    was found, in seconds since 1970 (0: not known).
    """

    id: str
    tool: str
    text: str
    sources: tuple[Source, ...] = ()
    note: str = ""
    answered: bool = True
    untrusted: bool = False
    written: bool = False
    private: bool = field(default=False, compare=False)
    at: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return self.text

    def blocks(self) -> tuple[tuple[str, tuple[Source, ...]], ...]:
        """The text cut by source: pairs of (text, its sources).

        Sources that cover characters of the text give one block each; an evidence whose sources only cite (or that
        has none) is one block with all of them.
        """
        spans = [source for source in self.sources if source.end > source.start]
        if not spans:
            return ((self.text, self.sources),)
        return tuple((self.text[source.start : source.end], (source,)) for source in spans)


Filled = tuple[str | Evidence, ...]
"""A template whose references have become the evidence they name."""


def fill(template: Template, evidence: Mapping[str, Evidence]) -> Filled:
    """Put evidence in place of references, in one pass; KeyError names the first id that is missing."""
    return tuple(evidence[part.id] if isinstance(part, Ref) else part for part in template)


def text_of(filled: Iterable[str | Evidence]) -> str:
    """The filled template as text."""
    return "".join(part if isinstance(part, str) else part.text for part in filled)


def fill_text(template: Template, evidence: Mapping[str, Evidence]) -> str:
    """The template as text with evidence in place of references; KeyError names the first id that is missing."""
    return "".join(part if isinstance(part, str) else evidence[part.id].text for part in template)
