"""Questions with known answers: read from the files people have, asked, scored, compared."""

from __future__ import annotations

import asyncio

import pytest

from airoagent import Agent, ScriptedModel, tool
from airoagent.evaluation.question_files import Question
from airoagent.evaluation.scores import evaluate, paired, score, summary
from tests.running import run_plan


@tool
def look(text: str) -> str:
    """Looks things up."""
    return "Lake Baikal is 1,642 metres deep."


@tool
def the(text: str) -> str:
    """Finds an article."""
    return "The"


PLAN = ":evidence0: = look[x]\nAnswer: :evidence0:"


@pytest.mark.parametrize(
    ("answers", "exact", "f1", "holds", "wrong"),
    [
        (("Lake Baikal is 1,642 metres deep",), 1.0, 1.0, 1.0, 0.0),
        (("the Lake Baikal is 1,642 metres deep!", "never"), 1.0, 1.0, 1.0, 0.0),
        (("1,642 metres",), 0.0, 0.5, 1.0, 0.0),
        (("642 metres",), 0.0, pytest.approx(2 / 8), 0.0, 1.0),
        (("a mile",), 0.0, 0.0, 0.0, 1.0),
        ((), 0.0, 0.0, 0.0, 1.0),
    ],
)
def test_an_answer_is_scored_as_squad_does(
    answers: tuple[str, ...], exact: float, f1: float, holds: float, wrong: float
) -> None:
    result = score(Question("1", "How deep?", answers), run_plan(PLAN, look))
    assert (result.exact, result.f1, result.holds, result.wrong) == (exact, f1, holds, wrong)
    assert (result.declined, result.valid, result.tool_errors) == (0.0, 1.0, 0)


def test_an_exact_answer_is_never_wrong() -> None:
    run = run_plan(":evidence0: = the[x]\nAnswer: :evidence0:", the)
    result = score(Question("1", "Which article?", ("the",)), run)
    assert (result.exact, result.holds, result.wrong) == (1.0, 1.0, 0.0)


def test_to_decline_is_right_where_there_is_no_answer_and_not_wrong_where_there_is() -> None:
    refused = run_plan("no plan", look)
    none, some = score(Question("1", "q", ()), refused), score(Question("1", "q", ("kelp",)), refused)
    assert (none.exact, none.holds, none.wrong, none.declined, none.valid) == (1.0, 1.0, 0.0, 1.0, 0.0)
    assert (some.exact, some.holds, some.wrong, some.declined) == (0.0, 0.0, 0.0, 1.0)


def test_results_come_in_order_with_intervals_and_a_paired_test() -> None:
    questions = [Question(str(n), f"{n}?", ("1,642 metres",) if n % 2 else ("a mile",)) for n in range(20)]

    def asked() -> tuple[object, ...]:
        agent = Agent(ScriptedModel({"plan": [PLAN] * 20}), [look], store=False)
        return asyncio.run(evaluate(agent, questions))

    results = asked()
    assert [result.id for result in results] == [str(n) for n in range(20)]  # type: ignore[attr-defined]
    figures = summary(results)  # type: ignore[arg-type]
    holds = figures["holds"]
    assert holds.mean == 0.5 and 0.2 <= holds.low < 0.5 < holds.high <= 0.8
    assert "hit" not in figures and summary(asked())["holds"] == holds  # type: ignore[arg-type]
    gain, chance = paired(results, results)  # type: ignore[arg-type]
    assert (gain.mean, chance) == (0.0, 1.0)
