"""The scripted model plays what it was given, and says so when it has no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent.errors import ModelError, UsageError
from airoagent.models.base import Completion, Model, Prompt, Usage, complete
from airoagent.models.scripted import ScriptedModel


async def _pieces(model: ScriptedModel, prompt: Prompt) -> list[str]:
    return [chunk.text async for chunk in model.stream(prompt)]


def ask(model: ScriptedModel, text: str = "hi there", **settings: object) -> Completion:
    import asyncio

    return asyncio.run(complete(model, Prompt(text, **settings)))  # type: ignore[arg-type]


def test_is_a_model() -> None:
    assert isinstance(ScriptedModel([]), Model)


def test_plays_in_order_and_keeps_the_prompts() -> None:
    model = ScriptedModel(["one two three", "four"])
    assert ask(model, "first") == Completion("one two three", "stop", Usage(1, 3, 1))
    assert ask(model, "second").text == "four"
    assert [prompt.text for prompt in model.prompts] == ["first", "second"]


def test_plays_by_purpose() -> None:
    model = ScriptedModel({"plan": ["P"], "answer": ["A", "B"]})
    assert [ask(model, purpose=p).text for p in ("answer", "plan", "answer")] == ["A", "P", "B"]


def test_running_out_is_an_error_that_counts() -> None:
    model = ScriptedModel(["one"])
    ask(model)
    with pytest.raises(ModelError, match="purpose 'answer': 1 played") as caught:
        ask(model)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("chunk", [0, 1, 3, 100])
def test_the_text_is_the_same_in_any_pieces(chunk: int) -> None:
    import asyncio

    text = "Plan: look 🦦\n:evidence0: = Search[x]"
    pieces = asyncio.run(_pieces(ScriptedModel([text], chunk=chunk), Prompt("q")))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= (chunk or len(text))


def test_stop_strings_end_the_output() -> None:
    assert ask(ScriptedModel(["one STOP two"]), stop=("STOP",)).text == "one "


def test_a_plan_file_is_the_output_of_one_plan(tmp_path: Path) -> None:
    (tmp_path / "x.plan").write_text("Plan: look\n:evidence0: = Search[x]\n", encoding="utf-8")
    model = ScriptedModel.from_file(tmp_path / "x.plan")
    assert ask(model, purpose="plan").text == "Plan: look\n:evidence0: = Search[x]\n"
    with pytest.raises(ModelError, match="purpose 'answer': 1 played"):
        ask(model, purpose="answer")


def test_json_lines_are_many_outputs(tmp_path: Path) -> None:
    script = '{"purpose": "plan", "text": "P"}\n\n{"text": "anything"}\n{"purpose": "answer", "text": "A"}\n'
    (tmp_path / "x.jsonl").write_text(script, encoding="utf-8")
    model = ScriptedModel.from_file(tmp_path / "x.jsonl")
    assert [ask(model, purpose=p).text for p in ("answer", "plan", "answer")] == ["A", "P", "anything"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\nnot json\n', "line 2 of .* is not JSON"),
        (b'{"txt": "a"}\n', "line 1 of .* is not an output"),
        (b'{"purpose": "dance", "text": "a"}\n', "line 1 of .* is not an output"),
        (b'{"text": "a"}\n[1]\n', "line 2 of .* is not an output"),
        (b"\xff\x80 x", "is not UTF-8 text"),
        (b" \n", "is empty"),
    ],
)
def test_a_script_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        ScriptedModel.from_file(tmp_path / "bad")


def test_a_missing_script_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        ScriptedModel.from_file(tmp_path / "none")


def test_one_text_instead_of_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match="list of texts"):
        ScriptedModel("text")


def test_an_unknown_purpose_is_refused() -> None:
    with pytest.raises(UsageError, match="'dance'"):
        ScriptedModel({"dance": ["x"]})  # type: ignore[dict-item]
