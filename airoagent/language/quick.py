"""The short way through clean text: whole steps at a time, by one regular expression.

It reads only what the long way (`parse`) would read in the very same way, without any finding about how it is
written; everything else it leaves. A test holds the two against each other.
"""

from __future__ import annotations

import re

from airoagent.language.draft import Draft
from airoagent.language.plan import Ref, Step
from airoagent.language.reading import QUOTES, clean_input, read_template

__all__ = ["read_clean_steps"]

# Possessive where two parts could share characters: a failed match costs one look at the lines it covers.
_STEP = re.compile(
    r"(\n{0,4}+)(?:Plan: (.*+)\n)?(?::evidence(0|[1-9][0-9]{0,8}+):|#E(0|[1-9][0-9]{0,8}+))"
    r" = ([A-Za-z_][A-Za-z0-9_]{0,99}+)\[(.*+)(?<=\])\n"
)
_EDGES = frozenset("*_`")
_REFERENCE_SIGNS = frozenset(":#$：＃")


def _is_plain(thought: str) -> bool:
    """Whether a thought is one that the long way would take as it is."""
    if not thought or thought[0] in _EDGES or thought[-1] in _EDGES or thought[0] == " ":
        return False
    if "[" in thought or "(" in thought or not thought.isascii():
        # An assignment might begin within the thought.
        openers = "[" in thought or "(" in thought or "［" in thought or "（" in thought
        return not openers or _REFERENCE_SIGNS.isdisjoint(thought)
    return True


def read_clean_steps(draft: Draft, text: str, at: int, base: int, line: int, out: list[Step]) -> tuple[int, int]:
    """Read clean steps of ``text`` from the line start ``at``; where they end, and the number of the line there.

    ``base`` is the offset of ``text`` in the whole. Steps are added to the draft and to ``out``.
    """
    match = _STEP.match
    names, refs, findings = draft.names.names, draft.refs, draft.findings
    defined, used, steps, places, forward = draft.defined, draft.used, draft.steps, draft.places, draft.forward
    most, longest = draft.limits.steps, draft.limits.input
    while not draft.failed:
        found = match(text, at)
        if found is None:
            break
        blank, thought, number, hash_number, tool, raw = found.groups()
        own = f"evidence{number or hash_number}"
        if tool not in names or own in defined or len(defined) >= most or len(raw) > longest:
            break
        raw = raw[:-1]
        if "[" in raw or "]" in raw or (not raw.isascii() and ("［" in raw or "］" in raw)):
            break
        lines = len(blank) + 1
        if thought is None:
            thought = ""
        else:
            if not thought.isascii() or not thought.isprintable() or "  " in thought or thought[-1:] == " ":
                thought = " ".join(thought.split())
            if not _is_plain(thought):
                break
            lines += 1
        place = base + found.start(6)
        if raw.strip() is not raw or "+" in raw or raw[:1] in QUOTES:
            raw = clean_input(raw, place, findings)
        template = read_template(raw, refs, findings, place)
        defined[own] = None
        for part in template:
            if part.__class__ is Ref:
                needed = part.id
                used.add(needed)
                if needed == own or needed not in defined:
                    forward.append((own, place, part))
                    draft.failed = draft.failed or needed == own
        at = found.end()
        line += lines
        step = Step(own, thought, tool, template, line - 1)
        steps.append(step)
        places.append(place)
        if not draft.failed:
            out.append(step)
    return at, line
