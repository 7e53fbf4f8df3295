"""The graph of a plan."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.errors import PlanError
from airoagent.plan.graph import build_graph
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step, find_cycle


def plan_of(needs: dict[int, list[int]], answer: int | None = None) -> Plan:
    steps = tuple(
        Step(f"evidence{id}", "", "T", tuple(Ref(f"evidence{other}") for other in others))
        for id, others in needs.items()
    )
    return Plan(steps, None if answer is None else (Ref(f"evidence{answer}"),))


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(f"evidence{number}" for number in numbers)


def test_what_a_graph_says_of_a_diamond() -> None:
    graph = build_graph(plan_of({0: [], 1: [0], 2: [0], 3: [2, 1, 2]}, answer=3))
    assert graph.dependencies["evidence3"] == ids(2, 1)
    assert graph.dependents["evidence0"] == ids(1, 2)
    assert graph.roots == ids(0)
    assert graph.order == ids(0, 1, 2, 3)
    assert graph.critical_path in (ids(0, 1, 3), ids(0, 2, 3))
    assert dict(graph.depth) == dict(zip(ids(0, 1, 2, 3), (1, 2, 2, 3), strict=True))
    assert graph.loose_ends == ()
    assert len(graph) == 4


def test_a_forward_reference_moves_a_step_behind_what_it_needs() -> None:
    graph = build_graph(plan_of({0: [2], 1: [], 2: [1]}))
    assert graph.order == ids(1, 2, 0)
    assert graph.critical_path == ids(1, 2, 0)


def test_a_step_that_nobody_uses_is_a_loose_end() -> None:
    assert build_graph(plan_of({0: [], 1: [], 2: []}, answer=1)).loose_ends == ids(0, 2)
    assert build_graph(plan_of({0: [], 1: [], 2: []})).loose_ends == ids(0, 1)  # the last one answers


def test_a_cycle_is_refused_by_name() -> None:
    with pytest.raises(PlanError) as caught:
        build_graph(plan_of({0: [], 1: [2, 0], 2: [3], 3: [1]}))
    assert caught.value.kind == "cycle"
    assert "evidence1 -> evidence2 -> evidence3 -> evidence1" in caught.value.message


def test_a_reference_to_no_step_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        build_graph(plan_of({0: [5]}))
    assert caught.value.kind == "undefined_reference"


def test_an_empty_plan_has_an_empty_graph() -> None:
    graph = build_graph(Plan(()))
    assert (graph.order, graph.critical_path, graph.roots) == ((), (), ())


def test_a_chain_of_many_steps_needs_no_deep_stack() -> None:
    count = 20_000
    backwards = {at: [at + 1] if at + 1 < count else [] for at in range(count)}
    assert len(build_graph(plan_of(backwards)).critical_path) == count
    backwards[count - 1] = [0]
    assert (
        len(find_cycle({f"e{at}": tuple(f"e{other}" for other in needed) for at, needed in backwards.items()}))
        == count + 1
    )


@given(st.lists(st.lists(st.integers(0, 11), max_size=3), min_size=1, max_size=12))
def test_an_order_is_found_or_a_cycle(edges: list[list[int]]) -> None:
    needs = {at: [other for other in others if other < len(edges)] for at, others in enumerate(edges)}
    plan = plan_of(needs)
    cycle = find_cycle({step.id: step.depends_on for step in plan.steps})
    if cycle:
        assert cycle[0] == cycle[-1]
        by_id = {step.id: step for step in plan.steps}
        assert all(other in by_id[one].depends_on for one, other in pairwise(cycle))
        with pytest.raises(PlanError):
            build_graph(plan)
    else:
        graph = build_graph(plan)
        assert sorted(graph.order) == sorted(graph.dependencies)
        place = {one: at for at, one in enumerate(graph.order)}
        assert all(place[other] < place[one] for one, needed in graph.dependencies.items() for other in needed)
        assert len(graph.critical_path) == max(graph.depth.values())
        assert all(a in graph.dependencies[b] for a, b in pairwise(graph.critical_path))
