"""The graph of a plan: which step needs which, in what order they can run, and what is not needed.

    >>> from airoagent.plan.plans import Plan
    >>> from airoagent.plan.steps import Ref, Step
    >>> plan = Plan((Step("evidence0", "", "Search", ("otters",)), Step("evidence1", "", "QA", (Ref("evidence0"),))))
    >>> graph = build_graph(plan)
    >>> graph.order, graph.critical_path, graph.dependents["evidence0"]
    (('evidence0', 'evidence1'), ('evidence0', 'evidence1'), ('evidence1',))

Time and memory grow with steps plus references. Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from airoagent.errors import PlanError
from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.plan.steps import circle, find_cycle, references


@frozen
class Graph:
    """A plan's steps by what they need.

    ``dependencies`` and ``dependents`` map every id to ids, in the order of the plan's text (dependencies: in order
    of first reference). ``roots`` need nothing. ``order`` is a topological order, as near to the plan's own as can
    be. ``depth`` is the number of steps on the longest way to a step, itself included. ``critical_path`` is a longest
    chain (the first of several). ``loose_ends`` are the steps whose evidence neither a step nor the answer uses.
    """

    dependencies: Mapping[str, tuple[str, ...]]
    dependents: Mapping[str, tuple[str, ...]]
    roots: tuple[str, ...]
    order: tuple[str, ...]
    depth: Mapping[str, int]
    critical_path: tuple[str, ...]
    loose_ends: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.order)


def build_graph(plan: Plan) -> Graph:
    """The graph of a plan. PlanError (undefined_reference, cycle) if there is none; a parsed plan always has one."""
    dependencies = {step.id: step.depends_on for step in plan.steps}
    dependents: dict[str, list[str]] = {one: [] for one in dependencies}
    for one, needed in dependencies.items():
        for other in needed:
            if other not in dependents:
                raise PlanError(
                    f"{one} refers to {other}, which is not a step of the plan.",
                    "refer only to steps of the plan",
                    kind="undefined_reference",
                )
            dependents[other].append(one)
    order = _order(dependencies)
    depth: dict[str, int] = {}
    before: dict[str, str] = {}
    for one in order:
        for other in dependencies[one]:
            if depth[other] >= depth.get(one, 1):
                depth[one] = depth[other] + 1
                before[one] = other
        depth.setdefault(one, 1)
    path = [max(order, key=depth.__getitem__)] if order else []
    while path and path[-1] in before:
        path.append(before[path[-1]])
    answered = set(references(plan.final_template))
    return Graph(
        MappingProxyType(dependencies),
        MappingProxyType({one: tuple(ids) for one, ids in dependents.items()}),
        tuple(one for one, needed in dependencies.items() if not needed),
        order,
        MappingProxyType({one: depth[one] for one in dependencies}),
        tuple(reversed(path)),
        tuple(one for one, ids in dependents.items() if not ids and one not in answered),
    )


def _order(dependencies: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A topological order: the plan's own where it is one."""
    position = {one: at for at, one in enumerate(dependencies)}
    if all(position[other] < at for at, needed in enumerate(dependencies.values()) for other in needed):
        return tuple(dependencies)
    sorter = TopologicalSorter(dict.fromkeys(dependencies, ()))
    for one, needed in dependencies.items():
        sorter.add(one, *needed)
    try:
        return tuple(sorter.static_order())
    except CycleError:
        why = f"The steps wait for each other: {circle(find_cycle(dependencies))}."
        raise PlanError(why, "no step may need its own evidence", kind="cycle") from None
