"""Questions with known answers: read from the files people have, asked, scored, compared."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from airoagent import Agent, ScriptedModel, UsageError, tool
from airoagent.engine.context_texts import plan_about
from airoagent.evaluation.question_files import Question, read_questions
from airoagent.evaluation.scores import evaluate, paired, score, summary
from tests.running import run_plan


@tool
def look(text: str) -> str:
    """Looks things up."""
    return "Lake Baikal is 1,642 metres deep."


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


def test_to_decline_is_right_where_there_is_no_answer_and_not_wrong_where_there_is() -> None:
    refused = run_plan("no plan", look)
    none, some = score(Question("1", "q", ()), refused), score(Question("1", "q", ("kelp",)), refused)
    assert (none.exact, none.holds, none.wrong, none.declined, none.valid) == (1.0, 1.0, 0.0, 1.0, 0.0)
    assert (some.exact, some.holds, some.wrong, some.declined) == (0.0, 0.0, 0.0, 1.0)


def test_lines_of_our_own_are_read(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    rows = [
        {"question": "How deep?", "answers": ["1,642"], "id": "a", "source": "baikal"},
        {"question": "Who?", "answer": "Ann", "context": "Ann did."},
        {"question": "Why?", "context": {"one": "x", "two": "y"}},
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_questions(file) == (
        Question("a", "How deep?", ("1,642",), (), "baikal"),
        Question("2", "Who?", ("Ann",), (("text", "Ann did."),)),
        Question("3", "Why?", (), (("one", "x"), ("two", "y"))),
    )


def test_squad_and_hotpot_are_read_as_they_are_published(tmp_path: Path) -> None:
    qas = [{"id": "1", "question": "How deep?", "answers": [{"text": "a", "answer_start": 0}, {"text": "a"}]}]
    qas.append({"id": "2", "question": "Why?", "answers": []})
    squad = tmp_path / "squad.json"
    squad.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [{"context": "C", "qas": qas}]}]}))
    assert read_questions(squad) == (
        Question("1", "How deep?", ("a",), (("T", "C"),)),
        Question("2", "Why?", (), (("T", "C"),)),
    )
    hotpot = tmp_path / "hotpot.json"
    hotpot.write_text(
        json.dumps([{"_id": "x", "question": "Who?", "answer": "Ann", "context": [["T", ["a. ", "b."]]] * 10}])
    )
    (question,) = read_questions(hotpot)
    assert question == Question("x", "Who?", ("Ann",), (("T", "a. b."),) * 10)
    assert len(plan_about(question.context)[1]) == 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        '{"a": 1}',
        "[3]",
        '{"question": 3, "answers": []}',
        "{" * 9999,
        '{"data": [{}]}',
        '{"data": [{"paragraphs": [{"qas": [{}]}]}]}',
        '[{"question": "Who?", "context": 3}]',
        '{"question": "Who?", "answers": [], "context": [1]}',
    ],
)
def test_a_file_that_holds_no_questions_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_questions(file)
    assert "\n" not in caught.value.message


def test_results_come_in_order_with_intervals_and_a_paired_test() -> None:
    questions = [Question(str(n), f"{n}?", ("1,642 metres",) if n % 2 else ("a mile",)) for n in range(20)]

    def asked() -> tuple[object, ...]:
        agent = Agent(ScriptedModel({"plan": [PLAN] * 20}), [look], store=False)
        return asyncio.run(evaluate(agent, questions))

    results = asked()
    assert [result.id for result in results] == [str(n) for n in range(20)]  # type: ignore[attr-defined]
    figures = summary(results)  # type: ignore[arg-type]
    assert figures.holds.mean == 0.5 and 0.2 <= figures.holds.low < 0.5 < figures.holds.high <= 0.8
    assert figures.hit is None and summary(asked()).holds == figures.holds  # type: ignore[arg-type]
    gain, chance = paired(results, results)  # type: ignore[arg-type]
    assert (gain.mean, chance) == (0.0, 1.0)
