"""Question files: the forms people have them in, and one sentence for what is not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airoagent import UsageError
from airoagent.engine.context_texts import plan_about
from airoagent.evaluation.question_files import Question, read_questions


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
        '{"question": "???", "answers": []}',
        r'{"question": "Who \ud83d?", "answers": []}',
        r'{"question": "Who?", "answers": ["Ann \ud83d"]}',
        r'{"question": "Who?", "answers": [], "context": "Ann \ud83d"}',
        '{"question": "Who?", "answers": "Can be one of [' + "-" * 100_000 + '1]"}',
    ],
)
def test_a_file_that_holds_no_questions_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_questions(file)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # ReWOO's CSV files: SOTU_QA, and BIG-bench's with several accepted answers
        ('question,answer\n"Who, then?","No, Kevin"\n', Question("1", "Who, then?", ("No, Kevin",))),
        (
            "input,target\nHow far?,\"Can be one of ['7187 m', '7 km']\"\n",
            Question("1", "How far?", ("7187 m", "7 km")),
        ),
        # LLMCompiler's lists
        ('[{"id": "11", "question": "If?", "answer": "5931.80", "branch": 2}]', Question("11", "If?", ("5931.80",))),
        # rows of the Hugging Face hub: SQuAD, HotpotQA, GSM8K; BIG-bench's JSON
        (
            '{"id": "s", "context": "C", "question": "q", "answers": {"text": ["u", "u"], "answer_start": [1, 2]}}',
            Question("s", "q", ("u",), (("text", "C"),)),
        ),
        (
            '{"id": "h", "question": "q", "answer": "Ann", "context": {"title": ["T"], "sentences": [["a. ", "b."]]}}',
            Question("h", "q", ("Ann",), (("T", "a. b."),)),
        ),
        (json.dumps({"question": "q", "answer": "9 + 9\n#### 18"}), Question("1", "q", ("18",))),
        ('{"examples": [{"input": "i", "target": ["a", "b"]}]}', Question("1", "i", ("a", "b"))),
        # pretty-printed JSON with objects at the beginning of a line is not JSON Lines
        ('[\n{"question": "q",\n"answer": "a"}\n]', Question("1", "q", ("a",))),
        ('{\n"data": [\n{"paragraphs": []}\n],\n"version": "1"}', None),
    ],
)
def test_the_forms_that_people_have_are_read(tmp_path: Path, text: str, expected: Question | None) -> None:
    file = tmp_path / "questions"
    file.write_text(text)
    if expected is None:
        with pytest.raises(UsageError, match="contains no questions"):
            read_questions(file)
    else:
        assert read_questions(file) == (expected,)


def test_a_repeated_id_gets_a_number(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps({"id": id, "question": "Who?"}) + "\n" for id in ("a", "b", "a", "a")))
    assert [question.id for question in read_questions(file)] == ["a", "b", "a (2)", "a (3)"]


def test_the_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "a?"}\n\n{"question": "b?", "answers": [["x"], ["y"]]}\n')
    with pytest.raises(UsageError, match=r"q\.jsonl:3: not a question"):
        read_questions(file)
