"""Circles among things that need each other.

>>> circle(find_cycle({"evidence0": ("evidence1",), "evidence1": ("evidence0",)}))
'evidence0 -> evidence1 -> evidence0'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

__all__ = ["circle", "find_cycle"]


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
