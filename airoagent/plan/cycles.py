"""Circles among things that need each other.

>>> circle(find_cycle({"evidence0": ("evidence1",), "evidence1": ("evidence0",)}))
'evidence0 -> evidence1 -> evidence0'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["circle", "find_cycle"]


def circle(ids: Sequence[str]) -> str:
    """A cycle as a person reads it: ``evidence0 -> evidence1 -> evidence0``, a long one without its middle."""
    shown = ids if len(ids) <= 12 else (*ids[:6], f"{len(ids) - 9} more", *ids[-3:])
    return " -> ".join(shown)


def find_cycle(dependencies: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A cycle, its first one named again at the end; empty if there is none. Ids that are no keys do not count.

    The cycle is given in the direction of need, from its one that comes first in the mapping.
    """
    done: set[str] = set()
    for start in dependencies:
        if start in done:
            continue
        path, places = [start], {start: 0}
        waiting = [(start, iter(dependencies[start]))]
        while waiting:
            one, needed = waiting[-1]
            for other in needed:
                if other in places:
                    return _from_first(path[places[other] :], dependencies)
                if other not in done and other in dependencies:
                    places[other] = len(path)
                    path.append(other)
                    waiting.append((other, iter(dependencies[other])))
                    break
            else:
                waiting.pop()
                done.add(path.pop())
                del places[one]
    return ()


def _from_first(cycle: list[str], dependencies: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    members = set(cycle)
    first = next(one for one in dependencies if one in members)
    at = cycle.index(first)
    return (*cycle[at:], *cycle[:at], first)
